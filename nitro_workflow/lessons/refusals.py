"""A call that must be refused: its refusal in a box, and a plain word where nothing was refused."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from nitro_workflow.errors import NitroWorkflowError

__all__ = ["Refused", "refusal_shown"]

_BAD: Final = "var(--jp-error-color1, #c62828)"
_WARNING: Final = "var(--jp-warn-color0, #a04000)"
_ANSWERED: Final = (
    f'<section aria-label="Nothing was refused" style="border-left:4px solid {_WARNING};'
    f'padding:2px 12px"><p><b style="color:{_WARNING}">! Nothing was refused</b>: '
    "every call of this cell was answered.</p></section>"
)


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
            status=f"HTTP {status}" if status else "refused by the client, before it was sent",
            message=str(said.get("Message", "") if said else error),
            call=str(getattr(error, "operation_name", "") or ""),
        )

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("call", self.call), ("status", self.status), ("message", self.message or "empty")]
        return [(label, text) for label, text in rows if text]

    def __repr__(self) -> str:
        if not self.code:
            return "! Nothing was refused: every call of this cell was answered."
        lines = [f"┌─ {self.code}", *(f"│ {name:>8}  {text}" for name, text in self._rows()), "└─"]
        return "\n".join(lines)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        if not self.code:
            return {"text/plain": repr(self), "text/html": _ANSWERED}
        body = "".join(
            f'<tr><th style="text-align:left">{name}</th>'
            f'<td style="text-align:left">{escape(text)}</td></tr>'
            for name, text in self._rows()
        )
        html = (
            f'<section aria-label="Refused" style="border:1px solid {_BAD};padding:6px 10px">'
            f'<p><b style="color:{_BAD}">✗</b> <b>{escape(self.code)}</b></p>'
            f"<table><tbody>{body}</tbody></table></section>"
        )
        return {"text/plain": repr(self), "text/html": html}


@contextlib.contextmanager
def refusal_shown() -> Iterator[None]:
    """Show the refusal that ends the block, or that none did. Other errors pass.

    The package's own errors are shown in their own box: found, expected, where, next.
    """
    from botocore.exceptions import BotoCoreError, ClientError
    from IPython.display import display

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        display(Refused.of(error))
    except NitroWorkflowError as error:
        display(error)
    else:
        display(Refused())
