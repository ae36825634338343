"""Each step has a document that fails exactly there, and one that passes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from nitro_workflow.attestation import STEPS, Expected, Verifier, exactly, parse_document
from nitro_workflow.attestation.roots import AWS_ROOT_FINGERPRINT, aws_root, fingerprint, parse_root
from nitro_workflow.errors import CertificateError, UsageError, VerificationError

from . import forge
from .conftest import FOLDER, NOW, PCRS, vector

CHAIN = forge.make_chain()
OTHER = forge.make_chain()
ZEROS = {index: bytes(48) for index in range(16)}
VERIFIER = Verifier.local(CHAIN.root)
WANTED: dict[str, Any] = {
    "nonce": b"nonce",
    "user_data": b"data",
    "public_key": b"key",
    "max_age": timedelta(minutes=5),
    "pcrs": exactly({0: PCRS[0]}, "release 1"),
}
HELD = {"nonce": b"nonce", "user_data": b"data", "public_key": b"key"}


def good(**changes: Any) -> bytes:
    return forge.document(CHAIN, **HELD | changes)


def path_too_long() -> tuple[bytes, bytes]:
    chain = forge.make_chain(forge.shape(1, path_length=1))
    return forge.document(chain, **HELD), chain.root


def expired_leaf() -> tuple[bytes, bytes]:
    chain = forge.make_chain(forge.shape(4, end=timedelta(seconds=-1)))
    return forge.document(chain, **HELD), chain.root


FAILS: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    "shape": lambda: (forge.resigned(good(), unprotected={1: -35}), CHAIN.root),
    "fields": lambda: (good(digest="SHA256"), CHAIN.root),
    "chain": path_too_long,
    "validity": expired_leaf,
    "root": lambda: (good(), OTHER.root),
    "signature": lambda: (good(key=OTHER.keys[-1]), CHAIN.root),
    "freshness": lambda: (
        good(timestamp=int((NOW - timedelta(minutes=6)).timestamp() * 1000)),
        CHAIN.root,
    ),
    "nonce": lambda: (good(nonce=b"another"), CHAIN.root),
    "pcrs": lambda: (good(pcrs=PCRS | {0: bytes([9]) * 48}), CHAIN.root),
    "debug": lambda: (good(pcrs=ZEROS), CHAIN.root),
    "user_data": lambda: (good(user_data=None), CHAIN.root),
    "public_key": lambda: (good(public_key=b""), CHAIN.root),
}


def test_a_good_document_passes_every_step() -> None:
    report = VERIFIER.explain(good(), at=NOW, expected=Expected(**WANTED))
    assert [(step.id, step.status) for step in report.steps] == [
        (step.id, "passed") for step in STEPS
    ]
    verified = VERIFIER.verify(good(), at=NOW, expected=Expected(**WANTED))
    assert verified.matched == "release 1"
    assert verified.root_fingerprint == report.root_fingerprint
    assert verified.time_source == "given"
    assert not verified.debug


def test_the_table_is_the_contract() -> None:
    assert " ".join(step.id for step in STEPS) == (
        "shape fields chain validity root signature freshness nonce pcrs debug user_data public_key"
    )
    assert list(FAILS) == [step.id for step in STEPS]
    assert all(step.title and step.clause for step in STEPS)


@pytest.mark.parametrize("step", FAILS)
def test_each_step_has_a_document_that_fails_exactly_there(step: str) -> None:
    data, root = FAILS[step]()
    verifier = Verifier.with_root(root)
    wanted = WANTED if step != "debug" else WANTED | {"pcrs": exactly({0: bytes(48)}, "zeros")}
    report = verifier.explain(data, at=NOW, expected=Expected(**wanted))
    assert report.failed == (step,)
    authentic = step in ("shape", "fields", "chain", "validity", "root", "signature")
    assert report.verdict == ("refused" if authentic else "valid")
    with pytest.raises(VerificationError) as caught:
        verifier.verify(data, at=NOW, expected=Expected(**wanted))
    error = caught.value
    assert (error.step, error.exit_code) == (step, 1)
    assert error.found
    assert error.expected
    assert error.where.startswith(step)
    assert error.next


def test_debug_passes_only_by_name() -> None:
    data = good(pcrs=ZEROS)
    assert VERIFIER.verify_including_debug(data, at=NOW).debug
    assert VERIFIER.explain_including_debug(data, at=NOW).accepted


def test_a_document_without_pcr0_is_not_production() -> None:
    report = VERIFIER.explain(good(pcrs={4: bytes(48)}), at=NOW)
    assert (report.verdict, report.failed, report.reading.mode) == ("valid", ("debug",), None)


def test_nitrotpm_has_no_debug_step_and_its_own_pcrs() -> None:
    data = forge.document(CHAIN, pcrs=..., nitrotpm_pcrs={4: bytes(48)})
    report = VERIFIER.explain(
        data, at=NOW, expected=Expected(pcrs=exactly({4: bytes(48)}, "tpm", kind="nitrotpm"))
    )
    assert (report.failed, report.reading.kind) == ((), "nitrotpm")
    assert report.step("debug").status == "skipped"
    enclave = VERIFIER.explain(
        data, at=NOW, expected=Expected(pcrs=exactly({4: bytes(48)}, "enclave"))
    )
    assert enclave.failed == ("pcrs",)


def test_what_was_parsed_can_be_verified() -> None:
    document = parse_document(good())
    assert VERIFIER.verify(document, at=NOW).document == document


def test_time_is_a_parameter_and_the_report_says_which() -> None:
    given = VERIFIER.explain(good(), at=NOW.astimezone(timezone(timedelta(hours=9))))
    own = VERIFIER.explain(good(), at="document")
    assert (given.time_source, own.time_source) == ("given", "document")
    assert given.checked_at == NOW
    assert given.checked_at.tzinfo is UTC
    assert own.checked_at == NOW


@pytest.mark.parametrize(
    ("at", "wanted"),
    [(datetime(2026, 1, 1), {}), ("document", {"max_age": timedelta(1)})],  # noqa: DTZ001
)
def test_times_that_say_nothing_are_refused(at: Any, wanted: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        VERIFIER.explain(good(), at=at, expected=Expected(**wanted))


@pytest.mark.parametrize(
    ("delta", "accepted"),
    [(-6, False), (-4, True), (0, True), (300, True), (301, False)],
)
def test_freshness_has_a_limit_on_both_sides(delta: int, accepted: bool) -> None:
    at = NOW + timedelta(seconds=delta)
    report = VERIFIER.explain(good(), at=at, expected=Expected(max_age=timedelta(minutes=5)))
    assert report.accepted is accepted
    assert report.verdict == "valid"


def test_an_empty_field_is_not_an_absent_one() -> None:
    assert VERIFIER.explain(good(nonce=b""), at=NOW, expected=Expected(nonce=b"")).accepted
    assert VERIFIER.explain(good(nonce=None), at=NOW, expected=Expected(nonce=b"")).failed == (
        "nonce",
    )
    assert VERIFIER.explain(good(nonce=...), at=NOW, expected=Expected(nonce=b"")).failed == (
        "nonce",
    )


def test_unknown_signed_fields_are_named_and_not_judged() -> None:
    report = VERIFIER.explain(good(zzz_new=[1, {"a": b"b"}]), at=NOW)
    assert report.accepted
    assert report.reading.unknown == ("zzz_new",)
    assert "zzz_new" in report.step("fields").detail[0]


def test_roots_are_one_certificate_and_a_lab_is_not_aws() -> None:
    with pytest.raises(UsageError, match="AWS's root"):
        Verifier.local(aws_root())
    for wrong in (b"", b"\x30\x03\x02\x01\x01", b"-----BEGIN nothing", bytes(20_000)):
        with pytest.raises(CertificateError):
            Verifier.with_root(wrong)


def test_a_payload_has_a_limit() -> None:
    report = VERIFIER.explain(good(zzz=bytes(16_384)), at=NOW)
    assert report.failed == ("shape",)
    assert "at most 16384 bytes" in report.step("shape").expected


def test_garbage_is_reported_as_far_as_it_goes() -> None:
    report = VERIFIER.explain(b"\x00", at="document", expected=Expected(**HELD))
    assert report.failed == ("shape",)
    assert report.verdict == "refused"
    assert {step.status for step in report.steps[1:]} == {"skipped"}
    assert report.to_json()["kind"] is None


def test_a_curve_other_than_the_headers_does_not_verify() -> None:
    data = good(key=ec.generate_private_key(ec.SECP256R1()))
    assert VERIFIER.explain(data, at=NOW).failed == ("shape", "signature")


def test_the_chain_cache_still_checks_validity_at_each_documents_time() -> None:
    raw = vector("19b71700ef369a55")
    aws = Verifier.aws()
    assert aws.explain(raw, at="document").verdict == "valid"
    later = aws.explain(raw, at=datetime(2025, 1, 6, 23, 0, tzinfo=UTC))
    assert later.failed == ("validity",)
    assert later.step("validity").where == "certificate"
    assert aws.explain(raw, at="document").verdict == "valid"


def test_the_chain_cache_does_not_mix_roots_up() -> None:
    ours = good()
    assert VERIFIER.explain(ours, at=NOW).accepted
    theirs = Verifier.with_root(OTHER.root)
    for _ in range(2):
        assert theirs.explain(ours, at=NOW).failed == ("root",)


def test_the_packaged_root_is_the_published_one() -> None:
    published = FOLDER.parent / "roots" / "aws_nitro_root_g1.pem"
    assert parse_root(published.read_bytes()) == aws_root()
    assert fingerprint(aws_root()) == AWS_ROOT_FINGERPRINT
