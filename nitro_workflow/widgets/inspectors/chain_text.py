"""A chain as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import MARKS, Tone, digest_lines, fact_lines, head_lines
from nitro_workflow.widgets.formats import moment
from nitro_workflow.widgets.inspectors.chain_certificates import Certificate
from nitro_workflow.widgets.inspectors.chain_model import ChainModel

__all__ = ["draw_text", "facts_of", "state_at"]


def draw_text(model: ChainModel) -> Iterator[str]:
    """Yield the head, then each certificate, then how two chains differ."""
    yield from head_lines(model.head)
    yield f"  judged at {moment(model.at)}"
    for one in model.certificates:
        tone, said = state_at(one, model.at)
        yield f"  {MARKS[tone]} {one.role}: {one.wrong or one.link}{said and f'; {said}'}"
        yield from fact_lines(facts_of(one), "      ")
        digest = " ".join(digest_lines(one.fingerprint))
        yield f"      SHA-256  {digest}"
    if model.differences:
        yield "  compared with the other chain"
        for row in model.differences:
            yield f"    {MARKS[row.tone]} {row.role}: {row.said}"


def state_at(one: Certificate, at: float) -> tuple[Tone, str]:
    """Return the tone of a certificate at a time, and what is wrong with that time."""
    if one.wrong:
        return "bad", ""
    if at > one.end:
        return "bad", "expired"
    if at < one.start:
        return "bad", "not valid yet"
    return ("bad" if one.link_tone == "bad" else "good"), ""


def facts_of(one: Certificate) -> list[tuple[str, str]]:
    """Return what a certificate says, by name."""
    if one.wrong:
        return [("bytes", f"{len(one.der):,}")]
    return [
        ("subject", one.subject),
        ("issuer", one.issuer),
        ("valid", f"{moment(one.start)} to {moment(one.end)}, {one.lasts}"),
        ("serial", one.serial),
        ("key", f"{one.key}, signature {one.signature}"),
        *one.extensions,
    ]
