"""The first process of an instance's sandbox: starts the vsock proxy and the parent application.

``python -m nitro_workflow.host.instance.first_process CONFIG`` with JSON ``{"folder", "programs":
{name: argv}}``. Restarts nothing: a program that ends is written into ``status.json``, and whoever
needs it is refused. Also runs commands for the instance's administrator, as SSM does: root on an
instance can do what they like *inside*.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.vsock import accept_next, recv_json, run_in_thread, send_json

__all__ = ["main"]

OUTPUT_LIMIT: Final = 256 * 1024  # characters of each stream of a command that are given back

NOTE_SECONDS: Final = 0.5  # between two tries to write how a program ended


class Programs:
    """What runs in the instance, and how it ended."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._states: dict[str, dict[str, int | None]] = {}

    def start(self, name: str, argv: list[str]) -> None:
        """Start one program; its output goes to ``<name>.log``."""
        with (self._folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._note(name, process.pid, None)
        threading.Thread(target=self._watch, args=(name, process), daemon=True).start()

    def _watch(self, name: str, process: subprocess.Popen[bytes]) -> None:
        status = process.wait()
        while True:
            try:
                return self._note(name, process.pid, status)
            except OSError:  # a full disk: until there is room, it would seem to run
                time.sleep(NOTE_SECONDS)

    def _note(self, name: str, pid: int, status: int | None) -> None:
        with self._lock:
            self._states[name] = {"pid": pid, "exit": status}
            draft = self._folder / "status.json.new"
            draft.write_text(json.dumps(self._states), "ascii")
            draft.replace(self._folder / "status.json")


def main() -> int:
    """Run until killed."""
    config = json.loads(sys.argv[1])
    folder = Path(config["folder"])
    (folder / "state").mkdir(exist_ok=True)
    listener = _listen(folder / "run.sock")  # who sees the programs answer may command it
    programs = Programs(folder)
    for name, argv in config["programs"].items():
        programs.start(name, argv)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while (sock := accept_next(listener)) is not None:
        if not run_in_thread(_serve, sock):
            sock.close()
    return 1


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(8)
    return listener


def _serve(sock: socket.socket) -> None:
    with sock:
        try:
            send_json(sock, _run(recv_json(sock)))
        except (NitroWorkflowError, OSError):
            return  # the administrator is gone


def _run(request: dict[str, Any]) -> dict[str, Any]:
    argv, seconds = request.get("argv"), request.get("timeout", 60)
    if not isinstance(argv, list) or not argv or not all(isinstance(it, str) for it in argv):
        return {"exit": 2, "stdout": "", "stderr": "argv must be a list of strings"}
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=float(seconds), check=False
        )
    except subprocess.TimeoutExpired:
        return {"exit": 124, "stdout": "", "stderr": f"timed out after {seconds} s"}
    except (OSError, ValueError) as error:
        return {"exit": 127, "stdout": "", "stderr": str(error)}
    return {"exit": done.returncode, "stdout": _text(done.stdout), "stderr": _text(done.stderr)}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")[-OUTPUT_LIMIT:]


if __name__ == "__main__":
    sys.exit(main())
