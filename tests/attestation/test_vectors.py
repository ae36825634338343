"""All 26 real documents: what they say, whether they hold, and for which reason not."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from nitro_workflow.attestation import Verifier, parse_document, pcr4
from nitro_workflow.errors import DocumentError, VerificationError

from .conftest import FOLDER, GENUINE, ROWS, vector

AWS = Verifier.aws()
WHY_NOT = {
    "5f42eb915e451a2f": ("signature",),
    "7df2cdc016ae8928": ("signature",),
    "e388022c9162cf21": ("shape", "fields", "chain", "validity", "root"),
}


def ids(row: dict[str, Any]) -> str:
    return str(row["file"])


def test_there_are_26_and_they_are_what_the_manifest_says() -> None:
    assert len(ROWS) == 26
    for row in ROWS:
        assert hashlib.sha256((FOLDER / row["file"]).read_bytes()).hexdigest() == row["sha256"]


@pytest.mark.parametrize("row", ROWS, ids=ids)
def test_verdict_reason_and_facts_are_the_manifests(row: dict[str, Any]) -> None:
    report = AWS.explain_including_debug((FOLDER / row["file"]).read_bytes(), at="document")
    assert report.verdict == ("valid" if row["verdict"] == "valid" else "refused")
    assert report.failed == WHY_NOT.get(row["file"].removesuffix(".bin"), ())
    reading = report.reading
    assert (reading.kind, reading.mode) == (row["kind"], row["mode"])
    assert reading.values["module_id"] == row["module_id"]
    assert reading.values["timestamp_ms"] == row["timestamp_ms"]
    assert reading.values["digest"] == row["digest"]
    assert len(reading.pcrs) == row["pcr_count"]
    nonzero = {str(i): v.hex() for i, v in reading.pcrs.items() if any(v)}
    assert nonzero == row["nonzero_pcrs"]
    for name, length in row["lengths"].items():
        value = reading.values[name]
        assert (None if value is None else len(value)) == length
    assert reading.sign1 is not None
    assert (reading.sign1.payload[0] == 0xBF) is row["indefinite_length_payload_map"]


@pytest.mark.parametrize("row", GENUINE, ids=ids)
def test_every_span_holds_its_value(row: dict[str, Any]) -> None:
    raw = (FOLDER / row["file"]).read_bytes()
    document = parse_document(raw)
    payload = document.sign1.payload
    singles = ("certificate", "public_key", "user_data", "nonce")
    expected = {name: getattr(document, name) for name in singles if getattr(document, name)}
    expected |= {f"pcrs[{index}]": value for index, value in document.pcrs.items()}
    expected |= {f"cabundle[{index}]": value for index, value in enumerate(document.cabundle)}
    expected |= {"module_id": document.module_id.encode(), "digest": b"SHA384"}
    for name, value in expected.items():
        span = document.spans[name]
        assert raw[span.content : span.end] == value
        assert span.in_payload is not None
        start, end = span.in_payload
        assert payload[start:end] == raw[span.start : span.end]
    assert document.spans["message"][:1] + document.spans["message"][2:3] == (0, len(raw))
    assert document.spans["signature"].in_payload is None
    timestamp = document.spans["timestamp"]
    assert int.from_bytes(raw[timestamp.start + 1 : timestamp.end], "big") == row["timestamp_ms"]


@pytest.mark.parametrize("row", GENUINE, ids=ids)
def test_genuine_documents_hold_at_their_time_and_not_today(row: dict[str, Any]) -> None:
    raw = (FOLDER / row["file"]).read_bytes()
    verified = AWS.verify_including_debug(raw, at="document")
    assert verified.time_source == "document"
    assert verified.debug is (row["mode"] == "debug")
    assert verified.document.timestamp == verified.checked_at
    with pytest.raises(VerificationError) as caught:
        AWS.verify_including_debug(raw, at=verified.checked_at.replace(year=2030))
    assert caught.value.step == "validity"


@pytest.mark.parametrize("row", GENUINE, ids=ids)
def test_pcr4_is_the_instance_id_of_every_enclave(row: dict[str, Any]) -> None:
    document = parse_document((FOLDER / row["file"]).read_bytes())
    if document.kind == "enclave":
        assert document.pcrs[4] == pcr4(document.instance_id)
    else:
        assert document.instance_id.startswith("i-")
        assert document.mode is None


@pytest.mark.parametrize("row", [r for r in ROWS if r["mode"] == "debug"], ids=ids)
def test_debug_documents_are_refused_unless_asked_for_by_name(row: dict[str, Any]) -> None:
    raw = (FOLDER / row["file"]).read_bytes()
    report = AWS.explain(raw, at="document")
    assert report.failed[-1] == "debug"
    assert not report.accepted
    with pytest.raises(VerificationError) as caught:
        AWS.verify(raw, at="document")
    assert caught.value.step == ("debug" if row["verdict"] == "valid" else "signature")


def test_the_spoiled_pair_differs_in_one_byte() -> None:
    good, bad = vector("8ff485d8a838b3ca"), vector("7df2cdc016ae8928")
    assert [i for i, (a, b) in enumerate(zip(good, bad, strict=True)) if a != b] == [len(good) - 1]


def test_the_mock_is_explained_as_far_as_it_can_be() -> None:
    raw = vector("e388022c9162cf21")
    with pytest.raises(DocumentError, match="unprotected header that is null") as caught:
        parse_document(raw)
    assert "byte 6" in caught.value.where
    report = AWS.explain(raw, at="document")
    assert report.step("fields").where == "cabundle"
    assert report.step("validity").found.startswith("not valid yet at 1970-01-20")
    assert report.step("signature").status == "passed"
    assert report.step("debug").status == "passed"
    assert report.to_json()["module_id"] == "i-0e811925634bbd863-enc018274a97f16d616"
