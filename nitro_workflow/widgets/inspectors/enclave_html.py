"""The enclaves of a host as HTML without script."""

from __future__ import annotations

from nitro_workflow.widgets.drawing import (
    Kid,
    Markup,
    card,
    chip,
    code,
    digest_html,
    facts,
    fold,
    mark,
    rows,
    section,
    tag,
)
from nitro_workflow.widgets.inspectors.enclave_model import EnclaveModel, EnclaveRow

__all__ = ["draw_html"]


def draw_html(model: EnclaveModel) -> Markup:
    """Return the card."""
    return card(
        model.head,
        *(_enclave(row) for row in model.enclaves),
        section("Jobs", _jobs(model), quiet=True) if model.jobs else None,
        section("Refused", _refusals(model)) if model.refusals else None,
        label="Enclaves",
    )


def _enclave(row: EnclaveRow) -> Markup:
    mode = chip("warning", "debug mode") if row.debug else chip("neutral", "production mode")
    pcrs: list[tuple[str, Kid]] = [(name, digest_html(digest)) for name, digest in row.pcrs]
    pairs: list[tuple[str, Kid]] = [
        ("id", code(row.id)),
        ("image", row.image),
        ("flags", row.flags),
        *row.facts,
        *pcrs,
    ]
    console = fold("Console", tag("pre", row.console)) if row.console else None
    return section(
        row.name or "enclave", tag("p", mark(row.tone, row.state), " ", mode), facts(pairs), console
    )


def _jobs(model: EnclaveModel) -> Markup:
    lines: list[list[Kid]] = [
        [job.form, code(job.id), mark(job.tone, job.state), job.step, job.error or "—"]
        for job in model.jobs
    ]
    return rows(("form", "job", "state", "step", "refusal"), lines, label="Jobs")


def _refusals(model: EnclaveModel) -> Markup:
    lines: list[list[Kid]] = [
        [one.asked, mark("bad", one.code), one.found, one.next] for one in model.refusals
    ]
    return rows(("asked", "code", "found", "next"), lines, label="Refusals")
