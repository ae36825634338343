"""The enclaves of a host as text."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import MARKS, digest_lines, fact_lines, head_lines, indented
from nitro_workflow.widgets.inspectors.enclave_model import EnclaveModel

__all__ = ["draw_text"]


def draw_text(model: EnclaveModel) -> Iterator[str]:
    """Yield the head, each enclave, its jobs, what was refused."""
    yield from head_lines(model.head)
    for row in model.enclaves:
        mode = "debug mode" if row.debug else "production mode"
        yield f"  {MARKS[row.tone]} {row.name} ({row.id}): {row.state}, {mode}, flags {row.flags}"
        pcrs = [(name, "\n".join(digest_lines(digest))) for name, digest in row.pcrs]
        yield from fact_lines([("image", row.image), *row.facts, *pcrs], "    ")
        yield from indented(row.console.splitlines(), "    | ")
    for job in model.jobs:
        error = f": {job.error}" if job.error else ""
        yield f"  {MARKS[job.tone]} job {job.form} {job.id}: {job.state} at {job.step}{error}"
    for one in model.refusals:
        yield f"  ✗ {one.asked}: {one.code} {one.found}"
        yield f"    next  {one.next}"
