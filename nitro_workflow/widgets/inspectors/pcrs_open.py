"""Opening nitro-cli's JSON: the PCRs of an image or of running enclaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitro_workflow.widgets.inspectors.pcr_sources import PcrSource, pcr_source
from nitro_workflow.widgets.inspectors.pcrs_model import make_pcrs, pcr_answers
from nitro_workflow.widgets.opened import Ask, Opened
from nitro_workflow.widgets.recognising import Recognised

__all__ = ["open_measurements"]

_MOST = 8  # enclaves side by side


def open_measurements(found: Recognised, _ask: Ask) -> Opened:
    """Return the PCRs that nitro-cli's JSON tells, one column an image or enclave."""
    listed = found.value if isinstance(found.value, list) else [found.value]
    maps = [one for one in listed if isinstance(one, Mapping)][:_MOST]
    columns: dict[str, PcrSource] = {}
    for one in maps:
        name = _name(one)
        while name in columns:  # two of one name are two columns
            name = f"{name}'"
        columns[name] = pcr_source(name, one)
    return Opened(make_pcrs(columns, title="nitro-cli"), pcr_answers(columns, title="nitro-cli"))


def _name(one: Mapping[str, Any]) -> str:
    told = one.get("EnclaveName") or one.get("ImageName")
    return str(told)[:40] if told else "nitro-cli"
