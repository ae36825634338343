"""`image check --launch`: what run-enclave would say of the image, before anything is started."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.cli.image_show import line, rows
from nitro_workflow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["launch_options", "show_launch"]


def launch_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--launch`` and what a launch would ask for."""
    for option in (
        click.option("--cpu-count", type=int, help="With --launch  [default: one core]"),
        click.option("--memory", help="With --launch: n, nM, nG or nT  [default: 4 x the image]"),
        click.option("--launch", is_flag=True, help="Also what would make run-enclave fail here."),
    ):
        function = option(function)
    return function


def show_launch(
    file: Path,
    at: datetime | None,
    *,
    launch: bool,
    memory: str | None,
    cpu_count: int | None,
    as_json: bool,
) -> int:
    """Print what forbids a launch; return how much does. Nothing without ``launch``."""
    from nitro_workflow.host import LaunchRequest, launch_problems, least_launch, parse_memory

    if not launch:
        if memory or cpu_count is not None:
            raise UsageError("--memory or --cpu-count without --launch", expected="--launch")
        return 0
    least_mib, core = least_launch(file)
    wanted = parse_memory(memory) if memory else least_mib
    request = LaunchRequest(str(file), wanted, core if cpu_count is None else cpu_count)
    problems = launch_problems(request, at=at or datetime.now(UTC))
    for problem in problems:
        if as_json:
            line({"severity": "launch", **problem.to_json()})
        else:
            rows((problem.code, f"{problem.found}; expected {problem.expected}"))
            if problem.next:
                rows(("", f"next: {problem.next}"))
    if not as_json:
        text = f"--memory {request.memory_mib} --cpu-count {request.cpu_count}"
        rows(("Launch", f"{'refused' if problems else 'nothing forbids it'} with {text}"))
    return len(problems)
