"""The trace reads files that an instance's administrator can put anything into."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from nitro_workflow.lab.evidence import trace


def test_what_a_parent_wrote_is_one_line_of_text_or_nothing() -> None:
    event = {"source": "a", "target": "b", "what": "x\n\x1b]0;owned\x07", "at": 1.0}
    found = trace._event(event)
    assert found is not None
    assert found.what == r"x\n\x1b]0;owned\x07"
    for change in (
        {"lengths": [1]}, {"lengths": [["a", "b"]]}, {"carried_by": 1},
        {"size": float("inf")}, {"at": 1e300}, {"at": []}, {"visible_to": 5},
    ):  # fmt: skip
        assert trace._event({**event, **change}) is None


def test_a_parent_speaks_for_nobody_else(tmp_path: Path) -> None:
    event = {"source": "data owner", "target": "cloud", "what": "s3:PutObject", "at": 1.0}
    own = tmp_path / "logs" / "trace.jsonl"
    line = {**event, "told_by": "data owner"}
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps(line) + "\n")
    host = SimpleNamespace(trace=lambda: [line])
    folder = SimpleNamespace(recorded=list)
    bench = SimpleNamespace(path=tmp_path, host=host, folder=folder)
    told = sorted(event.told_by for event in trace.collect(bench))  # type: ignore[arg-type]
    assert told == ["data owner", "parent"]


def test_who_carried_it_and_the_records_that_they_saw() -> None:
    line = {"source": "enclave", "target": "kms", "what": "TLS", "at": 1.0}
    more = {"carried_by": ["proxy"], "lengths": [["handshake", 512], ["application_data", 6210]]}
    found = trace._event({**line, **more})
    assert found is not None
    assert found.carried_by == ("proxy",)
    assert found.records == (("handshake", 512), ("application_data", 6210))
