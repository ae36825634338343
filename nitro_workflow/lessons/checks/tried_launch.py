"""A launch line, tried: what it starts is looked at, and ended again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nitro_workflow.lab import Lab
from nitro_workflow.lessons.nitro_cli_line import run_line

__all__ = ["Tried", "try_line"]


@dataclass(frozen=True, slots=True)
class Tried:
    """How a line went. ``started`` is run-enclave's answer, {} for none; ``flags`` are describe's.

    ``code`` is nitro-cli's E-code, ``told`` the line of its refusal.
    """

    started: dict[str, Any]
    flags: str
    code: str
    told: str
    status: int


def try_line(lab: Lab, line: str) -> Tried:
    """Run a line for nitro-cli; an enclave that it starts is described, and ended.

    Raises `UsageError` for a line of another program.
    """
    before = {one["EnclaveID"] for one in lab.bench.host.describe_enclaves()}
    said = run_line(lab, line)
    started = said.answer if isinstance(said.answer, dict) else {}
    flags = ""
    for one in lab.bench.host.describe_enclaves():
        if one["EnclaveID"] not in before:
            flags = str(one.get("Flags", ""))
            lab.bench.host.terminate_enclave(one["EnclaveID"])
    told = next((text for text in said.errors.splitlines() if said.code and said.code in text), "")
    last = said.errors.strip().splitlines()[-1:] or [""]
    return Tried(started, flags, said.code, told or last[0], said.status)
