"""A chain as HTML without script: the lives to scale, then each certificate folded."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable

from nitro_workflow.widgets.drawing import (
    Markup,
    card,
    code,
    digest_html,
    drawn_text,
    facts,
    fold,
    mark,
    rows,
    section,
    tag,
)
from nitro_workflow.widgets.formats import moment
from nitro_workflow.widgets.inspectors.chain_certificates import Certificate
from nitro_workflow.widgets.inspectors.chain_model import ChainModel, place_of
from nitro_workflow.widgets.inspectors.chain_text import facts_of, state_at

__all__ = ["draw_html", "pem_of"]

_LEFT, _WIDTH, _ROW = 110, 730, 34
_NOTE = "The time axis is logarithmic on both sides: thirty years and three hours on one line."


def pem_of(der: bytes) -> str:
    """Return a certificate in PEM."""
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def draw_html(model: ChainModel) -> Markup:
    """Return the card."""
    compared = [
        (mark(row.tone, "same" if row.tone == "good" else "differs"), row.role, row.said)
        for row in model.differences
    ]
    columns = ("", "certificate", "both chains")
    folds = [_certificate(one, model) for one in model.certificates]
    return card(
        model.head,
        section(f"Judged at {moment(model.at)}", _timeline(model), tag("p", _NOTE, class_="note")),
        section("Compared", rows(columns, compared)) if compared else None,
        section("Certificates, root first", *folds),
        label="Certificate chain",
    )  # fmt: skip


def _timeline(model: ChainModel) -> Markup:
    before, after = -model.ticks[0][0], model.ticks[-1][0]
    height = 30 + _ROW * len(model.certificates)

    def x(at: float) -> float:
        return _LEFT + _WIDTH * place_of(at - model.middle, before, after)

    drawn = [
        _tick(x(model.middle + at), name or model.middle_name, height) for at, name in model.ticks
    ]
    for row, one in enumerate(model.certificates):
        drawn += _bar(one, model.at, 30 + _ROW * row, x)
    now = x(model.at)
    drawn.append(tag("line", x1=f"{now:.1f}", x2=f"{now:.1f}", y1=18, y2=height, class_="now"))
    return tag(
        "svg", *drawn, class_="lives", viewBox=f"0 0 860 {height + 4}", role="img",
        aria_label="the lives of the certificates against the time of the check",
    )  # fmt: skip


def _tick(x: float, name: str, height: int) -> Markup:
    line = tag("line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=18, y2=height, class_="tick")
    anchor = "end" if x > _LEFT + _WIDTH - 30 else "middle"  # the last one would be cut
    return tag("g", line, drawn_text(name, x=f"{x:.1f}", y=12, text_anchor=anchor))


def _bar(one: Certificate, at: float, y: int, x: Callable[[float], float]) -> list[Markup]:
    drawn = [drawn_text(one.role, x=0, y=y + 16, class_="who")]
    if not one.wrong:
        tone, _ = state_at(one, at)
        left, width = x(one.start), max(3.0, x(one.end) - x(one.start))
        drawn.append(tag("rect", x=f"{left:.1f}", width=f"{width:.1f}", y=y + 2, height=22, rx=5,
                         class_=f"life {tone}"))  # fmt: skip
    return drawn


def _certificate(one: Certificate, model: ChainModel) -> Markup:
    tone, said = state_at(one, model.at)
    head = tag("span", mark(tone, one.role), " ", code(one.subject or one.wrong), " ",
               tag("span", "; ".join(filter(None, (one.link, said))), class_="note"))  # fmt: skip
    pairs = [(name, code(value)) for name, value in facts_of(one)]
    pairs.append(("SHA-256", digest_html(one.fingerprint)))
    return fold(head, facts(pairs), fold("PEM", tag("pre", pem_of(one.der))))
