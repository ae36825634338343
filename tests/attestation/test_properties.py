"""Documents made by hypothesis: good ones are read and believed, others refused by our errors only."""

from __future__ import annotations

import tracemalloc

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitro_workflow.attestation import Verifier, parse_document
from nitro_workflow.attestation.inputs import decode_input
from nitro_workflow.errors import DocumentError, NitroWorkflowError

from . import strategies
from .conftest import NOW

VERIFIER = Verifier.local(strategies.CHAIN.root)
MODEST = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


@MODEST
@given(strategies.documents())
def test_good_documents_of_every_form_are_believed(made: strategies.Made) -> None:
    report = VERIFIER.explain_including_debug(made.data, at=NOW)
    assert report.failed == ()
    document = parse_document(made.data)
    assert document.kind == made.kind
    assert document.sign1.tagged is (made.data[0] == 0xD2)
    assert document.module_id == made.fields["module_id"]
    assert document.timestamp_ms == made.fields["timestamp"]
    name = "pcrs" if made.kind == "enclave" else "nitrotpm_pcrs"
    assert document.pcrs == made.fields[name]
    for field in strategies.OPTIONAL:
        assert getattr(document, field) == made.fields.get(field)
    for field in ("certificate", *strategies.OPTIONAL):
        value, span = getattr(document, field), document.spans.get(field)
        if value is not None and span is not None:
            assert made.data[span.content : span.end] == value


@MODEST
@given(strategies.faulty_documents())
def test_a_field_that_breaks_its_rule_is_named(pair: tuple[bytes, str]) -> None:
    data, name = pair
    report = VERIFIER.explain_including_debug(data, at=NOW)
    assert "fields" in report.failed
    assert "shape" not in report.failed
    assert name in report.step("fields").where
    try:
        parse_document(data)
    except DocumentError as error:
        where = error.where
    assert name in where


@MODEST
@given(strategies.damaged())
def test_damaged_documents_raise_only_our_errors(data: bytes) -> None:
    report = VERIFIER.explain(data, at=NOW)
    try:
        parse_document(data)
    except DocumentError as error:
        assert report.failed[0] in ("shape", "fields")
        assert error.where  # noqa: PT017 - the field or the byte is named, whatever it is


@MODEST
@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_input_raises_only_our_errors(data: bytes) -> None:
    try:
        decoded = decode_input(data)
    except NitroWorkflowError as error:
        assert error.exit_code == 3  # noqa: PT017
        return
    assert VERIFIER.explain(decoded.data, at=NOW).verdict == "refused"


def test_memory_for_a_hostile_document_is_bounded() -> None:
    bombs = [b"\x84" * 262_144, b"\x9a\x00\x03\xff\xff" + b"\x80" * 262_000, b"\x5b" + b"\x7f" * 8]
    tracemalloc.start()
    for bomb in bombs:
        assert VERIFIER.explain(bomb, at=NOW).failed == ("shape",)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
