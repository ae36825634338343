"""The trace reads files that an instance's administrator can put anything into."""

from __future__ import annotations

import json
import os
from pathlib import Path

from nitro_workflow.lab import trace

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
