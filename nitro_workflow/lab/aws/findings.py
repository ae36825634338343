"""The answers of a pre-flight: each to one question, and what AWS refuses to tell is unknown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

from nitro_workflow.cloud import error_code
from nitro_workflow.errors import NitroWorkflowError

__all__ = ["Finding", "asked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question. ``state``: ``ok``, ``no`` or ``unknown``."""

    question: str
    state: str
    found: str
    next: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the fields by name."""
        return asdict(self)


def asked(question: str, ask: Callable[[], Finding]) -> Finding:
    """Return the finding; what AWS refuses to tell is unknown, and says what to be allowed."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return ask()
    except ClientError as error:
        message = str(error.response.get("Error", {}).get("Message", ""))
        found = f"{error_code(error)}: {message}"
    except (BotoCoreError, NitroWorkflowError) as error:
        found = str(error)
    return Finding(question, "unknown", found, "`--policy` prints what the operator needs")
