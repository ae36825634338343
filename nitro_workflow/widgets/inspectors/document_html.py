"""A document as HTML without script: what is long is folded, nothing is left out."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import (
    Digest,
    Markup,
    card,
    code,
    digest_html,
    digest_of,
    dump_lines,
    fold,
    grouped,
    mark,
    picture_svg,
    rows,
    scale_bar,
    section,
    tag,
)
from nitro_workflow.widgets.inspectors.document_checks import Check
from nitro_workflow.widgets.inspectors.document_model import DocumentModel, Root
from nitro_workflow.widgets.inspectors.field_tree import ByteField

__all__ = ["draw_html"]

_WORDS = {"good": "passed", "bad": "failed", "neutral": "not asked", "warning": "look"}


def draw_html(model: DocumentModel) -> Markup:
    """Return the card."""
    return card(
        model.head,
        _checks(model),
        _scale(model) if model.map else None,
        section("Fields", _fields(model)) if model.fields else None,
        section("All of it", *_whole(model)),
        label="Attestation document",
        aside=_root(model.root),
    )  # fmt: skip


def _root(root: Root) -> Markup:
    words = tag(
        "div",
        tag("div", "Trust root in force", class_="what"),
        tag("div", tag("b", root.name)),
        tag("div", digest_html(root.fingerprint, groups=2, picture=False), class_="what"),
    )
    return tag("div", words, picture_svg(root.fingerprint.picture), class_="aside")


def _scale(model: DocumentModel) -> Markup:
    parts = [(part.label, part.end - part.start, int(part.tint[1])) for part in model.map]
    said = ", ".join(f"{label} {size:,}" for label, size, _ in parts)
    bar = scale_bar(parts, label="the parts to scale")
    return section("To scale, in bytes", bar, tag("p", said, class_="note"), quiet=True)


def _checks(model: DocumentModel) -> Markup:
    lines = [_check(number, check) for number, check in enumerate(model.checks, 1)]
    pairs = zip(lines, model.checks, strict=True)
    open_ones = [line for line, check in pairs if check.tone == "bad"]
    head = ("", "check", "what was found", "bytes")
    said = f"{model.summary} Judged {model.checked_at}."
    parts = [rows(head, open_ones, label="Failed checks")] if open_ones else []
    whole = fold("All twelve checks", rows(head, lines, label="The twelve checks"))
    return section(said, *parts, whole)


def _check(number: int, check: Check) -> tuple[Markup, ...]:
    found: list[Markup | str] = [grouped(check.outcome)]
    if check.expected:
        found += [
            tag("br"),
            "expected: ",
            code(grouped(check.expected)),
            tag("br"),
            f"at {check.where}",
        ]
    for detail in check.detail:
        found += [tag("br"), grouped(detail)]
    if check.next:
        found += [tag("br"), tag("b", "Next: "), check.next]
    return (
        mark(check.tone, _WORDS[check.tone]),
        tag("span", f"{number} {check.title}", tag("br"), tag("i", check.clause, class_="note")),
        tag("span", *found),
        tag("span", *_ranges(check)),
    )


def _ranges(check: Check) -> Iterator[Markup | str]:
    for index, (start, end) in enumerate(check.spans):
        if index:
            yield tag("br")
        yield f"{start}–{end - 1}"


def _fields(model: DocumentModel) -> Markup:
    return tag("ul", *(_field(model, field) for field in model.fields), class_="fields")


def _field(model: DocumentModel, field: ByteField) -> Markup:
    line = tag("span", tag("b", field.label), " ", _value(model, field), *_about(field))
    if not field.children:
        return tag("li", line)
    kids = tag("ul", *(_field(model, kid) for kid in field.children))
    return tag("li", tag("details", tag("summary", line), kids, open=field.open))


def _about(field: ByteField) -> Iterator[Markup]:
    said = f"{field.note}, " if field.note else ""
    yield tag("i", f" {said}bytes {field.start}–{field.end - 1}", class_="note")


def _value(model: DocumentModel, field: ByteField) -> Markup:
    content = model.data[field.content : field.end]
    if field.shape != "bytes" or field.children or not content:
        return code(field.value)
    digest = digest_of(content)
    return digest_html(Digest(digest.hex, None), picture=False)


def _whole(model: DocumentModel) -> Iterator[Markup]:
    yield fold("The bytes", tag("pre", "\n".join(dump_lines(model.data)), class_="dump"))
    yield fold(
        "In diagnostic notation (RFC 8949 §8)", tag("pre", model.diagnostic, class_="diagnostic")
    )
    recipes = [
        tag("div", tag("p", tag("b", recipe.title)), tag("pre", recipe.commands),
            tag("p", "prints ", code(recipe.prints)) if recipe.prints else None)
        for recipe in model.recipes
    ]  # fmt: skip
    first = tag("p", "Save the raw bytes as document.bin; needs openssl and Python with cbor2.")
    yield fold("Do the checks again with openssl and cbor2", first, *recipes)
