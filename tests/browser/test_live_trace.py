"""The trace in a real browser: step through it, look with others' eyes, by order and by time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from nitro_workflow.widgets import View, make_trace
from tests.browser.accessibility import serious, with_axe
from tests.widgets.forms import HOSTILE
from tests.widgets.test_trace_forms import DATA, WALK, carried, event

pytestmark = pytest.mark.browser

PACE_MS = 1400  # of trace.js
JOBS = {"j1": "encryption-sdk", "j2": "envelope"}


@pytest.fixture
def view():
    second = (
        event(
            "D2",
            "parent",
            "enclave",
            "ciphertext",
            9,
            ("parent", "enclave"),
            job="j2",
            at="2026-01-01T00:00:03Z",
        ),
        carried("D3", "enclave", "kms", at="2026-01-01T00:00:04Z"),
    )
    contents = {"D3": "kms:Decrypt + document", "D6": "data key, sealed"}
    return View(make_trace([*WALK, *second], contents=contents, known=[DATA], jobs=JOBS))


def step(page):
    return page.locator(".msg[aria-pressed=true] .step").text_content()


def test_it_is_stepped_through_forward_and_back(show, view):
    page = show(view)
    assert step(page) == "D1"
    page.get_by_role("button", name="Step forward").click()
    assert step(page) == "D2"
    assert "D2: Parent instance to Enclave" in page.get_by_role("status").inner_text()
    page.get_by_role("button", name="Step back").click()
    page.get_by_role("button", name="Step back").click()
    assert step(page) == "D3"  # around: the last message


def test_the_keyboard_alone_walks_the_messages(show, view):
    page = show(view)
    page.locator(".msg[tabindex='0']").focus()
    for key, wanted in (
        ("ArrowDown", "D2"),
        ("ArrowDown", "D3"),
        ("ArrowUp", "D2"),
        ("End", "D3"),
        ("Home", "D1"),
    ):
        page.keyboard.press(key)
        assert step(page) == wanted
        assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert page.locator(".msg[tabindex='0']").count() == 1


def test_the_veil_hides_what_a_party_could_not_read(show, view):
    page = show(view)
    page.get_by_role("button", name="Parent instance", exact=True).click()
    assert page.locator(".msg.veiled").count() == 4
    assert page.get_by_role(
        "heading", name="Parent instance could read 3 of 7 messages"
    ).is_visible()
    d3 = page.locator(".msg", has_text="D3").first
    assert d3.locator(".said").text_content() == "TLS records"
    assert "as seen: TLS records" in d3.get_attribute("aria-label")
    assert "url(" in d3.locator(".veil").evaluate("node => getComputedStyle(node).fill")
    assert (
        d3.locator(".wire").first.evaluate("node => getComputedStyle(node).strokeDasharray")
        != "none"
    )
    last = page.locator(".msg", has_text="D9")
    assert last.locator(".said").text_content() == "not seen"
    assert "3 of 7" in page.get_by_role("status").inner_text()
    page.get_by_role("button", name="everyone").click()
    assert page.locator(".msg.veiled").count() == 0
    assert d3.locator(".said").text_content() == "kms:Decrypt + document"


def test_bytes_are_what_the_chosen_party_saw(show, view):
    page = show(view)
    page.get_by_role("button", name="AWS", exact=True).click()
    page.locator(".msg").first.click()
    assert "63 69 70 68 65 72" in page.locator(".saw").inner_text()
    page.get_by_role("button", name="Parent instance", exact=True).click()
    page.locator(".msg", has_text="D6").click()
    saw = page.locator(".saw").inner_text()
    assert "handshake" in saw
    assert "application_data   5,698 bytes" in saw
    page.get_by_role("button", name="Data owner", exact=True).click()
    assert page.locator(".saw").inner_text() == "nothing: not on its way"


def test_the_relay_stands_on_the_path_and_arrows_meet_their_lanes(show, view):
    page = show(view)
    assert page.locator(".msg", has=page.locator(".relay")).count() == 3
    assert page.get_by_text("relays, cannot open").count() >= 3
    lanes = page.evaluate("[...document.querySelectorAll('.seq line.lane')].map((n) => [n.getBoundingClientRect().left, n.getBoundingClientRect().right])")  # fmt: skip
    tips = page.evaluate("[...document.querySelectorAll('.seq .msg .tip')].map((n) => [n.getBoundingClientRect().left, n.getBoundingClientRect().right])")  # fmt: skip
    # A lane's line has a stroke that its box does not count: 5 px at most, for the parent's.
    for left, right in tips:
        assert min(min(abs(left - b), abs(right - a)) for a, b in lanes) <= 6


def test_time_is_to_scale_on_the_ruler(show, view):
    page = show(view)
    page.get_by_role("button", name="by time").click()
    marks = page.evaluate("[...document.querySelectorAll('.seq circle')].map((n) => Number(n.getAttribute('cy')))")  # fmt: skip
    times = [message.after_ms for message in view.model.messages]
    scale = (marks[-1] - marks[0]) / (times[-1] - times[0])
    assert marks == pytest.approx([marks[0] + scale * (time - times[0]) for time in times], abs=0.5)
    rows = page.evaluate("[...document.querySelectorAll('.seq .hit')].map((n) => Number(n.getAttribute('y')))")  # fmt: skip
    assert all(later - earlier >= 55 for earlier, later in pairwise(rows))


def test_one_job_is_chosen(show, view):
    page = show(view)
    page.get_by_role("combobox", name="Job").select_option("envelope")
    assert page.locator(".msg .step").all_text_contents() == [
        "D1",
        "D9",
        "D2",
        "D3",
    ]


def test_it_plays_and_stops_and_not_where_motion_is_unwanted(show, view):
    page = show(view)
    page.clock.install()
    page.clock.pause_at(datetime.now(UTC) + timedelta(days=1))
    page.get_by_role("button", name="Play").click()
    assert step(page) == "D1"
    page.clock.run_for(PACE_MS)
    assert step(page) == "D2"
    page.get_by_role("button", name="Stop").click()
    assert page.get_by_role("button", name="Play").is_visible()
    page.clock.run_for(2 * PACE_MS)
    assert step(page) == "D2"
    page.emulate_media(reduced_motion="reduce")
    page = show(view)
    assert page.get_by_role("button", name="Play").count() == 0
    assert page.get_by_role("button", name="Step forward").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_serious(show, view, theme, require):
    page = show(view, theme=theme)
    page.get_by_role("button", name="Parent instance", exact=True).click()
    with_axe(page, require)
    assert serious(page) == []


def test_a_live_switch_to_dark_changes_every_text(show, view):
    page = show(view)
    before = page.locator(".seq .name").first.evaluate("node => getComputedStyle(node).fill")
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    assert (
        page.locator(".seq .name").first.evaluate("node => getComputedStyle(node).fill") != before
    )


def test_a_narrow_cell_scrolls_the_diagram_not_the_page(show, view):
    page = show(view)
    page.set_viewport_size({"width": 600, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 600


def test_what_a_parent_wrote_stays_text(show):
    model = make_trace(
        [
            event(HOSTILE, HOSTILE, HOSTILE, HOSTILE, seen=(HOSTILE,), told_by=HOSTILE),
            event("D1", "s3", "parent"),
        ]
    )
    page = show(View(model))
    assert page.locator("#host img, #host script").count() == 0
