"""A document as lines of text."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.widgets.drawing import MARKS, digest_lines, grouped, head_lines, indented
from nitro_workflow.widgets.inspectors.document_checks import Check
from nitro_workflow.widgets.inspectors.document_model import DocumentModel
from nitro_workflow.widgets.inspectors.field_tree import ByteField

__all__ = ["draw_text"]

_AGAIN = "to do the checks again with openssl and cbor2: nitro-workflow inspect FILE --html OUT"
_DEEP = ("certificate", "cabundle")  # their insides are in the chain's own view


def draw_text(model: DocumentModel) -> Iterator[str]:
    """Yield the head, the root, the checks, and every field with its bytes."""
    yield from head_lines(model.head)
    fingerprint = " ".join(digest_lines(model.root.fingerprint))
    yield f"  root  {model.root.name}, SHA-256 {fingerprint}"
    yield f"  judged {model.checked_at}. {model.summary}"
    for number, check in enumerate(model.checks, 1):
        yield from map(grouped, _check(number, check))
    yield "  fields, with the bytes they stand in"
    for field in model.fields:
        yield from map(grouped, _field(model, field, 2))
    if model.recipes:
        yield f"  {_AGAIN}"


def _check(number: int, check: Check) -> Iterator[str]:
    yield f"  {number:>2} {MARKS[check.tone]} {check.short:<10}  {check.title}: {check.outcome}"
    if check.tone == "bad":
        yield f"       where     {check.where}"
        yield f"       expected  {check.expected}"
        yield f"       clause    {check.clause}"
    yield from indented(check.detail, "       ")
    if check.next:
        yield f"       next      {check.next}"


def _field(model: DocumentModel, field: ByteField, depth: int) -> Iterator[str]:
    value = field.value
    content = model.data[field.content : field.end]
    if field.shape == "bytes" and not field.children and any(content):
        value = content.hex()
    note = f" ({field.note})" if field.note else ""
    yield f"{'  ' * depth}{field.label}: {value}{note}  [{field.start}–{field.end - 1}]"
    if field.label not in _DEEP and field.says != "X.509 in DER":
        for kid in field.children:
            yield from _field(model, kid, depth + 1)
    elif field.label == "cabundle":
        for kid in field.children:
            place = f"[{kid.start}–{kid.end - 1}]"
            yield f"{'  ' * (depth + 1)}{kid.label}: {kid.value} ({kid.note})  {place}"
