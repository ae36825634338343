"""Attacks on the chain of certificates, each refused at the step that is about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from nitro_workflow.attestation import Verifier
from nitro_workflow.attestation.chain import CACHED_LINKS, Links, build_chain
from nitro_workflow.attestation.pack.bent_chain import sign_certificate

from . import forge
from .conftest import NOW

GOOD = forge.make_chain()
OTHER = forge.make_chain()
Case = tuple[bytes, bytes]  # document, trusted root


def reordered(*positions: int) -> Callable[[], Case]:
    def make() -> Case:
        bundle = [GOOD.ders[position] for position in positions]
        return forge.document(GOOD, cabundle=bundle), GOOD.root

    return make


def bent(position: int, **changes: Any) -> Callable[[], Case]:
    def make() -> Case:
        chain = forge.make_chain(forge.shape(position, **changes))
        return forge.document(chain, key=_p384(chain)), chain.root

    return make


def _p384(chain: forge.Chain) -> Any:
    key = chain.keys[-1]
    usable = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp384r1"
    return key if usable else GOOD.keys[-1]


def bundle(*ders: bytes) -> Callable[[], Case]:
    return lambda: (forge.document(GOOD, cabundle=list(ders)), GOOD.root)


def flipped(position: int, byte: int) -> Callable[[], Case]:
    def make() -> Case:
        ders = list(GOOD.ders)
        changed = bytearray(ders[position])
        changed[byte] ^= 1
        ders[position] = bytes(changed)
        data = forge.document(GOOD, cabundle=ders[:4], certificate=ders[4])
        return data, ders[0]

    return make


def serial_of(first_byte: int) -> Callable[[], Case]:
    def make() -> Case:
        changed = bytearray(ZONAL)
        at = changed.index(b"\xa0\x03\x02\x01\x02\x02") + 7
        # A random serial number may begin with that very byte.
        changed[at] = first_byte if changed[at] != first_byte else first_byte - 1
        return forge.document(GOOD, cabundle=[ROOT, REGIONAL, bytes(changed), INSTANCE]), ROOT

    return make


def same_key_new_root() -> Case:
    """The root's key signs itself anew: names, key and links hold, the bytes are others."""
    rows = forge.SHAPE
    again = sign_certificate(
        replace(rows[0], end=timedelta(hours=3)), GOOD.keys[0], "root", GOOD.keys[0], NOW
    )
    return forge.document(GOOD, cabundle=[again, *GOOD.ders[1:4]]), GOOD.root


def long_way_down() -> Case:
    """A leaf that is a CA by no constraint issues another leaf below."""
    extra = forge.CertificatePlan("below", ca=False, usage=("digital_signature",))
    chain = forge.make_chain((*forge.SHAPE, extra))
    return forge.document(chain), chain.root


OLD, FUTURE = timedelta(seconds=-1), timedelta(seconds=1)
ROOT, REGIONAL, ZONAL, INSTANCE, LEAF = GOOD.ders
SIGN, CERT_SIGN = ("digital_signature",), ("key_cert_sign",)
ATTACKS: dict[str, tuple[Callable[[], Case], tuple[str, ...]]] = {
    "intermediates swapped": (reordered(0, 2, 1, 3), ("chain",)),
    "bundle reversed": (reordered(3, 2, 1, 0), ("chain", "root")),
    "root last": (reordered(1, 2, 3, 0), ("chain", "root")),
    "root missing": (reordered(1, 2, 3), ("root",)),
    "regional missing": (reordered(0, 2, 3), ("chain",)),
    "instance missing": (reordered(0, 1, 2), ("chain",)),
    "only the root": (reordered(0), ("chain",)),
    "root twice": (reordered(0, 0, 1, 2, 3), ("chain",)),
    "regional twice": (reordered(0, 1, 1, 2, 3), ("chain",)),
    "leaf in the bundle": (bundle(ROOT, REGIONAL, ZONAL, INSTANCE, LEAF), ("chain",)),
    "extra of another chain": (bundle(ROOT, REGIONAL, ZONAL, INSTANCE, OTHER.ders[3]), ("chain",)),
    "instance of another chain": (bundle(ROOT, REGIONAL, ZONAL, OTHER.ders[3]), ("chain",)),
    "another root, same name": (bundle(OTHER.root, REGIONAL, ZONAL, INSTANCE), ("chain", "root")),
    "whole chain of another root": (
        lambda: (forge.document(OTHER), GOOD.root),
        ("root",),
    ),
    "same root key, new certificate": (same_key_new_root, ("root",)),
    "root expired": (bent(0, end=OLD), ("validity",)),
    "regional expired": (bent(1, end=OLD), ("validity",)),
    "zonal expired": (bent(2, end=OLD), ("validity",)),
    "instance expired": (bent(3, end=OLD), ("validity",)),
    "leaf expired": (bent(4, end=OLD), ("validity",)),
    "leaf not valid yet": (bent(4, start=FUTURE), ("validity",)),
    "path length too short at the top": (bent(0, path_length=2), ("chain",)),
    "path length too short": (bent(2, path_length=0), ("chain",)),
    "one more level": (long_way_down, ("chain",)),
    "leaf that is a CA": (bent(4, ca=True), ("chain",)),
    "leaf without digitalSignature": (bent(4, usage=CERT_SIGN), ("chain",)),
    "leaf that may sign certificates": (bent(4, usage=(*SIGN, *CERT_SIGN)), ("chain",)),
    "leaf without keyUsage": (bent(4, usage=None), ("chain",)),
    "CA that is not": (bent(3, ca=False), ("chain",)),
    "CA without basicConstraints": (bent(2, ca=None), ("chain",)),
    "CA without keyCertSign": (bent(1, usage=SIGN), ("chain",)),
    "CA without keyUsage": (bent(1, usage=None), ("chain",)),
    "P-256 leaf": (bent(4, curve=ec.SECP256R1()), ("chain",)),
    "P-256 intermediate": (bent(2, curve=ec.SECP256R1()), ("chain",)),
    "P-521 intermediate": (bent(2, curve=ec.SECP521R1()), ("chain",)),
    "secp256k1 leaf": (bent(4, curve=ec.SECP256K1()), ("chain",)),
    "RSA leaf": (bent(4, curve=None), ("chain",)),
    "RSA intermediate": (bent(2, curve=None), ("chain",)),
    "certificate signed over SHA-256": (bent(3, hash=SHA256()), ("chain",)),
    "unknown critical extension": (bent(3, critical_extra=True), ("chain",)),
    "link signature changed": (flipped(2, -1), ("chain",)),
    "leaf signature changed": (flipped(4, -1), ("chain",)),
    "negative serial number": (serial_of(0x80), ("chain",)),
    "serial number changed": (serial_of(0x7F), ("chain",)),
    "trailing bytes": (bundle(ROOT, REGIONAL, ZONAL, INSTANCE + b"\x00"), ("chain",)),
    "not a certificate": (bundle(ROOT, REGIONAL, b"\x30\x00", INSTANCE), ("chain",)),
    "signed by another leaf": (
        lambda: (forge.document(GOOD, key=OTHER.keys[-1]), GOOD.root),
        ("signature",),
    ),
    "signed by the instance's key": (
        lambda: (forge.document(GOOD, key=GOOD.keys[3]), GOOD.root),
        ("signature",),
    ),
    "bundle empty": (bundle(), ("fields", "chain", "root")),
    "bundle too long": (bundle(*[ROOT] * 11), ("fields", "chain", "root")),
    "certificate too long": (bundle(ROOT, b"\x30" * 1025), ("fields", "chain", "root")),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_refused_at_the_step_that_is_about_it(attack: str) -> None:
    make, expected = ATTACKS[attack]
    data, root = make()
    report = Verifier.with_root(root).explain(data, at=NOW)
    assert report.verdict == "refused"
    assert report.failed == expected
    for step in report.steps:
        if step.status == "failed":
            assert step.found
            assert step.expected
            assert step.where


def test_a_chain_of_another_length_holds_when_its_path_lengths_allow() -> None:
    short = forge.make_chain((forge.SHAPE[0], forge.SHAPE[3], forge.SHAPE[4]))
    assert Verifier.local(short.root).explain(forge.document(short), at=NOW).accepted


@pytest.mark.parametrize("second", [0, 1])
def test_validity_includes_both_ends(second: int) -> None:
    chain = forge.make_chain()
    start, end = build_chain(chain.ders[:4], chain.ders[4]).windows[4]
    verifier, data = Verifier.local(chain.root), forge.document(chain)
    outside = timedelta(seconds=second)
    assert (verifier.explain(data, at=start - outside).verdict == "valid") is (second == 0)
    assert (verifier.explain(data, at=end + outside).verdict == "valid") is (second == 0)


def test_the_link_cache_is_bounded_and_never_spares_the_rules() -> None:
    links = Links()
    for number in range(CACHED_LINKS + 10):
        links.note(b"issuer", str(number).encode())
    assert not links.holds(b"issuer", b"0")
    assert links.holds(b"issuer", str(CACHED_LINKS).encode())
    bad = forge.make_chain(forge.shape(3, ca=False))
    for _ in range(2):
        assert build_chain(bad.ders[:4], bad.ders[4], links=links).findings


def test_first_only_stops_at_the_first() -> None:
    bad = forge.make_chain(forge.shape(3, ca=False, usage=None))
    assert len(build_chain(bad.ders[:4], bad.ders[4], first_only=True).findings) == 1
    assert len(build_chain(bad.ders[:4], bad.ders[4]).findings) == 2


def test_what_is_expired_is_named_where_the_leaf_is_missing() -> None:
    chain = forge.make_chain(forge.shape(3, end=OLD))
    report = Verifier.local(chain.root).explain(forge.document(chain, certificate=None), at=NOW)
    assert report.failed == ("fields", "chain", "validity")
    assert report.step("validity").where == "cabundle[3]"
    assert report.step("signature").status == "skipped"
