"""Rough handling: files cut, bytes changed, processes killed, a CSV that is none. Nothing is lost.

A lab of its own, walked by the command as a script would: ``walk --json``.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from enclave_image.owner.dataset import COLUMNS
from nitro_workflow.cli import lab_state
from nitro_workflow.cli import workflow as commands
from nitro_workflow.errors import AccessRefused, DatasetError, LabError
from nitro_workflow.lab import (
    STEPS,
    Lab,
    ciphertext_path,
    find_processes,
    find_step,
    image_of,
    policy_of,
)
from nitro_workflow.lab.steps.p1_p2_keys import _ensure_key
from nitro_workflow.lab.steps.p_table import LOOK_SECONDS
from nitro_workflow.policy.author import initial_key_policy

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def walk(
    tmp_path_factory: pytest.TempPathFactory,
    one_rehearsal: Callable[[], AbstractContextManager[None]],
) -> Iterator[tuple[Lab, Lines]]:
    folder = tmp_path_factory.mktemp("rough")
    options = ["--lab", str(folder), "--size", "100KiB", "--json"]
    with one_rehearsal():
        result = CliRunner().invoke(commands.walk, options)
    lab = Lab.open(folder)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    try:
        assert result.exit_code == 0, lines[-1].get("error", result.exception)
        yield lab, lines
    finally:
        lab.down()


@pytest.fixture
def rough(walk: tuple[Lab, Lines]) -> Lab:
    return walk[0]


def killed(lab: Lab, name: str) -> None:
    [found] = [one for one in find_processes(lab.path) if one.name == name]
    os.kill(found.pid, signal.SIGKILL)
    end = time.monotonic() + 60
    while lab.pair.processes.status()[name] != "stopped" and time.monotonic() < end:
        time.sleep(0.01)


def looks_anew(lab: Lab) -> None:
    """Forget what was seen to hold a moment ago, as another terminal has not seen it yet."""
    lab._seen.clear()


def test_the_walk_prints_one_object_a_line(walk: tuple[Lab, Lines]) -> None:
    lines = walk[1]
    assert [line["step"] for line in lines] == [step.number for step in STEPS]
    for line in lines:
        assert list(line) == ["step", "party", "title", "status", "seconds", "evidence"]
        assert line["status"] == "done"
        assert line["seconds"] >= 0


def test_status_and_trace_of_a_walked_lab(rough: Lab) -> None:
    status = CliRunner().invoke(lab_state.status, ["--lab", str(rough.path), "--json"])
    found = json.loads(status.stdout)
    assert set(found["steps"].values()) == {"done"}
    assert found["processes"]["cloud"].startswith("running")
    text = CliRunner().invoke(lab_state.status, ["--lab", str(rough.path)]).stdout
    assert "Trust root" in text
    trace = CliRunner().invoke(lab_state.trace, ["--lab", str(rough.path), "--json"])
    first = json.loads(trace.stdout.splitlines()[0])
    assert set(first) == {
        *("seq", "job", "step", "source", "target", "what", "size", "sha256", "visible_to", "at"),
        *("told_by", "carried_by", "records"),
    }


def test_one_step_as_json_and_as_text(rough: Lab) -> None:
    found = CliRunner().invoke(commands.step, ["D4", "--lab", str(rough.path), "--json"])
    assert json.loads(found.stdout)["evidence"]["envelope"]["decision"] == "allowed"
    text = CliRunner().invoke(commands.step, ["d4", "--lab", str(rough.path)]).stdout
    assert "DecryptInsideTheEnclave" in text


def test_rows_that_are_none_are_refused_before_anything_is_encrypted(
    rough: Lab, tmp_path: Path
) -> None:
    before = rough.bench.result("P3")
    letter = tmp_path / "letter.csv"
    letter.write_text(f"{','.join(COLUMNS)}\nDear customer,\n" + "we write to you today. " * 60)
    rough.bench.folder.change_settings(csv=str(letter))
    with pytest.raises(DatasetError, match="2 fields") as caught:
        rough.run("D9")
    assert caught.value.where == "P3, line 2, column 3 (region)"
    assert caught.value.exit_code == 3
    assert "Dear" not in str(caught.value.to_json())
    assert rough.bench.folder.settings().get("csv") is None, "what was refused is not kept"
    assert rough.bench.result("P3") == before, "the last good run is kept"
    assert rough.run("D9").evidence["rows"] > 0


def test_another_table_is_refused_before_it_is_encrypted(rough: Lab, tmp_path: Path) -> None:
    table = tmp_path / "orders.csv"
    table.write_text("order,customer,sum\n1,Dear customer,7\n")
    rough.bench.folder.change_settings(csv=str(table))
    try:
        with pytest.raises(DatasetError, match="a different header") as caught:
            rough.run("P3")
        assert caught.value.where == "P3, line 1, column 1 (customer_id)"
        assert "Dear" not in str(caught.value.to_json())
    finally:
        rough.bench.folder.change_settings(csv=None)
    assert rough.bench.result("P3") is not None, "the last good run is kept"


def test_a_csv_that_is_not_there_is_a_lab_error(rough: Lab) -> None:
    rough.bench.folder.change_settings(csv="/nonexistent/customers.csv")
    try:
        with pytest.raises(LabError, match="no such file"):
            rough.run("P3")
    finally:
        rough.bench.folder.change_settings(csv=None)
    assert rough.bench.result("P3") is not None, "the last good run is kept"


def test_a_truncated_image_is_built_again_to_the_same_bytes(rough: Lab) -> None:
    before = rough.bench.produced("P6", "image_sha256")
    os.truncate(image_of(rough.bench), 1000)
    time.sleep(LOOK_SECONDS)  # a step that held a moment ago is not looked at again
    result = rough.run("P7")
    assert result.caught_up == ("P6",)
    assert rough.bench.produced("P6", "image_sha256") == before
    found = rough.bench.result("P6")
    assert found is not None
    assert found.notes == ("the same inputs gave the same bytes as before",)


def test_a_tampered_file_of_the_owner_is_not_uploaded(rough: Lab) -> None:
    rough.ensure("P4")
    path = ciphertext_path(rough.bench)
    data = bytearray(path.read_bytes())
    data[-30] ^= 1
    path.write_bytes(data)
    with pytest.raises(LabError, match=r"customers\.csv\.esdk of SHA-256") as caught:
        rough.run("P4")
    assert "P3" in caught.value.next
    rough.run("P3")
    assert rough.run("P4").status == "done"


def test_a_missing_file_of_the_owner_is_made_again(rough: Lab) -> None:
    rough.ensure("P4")
    ciphertext_path(rough.bench).unlink()
    result = rough.run("D2")
    assert result.caught_up[:3] == ("P2", "P3", "P4")


def test_a_denial_in_d4_carries_the_reason_that_only_the_cloud_knows(rough: Lab) -> None:
    """Somebody (the owner himself, here) has put another PCR0 into the policy."""
    rough.ensure("D1")
    kms = rough.bench.parties.session("owner").client("kms")
    key = rough.bench.produced("P1", "key_arn")
    good = json.dumps(policy_of(kms, key))
    other = good.replace(rough.bench.produced("P6", "pcrs")["0"], "a" * 96)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=other)
    rough._run_one(find_step("D2"))
    for step in ("D4", "D5", "D8", "D9"):
        with pytest.raises(AccessRefused) as caught:
            rough._run_one(find_step(step))
        assert caught.value.code == "AccessDeniedException"
    rough._run_one(find_step("D3"))  # its evidence is there: it was done, whatever came later
    with pytest.raises(AccessRefused) as caught:
        rough._run_one(find_step("D4"))
    assert "PCR0 differs" in caught.value.explanation
    looks_anew(rough)  # a look at the policy, just before it was changed, is still believed
    assert "P7" in rough.run("D9").caught_up, "the owner's measurement goes back in"


def test_a_key_that_its_owner_disabled_or_meant_to_delete_is_brought_back(rough: Lab) -> None:
    kms = rough.bench.parties.session("owner").client("kms")
    key = rough.bench.produced("P1", "key_arn")
    for change in (
        lambda: kms.disable_key(KeyId=key),
        lambda: kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7),
    ):
        change()
        looks_anew(rough)
        assert rough.run("P2").caught_up == ("P1",)
        assert rough.bench.produced("P1", "key_arn") == key


def test_the_alias_of_a_key_that_ends_is_moved_to_a_new_one(rough: Lab) -> None:
    """As after a teardown that was cut short before it came to the alias."""
    kms = rough.bench.parties.session("owner").client("kms")
    policy = initial_key_policy(rough.bench.policies.role_arn("owner"))
    first, _ = _ensure_key(rough.bench, kms, "alias/moved", policy, "moved")
    kms.schedule_key_deletion(KeyId=first, PendingWindowInDays=7)
    second, made = _ensure_key(rough.bench, kms, "alias/moved", policy, "moved")
    assert made
    assert second != first
    assert kms.describe_key(KeyId="alias/moved")["KeyMetadata"]["Arn"] == second


def test_what_the_cloud_acknowledged_survives_its_kill(rough: Lab) -> None:
    rough.run("D9")
    objects = rough.bench.produced("P4", "objects")
    killed(rough, "cloud")
    assert rough.run("D1").caught_up == (), "same port, same certificate: the instance goes on"
    s3 = rough.bench.parties.session("owner").client("s3")
    for name, put in objects.items():
        found = s3.get_object(
            Bucket=rough.bench.produced("P4", "bucket"), Key=put["key"], VersionId=put["version_id"]
        )
        with found["Body"] as body:
            assert len(body.read()) == put["bytes"], name
    assert rough.run("D9").evidence["suppressed"] >= 1


def test_a_killed_enclave_is_launched_again(rough: Lab) -> None:
    [enclave] = rough.bench.host.describe_enclaves()
    os.kill(enclave["ProcessID"], signal.SIGKILL)
    end = time.monotonic() + 60
    while rough.bench.host.describe_enclaves() and time.monotonic() < end:
        time.sleep(0.05)
    assert "P8" in rough.run("D3").caught_up


def test_a_killed_hypervisor_takes_its_root_along_and_all_is_launched_anew(rough: Lab) -> None:
    root = rough.bench.cloud.trust()
    killed(rough, "hypervisor")
    result = rough.run("D9")
    assert "P8" in result.caught_up
    assert rough.bench.cloud.trust() != root
    assert (
        result.evidence["receipt"]["envelope"]["root_sha256"]
        == rough.bench.cloud.trust().root_sha256
    )


def test_down_says_what_it_stopped_and_a_second_time_that_there_was_nothing(rough: Lab) -> None:
    first = CliRunner().invoke(lab_state.down, ["--lab", str(rough.path)]).stdout
    assert first == "Stopped: idle, hypervisor, cloud.\n"
    second = CliRunner().invoke(lab_state.down, ["--lab", str(rough.path)]).stdout
    assert second == "Nothing was running.\n"
    assert not rough.ensure("D9"), "what was shown stays shown"
    assert "P8" in rough.run("D2").caught_up, "the enclave is gone: it is launched again"
