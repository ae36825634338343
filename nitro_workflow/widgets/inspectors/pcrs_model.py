"""PCRs side by side: what agrees is folded, what differs is shown from its first difference on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from nitro_workflow.errors import UsageError
from nitro_workflow.widgets.drawing import Head
from nitro_workflow.widgets.inspectors.charts import Chart
from nitro_workflow.widgets.inspectors.pcr_parts import (
    PcrPart,
    compute_pcr0,
    outside,
    parts_chart,
    parts_of,
)
from nitro_workflow.widgets.inspectors.pcr_rows import ZERO, PcrRow, listed, rows_of
from nitro_workflow.widgets.inspectors.pcr_sources import PcrSource, pcr_source
from nitro_workflow.widgets.inspectors.pcr_verdicts import differing, nothing_compared, twin_head

__all__ = ["PcrCase", "PcrsModel", "make_pcrs", "pcr_answers"]

_NOTE = (
    "The picture is drawn from all bytes of a digest: the same digest gives the same picture."
    " The verdict compares bytes, never pictures."
)
_DEBUG = (0, 1, 2)  # all zero in a debug enclave, whatever its image: facts of the hypervisor


@dataclass(frozen=True, slots=True)
class PcrCase:
    """One comparison: as it is, or of a debug twin."""

    label: str
    head: Head
    rows: tuple[PcrRow, ...]


@dataclass(frozen=True, slots=True)
class PcrsModel:
    """The whole view; ``head`` is the first case's.

    ``recipe`` computes PCR0 without our code; with () none is shown.
    """

    head: Head
    columns: tuple[tuple[str, str], ...]
    cases: tuple[PcrCase, ...]
    parts: tuple[PcrPart, ...]
    chart: Chart
    recipe: tuple[str, ...]
    recipe_note: str = "three lines of Python's standard library, run in the image's folder"
    note: str = _NOTE
    kind: Literal["pcrs"] = "pcrs"


def make_pcrs(columns: Mapping[str, Any], *, title: str = "PCRs", image: Any = None) -> PcrsModel:
    """Return PCRs side by side; ``columns`` maps a heading to what `pcr_source` takes.

    ``image`` is the `Image`, or the path of one, whose parts are told with their sizes; a column
    that is a path is taken for it. Raises what reading a column raises.
    """
    sources = [pcr_source(name, value) for name, value in columns.items()]
    what = f"{title} · {listed([source.name for source in sources])} side by side"
    cases = [_case("As it is", what, sources)]
    twins = _twins(sources)
    if twins is not None:
        twin = _case("Debug twin", what, twins)
        cases.append(replace(twin, head=twin_head(what, twin.rows)))
    file = image if image is not None else _path_among(columns)
    parts = parts_of(file) + outside()
    return PcrsModel(
        head=cases[0].head,
        columns=tuple((source.name, source.how) for source in sources),
        cases=tuple(cases),
        parts=parts,
        chart=parts_chart(parts),
        recipe=compute_pcr0(file),
    )


def pcr_answers(
    columns: Mapping[str, Any], *, title: str = "PCRs"
) -> dict[str, Callable[[Mapping[str, Any]], PcrsModel]]:
    """Return what the live form may ask: ``measure`` an EIF by its path, as one more column."""

    def measure(values: Mapping[str, Any]) -> PcrsModel:
        path = values.get("path")
        if not isinstance(path, str) or not path.strip():
            raise UsageError("no path", expected="the path of an EIF", where="measure")
        name = Path(path.strip()).name
        return make_pcrs({**columns, name: path.strip()}, title=title, image=path.strip())

    return {"measure": measure}


def _path_among(columns: Mapping[str, Any]) -> Any:
    return next((v for v in columns.values() if not isinstance(v, Mapping | bytes)), None)


def _twins(sources: Sequence[PcrSource]) -> list[PcrSource] | None:
    """Return the sources as if the first that runs or is measured ran in debug mode."""
    wanted = ("signed", "measured here")
    chosen = next((s for how in wanted for s in sources if s.how == how), None)
    if chosen is None or all(chosen.registers.get(index) == (ZERO,) for index in _DEBUG):
        return None
    registers = {**chosen.registers, **dict.fromkeys(_DEBUG, (ZERO,))}
    twin = replace(chosen, how="in debug mode", registers=registers)
    return [twin if source is chosen else source for source in sources]


def _case(label: str, what: str, sources: Sequence[PcrSource]) -> PcrCase:
    rows = rows_of(sources)
    compared = [row for row in rows if row.state != "not compared"]
    head = differing(what, rows, sources) if compared else nothing_compared(what)
    return PcrCase(label, head, rows)
