"""What a piece of evidence is worth: seen by who did it, signed, inferred, awaited, or a word.

In a lab of the local cloud everything is observed, and evidence says nothing about it. On AWS the
cloud tells less, and later: each step says there what it rests on, and never more than is known.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Known"]


class Known(StrEnum):
    """Stands in evidence as ``known``."""

    OBSERVED = "observed"
    """By the party that did it, or in a record of AWS's."""
    SIGNED = "signed"
    """Said by the measured code in its receipt, which Nitro signed and the owner verified."""
    INFERRED = "inferred"
    """It follows from what is signed: AWS's record of it may still come."""
    WORD = "word"
    """Somebody's word, which nothing else confirms."""
