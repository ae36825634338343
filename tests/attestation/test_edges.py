"""What a person can hand over: odd names, odd times, seconds for milliseconds, closed streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nitro_workflow.attestation import Expected, Verifier
from nitro_workflow.errors import UsageError

from . import forge
from .conftest import NOW
from .test_cli import GOOD, MOCK, OWN, code, rows, run

CHAIN = forge.make_chain()
EDGES = {
    "before year 1": "0001-01-01T00:00:00+23:59",
    "after year 9999": "9999-12-31T23:59:59-23:59",
}
IN_THE_CALENDAR = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59+23:59")


@pytest.mark.parametrize("at", EDGES.values(), ids=EDGES)
def test_a_time_beyond_the_calendar_is_a_usage_error(at: str) -> None:
    result = run("verify", GOOD, "--at", at)
    assert code(result) == 2
    assert isinstance(result.exception, UsageError)
    assert "--at document" in result.exception.next
    with pytest.raises(UsageError, match="1 to 9999"):
        Verifier.aws().explain(Path(GOOD).read_bytes(), at=datetime.fromisoformat(at))


@pytest.mark.parametrize("at", IN_THE_CALENDAR)
@pytest.mark.parametrize("age", [None, timedelta(seconds=1), timedelta.max])
def test_every_time_in_the_calendar_is_judged(at: str, age: timedelta | None) -> None:
    moment = datetime.fromisoformat(at)
    expected = Expected(max_age=age)
    report = Verifier.aws().explain(Path(GOOD).read_bytes(), at=moment, expected=expected)
    assert "validity" in report.failed
    assert code(run("verify", GOOD, "--at", at)) == 1


def test_the_step_of_validity_names_the_way_to_judge_an_archived_document() -> None:
    text = run("explain", GOOD, "--at", "now").stdout
    assert "`--at document`" in text


def seconds() -> bytes:
    return forge.document(CHAIN, timestamp=int(NOW.timestamp()))


def test_a_timestamp_in_seconds_gets_a_hint() -> None:
    verifier = Verifier.local(CHAIN.root)
    old = verifier.explain(seconds(), at=NOW, expected=Expected(max_age=timedelta(minutes=5)))
    own = verifier.explain(seconds(), at="document")
    for report, step in ((old, "freshness"), (own, "validity"), (own, "fields")):
        hint = " ".join(report.step(step).detail)
        assert "looks like seconds" in hint
        assert NOW.strftime("%Y-%m-%d") in hint
    right = verifier.explain(forge.document(CHAIN), at=NOW)
    assert all("seconds" not in " ".join(step.detail) for step in right.steps)


@pytest.mark.parametrize("unit", [10**6, 10**9])
def test_a_timestamp_in_finer_units_is_named(unit: int) -> None:
    data = forge.document(CHAIN, timestamp=int(NOW.timestamp()) * unit)
    report = Verifier.local(CHAIN.root).explain(data, at=NOW)
    assert report.failed[0] == "fields"
    assert "micro- or nanoseconds" in report.step("fields").found


def test_show_gives_the_hint_too(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(seconds())
    (tmp_path / "root").write_bytes(CHAIN.root)
    text = run("show", str(tmp_path / "d"), "--root", str(tmp_path / "root")).stdout
    assert "looks like seconds" in text


def test_a_chain_that_does_not_hold_ends_nowhere() -> None:
    report = Verifier.aws().explain(forge.document(CHAIN), at=NOW.astimezone(UTC))
    assert report.step("chain").status == "passed"
    assert report.step("root").status == "failed"
    broken = forge.document(CHAIN, cabundle=[CHAIN.ders[0], CHAIN.ders[2]])
    report = Verifier.local(CHAIN.root).explain(broken, at=NOW.astimezone(UTC))
    assert report.failed[0] == "chain"
    assert report.step("root").status == "skipped"
    assert "does not hold" in report.step("root").found


def command(*arguments: str | bytes, before: str = "") -> subprocess.CompletedProcess[bytes]:
    """Run the command; `before` is a line of Python to begin with."""
    start = f"{before}; from nitro_workflow.cli import main; main()".lstrip("; ")
    words = [sys.executable, "-c", start, "attestation", *arguments]
    return subprocess.run(words, capture_output=True, check=False, timeout=60)


def test_a_batch_goes_on_after_names_that_nobody_can_open(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    long = "x" * 5000
    listed.write_bytes(f"{GOOD}\na\0b\n{long}\n".encode() + b"\xff\xfe\n" + f"{GOOD}\n".encode())
    result = run("verify", "--json", *OWN, "--files-from", str(listed))
    found = rows(result)
    assert [row["verdict"] for row in found] == ["valid", *["refused"] * 3, "valid"]
    assert [row["error"]["found"] for row in found[1:4]] == [
        "a NUL in a name or path", "File name too long", "No such file or directory",
    ]  # fmt: skip
    assert code(result) == 3


def test_so_do_arguments(tmp_path: Path) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff\xfe.bin"
    Path(os.fsdecode(odd)).write_bytes(Path(GOOD).read_bytes())
    closed = tmp_path / "folder"
    closed.mkdir()
    done = command("verify", "--json", *OWN, "x" * 5000, odd, str(closed), b"\xff", MOCK, GOOD)
    assert b"Traceback" not in done.stderr
    verdicts = [json.loads(line)["verdict"] for line in done.stdout.splitlines()]
    assert verdicts == ["refused", "valid", "refused", "refused", "valid"]
    assert done.returncode == 3


@pytest.mark.parametrize("form", ["text:{}", "base64:{}", "{}", "@{}"])
def test_expected_bytes_that_are_no_unicode(form: str) -> None:
    text = form.format(os.fsdecode(b"\xff"))
    result = run("verify", GOOD, *OWN, "--nonce", text)
    assert code(result) == {"text:{}": 3, "@{}": 3}.get(form, 2)


def test_base64_that_looks_like_hex_is_base64(tmp_path: Path) -> None:
    for text, nonce in (("base64:abcd", b"i\xb7\x1d"), ("base64:-_-_", b"\xfb\xff\xbf")):
        (tmp_path / "d").write_bytes(forge.document(CHAIN, nonce=nonce))
        (tmp_path / "root").write_bytes(CHAIN.root)
        options = ("--root", str(tmp_path / "root"), "--at", NOW.isoformat(), "--nonce", text)
        assert code(run("verify", str(tmp_path / "d"), *options)) == 0


def test_standard_input_that_is_closed_is_an_input_that_cannot_be_read() -> None:
    done = command("verify", "-", before="import os; os.close(0)")
    assert done.returncode == 3
    assert b"Bad file descriptor" in done.stdout
