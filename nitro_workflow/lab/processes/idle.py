"""Stops a lab that nobody uses.

``python -m nitro_workflow.lab.processes.idle --lab FOLDER --seconds N``.
Every step touches the lab's lock file; when that is older than N seconds, the processes are
stopped.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Final

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.lab.lab_folder import LabFolder
from nitro_workflow.lab.processes.background import Processes

__all__ = ["main"]

LONGEST_NAP: Final = 60.0  # seconds


def main(arguments: list[str] | None = None) -> None:
    """Wait until the lab was idle for so long, then stop the cloud and the hypervisor."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lab", required=True, type=Path)
    parser.add_argument("--seconds", required=True, type=float)
    options = parser.parse_args(arguments)
    watched = options.lab / "lock"
    while watched.exists():
        left = watched.stat().st_mtime + options.seconds - time.time()
        if left <= 0:
            break
        time.sleep(min(left, LONGEST_NAP))
    stop(options.lab)


def stop(lab: Path) -> None:
    """Stop the lab's other processes; a folder that has gone needs nothing."""
    if not lab.is_dir():
        return
    processes = Processes(LabFolder.open(lab))
    try:
        processes.down(but=("idle",))
    except NitroWorkflowError as error:
        print(error.diagnostics(), flush=True)


if __name__ == "__main__":
    main()
