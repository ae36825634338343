"""What goes while one looks at it: the files of a cloud that was killed, and of one that works."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from nitro_workflow.cloud import LocalCloud, Settings
from nitro_workflow.cloud.local.assemble import open_services
from nitro_workflow.testing import cloud_process


class _Starting:
    """A process that says at its third look that it is ready."""

    pid = 7

    def __init__(self, ready: Path) -> None:
        self._ready, self._looks = ready, 0

    def poll(self) -> None:
        self._looks += 1
        if self._looks == 3:
            self._ready.write_text(json.dumps({"pid": self.pid}))


def test_the_file_of_one_that_was_killed_goes_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was seen, and was gone when it was read: the start was called a failure."""
    (tmp_path / "cloud").mkdir()
    ready = tmp_path / "cloud" / "endpoint.json"
    monkeypatch.setattr(Path, "exists", lambda *_, **__: True)  # a moment ago
    cloud_process._wait(_Starting(ready), tmp_path, tmp_path / "log")  # type: ignore[arg-type]
    assert json.loads(ready.read_text())["pid"] == 7


def test_a_body_on_its_way_in_is_not_copied(tmp_path: Path) -> None:
    """It is gone when its turn comes, and the second cloud did not start."""
    lab, copy = tmp_path / "lab", tmp_path / "copy"
    (lab / "hypervisor").mkdir(parents=True)
    copy.mkdir()
    services = open_services(Settings(lab))
    os.mkfifo(lab / "cloud" / "incoming" / "body")  # cannot be copied, as what is gone
    LocalCloud(lab)._copy_state(copy)
    services.events.close()
    services.store.close()
    held = {path.name for path in (copy / "cloud").iterdir()}
    assert held >= {"state.sqlite3", "wrapping.key", "credentials.json"}
    assert not held & {"incoming", "objects", "endpoint.json"}
