"""A text with a language, such as the JSON of a policy."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Listing", "json_listing"]


@dataclass(frozen=True)
class Listing:
    """Shown as Markdown with a fence, which JupyterLab and GitHub colour; plain elsewhere."""

    title: str
    text: str
    language: str = ""

    def __repr__(self) -> str:
        return f"{self.title}\n{self.text}"

    def _repr_markdown_(self) -> str:
        # A fence longer than any run of backticks in the text cannot be closed by it.
        longest = max((len(run) for run in self._runs()), default=0)
        fence = "`" * max(3, longest + 1)
        return f"**{self.title}**\n\n{fence}{self.language}\n{self.text}\n{fence}"

    def _runs(self) -> Iterable[str]:
        return "".join(c if c == "`" else " " for c in self.text).split()


def json_listing(value: Mapping[str, Any], *, title: str) -> Listing:
    """Return JSON values as an indented listing."""
    return Listing(title, json.dumps(value, indent=2, ensure_ascii=False), "json")
