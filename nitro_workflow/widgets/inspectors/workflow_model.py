"""The 17 steps as a map by party: what is done, what runs, what rests on what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from nitro_workflow.lab import STEPS, Step, StepProgress, StepResult, key_facts
from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.formats import duration
from nitro_workflow.widgets.inspectors.evidence_facts import brief, flat

__all__ = ["PARTIES", "STATES", "MapStep", "State", "WorkflowModel", "make_workflow"]

State = Literal["done", "stale", "to do", "running", "failed"]
FACTS: Final = 3
"""Facts of a step's evidence that the map shows: its card has them all."""

PARTIES: Final = ("data owner", "developer", "administrator", "parent instance", "enclave", "AWS")
"""The rows of the map, from people to machines."""

_ROWS: Final = {
    "owner": "data owner",
    "developer": "developer",
    "administrator": "administrator",
    "instance": "parent instance",
    "enclave": "enclave",
    "cloud": "AWS",
}
STATES: Final[dict[State, str]] = {
    "done": "done",
    "stale": "no longer holds",
    "to do": "to do",
    "running": "running",
    "failed": "failed",
}


@dataclass(frozen=True, slots=True)
class MapStep:
    """One step: ``parties`` are rows of the map, ``said`` is its state in words.

    ``took`` is its time in words, "" for none.
    """

    number: str
    title: str
    party: str
    parties: tuple[str, ...]
    part: str
    state: State
    said: str
    here: bool = False
    took: str = ""
    at: str = ""
    rests_on: tuple[str, ...] = ()
    needed_by: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class WorkflowModel:
    """The map. ``doing`` says what is going on now; ``asks`` is what awaits the reader's yes."""

    head: Head
    steps: tuple[MapStep, ...]
    parties: tuple[str, ...] = PARTIES
    doing: str = ""
    asks: str = ""
    kind: Literal["workflow"] = "workflow"


def make_workflow(
    result_of: Callable[[str], StepResult | None],
    *,
    rests: Callable[[Step], bool] = lambda _: True,
    here: Sequence[str] = (),
    progress: StepProgress | None = None,
    doing: str = "",
    asks: str = "",
    error: str = "",
) -> WorkflowModel:
    """Return the map of a lab's records; ``here`` are the steps of the lesson that is open.

    ``rests`` tells whether a step's record rests on its needs' records of now. ``progress`` is the
    step that runs, ``doing`` what it says of itself, ``error`` why it failed.
    """
    steps = tuple(_step(step, result_of, rests, here, progress, error) for step in STEPS)
    return WorkflowModel(_head(steps, doing, error), steps, doing=doing, asks=asks)


def _step(
    step: Step,
    result_of: Callable[[str], StepResult | None],
    rests: Callable[[Step], bool],
    here: Sequence[str],
    progress: StepProgress | None,
    error: str,
) -> MapStep:
    result = result_of(step.number)
    state: State = "to do" if result is None else "done" if rests(step) else "stale"
    seconds = result.seconds if result else 0.0
    if progress is not None and progress.step == step.number and progress.state != "done":
        state = "running" if progress.state == "running" else "failed"
        seconds = progress.seconds
    told = result if state in ("done", "stale") else None
    facts = list(flat(key_facts(told)))[:FACTS] if told else []
    return MapStep(
        number=step.number,
        title=step.title,
        party=step.party,
        parties=tuple(row for word, row in _ROWS.items() if word in step.party),
        part=step.part,
        state=state,
        said=STATES[state],
        here=step.number in here,
        took=duration(seconds) if seconds else "",
        at=result.at[:19] + "Z" if result and result.at else "",
        rests_on=step.needs,
        needed_by=tuple(other.number for other in STEPS if step.number in other.needs),
        facts=tuple(brief(name, value) for name, value in facts),
        error=error if state == "failed" else "",
    )


def _head(steps: Sequence[MapStep], doing: str, error: str) -> Head:
    what = "The 17 steps, by party"
    done = sum(step.state == "done" for step in steps)
    running = next((step for step in steps if step.state == "running"), None)
    failed = next((step for step in steps if step.state == "failed"), None)
    if running:
        return Head(what, f"{running.number} is running: {running.title}", "neutral", why=doing)
    if failed:
        return Head(
            what,
            f"{failed.number} failed: {failed.title}",
            "bad",
            why=error,
            next=f"See why, then run {failed.number} again.",
        )
    stale = [step.number for step in steps if step.state == "stale"]
    following = next((step for step in steps if step.state != "done"), None)
    why = f"What {', '.join(stale)} rested on has changed since." if stale else ""
    if following is None:
        return Head(
            what, "All 17 steps are done", "good", next="Look at the result: lesson.result()"
        )
    then = f'lesson.run("{following.number}"): {following.title}'
    return Head(what, f"{done} of 17 steps are done", "warning" if stale else "neutral", why, then)
