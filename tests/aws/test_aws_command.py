"""`nitro-workflow aws`: what a person sees, without an account and against the stand-in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result

from nitro_workflow.cli import cli
from nitro_workflow.cli.aws import offer_teardown
from nitro_workflow.cli.aws_options import agree
from nitro_workflow.cli.termination import Terminated
from nitro_workflow.errors import LabError, UsageError
from nitro_workflow.lab import Lab, leftovers
from nitro_workflow.policy import parse_policy
from tests.aws.stand_in import stand_in

PLAN = ("aws", "check", "--plan", "--region", "eu-central-1")


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def test_the_plan_needs_no_credentials_and_waits_for_no_library(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "AWS_EC2_METADATA_DISABLED": "1"}
    command = [sys.executable, "-X", "importtime", "-m", "nitro_workflow.cli", *PLAN]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "click" in loaded
    assert loaded.isdisjoint({"boto3", "botocore", "cryptography", "cbor2", "pycose"})
    assert "nothing is made yet" in done.stdout
    assert "$" in done.stdout
    assert not list(tmp_path.iterdir()), "the plan makes nothing, not even a lab"


def test_the_plan_names_everything_with_its_price(tmp_path: Path) -> None:
    done = run(*PLAN, "--json", "--lab", str(tmp_path / "none"))
    plan = json.loads(done.output)
    assert len(plan["made"]) <= 20
    assert plan["prices"]["of"] == "2026-11-28"
    assert plan["usd_forgotten_month"] < plan["usd_worst_month"]
    assert {thing["kind"] for thing in plan["made"]} >= {"role", "KMS key", "bucket", "instance"}


def test_the_plan_stands_in_columns(tmp_path: Path) -> None:
    """However long a name is, the account stands below the account."""
    lines = run(*PLAN, "--lab", str(tmp_path / "none")).output.splitlines()
    things = [re.search(r" (data|compute)( |$)", line) for line in lines if line.startswith("  P")]
    assert len({found.start() for found in things if found}) == 1


def test_what_is_given_is_not_planned(tmp_path: Path) -> None:
    key = "arn:aws:kms:eu-central-1:111122223333:key/0011"
    words = (*PLAN, "--key", key, "--bucket", "company", "--instance", "i-0123456789abcdef0")
    plan = json.loads(run(*words, "--json", "--lab", str(tmp_path / "none")).output)
    names = [thing["name"] for thing in plan["made"]]
    assert plan["given"] == {"key": key, "bucket": "company", "instance": "i-0123456789abcdef0"}
    assert not [name for name in names if name.endswith("-data")]
    assert not {"instance", "security group"} & {thing["kind"] for thing in plan["made"]}


def test_a_type_without_a_price_is_said_to_have_none(tmp_path: Path) -> None:
    done = run(*PLAN, "--instance-type", "m6i.2xlarge", "--lab", str(tmp_path / "none"))
    assert "The price of m6i.2xlarge is not in the table" in done.output


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("aws", "check", "--plan"), "no region"),
        (("aws", "check", "--plan", "--region", "cn-north-1"), "cn-north-1"),
        ((*PLAN, "--key", "*"), "'*'"),
        ((*PLAN, "--stop-after", "1m"), "1 minutes"),
    ],
)
def test_bad_words_are_refused(tmp_path: Path, words: tuple[str, ...], found: str) -> None:
    done = run(*words, "--lab", str(tmp_path / "none"))
    assert isinstance(done.exception, UsageError)
    assert found in done.exception.found


def test_the_policies_are_iam_and_reach_the_labs_things_only() -> None:
    done = run("aws", "check", "--policy", "--region", "eu-central-1")
    decoder, text, seen = json.JSONDecoder(), done.stdout, []
    while text.strip():
        policy, end = decoder.raw_decode(text.lstrip())
        text = text.lstrip()[end:]
        parse_policy(json.dumps(policy), kind="identity")
        seen.append(policy)
    assert len(seen) == 2
    for statement in (one for policy in seen for one in policy["Statement"]):
        changing = [
            action
            for action in statement["Action"]
            if not action.partition(":")[2].startswith(("Describe", "List", "Get", "Simulate"))
        ]
        where = statement["Resource"]
        narrow = "*" not in ([where] if isinstance(where, str) else where)
        assert narrow or "Condition" in statement or not changing
    passed = [one["Resource"] for policy in seen for one in policy["Statement"]
              if "iam:PassRole" in one["Action"]]  # fmt: skip
    assert passed == ["arn:aws:iam::*:role/nitro-workflow-*-instance"]
    assert '"*:*"' not in json.dumps(seen)


def test_check_list_and_teardown_of_a_lab(tmp_path: Path) -> None:
    with stand_in(tmp_path / "side") as at:
        lab = Lab.open(tmp_path / "lab", cloud="aws", aws=at.settings, size=20_000)
        lab.pair.agree()
        where = ("--lab", str(lab.path))
        done = run("aws", "check", *where)
        assert done.exit_code == 0, done.output
        assert "✓ quota" in done.output
        assert f"lab {lab.bench.folder.identity}" in done.output
        assert run("aws", "list", *where).exit_code == 0
        lab.run("P4")
        listed = [
            json.loads(line)
            for line in run("aws", "list", *where, "--json").output.split("\n")[:-1]
        ]
        assert {one["lab"] for one in listed} == {lab.bench.folder.identity}
        asked = CliRunner().invoke(cli, ["aws", "teardown", *where], input="n\n")
        assert asked.exit_code == 1
        assert run("aws", "list", *where).exit_code == 1
        done = run("aws", "teardown", *where, "--yes")
        assert done.exit_code == 0, done.output
        assert "scheduled  KMS key" in done.output
        assert run("aws", "list", *where).exit_code == 0


def test_teardown_is_of_a_lab_of_aws(tmp_path: Path) -> None:
    Lab.open(tmp_path / "lab", host="sandbox")
    done = run("aws", "teardown", "--yes", "--lab", str(tmp_path / "lab"))
    assert isinstance(done.exception, UsageError)


def test_a_walk_on_aws_shows_the_plan_and_makes_nothing_after_a_no(tmp_path: Path) -> None:
    with stand_in(tmp_path / "side") as at:
        where = ("--lab", str(tmp_path / "lab"))
        words = (
            "--cloud",
            "aws",
            "--region",
            "us-east-1",
            "--data-profile",
            at.settings.data_profile,
        )
        words += ("--compute-profile", at.settings.compute_profile)
        done = CliRunner().invoke(cli, ["walk", *where, *words], input="n\n")
        assert done.exit_code == 1
        assert "Plan for us-east-1" in done.output
        assert "an hour while the instance runs" in done.output
        assert run("aws", "list", *where).exit_code == 0, "nothing was made"
        asked = run("step", "P1", *where)
        assert isinstance(asked.exception, LabError)


def test_a_walk_with_yes_asks_nobody(tmp_path: Path) -> None:
    with stand_in(tmp_path / "side") as at:
        lab = Lab.open(tmp_path / "lab", cloud="aws", aws=at.settings, size=20_000)
        agree(lab, yes=True)
        assert lab.pair.agreed
        assert lab.run("P1").status == "done"


def test_ctrl_c_offers_to_remove_what_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    now = {"answer": ""}

    def stop(*_: object) -> None:
        raise Terminated(15) if now["answer"] == "SIGTERM" else KeyboardInterrupt

    def confirm(text: str, **_: object) -> bool:
        asked.append(text)
        if now["answer"] == "second Ctrl-C":
            raise click.Abort
        return now["answer"] == "yes"

    with stand_in(tmp_path / "side") as at:
        lab = Lab.open(tmp_path / "lab", cloud="aws", aws=at.settings, size=20_000)
        agree(lab, yes=True)
        lab.run("P1")
        terminal = SimpleNamespace(isatty=lambda: now["answer"] != "no terminal")
        monkeypatch.setattr(Lab, "walk", stop)
        monkeypatch.setattr("nitro_workflow.cli.aws.sys", SimpleNamespace(stdin=terminal))
        monkeypatch.setattr("click.confirm", confirm)
        for answer in ("no terminal", "SIGTERM", "no", "second Ctrl-C", "yes"):
            now["answer"] = answer
            asked.clear()
            done = run("walk", "--lab", str(tmp_path / "lab"), "--size", "20KiB")
            assert done.exit_code != 0
            assert "still there and costs money" in done.output
            assert len(asked) == (answer not in ("no terminal", "SIGTERM")), answer
            left = leftovers(lab.pair.aws, lab.bench.folder.identity)
            assert (left == []) is (answer == "yes"), answer


def test_ctrl_c_in_a_lab_of_this_machine_asks_nothing(tmp_path: Path) -> None:
    offer_teardown(Lab.open(tmp_path / "lab", host="sandbox"), KeyboardInterrupt())
