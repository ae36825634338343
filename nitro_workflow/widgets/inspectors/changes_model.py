"""How a text was changed: its lines with their signs, paired where one took another's place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from nitro_workflow.widgets.drawing import Head, first_difference

__all__ = ["SIGNS", "ChangedLine", "ChangesModel", "make_changes"]

Sign = Literal["+", "-", " ", "…"]
SIGNS: dict[Sign, str] = {"+": "added", "-": "removed", " ": "", "…": "lines left out"}
"""What each sign says in words; a line without one stands in both."""

_SID = re.compile(r'"Sid": ("(?:[^"\\]|\\.)*")')


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """One line. ``difference`` is the first character that differs from its pair's, or -1."""

    sign: Sign
    text: str
    difference: int = -1


@dataclass(frozen=True, slots=True)
class ChangesModel:
    """Two texts line by line; ``before`` and ``after`` say what ``-`` and ``+`` stand for."""

    head: Head
    lines: tuple[ChangedLine, ...]
    before: str = "before"
    after: str = "after"
    kind: Literal["changes"] = "changes"


def make_changes(unified: Iterable[str], *, what: str, next_step: str = "") -> ChangesModel:
    """Return the view of a unified difference (its lines, without line ends); ``what`` changed."""
    lines = tuple(_paired(list(_signed(unified))))
    added, removed = (sum(line.sign == sign for line in lines) for sign in "+-")
    if not added + removed:
        return ChangesModel(Head(what, "Nothing changed", "neutral", next=next_step), lines)
    said = " and ".join(
        f"{count:,} {'line' if count == 1 else 'lines'} {word}"
        for count, word in ((added, "added"), (removed, "removed"))
        if count
    )
    named = [f"{word} {', '.join(found)}" for word, found in _statements(lines) if found]
    why = f"Statements: {'; '.join(named)}." if named else ""
    return ChangesModel(Head(what, said.capitalize(), "neutral", why, next_step), lines)


def _signed(unified: Iterable[str]) -> Iterator[ChangedLine]:
    """Read the lines after the two names; a header of a further piece is a gap."""
    pieces = 0
    for line in unified:
        if line.startswith("@@"):
            pieces += 1
            if pieces > 1:
                yield ChangedLine("…", "")
        elif pieces or not line.startswith(("---", "+++")):
            sign, text = (line[:1], line[1:]) if line[:1] in ("+", "-", " ") else (" ", line)
            yield ChangedLine(sign, text)  # type: ignore[arg-type]  # one of the three


def _paired(lines: Sequence[ChangedLine]) -> Iterator[ChangedLine]:
    """Mark where a removed line and the added one in its place differ first."""
    at = 0
    while at < len(lines):
        end = at
        while end < len(lines) and lines[end].sign in ("+", "-"):
            end += 1
        yield from _marked(lines[at:end]) if end > at else (lines[at],)
        at = max(end, at + 1)


def _marked(run: Sequence[ChangedLine]) -> Iterator[ChangedLine]:
    gone = [line.text for line in run if line.sign == "-"]
    come = [line.text for line in run if line.sign == "+"]
    if len(gone) != len(come):
        yield from run
        return
    places = [first_difference(one, other) for one, other in zip(gone, come, strict=True)]
    for sign, texts in (("-", gone), ("+", come)):
        for text, place in zip(texts, places, strict=True):
            yield ChangedLine("-" if sign == "-" else "+", text, place)


def _statements(lines: Iterable[ChangedLine]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {"+": [], "-": []}
    for line in lines:
        if line.sign in found:
            found[line.sign] += map(_unquoted, _SID.findall(line.text))
    yield "added", found["+"]
    yield "removed", found["-"]


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:  # a text that is not JSON's, however alike
        return text
