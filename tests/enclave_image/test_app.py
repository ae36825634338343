"""The application does its job, in both forms, and says only what it may."""

from __future__ import annotations

import pytest
from application_world import World, records


@pytest.mark.parametrize("form", ["encryption-sdk", "envelope"])
def test_a_job_ends_in_a_result_with_evidence_of_each_step(world: World, form: str):
    events = world.run(world.seal(records(), form))
    assert events[-1]["event"] == "result", events[-1]
    assert [event["step"] for event in events[:-1]] == ["D3", "D6", "D7", "D8", "D9"]
