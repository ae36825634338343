"""Stops a lab that nobody uses, and what a removed lab left running.

``python -m nitro_workflow.lab.processes.idle --lab FOLDER --seconds N --identity ID``.
Every step touches the lab's lock file; when that is older than N seconds, the processes are
stopped. Where the folder is removed, or moved away, they are of no use, and end within seconds.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import Final

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.lab.lab_folder import LabFolder
from nitro_workflow.lab.processes.background import Processes
from nitro_workflow.lab.processes.process_table import find_processes
from nitro_workflow.lab.processes.runtime_place import end_orphan

__all__ = ["main"]

NAP: Final = 5.0  # seconds between two looks


def main(arguments: list[str] | None = None) -> None:
    """Wait until the lab was idle for so long or has gone, then stop its other processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", required=True, type=Path)
    parser.add_argument("--seconds", required=True, type=float)
    parser.add_argument("--identity", required=True)  # the lab may be gone before this has begun
    options = parser.parse_args(arguments)
    while (left := _left(options.lab, options.identity, options.seconds)) is not None and left > 0:
        time.sleep(min(left, NAP))
    if left is None:
        _end_orphans(options.lab, options.identity)
    else:
        _stop(options.lab)


def _left(lab: Path, identity: str, seconds: float) -> float | None:
    """Return the seconds until the lab is idle; None where it is no longer there."""
    try:
        if f'"{identity}"' not in (lab / "lab.json").read_text("utf-8", "replace"):
            return None
        return (lab / "lock").stat().st_mtime + seconds - time.time()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return NAP  # a disk that does not answer now is no removed lab


def _end_orphans(lab: Path, identity: str) -> None:
    """End what runs for a lab that has gone; not what runs for a new one in its place."""
    own = os.getpid()
    for found in find_processes(lab, identity):
        if found.identity == identity and found.pid != own:
            end_orphan(found)


def _stop(lab: Path) -> None:
    """Stop the lab's other processes."""
    try:
        Processes(LabFolder.open(lab, make=False)).down(but=("idle",))
    except NitroWorkflowError as error:
        print(error.diagnostics(), flush=True)


if __name__ == "__main__":
    main()
