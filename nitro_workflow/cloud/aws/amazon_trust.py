"""The roots of Amazon Trust Services, which sign the certificates of AWS's endpoints.

They come with the package, so that the image that trusts them is the same on every machine, and
each is held against its digest. Five, as Amazon asks of whoever keeps a trust store of their own;
a test holds their keys against the digests that Amazon publishes
(https://www.amazontrust.com/repository/).
"""

from __future__ import annotations

import functools
import hashlib
import re
import ssl
from importlib import resources
from pathlib import Path
from typing import Final

from nitro_workflow.errors import CertificateError

__all__ = ["AMAZON_ROOTS", "amazon_roots_file", "amazon_roots_pem"]

AMAZON_ROOTS: Final = {
    "Amazon Root CA 1": "8ecde6884f3d87b1125ba31ac3fcb13d7016de7f57cc904fe1cb97c6ae98196e",
    "Amazon Root CA 2": "1ba5b2aa8c65401a82960118f80bec4f62304d83cec4713a19c39c011ea46db4",
    "Amazon Root CA 3": "18ce6cfe7bf14e60b2e347b8dfe868cb31d02ebb3ada271569f50343b46db3a4",
    "Amazon Root CA 4": "e35d28419ed02025cfa69038cd623962458da5c695fbdea3c22b0bfb25897092",
    "Starfield Services Root Certificate Authority - G2": (
        "568d6905a2c88708a4b3025190edcfedb1974a606a13c6e5290fcb2ae63edab5"
    ),
}
"""Common name → SHA-256 of the certificate's DER."""

FILE: Final = "data/amazon_trust_roots.pem"

_PEM: Final = re.compile(
    r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+-----END CERTIFICATE-----\n", re.ASCII
)


def amazon_roots_file() -> Path:
    """Return the file for a TLS library; raises `CertificateError` where it was changed."""
    check_roots(_file().read_text("ascii", "replace"))
    return _file()


@functools.cache
def amazon_roots_pem() -> str:
    """Return the five certificates, PEM, in the order of `AMAZON_ROOTS`.

    Raises `CertificateError` where the installed file does not hold these five and no other.
    """
    text = _file().read_text("ascii", "replace")
    check_roots(text)
    return text


def check_roots(pem: str) -> None:
    """Raise `CertificateError` where the text is not the five roots and nothing beside them."""
    # By the bytes: one of the five has a serial number (zero) that parsers of X.509 may refuse.
    blocks = _PEM.findall(pem)
    found = [hashlib.sha256(ssl.PEM_cert_to_DER_cert(block)).hexdigest() for block in blocks]
    if found != list(AMAZON_ROOTS.values()) or "".join(blocks) != pem:
        raise CertificateError(
            f"{len(found)} certificates, {len(set(found) - set(AMAZON_ROOTS.values()))} unknown",
            expected="the five roots of Amazon Trust Services, and nothing beside them",
            where=FILE,
            next="install the package again: its file was changed",
        )


def _file() -> Path:
    return Path(str(resources.files("nitro_workflow.cloud.aws").joinpath(FILE)))
