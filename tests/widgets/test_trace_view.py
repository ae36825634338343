"""The lanes: order, what belongs together, and who could read it."""

from __future__ import annotations

from nitro_workflow.lab import TraceEvent
from nitro_workflow.widgets import View
from nitro_workflow.widgets.trace_view import trace_lanes


def _event(step, source, target, what="TLS records", length=10, seen=(), told_by=""):
    return TraceEvent(
        0, "", step, source, target, what, length, "ab" * 32, seen, "2026-01-01T00:00:00Z", told_by
    )


def test_lanes_stand_from_people_to_cloud():
    events = [
        _event("D3", "enclave", "kms"),
        _event("D1", "s3", "parent"),
        _event("P1", "data owner", "cloud"),
    ]
    assert trace_lanes(events).lanes == ("data owner", "parent", "enclave", "cloud")


def test_pieces_of_a_stream_are_one_message():
    lanes = trace_lanes([_event("D3", "enclave", "kms"), _event("D3", "enclave", "kms", length=32)])
    assert [message.text for message in lanes.messages] == ["TLS records, 42 bytes"]
    assert lanes.messages[0].detail == ""


def test_who_could_read_it_is_told_by_lane():
    lanes = trace_lanes([_event("D6", "kms", "enclave", seen=("enclave", "kms"))])
    assert lanes.messages[0].seen_by == ("enclave", "cloud")


def test_whose_word_it_is_stands_beside_it():
    same = ("D3", "enclave", "kms")
    lanes = trace_lanes([_event(*same, told_by="parent"), _event(*same, told_by="enclave")])
    assert [message.told_by for message in lanes.messages] == ["parent", "enclave"]
    assert "told by parent" in repr(View(lanes))


def test_looking_up_evidence_is_no_message_of_the_workflow():
    looking = _event("D4", "data owner", "cloud", what="cloudtrail:LookupEvents over TLS")
    lanes = trace_lanes([_event("D3", "enclave", "kms"), looking])
    assert [message.step for message in lanes.messages] == ["D3"]
    assert lanes.lanes == ("enclave", "cloud")
