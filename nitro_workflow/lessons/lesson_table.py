"""The fourteen lessons: what each is called, which steps it runs, what must be there before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from nitro_workflow.lab import STEPS

__all__ = ["LESSONS", "LessonPlan"]


@dataclass(frozen=True, slots=True)
class LessonPlan:
    """One lesson. ``steps`` are those that its notebook runs; ``needs`` is the last step before.

    ``goal`` ends the sentence “afterwards you can …”, ``file`` is its notebook's name.
    ``when_done`` says what it means for the notebook that its own steps were run before.
    """

    title: str
    file: str
    goal: str
    steps: tuple[str, ...] = ()
    needs: str = ""
    when_done: str = "running it again is safe"

    @property
    def before(self) -> tuple[str, ...]:
        """Return the steps that must be done when the lesson opens, in the workflow's order."""
        numbers = [step.number for step in STEPS]
        return tuple(numbers[: numbers.index(self.needs) + 1]) if self.needs else ()


_DECRYPTION: Final = tuple(f"D{number}" for number in range(1, 10))

LESSONS: Final[Mapping[str, LessonPlan]] = {
    "00": LessonPlan(
        "Why an enclave",
        "00_why_an_enclave",
        "say what an enclave protects from whom, and prove it by trying",
    ),
    "01": LessonPlan(
        "The key", "01_the_key", "read a key policy, and say who can do what with the key", ("P1",)
    ),
    "02": LessonPlan(
        "Encrypt",
        "02_encrypt",
        "open an encrypted message byte by byte, and say who can read it",
        ("P2", "P3"),
        "P1",
    ),
    "03": LessonPlan(
        "Store",
        "03_store",
        "say what the store sees, and whose consent a read takes",
        ("P4",),
        "P3",
    ),
    "04": LessonPlan(
        "The application",
        "04_the_application",
        "read the application that is trusted, and find a planted backdoor",
        ("P5",),
        "P4",
    ),
    "05": LessonPlan(
        "The image",
        "05_the_image",
        "build an image, compute its PCRs by hand, build it alike again",
        ("P6",),
        "P5",
    ),
    "06": LessonPlan(
        "The policy",
        "06_the_policy",
        "turn PCRs into a key policy, and find the side door in another",
        ("P7",),
        "P6",
        "this notebook does not need that, and does not undo it",
    ),
    "07": LessonPlan(
        "Launch",
        "07_launch",
        "start an enclave, read its errors, say what debug mode does",
        ("P8",),
        "P7",
    ),
    "08": LessonPlan(
        "Attested decryption",
        "08_attested_decryption",
        "follow a decryption from the document to the receipt, in bytes",
        _DECRYPTION,
        "P8",
    ),
    "09": LessonPlan(
        "Attacks",
        "09_attacks",
        "say of an attack how it ends, and what would let it succeed",
        needs="P8",
    ),
    "10": LessonPlan(
        "The failure lab",
        "10_failure_lab",
        "tell from AccessDenied and evidence what is broken, and mend it",
        needs="P8",
    ),
    "11": LessonPlan(
        "Living with it",
        "11_living_with_it",
        "roll out, rotate, revoke and watch without a gap",
        needs="P8",
    ),
    "12": LessonPlan(
        "Any document",
        "12_any_document",
        "verify a real document by hand, and say what it does not promise",
    ),
    "13": LessonPlan(
        "To AWS",
        "13_to_aws",
        "plan the same on AWS: what it takes, costs and leaves",
        needs="D3",
    ),
}
"""Number → the lesson, in the order of the course."""
