"""The map of the 17 steps, the enclaves, the result: whole, bad and hostile, in every form."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.lab import STEPS, StepProgress, StepResult
from nitro_workflow.widgets import make_enclaves, make_result, make_workflow
from nitro_workflow.widgets.inspectors.enclave_model import ENCLAVES
from nitro_workflow.widgets.inspectors.result_model import GROUPS
from nitro_workflow.widgets.inspectors.workflow_model import PARTIES
from tests.widgets.forms import HOSTILE, LONG, both_say, forms

RESULTS = {
    step.number: StepResult(step.number, step.party, step.title, "done", 0.25, {"alias": "alias/x", "key_arn": "k"},
                            at="2026-01-01T00:00:00.000001Z")
    for step in STEPS
}  # fmt: skip


# -- the map ---------------------------------------------------------------------------------------


def test_every_step_stands_in_the_row_of_its_party():
    model = make_workflow(RESULTS.get)
    rows = {step.number: step.parties for step in model.steps}
    assert rows["P1"] == ("data owner",)
    assert rows["P5"] == ("data owner", "developer")
    assert rows["P8"] == ("administrator",)
    assert rows["D1"] == ("parent instance",)
    assert rows["D4"] == ("AWS",)
    assert all(row and set(row) <= set(PARTIES) for row in rows.values())
    both_say(
        model, "All 17 steps are done", "lesson.result()", "250 ms", *(step.title for step in STEPS)
    )


def test_what_is_to_do_and_what_no_longer_holds():
    some = {number: RESULTS[number] for number in ("P1", "P2", "P3")}
    model = make_workflow(some.get, rests=lambda step: step.number != "P2", here=("P4",))
    states = {step.number: step.state for step in model.steps}
    assert (states["P1"], states["P2"], states["P4"]) == ("done", "stale", "to do")
    both_say(
        model,
        "What P2 rested on has changed since.",
        'lesson.run("P2")',
        "no longer holds",
        "◀ this lesson",
    )


def test_what_rests_on_what():
    steps = {step.number: step for step in make_workflow(RESULTS.get).steps}
    assert steps["D4"].rests_on == ("D2", "P7")
    assert set(steps["P7"].needed_by) == {"P8", "D4"}


def test_what_runs_now_is_told():
    model = make_workflow(
        {}.get, progress=StepProgress("P5", "running", 12.5), doing="Root filesystem (2 of 4)"
    )
    both_say(
        model, "P5 is running: Inspect both applications", "Root filesystem (2 of 4)", "12,500 ms"
    )
    assert next(step for step in model.steps if step.number == "P5").state == "running"


def test_a_failure_says_why_and_what_next():
    model = make_workflow(
        {}.get, progress=StepProgress("P5", "failed", 1.0), error="no disk. Next: make room"
    )
    assert model.head.tone == "bad"
    both_say(model, "P5 failed", "no disk. Next: make room", "then run P5 again")


def test_it_asks_before_it_starts_over():
    both_say(make_workflow(RESULTS.get, asks="Start over from D4?"), "Start over from D4?")


def test_what_a_record_says_stays_text():
    bent = {
        "P1": StepResult(
            "P1", "p", "t", "done", 0.1, {"key_arn": HOSTILE, "alias": LONG}, at=HOSTILE
        )
    }
    _, html = forms(make_workflow(bent.get, doing=HOSTILE, asks=HOSTILE, error=HOSTILE))
    assert "<img src=x" in html
    assert len(html) < 200_000


# -- enclaves --------------------------------------------------------------------------------------

PCRS = {"PCR0": "ab" * 48, "PCR1": "cd" * 48, "PCR2": "ef" * 48}
ENCLAVE = {
    "EnclaveName": "application", "EnclaveID": "i-1-enc1", "ProcessID": 7, "EnclaveCID": 16, "NumberOfCPUs": 2,
    "CPUIDs": [1, 3], "MemoryMiB": 512, "State": "RUNNING", "Flags": "NONE", "ImageName": "app", "ImageVersion": "1",
    "Measurements": {"HashAlgorithm": "Sha384 { ... }", **PCRS},
}  # fmt: skip


def test_an_enclave_with_its_pcrs_flags_and_jobs():
    jobs = {"encryption-sdk": {"job": "j1", "status": "done", "step": "D9"},
            "envelope": {"job": "j2", "status": "refused", "step": "D4", "error": {"code": "AccessDenied", "found": "PCR0"}}}  # fmt: skip
    model = make_enclaves([ENCLAVE], jobs=jobs, expected=PCRS)
    assert model.head.tone == "good"
    both_say(model, "One enclave runs, none in debug mode, as the key policy asks", "i-1-enc1", "2 (1, 3)", "512 MiB",
             "app 1", "NONE", "production mode", "abababab", "AccessDenied: PCR0", "refused")  # fmt: skip


def test_debug_mode_is_a_warning_and_its_console_is_shown():
    model = make_enclaves([{**ENCLAVE, "Flags": "DEBUG_MODE"}], consoles={"i-1-enc1": "hello\n"})
    assert model.head.tone == "warning"
    both_say(model, "runs in debug mode", "PCR0, 1 and 2 are zero", "hello", model.head.next)


def test_another_image_than_the_policys_is_bad():
    model = make_enclaves([ENCLAVE], expected={**PCRS, "PCR2": "00" * 48})
    assert model.head.tone == "bad"
    both_say(model, "not the image that the key policy names", model.head.next)


def test_a_refused_launch_is_told_with_its_code():
    refusal = {
        "asked": "run-enclave, 32 MiB",
        "code": "E26",
        "found": "32 MiB",
        "next": "give more",
    }
    both_say(
        make_enclaves([], refusals=[refusal]),
        "No enclave runs",
        "run-enclave, 32 MiB",
        "E26",
        "give more",
    )


def test_what_a_host_says_stays_text():
    bent = [
        dict.fromkeys(ENCLAVE, HOSTILE),
        {"EnclaveName": LONG},
        {"Measurements": {HOSTILE: HOSTILE, "PCR0": 5}},
    ]
    _, html = forms(
        make_enclaves(
            bent,
            jobs={HOSTILE: {"status": HOSTILE, "error": HOSTILE}},
            refusals=[{"asked": HOSTILE}],
        )
    )
    assert "<img src=x" in html
    assert len(forms(make_enclaves([ENCLAVE] * (ENCLAVES + 5)))[1]) < 300_000


# -- the result ------------------------------------------------------------------------------------

RESULT = {
    "rows": 30, "threshold": 10, "suppressed": 1,
    "groups": [
        {"region": "asia", "count": 16, "balance": {"sum": "160.00", "mean": "10.00"}},
        {"region": "europe", "count": 11, "balance": {"sum": "55.00", "mean": "5.00"}},
    ],
}  # fmt: skip


def test_the_suppressed_group_is_drawn_as_suppressed():
    model = make_result(RESULT)
    both_say(
        model,
        "2 groups are told, 1 is not",
        "suppressed: 1 group of fewer than 10 records",
        "not told",
        "europe",
        "55.00",
    )
    assert [bar.share for bar in model.measures[0].bars] == [1.0, 0.6875]
    assert model.measures[0].name == "count"


def test_what_the_total_gives_away_is_said():
    assert make_result(RESULT).hidden_rows == 3
    both_say(make_result(RESULT), "the suppressed group has 3 records; their sums are not told")
    assert make_result({**RESULT, "suppressed": 0}).note == ""


def test_a_bar_has_no_length_where_there_is_no_number():
    groups = [
        {"region": "a", "count": value} for value in ("NaN", "Infinity", "-5", "x", None, True, 10)
    ]
    shares = [bar.share for bar in make_result({"groups": groups}).measures[0].bars]
    assert shares == [0, 0, 0, 0, 0, 0, 1.0]


def test_no_more_groups_are_drawn_than_can_be_looked_at():
    groups = [{"region": f"r{n}", "count": 11} for n in range(GROUPS + 3)]
    model = make_result({"rows": 11 * len(groups), "groups": groups})
    assert (len(model.groups), model.left_out, model.hidden_rows) == (GROUPS, 3, 0)
    both_say(model, "3 more groups")


def test_names_of_groups_stay_text():
    _, html = forms(
        make_result({"rows": 1, "groups": [{HOSTILE: HOSTILE, "count": 11, "m": {HOSTILE: "1"}}]})
    )
    assert "<img src=x" in html


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(st.sampled_from([*RESULT]), JSON),
    st.lists(st.dictionaries(st.sampled_from([*ENCLAVE]), JSON), max_size=3),
)
def test_any_answer_is_drawn(result, described):
    json.dumps(forms(make_result(result)))
    forms(make_enclaves(described, jobs={"x": result}))


@pytest.mark.parametrize("number", ["", "D10", "x"])
def test_progress_of_no_step_is_no_trouble(number):
    forms(make_workflow(RESULTS.get, progress=StepProgress(number, "running")))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("285155042.81", "285,155,042.81"), (12628472, "12,628,472"), ("-5000.0", "-5,000.0"),
        ("1E+999999999", "1E+999999999"), ("NaN", "NaN"), ("٣٣٣٣", "٣٣٣٣"), (True, "True"), ("9" * 400, "9" * 400),
    ],
)  # fmt: skip
def test_large_numbers_are_read_in_groups_and_what_is_none_stays(value, shown):
    model = make_result({"groups": [{"region": "asia", "sum": value}]})
    told = [bar.text for measure in model.measures for bar in measure.bars]
    assert told == [shown]
    forms(model)
