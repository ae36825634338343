"""The trace reads files that an instance's administrator can put anything into."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

from nitro_workflow.lab.evidence import trace

LINE = json.dumps({"what": "an event"}) + "\n"


def test_a_regular_file_is_read_and_no_more_of_it_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    path.write_text(LINE * 3 + "[" * 100_000 + '\n{"half')
    assert len(list(trace._lines(path))) == 3
    path.write_bytes(b"x" * (trace.FILE_LIMIT + 10))
    assert len(trace._regular(path)) == trace.FILE_LIMIT


def test_neither_a_link_nor_a_pipe_is_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text(LINE)
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(tmp_path / "elsewhere")
    os.mkfifo(pipe)
    assert [*trace._lines(link), *trace._lines(pipe), *trace._lines(tmp_path)] == []


def test_what_a_parent_wrote_is_one_line_of_text_or_nothing() -> None:
    event = {"source": "a", "target": "b", "what": "x\n\x1b]0;owned\x07", "at": 1.0}
    found = trace._event(event)
    assert found is not None
    assert found.what == r"x\n\x1b]0;owned\x07"
    for change in ({"size": float("inf")}, {"at": 1e300}, {"at": []}, {"visible_to": 5}):
        assert trace._event({**event, **change}) is None


def test_a_parent_speaks_for_nobody_else(tmp_path: Path) -> None:
    event = {"source": "data owner", "target": "cloud", "what": "s3:PutObject", "at": 1.0}
    own = tmp_path / "logs" / "trace.jsonl"
    forged = tmp_path / "instance" / "i-1" / "trace.jsonl"
    for path in (own, forged):
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**event, "told_by": "data owner"}) + "\n")
    lab = SimpleNamespace(path=tmp_path, runtime=tmp_path, result=lambda _number: None)
    told = sorted(event.told_by for event in trace.collect(lab))  # type: ignore[arg-type]
    assert told == ["data owner", "parent"]
