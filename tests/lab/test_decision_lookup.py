"""A record is found however many others came after it, and however long ago it was."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from nitro_workflow.cloud import Patience
from nitro_workflow.errors import UntrustedAnswer
from nitro_workflow.lab.evidence.decision_lookup import MOST, find_in, newest_decision


class Trail:
    """A CloudTrail client whose records stand in pages of fifty, the newest first."""

    def __init__(self, count):
        self.records = [{"CloudTrailEvent": json.dumps({"number": n})} for n in range(count)]
        self.asked = {}

    def get_paginator(self, operation):
        assert operation == "lookup_events"
        return self

    def paginate(self, **asked):
        self.asked = asked
        most = asked["PaginationConfig"]["MaxItems"]
        for begin in range(0, min(len(self.records), most), 50):
            yield {"Events": self.records[begin : begin + 50]}


def find(trail, number):
    return find_in(trail, "Decrypt", lambda event: event["number"] == number, Patience(0.0, 0.0))


@pytest.mark.parametrize("number", [0, 49, 50, 51, 400])
def test_a_record_behind_other_pages_is_found(number):
    assert find(Trail(401), number) == {"number": number}


def test_a_record_of_last_week_is_asked_for():
    trail = Trail(1)
    find(trail, 0)
    assert datetime.now(UTC) - trail.asked["StartTime"] > timedelta(days=7)


def test_a_search_ends():
    with pytest.raises(UntrustedAnswer, match="no record of that Decrypt"):
        find(Trail(MOST + 50), MOST + 10)


def assume_role(who, code=None):
    said = {"summary": f"asked by {who}"}
    return {
        "eventName": "AssumeRole",
        "userIdentity": {"type": who},
        "errorCode": code,
        "additionalEventData": {"nitroWorkflow": said},
    }


@pytest.mark.parametrize(
    ("events", "found"),
    [
        # The lab takes the owner's role in order to look: that is not what was asked about.
        ([assume_role("IAMUser"), assume_role("AssumedRole", "AccessDenied")], "AssumedRole"),
        ([assume_role("IAMUser"), assume_role("AssumedRole")], "AssumedRole"),
        # A user who is refused is no sign-in of the lab.
        ([assume_role("IAMUser", "AccessDenied"), assume_role("AssumedRole")], "IAMUser"),
    ],
)
def test_how_the_lab_takes_its_parties_roles_is_passed_over(events, found):
    trail = Trail(0)
    trail.records = [{"CloudTrailEvent": json.dumps(event)} for event in events]
    owner = SimpleNamespace(client=lambda service: trail)
    bench = SimpleNamespace(
        parties=SimpleNamespace(session=lambda party: owner),
        cloud=SimpleNamespace(trail=Patience(0.0, 0.0)),
    )
    refused = next(bool(one["errorCode"]) for one in events if one["userIdentity"]["type"] == found)
    told = newest_decision(bench, "AssumeRole")
    assert told == {"summary": f"asked by {found}", "refused": refused}
