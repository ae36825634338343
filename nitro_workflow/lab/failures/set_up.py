"""What a broken set-up consists of: a key policy, a launch, a client, a request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from nitro_workflow.lab.failures.practice_enclaves import Launch
from nitro_workflow.lab.failures.practice_images import TODAY

__all__ = ["CONTEXT", "Client", "Facts", "SetUp"]

CONTEXT: Final[Mapping[str, str]] = {"dataset": "practice", "version": "1"}
"""What the owner bound to each practice data key."""

_TODAY: Final = Launch(TODAY)


@dataclass(frozen=True, slots=True)
class Client:
    """How the program asks KMS. Its fields are what a learner may change, one at a time."""

    runs_in: str = "enclave"
    """``enclave`` or ``laptop`` (the owner's, with the owner's credentials)."""
    credentials: str = "instance"
    """``instance`` or ``administrator``: whose role the program was handed."""
    attested: bool = True
    """Whether the request carries a Recipient."""
    document: str = "each request"
    """``each request`` or ``kept``: how often the program asks for a document."""
    opens_with: str = "document's key"
    """``document's key`` or ``newest key``: with which key it opens the answer."""
    clock_minutes: int = 0
    """By how much the program's clock is ahead."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What policies are written from: ARNs by party, PCRs by image."""

    arns: Mapping[str, str]
    pcrs: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class SetUp:
    """One set-up, as its parties left it. ``story``: what the person who calls you knows.

    ``policy`` returns the statements beside the owner's own. ``mended_by``: what may be changed to
    mend it. ``max_age``: seconds that the cloud takes a document for; 0 for its usual limit.
    ``promised``: where a denial is missing, the image that may have the key.
    """

    cause: str
    story: str
    policy: Callable[[Facts], list[dict[str, Any]]]
    mended_by: tuple[str, ...]
    launch: Launch = _TODAY
    client: Client = Client()
    context: Mapping[str, str] = field(default_factory=lambda: CONTEXT)
    max_age: int = 0
    promised: Launch = _TODAY
