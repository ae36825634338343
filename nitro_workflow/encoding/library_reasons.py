"""What a library says of DER or PEM that it cannot read, in words that a person can use.

cryptography's texts are its parser's records (``ParseError { kind: ShortData { needed: 5 }, …``).

>>> der_reason(ValueError(
...     'error parsing asn1 value: ParseError { kind: ShortData { needed: 5 }, '
...     'location: ["Certificate::tbs_cert", "TbsCertificate::validity"] }'
... ))
'DER that ends too early, in tbs_cert.validity'
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["der_reason"]

_KIND: Final = re.compile(r"kind: (\w+)")
_PLACE: Final = re.compile(r'"\w+::(\w+)"')
_WORDS: Final = {
    "EncodedDefault": "DER that writes a default value out",
    "ExtraData": "DER with more after its end",
    "InvalidLength": "DER with a length that is not allowed",
    "InvalidSetOrdering": "DER with a set out of order",
    "InvalidSize": "DER with a value of a wrong size",
    "InvalidTag": "DER with a tag that is not allowed",
    "InvalidValue": "DER with a value that is not allowed",
    "IntegerOverflow": "DER with a number that is too large",
    "OidTooLong": "DER with an object identifier that is too long",
    "ShortData": "DER that ends too early",
    "UnexpectedTag": "DER with another element than is expected",
    "UnknownDefinedBy": "DER with an identifier that is not known",
}
_MAX_TEXT: Final = 120  # characters of another library's text


def der_reason(error: BaseException) -> str:
    """Return why DER or PEM cannot be read, from the library's error: one short line."""
    text = str(error)
    if "ParseError" in text:
        kind = _KIND.search(text)
        words = _WORDS.get(kind.group(1) if kind else "", "DER that cannot be read")
        place = ".".join(_PLACE.findall(text))
        return f"{words}, in {place}" if place else words
    if "PEM" in text or "MalformedFraming" in text:
        return "PEM that cannot be read"
    if "password" in text.lower() or "encrypted" in text.lower():
        return _of_keys(text)
    line = text.splitlines()[0] if text else type(error).__name__
    return line if len(line) <= _MAX_TEXT else f"{line[: _MAX_TEXT - 1]}…"


def _of_keys(text: str) -> str:
    if "not given" in text:
        return "a key that is encrypted with a password"
    return "no key that can be read"
