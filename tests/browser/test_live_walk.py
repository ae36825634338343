"""The map, the enclaves and the result in a real browser."""

from __future__ import annotations

import time

import pytest

from nitro_workflow.lab import StepProgress
from nitro_workflow.widgets import View, make_enclaves, make_result, make_workflow
from tests.browser.accessibility import serious, with_axe
from tests.widgets.forms import HOSTILE
from tests.widgets.test_walk_forms import ENCLAVE, PCRS, RESULT, RESULTS

pytestmark = pytest.mark.browser


@pytest.fixture
def workflow():
    asked = []
    some = {number: RESULTS[number] for number in ("P1", "P2", "P3", "P4")}

    def answer(name):
        def told(values):
            asked.append((name, dict(values)))
            asks = (
                f"Start over from {values['step']}? This drops it."
                if name == "reset" and not values.get("yes")
                else ""
            )
            return make_workflow(RESULTS.get if name == "run" else some.get, asks=asks)

        return told

    view = View(
        make_workflow(some.get),
        answers={name: answer(name) for name in ("run", "catch_up", "reset", "look")},
    )
    view.asked = asked
    return view


def test_a_step_is_chosen_and_what_it_rests_on_is_lit(show, workflow):
    page = show(workflow)
    page.get_by_role("button", name="P3, Encrypt").click()
    assert page.get_by_text("P3 · Encrypt the records").is_visible()
    assert page.locator(".dot.rested").all_inner_texts() == ["✓", "✓"]  # P1 and P2
    assert page.get_by_role("status").inner_text().startswith("P3, Encrypt the records")


def test_the_keyboard_alone_walks_the_map_and_runs_a_step(show, workflow):
    page = show(workflow)
    page.locator("button.dot[tabindex='0']").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert page.get_by_text("P2 · Generate a data key").is_visible()
    page.get_by_role("button", name="Run P2").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="All 17 steps are done").wait_for()
    assert workflow.asked == [("run", {"step": "P2"})]


def test_starting_over_asks_and_may_be_declined(show, workflow):
    page = show(workflow)
    page.get_by_role("button", name="P3, Encrypt").click()
    page.get_by_role("button", name="Start over from P3").click()
    page.get_by_text("Start over from P3? This drops it.").first.wait_for()
    page.get_by_role("button", name="No", exact=True).click()
    page.get_by_text("This drops it.").first.wait_for(state="detached")
    page.get_by_role("button", name="Start over from P3").click()
    page.get_by_role("button", name="Yes, start over").click()
    page.get_by_text("This drops it.").first.wait_for(state="detached")
    assert [name for name, _ in workflow.asked] == ["reset", "look", "reset", "reset"]
    assert workflow.asked[-1][1] == {"step": "P3", "yes": True}


def test_catching_up_is_asked_for_the_chosen_step(show, workflow):
    page = show(workflow)
    page.get_by_role("button", name="D4,").click()
    page.get_by_role("button", name="Catch up to D4").click()
    deadline = time.monotonic() + 60
    while not workflow.asked and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    assert workflow.asked == [("catch_up", {"step": "D4"})]


def test_what_runs_now_is_shown_while_it_runs(show):
    model = make_workflow(
        RESULTS.get, progress=StepProgress("P5", "running", 3.0), doing="Root filesystem (2 of 4)"
    )
    page = show(View(model, answers={"look": lambda _: model}))
    assert page.get_by_role("progressbar", name="Steps done").is_visible()
    assert page.get_by_text("Root filesystem (2 of 4)").first.is_visible()
    assert page.get_by_role("button", name="Run P5").count() == 0
    assert "Root filesystem" in page.get_by_role("status").inner_text()


@pytest.fixture
def enclaves():
    asked = []
    debug = {**ENCLAVE, "EnclaveName": "twin", "EnclaveID": "i-1-enc2", "Flags": "DEBUG_MODE"}

    def answer(name):
        def told(values):
            asked.append((name, dict(values)))
            if name == "console":
                return {
                    "text": f"line {values['offset']}\n",
                    "offset": values["offset"] + 7,
                    "ended": values["offset"] > 7,
                }
            asks = values["id"] if name == "terminate" and not values.get("yes") else ""
            refusals = (
                [{"asked": "run-enclave", "code": "E26", "found": "too little", "next": "more"}]
                if name == "launch"
                else []
            )
            return make_enclaves([ENCLAVE, debug], asks=asks, refusals=refusals)

        return told

    names = ("look", "launch", "terminate", "console")
    view = View(make_enclaves([ENCLAVE, debug]), answers={name: answer(name) for name in names})
    view.asked = asked
    return view


def test_an_enclave_is_launched_and_a_refusal_is_told(show, enclaves):
    page = show(enclaves)
    page.get_by_label("Memory, MiB").fill("32")
    page.get_by_label("debug mode").check()
    page.get_by_role("button", name="Launch").click()
    page.get_by_role("table", name="Refusals").wait_for()
    assert page.get_by_text("E26").is_visible()
    assert enclaves.asked == [("launch", {"memory_mib": 32, "cpu_count": 2, "debug_mode": True})]


def test_ending_an_enclave_asks_first(show, enclaves):
    page = show(enclaves)
    page.get_by_role("button", name="End it").first.click()
    page.get_by_text("Its key pair goes with it").wait_for()
    page.get_by_role("button", name="Yes, end it").click()
    page.get_by_text("Its key pair goes with it").wait_for(state="detached")
    assert enclaves.asked == [
        ("terminate", {"id": "i-1-enc1"}),
        ("terminate", {"id": "i-1-enc1", "yes": True}),
    ]


def test_a_console_is_followed_to_its_end(show, enclaves):
    page = show(enclaves)
    assert page.get_by_role("log").count() == 1  # of the one in debug mode
    button = page.get_by_role("button", name="Follow the console")
    button.click()
    page.wait_for_function(
        "document.querySelector('[role=log]').textContent.includes('line 14')", timeout=60_000
    )
    assert button.get_attribute("aria-pressed") == "false"
    assert page.get_by_role("log").inner_text().split() == ["line", "0", "line", "7", "line", "14"]


@pytest.fixture
def result():
    return View(make_result(RESULT, receipt="The owner verified its receipt first."))


def test_bars_follow_the_measure_and_the_suppressed_is_hatched(show, result):
    page = show(result)
    assert page.get_by_role("img", name="Bars of count").is_visible()
    page.get_by_role("button", name="balance, sum").click()
    assert page.get_by_role("img", name="Bars of balance, sum").is_visible()
    assert page.get_by_role("status").inner_text() == "Bars of balance, sum"
    bars = page.evaluate("[...document.querySelectorAll('.bars .bar')].map((n) => Number(n.getAttribute('width')))")  # fmt: skip
    assert bars[1] / bars[0] == pytest.approx(55 / 160, abs=0.01)
    assert "url(" in page.locator(".bars .gone").evaluate("node => getComputedStyle(node).fill")
    assert page.get_by_text("not told: 1 group of fewer than 10 records").is_visible()
    assert page.get_by_role("table", name="Groups").get_by_text("not told").count() == len(
        result.model.measures
    )


def hostile():
    bad = dict.fromkeys(ENCLAVE, HOSTILE)
    return [
        View(
            make_enclaves([bad], jobs={HOSTILE: {"status": HOSTILE}}, refusals=[{"asked": HOSTILE}])
        ),
        View(make_result({"groups": [{"r": HOSTILE, "count": 1, HOSTILE: HOSTILE}]})),
        View(
            make_workflow(
                {}.get, doing=HOSTILE, error=HOSTILE, progress=StepProgress("P1", "failed")
            )
        ),
    ]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_what_others_wrote_stays_text(show, at):
    page = show(hostile()[at])
    assert page.locator("#host img, #host script").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["workflow", "enclaves", "result"])
def test_axe_finds_nothing_serious(show, name, theme, require, request):
    page = show(request.getfixturevalue(name), theme=theme)
    with_axe(page, require)
    assert serious(page) == []


@pytest.mark.parametrize("name", ["workflow", "enclaves", "result"])
def test_a_narrow_cell_needs_no_sideways_scrolling(show, name, request):
    page = show(request.getfixturevalue(name))
    page.set_viewport_size({"width": 600, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 600


def test_the_policys_image_is_told_apart(show):
    page = show(View(make_enclaves([ENCLAVE], expected=PCRS)))
    assert page.get_by_role("heading", name="One enclave runs, none in debug mode").is_visible()
