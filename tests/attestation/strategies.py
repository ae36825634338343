"""hypothesis strategies for attestation documents: good ones of every form, and ones with a fault.

`documents()` gives `Made` documents that must be accepted and say what went in; `faulty_documents`
gives signed documents of which one field breaks its rule, with the field's name; `damaged` gives
any bytes near a document.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cbor2
from hypothesis import strategies as st

from . import forge
from .conftest import NOW

CHAIN = forge.make_chain()
_NOW_MS = int(NOW.timestamp() * 1000)
_REQUIRED = ("module_id", "digest", "timestamp", "certificate", "cabundle")
OPTIONAL = ("public_key", "user_data", "nonce")


@dataclass(frozen=True)
class Made:
    """A signed document and the payload that went into it."""

    data: bytes
    fields: dict[str, Any]
    kind: str


def registers(kind: str = "enclave") -> st.SearchStrategy[dict[int, bytes]]:
    """16 to 32 PCRs as hardware has them, or any 1 to 32 of them."""
    value = st.one_of(
        st.just(bytes(48)),
        st.binary(min_size=48, max_size=48),
        st.sampled_from([32, 48, 64]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    )
    like_hardware = st.integers(16, 32).flatmap(
        lambda count: st.fixed_dictionaries(dict.fromkeys(range(count), value))
    )
    first = {0: st.just(b"\x01" * 48)} if kind == "enclave" else {}
    some = st.dictionaries(st.integers(0, 31), value, min_size=1, max_size=32)
    return st.tuples(st.one_of(like_hardware, some), st.fixed_dictionaries(first)).map(
        lambda pair: pair[0] | pair[1]
    )


def optional() -> st.SearchStrategy[Any]:
    """Absent (`...`), null, empty, or up to 1,024 bytes."""
    return st.one_of(
        st.sampled_from([..., None, b"", bytes(1024)]), st.binary(min_size=1, max_size=1024)
    )


@st.composite
def payloads(draw: st.DrawFn) -> tuple[dict[str, Any], str]:
    kind = draw(st.sampled_from(["enclave", "nitrotpm"]))
    fields = forge.payload(
        CHAIN,
        module_id=draw(st.text(min_size=1, max_size=64)),
        timestamp=draw(st.integers(1, 4_102_444_800_000)),
        **{name: draw(optional()) for name in OPTIONAL},
    )
    pcrs = draw(registers(kind))
    del fields["pcrs"]
    names = draw(st.permutations([*fields, "pcrs" if kind == "enclave" else "nitrotpm_pcrs"]))
    return {name: fields.get(name, pcrs) for name in names}, kind


def encode(fields: dict[str, Any], indefinite: frozenset[str]) -> bytes:
    """Encode a payload; names in ``indefinite`` ("" is the payload itself) get that length."""
    parts = [
        cbor2.dumps(name) + _container(value, name in indefinite) for name, value in fields.items()
    ]
    if "" in indefinite:
        return b"\xbf" + b"".join(parts) + b"\xff"
    return bytes([0xA0 + len(parts)]) + b"".join(parts)


def _container(value: Any, indefinite: bool) -> bytes:
    if not indefinite or not isinstance(value, dict | list):
        return cbor2.dumps(value)
    if isinstance(value, list):
        return b"\x9f" + b"".join(map(cbor2.dumps, value)) + b"\xff"
    pairs = [cbor2.dumps(part) for pair in value.items() for part in pair]
    return b"\xbf" + b"".join(pairs) + b"\xff"


@st.composite
def documents(draw: st.DrawFn) -> Made:
    """Good documents: both kinds, any order of fields, definite and indefinite, tagged or not."""
    fields, kind = draw(payloads())
    indefinite = draw(st.frozensets(st.sampled_from(["", "pcrs", "nitrotpm_pcrs", "cabundle"])))
    data = forge.signed(encode(fields, indefinite), CHAIN.keys[-1])
    tag = b"\xd2" if draw(st.booleans()) else b""
    return Made(tag + data, fields, kind)


_NOT_BYTES = st.one_of(st.integers(0, 9), st.text(max_size=3), st.booleans(), st.just([]))
_FAULTS: dict[str, st.SearchStrategy[Any]] = {
    "module_id": st.one_of(st.just(""), st.just("x" * 257), st.binary(max_size=3), st.none()),
    "digest": st.one_of(st.text(max_size=8).filter(lambda t: t != "SHA384"), st.binary()),
    "timestamp": st.one_of(
        st.just(0), st.integers(-9, 0), st.integers(10**15, 2**64 - 1), st.text(), st.booleans()
    ),
    "pcrs": st.one_of(
        st.just({}),
        st.just([]),
        st.dictionaries(
            st.integers(0, 31),
            st.binary(max_size=80).filter(lambda b: len(b) not in (32, 48, 64)),
            min_size=1,
            max_size=3,
        ),
        st.dictionaries(st.integers(32, 99), st.just(bytes(48)), min_size=1, max_size=3),
        st.dictionaries(st.integers(-9, -1), st.just(bytes(48)), min_size=1, max_size=3),
        st.just({"0": bytes(48)}),
        st.just({index: bytes(48) for index in range(33)}),
    ),
    "certificate": st.one_of(st.just(b""), st.just(bytes(1025)), _NOT_BYTES),
    "cabundle": st.one_of(
        st.just([]), st.just({}), st.just([b""]), st.just([None]), st.just([b"\x30"] * 11)
    ),
    **{name: st.one_of(st.just(bytes(1025)), _NOT_BYTES) for name in OPTIONAL},
}


@st.composite
def faulty_documents(draw: st.DrawFn) -> tuple[bytes, str]:
    """Signed documents in which one field breaks its rule, or is missing."""
    name = draw(st.sampled_from(sorted(_FAULTS)))
    missing = name in (*_REQUIRED, "pcrs") and draw(st.booleans())
    fields = forge.payload(CHAIN, **{name: ... if missing else draw(_FAULTS[name])})
    return forge.signed(cbor2.dumps(fields), CHAIN.keys[-1]), name


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Bytes near a document: cut, joined, with bytes changed, put in or taken out."""
    data = bytearray(draw(documents()).data)
    edits: list[Callable[[int, int], None]] = [
        lambda at, byte: data.__setitem__(at, byte),
        lambda at, byte: data.insert(at, byte),
        lambda at, _: data.__delitem__(at),
        lambda at, _: data.__delitem__(slice(at, None)),
        lambda at, _: data.extend(data[at:]),
    ]
    for _ in range(draw(st.integers(1, 4))):
        if data:
            edit = draw(st.sampled_from(edits))
            edit(draw(st.integers(0, len(data) - 1)), draw(st.integers(0, 255)))
    return bytes(data)
