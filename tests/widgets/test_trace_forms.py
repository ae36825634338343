"""The trace: the order of lanes, the relay on the path, who could read what, in every form."""

from __future__ import annotations

import re
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.lab import TraceEvent
from nitro_workflow.widgets import View, make_trace
from nitro_workflow.widgets.inspectors.trace_model import MESSAGES, count_of
from nitro_workflow.widgets.inspectors.trace_svg import places_of
from tests.widgets.forms import HOSTILE, LONG, both_say, forms

DATA = b"ciphertext" * 20


def event(step, source, target, what="x", length=10, seen=(), **more):
    more.setdefault("at", "2026-01-01T00:00:00Z")
    more.setdefault("sha256", "")
    more.setdefault("job", "")
    more.setdefault("told_by", "parent")
    return TraceEvent(seq=0, step=step, source=source, target=target, what=what, size=length,
                      visible_to=tuple(seen), **more)  # fmt: skip


def carried(step, source, target, **more):
    return event(step, source, target, "TLS records through the vsock proxy", 6210,
                 ("enclave", "kms"), carried_by=("proxy",),
                 records=(("handshake", 512), ("application_data", 5698)), **more)  # fmt: skip


WALK = (
    event("D1", "s3", "parent", "customers/1/customers.csv.esdk", 200, ("s3", "parent"), sha256=sha256(DATA).hexdigest()),
    event("D2", "parent", "enclave", "ciphertext", 200, ("parent", "enclave"), job="j1", at="2026-01-01T00:00:00.100Z"),
    carried("D3", "enclave", "kms", at="2026-01-01T00:00:01Z"),
    carried("D6", "kms", "enclave", at="2026-01-01T00:00:01.5Z"),
    event("D9", "data owner", "cloud", "kms:Decrypt over TLS", 99, ("data owner", "cloud"), told_by="data owner",
          at="2026-01-01T00:00:02Z"),
)  # fmt: skip


def walk():
    return make_trace(WALK, contents={"D3": "kms:Decrypt + document"}, known=[DATA])


def test_texts_of_the_picture_stand_apart_where_svg_is_stripped():
    html = View(walk()).html
    assert html.count("</text>; ") == html.count("</text>") > 10
    assert re.search(r"Enclave; [^;]*; ", re.sub(r"<[^>]*>", "", html))


def test_the_parent_lies_between_the_enclave_and_aws():
    assert [lane.id for lane in walk().lanes] == ["enclave", "parent", "aws", "owner"]
    places = places_of(walk().lanes)
    assert places["enclave"] < places["parent"] < places["aws"]


def test_another_party_has_a_lane_after_the_four():
    lanes = make_trace([event("P8", "administrator", "cloud", "ec2:RunInstances over TLS")]).lanes
    assert [lane.id for lane in lanes] == ["enclave", "parent", "aws", "owner", "administrator"]


def test_the_relay_is_named_in_every_form():
    model = walk()
    assert [m.step for m in model.messages if m.via == ("parent",)] == ["D3", "D6"]
    text, html = forms(model)
    assert text.count("relayed by the parent") == 2
    assert text.count("the parent relays, cannot open") == 2
    # In the table too, where the picture is stripped.
    assert html.count("parent: relays, cannot open") == 2
    table = View(model).html.partition("The messages, in order")[2]
    assert table.count("parent: relays, cannot open") == 2


def test_every_form_says_who_could_read_and_how_much():
    both_say(walk(), "The parent carried 2 messages that it could not open",
             "kms:Decrypt + document", "6,210 bytes", "application_data of 5,698 bytes",
             "enclave → vsock → the parent's vsock proxy → TCP → KMS",
             "KMS → TCP → the parent's vsock proxy → vsock → enclave",
             "2 of 5 messages", "1,500 ms")  # fmt: skip
    assert count_of(walk(), "parent") == 2


def test_what_each_party_saw():
    message = next(m for m in walk().messages if m.step == "D3")
    seen = {one.lane: one.how for one in message.seen}
    assert seen == {"enclave": "reads", "parent": "relays", "aws": "reads", "owner": "nothing"}
    assert next(one for one in message.seen if one.lane == "parent").text.startswith(
        "TLS records, handshake of 512"
    )


def test_a_relay_that_could_read_is_the_verdict():
    open_one = event(
        "D3", "enclave", "kms", "TLS", 1, ("enclave", "kms", "proxy"), carried_by=("proxy",)
    )
    model = make_trace([open_one])
    assert model.head.tone == "bad"
    both_say(model, "Who relayed D3 could read it", model.head.next)


@pytest.mark.parametrize("events", [(), WALK[:2]])
def test_nothing_relayed_is_no_good_news(events):
    model = make_trace(events)
    assert model.head.tone == "neutral"
    both_say(model, "No message was relayed", model.head.next)


def test_bytes_are_shown_only_under_their_own_digest():
    model = walk()
    assert [bool(m.beginning) for m in model.messages] == [True, False, False, False, False]
    assert model.messages[0].beginning == DATA[:64]
    assert make_trace(WALK, known=[DATA + b"!"]).messages[0].beginning == b""


def test_what_the_proxy_carried_belongs_to_the_job_handed_over_last():
    second = event("D2", "parent", "enclave", "ciphertext", job="j2", at="2026-01-01T00:00:03Z")
    later = carried("D3", "enclave", "kms", at="2026-01-01T00:00:04Z")
    model = make_trace([*WALK, second, later], jobs={"j1": "encryption-sdk"})
    assert [(m.step, m.job) for m in model.messages if m.via] == [
        ("D3", "j1"),
        ("D6", "j1"),
        ("D3", "j2"),
    ]
    assert model.jobs == (("j1", "encryption-sdk"), ("j2", "j2"))


def test_pieces_of_a_stream_are_one_message_and_their_records_stay():
    piece = carried("D3", "enclave", "kms")
    (message,) = make_trace([piece, piece]).messages
    assert message.size == 12_420
    assert len(message.records) == 4
    (whole,) = make_trace([piece]).messages
    assert message.digest is whole.digest is None  # a slower machine cuts elsewhere


def test_looking_up_evidence_is_no_message_of_the_workflow():
    looking = event("D4", "data owner", "cloud", what="cloudtrail:LookupEvents over TLS")
    assert [m.step for m in make_trace([*WALK, looking]).messages] == [
        m.step for m in walk().messages
    ]


def test_arrows_meet_their_lanes():
    html = View(walk()).html
    places = places_of(walk().lanes)
    tips = [float(x) for x in re.findall(r'd="M([\d.]+) \d+l-?11 -6\.5v13z"', html)]
    edges = {"aws": 1, "enclave": 1, "parent": 5}
    wanted = [
        places["parent"] + 5,
        places["enclave"] + 1,
        places["aws"] - 1,
        places["enclave"] + 1,
        places["aws"] + 1,
    ]
    assert tips == pytest.approx(wanted, abs=0.1), edges


def test_no_more_messages_are_drawn_than_can_be_looked_at():
    many = [event(f"D{n}", "s3", "parent", f"object {n}") for n in range(MESSAGES + 7)]
    model = make_trace(many)
    assert (len(model.messages), model.left_out) == (MESSAGES, 7)
    both_say(model, "7 more messages")


def test_what_a_parent_writes_stays_text():
    model = make_trace(
        [
            event(HOSTILE, "s3", HOSTILE, HOSTILE, seen=(HOSTILE,), told_by=HOSTILE),
            event("D1", "s3", "parent", LONG),
        ]
    )
    text, html = forms(model)
    assert "<img src=x" in text
    assert "<img src=x" in html
    assert len(html) < 3_000_000


TEXT = st.text(max_size=6)
NAMES = st.sampled_from(["kms", "parent", "", "x", "enclave", "cloud", "proxy", "data owner"])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.builds(
            TraceEvent,
            st.integers(), TEXT, TEXT, NAMES, NAMES, TEXT, st.integers(), TEXT,
            st.lists(TEXT | NAMES, max_size=3).map(tuple), TEXT, TEXT,
            st.lists(NAMES, max_size=2).map(tuple),
            st.lists(st.tuples(TEXT, st.integers()), max_size=3).map(tuple),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_any_trace_is_drawn(events):
    forms(make_trace(events, known=[b"x"]))
