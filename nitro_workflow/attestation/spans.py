"""Where every field of a document stands, in the message and in the payload."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from nitro_workflow.attestation.document import FieldSpan
from nitro_workflow.attestation.fields import PCR_FIELDS
from nitro_workflow.encoding import cbor
from nitro_workflow.encoding.cose import Sign1

__all__ = ["Spans"]


class Spans(Mapping[str, FieldSpan]):
    """The byte ranges of a document by name, worked out when they are first looked at."""

    __slots__ = ("_root", "_sign1", "_table")

    def __init__(self, sign1: Sign1, root: cbor.Item | None) -> None:
        self._sign1 = sign1
        self._root = root
        self._table: dict[str, FieldSpan] | None = None

    def _ranges(self) -> dict[str, FieldSpan]:
        if self._table is None:
            self._table = _ranges(self._sign1, self._root)
        return self._table

    def __getitem__(self, name: str) -> FieldSpan:
        return self._ranges()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ranges())

    def __len__(self) -> int:
        return len(self._ranges())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._ranges() == dict(other)

    def __hash__(self) -> int:
        return hash(tuple(self._ranges().items()))

    def __repr__(self) -> str:
        return repr(self._ranges())


def _ranges(sign1: Sign1, root: cbor.Item | None) -> dict[str, FieldSpan]:
    base = sign1.spans["payload"].content
    spans = {name: FieldSpan(*span) for name, span in sign1.spans.items()}
    if root is None:
        return spans

    def note(name: str, item: cbor.Item) -> None:
        spans[name] = FieldSpan(item.start + base, item.content + base, item.end + base, base)

    for key, item in root.pairs():
        name = sign1.payload[key.content : key.end].decode()
        name = "pcrs" if name in PCR_FIELDS else name
        note(name, item)
        if item.kind == "array":
            for index, child in enumerate(item.children):
                note(f"{name}[{index}]", child)
        elif item.kind == "map":
            for child_key, child in item.pairs():
                note(f"{name}[{child_key.argument}]", child)
    return spans
