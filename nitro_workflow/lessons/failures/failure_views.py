"""What a case shows: its symptom, what a command said, the board of all cases, the choices."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nitro_workflow.lab import CHANGES, CLIENT_SETTINGS, EVIDENCE
from nitro_workflow.lessons.failures.scoring import MOST, CaseScore
from nitro_workflow.lessons.failures.sixteen_causes import CAUSES
from nitro_workflow.widgets import Fact, Head, Listing, PlainModel

if TYPE_CHECKING:
    from nitro_workflow.lab import Attempt

__all__ = ["Evidence", "attempt_card", "board", "choices"]


def attempt_card(attempt: Attempt, title: str, story: str = "") -> PlainModel:
    """Return what a program got, and no more; ``story`` is what the person who calls you knows."""
    facts = (Fact("they say", story),) if story else ()
    what = f"{title} · Decrypt · HTTP {attempt.status}"
    if attempt.code:
        inside = ", then refused in the enclave" if attempt.status < 300 else ""
        said = attempt.message or "No message."
        return PlainModel(Head(f"{what}{inside}", attempt.code, "bad", said), facts)
    size = attempt.opened_bytes or attempt.clear_bytes
    how = "in clear" if attempt.clear_bytes else "sealed to the enclave's key, and opened there"
    return PlainModel(Head(what, f"{size} bytes of data key, {how}", "neutral"), facts)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one command said. ``value`` is it, for going on with: a policy, for one."""

    command: str
    value: Mapping[str, Any]
    cost: str = ""

    @property
    def listing(self) -> Listing:
        """The answer as a listing."""
        text = json.dumps(self.value, indent=2, ensure_ascii=False, default=str)
        return Listing(f"$ {self.command} · {self.cost}", text, "json")

    def __repr__(self) -> str:
        return repr(self.listing)

    def _repr_markdown_(self) -> str:
        return self.listing._repr_markdown_()


def board(scores: Mapping[str, CaseScore], seed: int) -> PlainModel:
    """Return the board: a line a case."""
    points = sum(score.points for score in scores.values())
    done = sum(score.mended for score in scores.values())
    head = Head(
        f"The failure lab · order {seed}",
        f"{done} of {len(scores)} mended, {points} of {MOST * len(scores)} points",
        "good" if done == len(scores) else "neutral",
    )
    columns = ("case", "evidence asked", "diagnosis", "repair", "points")
    return PlainModel(head, columns=columns, rows=tuple(_row(*one) for one in scores.items()))


def _row(name: str, score: CaseScore) -> tuple[str, ...]:
    record = " and the record" if score.record else ""
    asked = f"{len(score.asked)}{record}" if score.asked or record else "none"
    wrong = f", after {len(score.wrong)} wrong" if score.wrong else ""
    said = f"right{wrong}" if score.found else f"{len(score.wrong)} wrong" if wrong else "none yet"
    points = f"{score.points} of {MOST}" if score.mended else f"at most {score.worth}"
    return name, asked, said, "mended" if score.mended else "none yet", points


def choices() -> list[PlainModel]:
    """Return what may be asked, what may be the cause, and what may be changed."""
    settings = {
        f"client: {name}": " or ".join(map(repr, values))
        for name, values in CLIENT_SETTINGS.items()
    }
    return [
        _choice(
            "Evidence", "Ask for two of these", ((n, tells) for n, (tells, _) in EVIDENCE.items())
        ),
        _choice("Causes", "One of these sixteen", ((o.name, o.means) for o in CAUSES.values())),
        _choice("Changes", "One of these mends it", {**CHANGES, **settings}.items()),
    ]


def _choice(what: str, verdict: str, facts: Iterable[tuple[str, str]]) -> PlainModel:
    return PlainModel(Head(what, verdict, "neutral"), tuple(Fact(*one) for one in facts))
