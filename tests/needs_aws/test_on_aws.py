"""The walk on AWS itself: `make needs-aws REGION=us-east-1`. Off unless asked for; it costs money.

docs/aws.md says what it makes, what it costs, and what it prints. Everything that it has made is
removed at its end, also where a test failed; the lab's folder stays, for `aws teardown` after a run
that was killed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nitro_workflow.cloud import AwsSettings
from nitro_workflow.lab import Lab, confirm, leftovers, plan, pre_flight, teardown
from tests.needs_aws.walk_checks import CHECKS

pytestmark = pytest.mark.needs_aws

REGION = os.environ.get("NITRO_NEEDS_AWS", "")
REMEDY = "two AWS accounts or one, and make needs-aws REGION=us-east-1 (docs/aws.md)"
CONFIRM_SECONDS = 20 * 60
"""CloudTrail's event history has an event within 15 minutes, as a rule (CloudTrail User Guide)."""


@pytest.fixture(autouse=True)
def asked(require: Callable[[str, bool, str], None]) -> None:
    """Skip where nobody asked for it, saying so."""
    require("aws", bool(REGION), REMEDY)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab | None]:
    """Return the lab on AWS; whatever happens, what it made is removed at the end."""
    if not REGION:  # it is made before `asked` is: the tests are skipped there, with the reason
        yield None
        return
    folder = Path(os.environ.get("NITRO_NEEDS_AWS_LAB", "needs-aws-lab")).absolute()
    settings = AwsSettings(
        REGION,
        data_profile=os.environ.get("NITRO_DATA_PROFILE", ""),
        compute_profile=os.environ.get("NITRO_COMPUTE_PROFILE", ""),
    )
    opened = Lab.open(folder, cloud="aws", aws=settings, size=20_000, say=print)
    yield opened
    print(f"\nRemoving; after a run that was killed: nitro-workflow aws teardown --lab {folder}")
    left = []
    for one in teardown(opened.pair.aws):
        print(f"{one.state:<10} {one.kind:<17} {one.name} {one.why}".rstrip())
        left += [one] if one.state == "failed" else []
    assert left == []
    opened.pair.forget()
    assert leftovers(opened.pair.aws, opened.bench.folder.identity) == []


def test_the_pre_flight_finds_nothing_in_the_way(lab: Lab) -> None:
    """Before anything is made."""
    findings = list(pre_flight(lab.pair.aws))
    for one in findings:
        print(f"{one.state:<8} {one.question:<30} {one.found}")
    bad = [one.question for one in findings if one.state == "no" and one.question != "two accounts"]
    assert bad == []


def test_the_plan_is_within_a_dollar(lab: Lab) -> None:
    """With what forgetting it for the instance's own two hours would cost."""
    made = plan(lab.pair.settings, lab.bench.folder.identity)
    print("\n".join(made.lines()))
    assert made.priced
    assert made.an_hour * 2 <= 1.0


def test_the_seventeen_steps_are_done(lab: Lab) -> None:
    """The yes was given with `make needs-aws`."""
    lab.pair.agree()
    for result in lab.walk():
        print(f"{result.step} {result.status} {result.seconds:.1f} s")
        assert result.error is None, result.error


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_what_must_hold(lab: Lab, check: Callable[[Lab], None]) -> None:
    """The checks that the stand-in is asked, too."""
    check(lab)


def test_cloudtrail_confirms_the_decryption(lab: Lab) -> None:
    """Some minutes later: request id, module and PCRs of the receipt are those of the record."""
    deadline = time.monotonic() + CONFIRM_SECONDS
    found = confirm(lab.bench)
    while any(one.pending for one in found):
        assert time.monotonic() < deadline, "no record of CloudTrail's came"
        time.sleep(30)
        found = confirm(lab.bench)
    print(*(one.to_json() for one in found), sep="\n")
    assert {one.known for one in found} == {"observed"}


def test_another_operator_is_not_taken_for_this_one(lab: Lab) -> None:
    """The lab remembers the accounts that were agreed to."""
    accounts = lab.pair.aws.accounts
    assert (lab.pair.settings.data_account, lab.pair.settings.compute_account) == (
        accounts.data,
        accounts.compute,
    )
