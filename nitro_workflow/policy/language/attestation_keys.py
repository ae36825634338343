"""The attestation keys of KMS: which PCR they are, and what feeds it.

Source: docs/reference/formats.md: Measurements, Registers at run time, Condition keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["FEEDS", "HEX_LENGTH", "PcrKey", "feeds", "parse_key"]

HEX_LENGTH = 96  # SHA-384 in hexadecimal
_KEY = re.compile(
    r"kms:recipientattestation:(?:(?P<image>imagesha384)|(?P<tpm>nitrotpm)?pcr(?P<index>[0-9]{1,2}))",
    re.IGNORECASE,
)
FEEDS: Mapping[int, str] = {
    0: "the whole image: kernel, command line and all ramdisks",
    1: "the kernel, its command line and the first (boot) ramdisk",
    2: "the application: every ramdisk but the first",
    3: "the ARN of the parent instance's IAM role",
    4: "the parent's instance id",
    8: "the certificate that signed the image file",
}
"""What is measured into each PCR that the hypervisor fills."""


@dataclass(frozen=True, slots=True)
class PcrKey:
    """A condition key of an attestation document."""

    index: int
    nitrotpm: bool = False
    image: bool = False

    @property
    def label(self) -> str:
        """``PCR0``, ``PCR0 (ImageSha384)``, ``NitroTPM PCR7``."""
        prefix = "NitroTPM " if self.nitrotpm else ""
        return f"{prefix}PCR{self.index}" + (" (ImageSha384)" if self.image else "")

    @property
    def in_range(self) -> bool:
        """Say whether a document can hold this PCR: 0–31, or 0–23 in a TPM."""
        return self.index <= (23 if self.nitrotpm else 31)


def parse_key(key: str) -> PcrKey | None:
    """Return which PCR a condition key is about; None for every other key."""
    found = _KEY.fullmatch(key)
    if not found:
        return None
    if found.group("image"):
        return PcrKey(0, image=True)
    return PcrKey(int(found.group("index")), nitrotpm=bool(found.group("tpm")))


def feeds(key: PcrKey) -> str:
    """Say what is measured into the PCR, as the end of “is the measurement of …”."""
    if key.nitrotpm:
        return "the instance's boot (NitroTPM)"
    if key.index in FEEDS:
        return FEEDS[key.index]
    return "what the enclave extends itself" if key.index >= 16 else "nothing yet (reserved)"
