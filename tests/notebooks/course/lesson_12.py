"""Lesson 12, as its learners answer it."""

from __future__ import annotations

_OPEN = """
parts = cbor2.loads(raw)
fields = cbor2.loads(parts[2])
"""
_ISSUED = """
from cryptography.exceptions import InvalidSignature
def issued(below, above):
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
"""
_SIGNATURE = """
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

def to_be_signed(protected, payload):
    return cbor2.dumps(["Signature1", protected, b"", payload])

def holds(signed, signature, key):
    r, s = (int.from_bytes(half, "big") for half in (signature[:48], signature[48:]))
    try:
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA384()))
    except InvalidSignature:
        return False
    return True
"""
_JUDGED = """
judged = {
    "amber": "good", "birch": "signature", "cedar": "good", "dune": "root",
    "ember": "good", "fjord": "pcrs", "grove": "good", "heath": "good",
}
check.judged(judged)
"""
_BELIEVE = """
def believe(verified, nonce, channel_key):
    document = verified.document
    return document.nonce == nonce and document.public_key == channel_key
check.believe(believe)
"""
_PROMISES = """
promised = {
    "a program with this PCR0 was started": True,
    "that program has no bug": False,
    "that program put the key into public_key": True,
    "it is still running": False,
    "the data it was fed is honest": False,
    "the parent will deliver its answers": False,
}
check.promised(promised)
"""

SOLUTIONS = {
    "write-open": _OPEN,
    "write-issued": _ISSUED,
    "write-signature": _SIGNATURE,
    "judge": _JUDGED,
    "write-believe": _BELIEVE,
    "write-promises": _PROMISES,
}
_CHECKS = {
    "write-open": "check-open",
    "write-issued": "check-issued",
    "write-signature": "check-signature",
}


def _instead(exercise: str, old: str, new: str, words: str) -> tuple[str, str, str, str]:
    """Return the mistake of writing something else at one place of the solution."""
    source = SOLUTIONS[exercise]
    if old not in source:
        raise ValueError(f"{exercise} has no {old!r}")
    return (exercise, source.replace(old, new, 1), _CHECKS.get(exercise, exercise), words)


MISTAKES = [
    _instead("write-open", "cbor2.loads(raw)\nfields = cbor2.loads(parts[2])",
             "raw\nfields = cbor2.loads(cbor2.loads(raw)[2])", "These are bytes"),
    _instead("write-open", "cbor2.loads(raw)\nfields = cbor2.loads(parts[2])",
             "cbor2.loads(cbor2.loads(raw)[2])\nfields = parts", "This is the map inside"),
    _instead("write-open", "cbor2.loads(parts[2])", "cbor2.loads(parts[0])", "protected header"),
    _instead("write-open", "cbor2.loads(parts[2])", "parts[2]", "decoded once more"),
    _instead("write-open", "cbor2.loads(parts[2])", "parts[1]", "parts[2]"),
    _instead("write-issued", "        below.verify_directly_issued_by(above)",
             "        return below.issuer == above.subject", "another key of the same name"),
    _instead("write-issued", "below.verify_directly_issued_by(above)",
             "above.verify_directly_issued_by(below)", "the one that issued it: it is refused"),
    _instead("write-issued", "    except (ValueError, TypeError, InvalidSignature):",
             "    except InvalidSignature:", "it raised ValueError"),
    _instead("write-issued", "    return True", "    return below", "it returned Certificate"),
    ("write-issued", "issued = True", "check-issued", "to be a function of two certificates"),
    ("write-issued", "issued = lambda below, above: True", "check-issued", "it is taken"),
    _instead("write-signature", 'cbor2.dumps(["Signature1", protected, b"", payload])', "payload",
             "not over the payload alone"),
    _instead("write-signature", 'cbor2.dumps(["Signature1", protected, b"", payload])',
             '["Signature1", protected, b"", payload]', "to be encoded"),
    _instead("write-signature", ' b"",', "", "external data, is empty"),
    _instead("write-signature", "protected, b", "cbor2.loads(protected), b", "not decoded"),
    _instead("write-signature", "payload])", "cbor2.loads(payload)])", "The payload goes in as"),
    _instead("write-signature", '"Signature1"', '"Signature"', "For one signer"),
    _instead("write-signature", '"Signature1"', '"signature1"', "section 4.4"),
    _instead("write-signature", "(protected, payload)", "(protected)", "It raised TypeError"),
    _instead("write-signature", "encode_dss_signature(r, s)", "signature", "DER out of r and s"),
    _instead("write-signature", "ec.ECDSA(SHA384", "ec.ECDSA(SHA256", "ECDSA with SHA-384"),
    _instead("write-signature", "return False", "return True", "PCR0 was changed after signing"),
    _instead("write-signature", "except InvalidSignature:\n        return False",
             "finally:\n        pass", "it raised InvalidSignature"),
    ("write-signature", "to_be_signed = holds = True", "check-signature", "Both are to be"),
    _instead("judge", '"pcrs"', '"good"', "fjord: you say good"),
    _instead("judge", '"cedar": "good"', '"cedar": "pcrs"', "Odd is not bad"),
    _instead("judge", '"dune": "root"', '"dune": "chain"', "chain is not why"),
    _instead("judge", '"signature"', '"broken"', "is no check"),
    _instead("judge", '"heath": "good",', "", "not of the form that was asked for"),
    _instead("write-believe", " and document.public_key == channel_key", "", "shows its own key"),
    _instead("write-believe", "document.nonce == nonce and ", "", "answered an earlier question"),
    _instead("write-believe", "document.nonce == nonce", "nonce.startswith(document.nonce or b'')",
             "without a nonce: it is taken"),
    _instead("write-believe", "document.nonce == nonce",
             "document.nonce and nonce.startswith(document.nonce)", "without a nonce: it returned"),
    _instead("write-believe", "document.nonce ==", "verified.nonce ==", "it raised AttributeError"),
    ("write-believe", "believe = True\ncheck.believe(believe)", "write-believe", "to be a function"),
    _instead("write-promises", "no bug\": False", "no bug\": True", "a digest does not read code"),
    _instead("write-promises", "was started\": True", "was started\": False", "what PCR0 measures"),
    _instead("write-promises", "running\": False", "running\": True", "about one moment"),
    _instead("write-promises", "honest\": False", "honest\": True", "comes from the parent"),
]  # fmt: skip

WRONG = {"bundle-root": 1, "one-byte": 1, "debug-authentic": 2, "hour-old": 1, "middle": 2}
