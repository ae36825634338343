"""One register over several columns: what agrees in one cell, what differs marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from nitro_workflow.policy import FEEDS
from nitro_workflow.registers import ZERO_PCR
from nitro_workflow.widgets.drawing import Digest, Tone, digest_of, first_difference
from nitro_workflow.widgets.inspectors.pcr_sources import PcrSource

__all__ = ["ZERO", "PcrCell", "PcrRow", "listed", "rows_of"]

ZERO = ZERO_PCR.hex()
_SHOWN = 40  # characters of what is no PCR


@dataclass(frozen=True, slots=True)
class PcrCell:
    """One value, standing for ``span`` neighbouring columns; ``said`` are words beside it.

    ``same`` counts the columns of the row that agree on it. ``odd``: others outnumber it, or came
    first.
    """

    columns: tuple[str, ...]
    digest: Digest | None = None
    said: str = ""
    same: int = 0
    apart: str = ""
    odd: bool = False

    @property
    def span(self) -> int:
        """Columns that this cell covers."""
        return len(self.columns)


@dataclass(frozen=True, slots=True)
class PcrRow:
    """One register; ``state`` is ``agrees``, ``differs`` or ``not compared``."""

    name: str
    feeds: str
    state: str
    tone: Tone
    cells: tuple[PcrCell, ...]


def rows_of(sources: Sequence[PcrSource]) -> tuple[PcrRow, ...]:
    """Return a row for each register that is told and that something feeds."""
    told = {index for source in sources for index in source.registers}
    return tuple(_row(index, sources) for index in sorted(told) if _shown(index, sources))


def listed(names: Sequence[str]) -> str:
    """Return ``a, b and c``."""
    *most, last = names or ("nothing",)
    return f"{', '.join(most)} and {last}" if most else last


def _shown(index: int, sources: Sequence[PcrSource]) -> bool:
    """Leave out a register that nothing feeds, unless something is in it."""
    values = {value for source in sources for value in source.registers.get(index, ())}
    return index in FEEDS or bool(values - {ZERO})


def _row(index: int, sources: Sequence[PcrSource]) -> PcrRow:
    values = _values(index, sources)
    said = [value for value in values if value]
    distinct = set(said)
    state = "not compared" if len(said) < 2 else "agrees" if len(distinct) == 1 else "differs"
    tones: dict[str, Tone] = {"not compared": "neutral", "agrees": "good", "differs": "bad"}
    feeds = FEEDS.get(index, "what the enclave extends itself" if index >= 16 else "nothing yet")
    return PcrRow(f"PCR{index}", feeds, state, tones[state], _cells(index, values, sources))


def _values(index: int, sources: Sequence[PcrSource]) -> list[str]:
    """Return one value a source: of several that a policy takes, the one that others have."""
    told = [source.registers.get(index, ()) for source in sources]
    single = {values[0] for values in told if len(values) == 1}
    return [
        next((v for v in values if v in single), values[0] if values else "") for values in told
    ]


def _cells(index: int, values: list[str], sources: Sequence[PcrSource]) -> tuple[PcrCell, ...]:
    main = _main_value([value for value in values if value])
    other = next((value for value in values if value and value != main), "")
    cells, at = [], 0
    for value, run in groupby(values):
        covered = sources[at : at + len(list(run))]
        at += len(covered)
        if value:
            against = other if value == main else main
            cells.append(_cell(index, value, against, covered, values, odd=value != main))
        else:
            cells += [PcrCell((source.name,), said=source.silence) for source in covered]
    return tuple(_with_names_apart(cells))


def _main_value(said: list[str]) -> str:
    """Return the value that most columns have; among equals the first."""
    return max(dict.fromkeys(said), key=said.count, default="")


def _cell(
    index: int,
    value: str,
    against: str,
    covered: Sequence[PcrSource],
    values: list[str],
    *,
    odd: bool,
) -> PcrCell:
    names = tuple(source.name for source in covered)
    more = max(len(source.registers.get(index, ())) for source in covered) - 1
    same = values.count(value)
    if len(value) != len(ZERO) or set(value) - set("0123456789abcdef"):
        cut = value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"
        said = f"no PCR: “{cut}”, {len(value):,} characters where a PCR has {len(ZERO)} hex digits"
        return PcrCell(names, None, said, same, "", odd)
    said = f"or {more} other{'s' if more > 1 else ''}" if more else ""
    difference = first_difference(value, against) if against else -1
    return PcrCell(names, digest_of(value, difference), said, same, "", odd)


def _with_names_apart(cells: list[PcrCell]) -> list[PcrCell]:
    """Say of a value that is met again in a column further on which one it was met in first."""
    first: dict[str, PcrCell] = {}
    out = []
    for cell in cells:
        met = first.setdefault(cell.digest.hex, cell) if cell.digest else cell
        out.append(cell if met is cell else replace(cell, apart=listed(met.columns)))
    return out
