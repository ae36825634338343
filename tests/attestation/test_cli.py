"""`nitro-workflow attestation` as a person and as a program meets it."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nitro_workflow.attestation import parse_document
from nitro_workflow.attestation.issue import HypervisorPki, InstanceIssuer
from nitro_workflow.cli import cli
from nitro_workflow.errors import InputError, NitroWorkflowError

from .conftest import FOLDER, INSTANCE, MODULE, NOW, PCRS, ROWS, vector
from .test_vectors import WHY_NOT

VECTORS = sorted(map(str, FOLDER.glob("*.bin")))
GOOD = str(FOLDER / "19b71700ef369a55.bin")
DEBUG = str(FOLDER / "050f82ac1d033929.bin")
BAD = str(FOLDER / "7df2cdc016ae8928.bin")
MOCK = str(FOLDER / "e388022c9162cf21.bin")
OWN = ("--at", "document")


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["attestation", *arguments], input=stdin)


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def code(result: Result) -> int:
    if isinstance(result.exception, NitroWorkflowError):
        return result.exception.exit_code
    return result.exit_code


@pytest.mark.parametrize("command", ["show", "verify", "explain"])
def test_json_is_one_object_a_line_with_the_documented_keys(command: str) -> None:
    found = rows(run(command, "--json", *OWN, *VECTORS))
    assert [row["file"] for row in found] == VECTORS
    for row, expected in zip(found, ROWS, strict=True):
        valid = expected["verdict"] == "valid"
        assert row["verdict"] == ("valid" if valid else "refused")
        assert row["kind"] == expected["kind"]
        assert row["mode"] == expected["mode"]
        assert row["module_id"] == expected["module_id"]
        assert row["timestamp_ms"] == expected["timestamp_ms"]
        assert len(row["pcrs"]) == expected["pcr_count"]
        assert {i: v for i, v in row["pcrs"].items() if int(v, 16)} == expected["nonzero_pcrs"]
        why = list(WHY_NOT.get(row["file"][-20:-4], ()))
        policy = ["debug"] if expected["mode"] == "debug" and command != "show" else []
        assert row["failed"] == why + policy


@pytest.mark.parametrize(
    ("files", "options", "expected"),
    [
        ([GOOD], [], 0),
        ([DEBUG], [], 1),
        ([DEBUG], ["--allow-debug"], 0),
        ([GOOD, BAD], [], 1),
        ([MOCK], [], 1),
        ([GOOD], ["--at", "2025-01-06T16:10:00Z", "--max-age", "5m"], 0),
        ([GOOD], ["--at", "2025-01-06T16:10:00Z", "--max-age", "60"], 1),
        ([GOOD], ["--at", "now"], 1),
        ([GOOD], ["--at", "yesterday"], 2),
        ([GOOD], ["--at", "2025-01-06T16:10:00"], 2),
        ([GOOD], ["--max-age", "5m"], 2),
        ([GOOD], ["--at", "now", "--max-age", "5 minutes"], 2),
        ([GOOD], ["--pcr", "0=00"], 2),
        ([GOOD], ["--nonce", "xyz"], 2),
        ([], [], 2),
        (["/nonexistent"], [], 3),
        ([GOOD, "/nonexistent"], [], 3),
        ([__file__], [], 3),
        ([GOOD], ["--root", "/nonexistent"], 3),
        ([GOOD], ["--root", __file__], 3),
        ([GOOD], ["--eif", "/nonexistent"], 3),
        ([GOOD], ["--eif", __file__], 3),
        ([GOOD], ["--policy", __file__], 3),
        ([GOOD], ["--files-from", "/nonexistent"], 3),
    ],
)
def test_exit_codes(files: list[str], options: list[str], expected: int) -> None:
    at = [] if "--at" in options else list(OWN)
    assert code(run("verify", *at, *options, *files)) == expected


def test_exit_codes_of_the_others() -> None:
    assert code(run("show", *OWN, GOOD, BAD, MOCK)) == 0
    assert code(run("show", __file__)) == 3
    assert code(run("explain", *OWN, GOOD)) == 0
    assert code(run("explain", *OWN, BAD)) == 1


@pytest.mark.parametrize(
    "encode",
    [
        lambda data: data,
        lambda data: data.hex(" ", 2).encode(),
        base64.encodebytes,
        lambda data: base64.urlsafe_b64encode(data).rstrip(b"="),
    ],
)
def test_standard_input_in_every_form(encode: Any) -> None:
    result = run("verify", *OWN, "--json", "-", stdin=encode(Path(GOOD).read_bytes()))
    (row,) = rows(result)
    assert (row["file"], row["verdict"], row["accepted"], code(result)) == ("-", "valid", True, 0)


def test_many_files_have_a_summary_and_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text("\n".join(VECTORS))
    listed_too = ["--files-from", str(listed)]
    for arguments, inputs in ([str(FOLDER)], 28), (listed_too, 26):
        last = run("verify", *OWN, "--allow-debug", *arguments).stdout.splitlines()[-1]
        assert last.startswith(f"{inputs} inputs: 23 accepted, 3 refused (signature 2, shape 1")
        assert last.endswith("2 not read") is (inputs == 28)


@pytest.mark.parametrize(
    ("file", "options", "word"),
    [
        (GOOD, [], "valid"),
        (GOOD, ["--nonce", "text:another"], "refused"),
        (GOOD, ["--pcr", f"0={'00' * 48}"], "refused"),
        (DEBUG, [], "refused"),
        (DEBUG, ["--allow-debug"], "valid"),
    ],
)
def test_a_row_says_valid_only_of_what_is_accepted(
    file: str, options: list[str], word: str
) -> None:
    result = run("verify", *OWN, *options, file)
    assert result.stdout.splitlines()[1].split()[0] == word
    assert code(result) == (word == "refused")


def test_a_summary_names_why() -> None:
    last = run("verify", *OWN, *VECTORS).stdout.splitlines()[-1]
    assert last.startswith("26 inputs: 15 accepted, 11 refused (debug 9, signature 2, shape 1")


def test_unreadable_inputs_do_not_stop_a_batch(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("()")
    result = run("verify", "--json", *OWN, "/nonexistent", str(tmp_path / "text"), GOOD)
    first, second, third = rows(result)
    assert (first["verdict"], first["failed"]) == ("refused", ["shape"])
    assert first["error"]["where"] == "/nonexistent"
    assert "character" in second["error"]["found"]
    assert third["verdict"] == "valid"
    assert code(result) == 3


def test_explain_shows_found_expected_and_where() -> None:
    text = run("explain", *OWN, MOCK).stdout
    for part in ("✗ shape", "unprotected, byte 6", "✓ signature", "– freshness", "cabundle"):
        assert part in text
    (row,) = rows(run("explain", *OWN, "--json", MOCK))
    assert [step["id"] for step in row["steps"]][:2] == ["shape", "fields"]
    assert row["failed"] == ["shape", "fields", "chain", "validity", "root"]


def test_show_gives_ranges_that_hold_the_fields() -> None:
    (row,) = rows(run("show", "--json", *OWN, GOOD))
    raw = Path(GOOD).read_bytes()
    span = row["spans"]["public_key"]
    assert raw[span["start"] : span["end"]].hex().endswith(row["public_key"])
    assert row["cabundle"][0].startswith("3082")
    text = run("show", *OWN, GOOD).stdout
    assert f"{span['start']}–{span['end']}" in text
    assert row["pcrs"]["0"] in text


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, InstanceIssuer]:
    folder = tmp_path_factory.mktemp("lab")
    pki = HypervisorPki.create(NOW)
    (folder / "root.der").write_bytes(pki.root_der)
    issuer = pki.instance(INSTANCE, NOW)
    data = issuer.issue(module_id=MODULE, pcrs=PCRS, nonce=b"\xab", user_data=b"d", now=NOW)
    (folder / "document").write_bytes(data)
    good = {f"PCR{index}": PCRS[index].hex() for index in range(3)}
    (folder / "build.json").write_text(json.dumps({"Measurements": good}))
    (folder / "old.json").write_text(json.dumps({"Measurements": good | {"PCR0": "00" * 48}}))
    condition = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": good["PCR0"]}}
    statement = {"Sid": "Enclave", "Effect": "Allow", "Condition": condition}
    (folder / "policy.json").write_text(json.dumps({"Statement": [statement]}))
    return folder, issuer


@pytest.mark.parametrize(
    ("options", "failed"),
    [
        (["--measurements", "build.json"], []),
        (["--measurements", "old.json"], ["pcrs"]),
        (["--measurements", "old.json", "--measurements", "build.json"], []),
        (["--policy", "policy.json"], []),
        (["--policy", "policy.json", "--pcr", f"4={INSTANCE}"], ["pcrs"]),
        (["--pcr", f"0={PCRS[0].hex()}"], []),
        (["--nonce", "ab"], []),
        (["--nonce", "base64:qw=="], []),
        (["--nonce", "text:ab"], ["nonce"]),
        (["--user-data", "text:d"], []),
        (["--user-data", "@build.json"], ["user_data"]),
        (["--public-key", "00"], ["public_key"]),
        (["--signing-certificate", "root.der"], ["pcrs"]),
    ],
)
def test_expectations(
    lab: tuple[Path, InstanceIssuer],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    failed: list[str],
) -> None:
    monkeypatch.chdir(lab[0])
    at = ["--at", (NOW + timedelta(seconds=9)).isoformat()]
    result = run("verify", "--json", "--root", "root.der", *at, *options, "document")
    (row,) = rows(result)
    assert (row["verdict"], row["failed"]) == ("valid", failed)
    assert [reason["step"] for reason in row["reasons"]] == failed
    assert code(result) == int(bool(failed))


def test_the_text_says_which_image_matched(
    lab: tuple[Path, InstanceIssuer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lab[0])
    options = ["--measurements", "old.json", "--measurements", "build.json", "--root", "root.der"]
    text = run("verify", *OWN, *options, "document").stdout
    assert "PCRs match build.json" in text


def test_what_a_document_says_cannot_steer_the_terminal(
    lab: tuple[Path, InstanceIssuer], tmp_path: Path
) -> None:
    data = lab[1].issue(module_id="i-1-enc\x1b[2J\u202e", pcrs=PCRS, now=NOW)
    (tmp_path / "document").write_bytes(data)
    assert parse_document(data).module_id.endswith("\u202e")
    for command in ("show", "verify", "explain"):
        text = run(command, *OWN, str(tmp_path / "document")).stdout
        assert "\x1b" not in text
        assert "\u202e" not in text


def test_a_library_of_bad_files_never_shows_a_traceback(tmp_path: Path) -> None:
    raw = vector("19b71700ef369a55")
    cases = [b"", b"\xff" * 10, b"{", raw[:100], raw + b"x", b"\x84" * 5000, b"hEQ", bytes(3 << 20)]
    for number, data in enumerate(cases):
        (tmp_path / str(number)).write_bytes(data)
    command = [sys.executable, "-m", "nitro_workflow.cli", "attestation", "verify", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "Traceback" not in done.stdout + done.stderr
    assert "8 inputs: 0 accepted" in done.stdout


def test_progress_is_counted_where_a_person_looks_at_it(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text(f"{GOOD}\n" * 250)
    leader, follower = os.openpty()
    command = [sys.executable, "-m", "nitro_workflow.cli", "attestation", "verify", "--json"]
    command += [*OWN, "--files-from", str(listed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=follower, check=True)
    os.close(follower)
    shown = b""
    with contextlib.suppress(OSError):  # what Linux says at a terminal's end
        while piece := os.read(leader, 65_536):
            shown += piece
    os.close(leader)
    assert b"200 judged" in shown
    assert len(done.stdout.splitlines()) == 250


def test_errors_of_the_command_line_are_in_our_tree() -> None:
    result = run("verify", *OWN, "--root", "/nonexistent", GOOD)
    assert isinstance(result.exception, InputError)
    assert result.exception.where == "/nonexistent"


def test_what_is_no_message_says_nothing_of_fields(tmp_path: Path) -> None:
    cut = tmp_path / "cut.bin"
    cut.write_bytes(Path(GOOD).read_bytes()[:900])
    result = run("show", str(cut))
    assert result.exit_code == 3
    assert "not a COSE_Sign1 that can be read" in result.stdout
    assert "breaks its rule" not in result.stdout


def test_explain_of_what_cannot_be_decoded_has_no_row_without_its_heading(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("hello")
    assert run("explain", str(text)).stdout.splitlines()[:2] == [str(text), "  not read"]
    assert run("verify", str(text)).stdout.startswith("verdict ")


def test_a_refusal_says_what_to_do_next_once() -> None:
    old = run("verify", "--at", "2020-01-01T00:00:00Z", GOOD)
    assert old.exit_code == 1
    [advice] = [line for line in old.stdout.splitlines() if "next: Judge" in line]
    assert "`--at document`" in advice
    bad = run("verify", *OWN, BAD).stdout.splitlines()
    advised = [line for line in bad if line.startswith("         next: ")]
    assert advised
    assert len(advised) == len(set(advised))


def test_a_log_is_refused_with_the_command_that_reads_one(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    log.write_text("2026-01-02T03:04:05Z INFO attestation_document: hEShATgioFkRWr9pbW9kdWxl\n")
    done = run("verify", str(log))
    assert done.exit_code == 3
    assert "next: Give the document as raw bytes" in done.stdout
    assert "`nitro-workflow inspect` finds one within a log" in done.stdout
