"""What a learner answered in one lesson, kept in the lab's folder: `course/NN.json`.

::

    {"format": 1, "lesson": "06",
     "predictions": {"pin-pcr1": {"answer": "…", "at": "2026-11-29T07:55:00Z", "right": null}},
     "checks": {"condition": {"outcome": "right", "tries": 2, "at": "…", "notes": {}}}}

The folder of answers outlives the lab's start over: they are the learner's, not the lab's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import LabError
from nitro_workflow.lessons.verdict import Outcome

__all__ = ["KeptAnswers"]

FORMAT: Final = 1


class KeptAnswers:
    """The answers of one lesson. A damaged or foreign file counts as none, and is replaced."""

    def __init__(self, lab: Path, lesson: str) -> None:
        self.path = lab / "course" / f"{lesson}.json"
        self.lesson = lesson

    def predictions(self) -> Mapping[str, Mapping[str, Any]]:
        """Return name → ``answer``, ``at`` and ``right`` (None until it is marked)."""
        return dict(self._read()["predictions"])

    def checks(self) -> Mapping[str, Mapping[str, Any]]:
        """Return name → the ``outcome`` of its last run, its ``tries`` and ``at``."""
        return dict(self._read()["checks"])

    def answer(self, prediction: str) -> str:
        """Return the answer that is kept; "" for none."""
        return str(self.predictions().get(prediction, {}).get("answer", ""))

    def marked(self, prediction: str) -> bool:
        """Tell whether the prediction has been marked: what was said then stays."""
        return self.predictions().get(prediction, {}).get("right") is not None

    def predict(self, prediction: str, answer: str) -> None:
        """Keep an answer; it may be changed until it is marked."""
        self._change("predictions", prediction, {"answer": answer, "at": _now(), "right": None})

    def mark(self, prediction: str, *, right: bool) -> None:
        """Keep whether an answer was right."""
        told = self.predictions().get(prediction, {})
        self._change("predictions", prediction, {**told, "right": right})

    def check(self, name: str, outcome: Outcome, notes: Mapping[str, str] | None = None) -> None:
        """Keep how a check came out, with its notes; one without an answer is no try."""
        if outcome == "unanswered" and not notes:
            return
        tries = int(self.checks().get(name, {}).get("tries", 0)) + (outcome != "unanswered")
        told = {"outcome": outcome, "tries": tries, "at": _now(), "notes": dict(notes or {})}
        self._change("checks", name, told)

    def notes(self, check: str) -> Mapping[str, str]:
        """Return the notes that a check kept; {} for none."""
        return dict(self.checks().get(check, {}).get("notes") or {})

    def forget(self) -> None:
        """Drop all answers of the lesson."""
        self.path.unlink(missing_ok=True)

    def _change(self, part: str, name: str, record: Mapping[str, Any]) -> None:
        kept = self._read()
        kept[part][name] = record
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        data = json.dumps(kept, indent=1, ensure_ascii=False).encode() + b"\n"
        write_atomic(self.path, data, mode=0o600, failure=LabError)

    def _read(self) -> dict[str, Any]:
        empty = {"format": FORMAT, "lesson": self.lesson, "predictions": {}, "checks": {}}
        try:
            kept = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return empty
        if not isinstance(kept, dict) or kept.get("format") != FORMAT:
            return empty
        return {**empty, **{part: _records(kept.get(part)) for part in ("predictions", "checks")}}


def _records(part: object) -> dict[str, Any]:
    items = part.items() if isinstance(part, dict) else ()
    return {str(name): record for name, record in items if isinstance(record, dict)}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
