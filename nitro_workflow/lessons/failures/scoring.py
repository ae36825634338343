"""What a case has cost so far, and the points for it: pure, apart from its file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from nitro_workflow.atomic import write_atomic
from nitro_workflow.errors import LabError

__all__ = ["FAILURE_LAB", "FREE_EVIDENCE", "MOST", "CaseScore", "ScoreFile", "forget_scores"]

FAILURE_LAB: Final = "10"
"""The lesson whose reset drops the scores, too."""
FREE_EVIDENCE: Final = 2
"""Commands that cost nothing."""
MOST: Final = 3
"""Points of a case."""


@dataclass(frozen=True, slots=True)
class CaseScore:
    """One case: the commands asked, the wrong answers, whether the record was opened."""

    asked: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    record: bool = False
    found: bool = False
    mended: bool = False

    @property
    def worth(self) -> int:
        """Return the points that a right diagnosis and a repair give.

        >>> CaseScore().worth, CaseScore(asked=("a", "b", "c")).worth, CaseScore(record=True).worth
        (3, 2, 1)
        """
        if self.record or len(self.wrong) > 1:
            return 1
        return 2 if self.wrong or len(self.asked) > FREE_EVIDENCE else MOST

    @property
    def points(self) -> int:
        """Return the points so far: 0 until the case is mended."""
        return self.worth if self.mended else 0

    def asking(self, command: str) -> CaseScore:
        """Return the score after evidence was asked: again, or after the diagnosis, it is free."""
        if self.found or command in self.asked:
            return self
        return replace(self, asked=(*self.asked, command))

    def reading(self) -> CaseScore:
        """Return the score after the cloud's record was opened: after the diagnosis it is free."""
        return self if self.found else replace(self, record=True)

    def saying(self, cause: str, *, right: bool) -> CaseScore:
        """Return the score after a diagnosis; the same wrong one twice counts once."""
        if self.found or (not right and cause in self.wrong):
            return self
        return replace(self, found=True) if right else replace(self, wrong=(*self.wrong, cause))

    def mending(self) -> CaseScore:
        """Return the score after a repair."""
        return replace(self, mended=True)


def forget_scores(lab: Path) -> None:
    """Drop the scores of every order."""
    _score_file(lab).unlink(missing_ok=True)


def _score_file(lab: Path) -> Path:
    return lab / "course" / "denials.json"


class ScoreFile:
    """The scores of one order of the cases, kept in the lab's folder beside the answers."""

    def __init__(self, lab: Path, seed: int) -> None:
        self.path = _score_file(lab)
        self._seed = str(seed)

    def get(self, name: str) -> CaseScore:
        """Return the score of a case; a damaged record counts as none."""
        kept = self._read().get(self._seed, {})
        return _score(kept.get(name) if isinstance(kept, dict) else None)

    def put(self, name: str, score: CaseScore) -> None:
        """Keep the score of a case."""
        everything = self._read()
        mine = everything.get(self._seed)
        everything[self._seed] = {**(mine if isinstance(mine, dict) else {}), name: asdict(score)}
        self._write(everything)

    def forget(self) -> None:
        """Drop the scores of this order."""
        self._write({seed: kept for seed, kept in self._read().items() if seed != self._seed})

    def _read(self) -> dict[str, Any]:
        try:
            kept = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        return kept if isinstance(kept, dict) else {}

    def _write(self, kept: Mapping[str, Any]) -> None:
        self.path.parent.mkdir(mode=0o700, exist_ok=True)
        write_atomic(self.path, json.dumps(kept).encode(), mode=0o600, failure=LabError)


def _score(record: Any) -> CaseScore:
    if not isinstance(record, dict) or record.keys() != {one.name for one in fields(CaseScore)}:
        return CaseScore()
    lists = {name: tuple(map(str, record[name])) for name in ("asked", "wrong")}
    return CaseScore(**{**record, **lists})
