"""A call that must be refused: its refusal in a box, and a plain word where nothing was refused."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from nitro_workflow.enclave import end_left_streams
from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.widgets import Head, PlainModel, View

__all__ = ["Caught", "Refused", "refusal_shown"]


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer to a refused call, as its client has it, and no more; empty: none was refused."""

    code: str = ""
    status: str = ""
    message: str = ""
    call: str = ""

    @classmethod
    def of(cls, error: Exception) -> Refused:
        """Return what a client's error says."""
        answer = getattr(error, "response", {}) or {}
        said = answer.get("Error", {})
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", "")
        return cls(
            code=str(said.get("Code") or type(error).__name__),
            status=f"HTTP {status}" if status else _where(error),
            message=str(said.get("Message", "") if said else error),
            call=str(getattr(error, "operation_name", "") or ""),
        )

    @property
    def view(self) -> View:
        """The refusal as a card."""
        if not self.code:
            head = Head("Refused?", "Nothing was refused: every call was answered.", "warning")
            return View(PlainModel(head))
        what = " · ".join(filter(None, (self.call, self.status)))
        return View(
            PlainModel(Head(what, self.code, "bad", self.message or "No words came with it."))
        )

    def __repr__(self) -> str:
        return self.view.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return self.view._repr_mimebundle_()[0]


def _where(error: Exception) -> str:
    from botocore.exceptions import BotoCoreError

    sent = isinstance(error, BotoCoreError)
    return "refused by the client, before it was sent" if sent else "refused on this machine"


def _bytes_refused() -> tuple[type[Exception], ...]:
    """Return what refuses changed bytes: AES-GCM and, where it is in use, the Encryption SDK."""
    from cryptography.exceptions import InvalidTag

    sdk = sys.modules.get("aws_encryption_sdk.exceptions")
    if sdk is None:
        return (InvalidTag,)
    # It logs, with a traceback, what it raises anyway: without a handler that lands in the cell.
    logging.getLogger("aws_encryption_sdk").addHandler(_SILENT)
    return (InvalidTag, sdk.AWSEncryptionSDKClientError)


_SILENT: Final = logging.NullHandler()


class Caught:
    """What `lesson.refusal` gives to its block: ``refused`` is empty where nothing was refused."""

    def __init__(self) -> None:
        self.refused = Refused()

    def __repr__(self) -> str:
        return repr(self.refused)


@contextlib.contextmanager
def refusal_shown() -> Iterator[Caught]:
    """Show the refusal that ends the block, or that none did. Other errors pass.

    A tag that does not fit is a refusal, too. The package's own errors are shown in their own box:
    found, expected, where, next.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from IPython.display import display

    refused = (ClientError, BotoCoreError, *_bytes_refused())
    caught = Caught()
    try:
        yield caught
    except refused as error:
        end_left_streams(error)
        caught.refused = Refused.of(error)
        display(caught.refused)
    except NitroWorkflowError as error:
        display(error)
    else:
        display(Refused())
