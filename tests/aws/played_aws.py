"""AWS's side of a stand-in between a call and its effect: EC2 starts and ends machines, SSM delivers.

It reads and writes the cloud's own tables, as its handlers do: a launched instance is booted and its
agent registered, a command goes to the agent, the result into its row. A test orders what goes
wrong in the file `FAULTS` of the stand-in's folder.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import sqlite3
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.host.instance import instance_path

PAUSE = 0.02  # seconds between two looks
AGENT = "3.3.0.0"


def tables(lab: Path) -> sqlite3.Connection:
    """Return the cloud's tables."""
    db = sqlite3.connect(lab / "cloud" / "state.sqlite3", timeout=60, isolation_level=None)
    db.row_factory = sqlite3.Row
    return db


def user_data_of(lab: Path, instance: str) -> str:
    """Return the user data of an instance, base64; "" where it has none."""
    query = "SELECT document FROM instance_launches WHERE instance = ?"
    with contextlib.closing(tables(lab)) as db:
        row = db.execute(query, (instance,)).fetchone()
    return str(json.loads(row["document"])["user_data"]) if row else ""


def faults_of(lab: Path) -> dict[str, Any]:
    """Return what a test has ordered to go wrong."""
    path = lab / "faults"
    found: dict[str, Any] = json.loads(path.read_text() or "{}") if path.exists() else {}
    return found


class AwsSide(threading.Thread):
    """Looks at the tables until it is closed."""

    def __init__(self, lab: Path, runtime: Path, hypervisor: Any) -> None:
        super().__init__(daemon=True, name="aws-side")
        self._lab, self._runtime, self._hypervisor = lab, runtime, hypervisor
        self._known: set[str] = set()  # instances that were started here
        self._running: dict[tuple[str, str], socket.socket] = {}
        self._closed = threading.Event()

    def close(self) -> None:
        self._closed.set()

    def run(self) -> None:
        db = tables(self._lab)
        while not self._closed.wait(PAUSE):
            try:
                self._look(db)
            except (sqlite3.Error, OSError) as error:
                print(f"AWS's side: {error}", file=sys.stderr, flush=True)

    def _look(self, db: sqlite3.Connection) -> None:
        try:
            states = {
                row["id"]: row["state"] for row in db.execute("SELECT id, state FROM instances")
            }
        except sqlite3.OperationalError:
            return  # the cloud is being made
        for name, state in states.items():
            if state == "running" and name not in self._known:
                self._known.add(name)
                threading.Thread(target=self._boot, args=(name,), daemon=True).start()
            elif state in ("terminated", "stopped") and name in self._known:
                self._known.discard(name)
                threading.Thread(target=self._end, args=(name, state), daemon=True).start()
        for name in self._known - states.keys():  # a test has put other tables in place
            self._known.discard(name)
            threading.Thread(target=self._end, args=(name, "terminated"), daemon=True).start()
        self._deliver(db)

    # -- EC2 ---------------------------------------------------------------------------------------

    def _boot(self, instance: str) -> None:
        try:
            self._hypervisor.boot_instance(instance, disk_mib=2048)
        except NitroWorkflowError as error:
            print(f"{instance} did not boot: {error}", file=sys.stderr, flush=True)
            return
        if faults_of(self._lab).get("agent") == "never":
            return
        now = datetime.now(UTC).isoformat()
        with contextlib.closing(tables(self._lab)) as db:
            query = "INSERT OR REPLACE INTO ssm_agents VALUES (?, ?, ?, ?)"
            db.execute(query, (instance, AGENT, now, now))

    def _end(self, instance: str, state: str) -> None:
        with contextlib.closing(tables(self._lab)) as db:
            db.execute("DELETE FROM ssm_agents WHERE instance = ?", (instance,))
        self._hypervisor.stop_instance(instance)
        if state == "terminated":
            shutil.rmtree(instance_path(self._runtime, instance), ignore_errors=True)

    # -- SSM ---------------------------------------------------------------------------------------

    def _deliver(self, db: sqlite3.Connection) -> None:
        query = """
            SELECT v.command, v.instance, v.status, c.document, c.run_seconds
            FROM ssm_invocations v JOIN ssm_commands c ON c.id = v.command
            WHERE v.status IN ('Pending', 'Cancelling')"""
        for row in db.execute(query).fetchall():
            place = (row["command"], row["instance"])
            if row["status"] == "Cancelling":
                self._cancel(place)
            elif row["instance"] in self._known and not faults_of(self._lab).get("undelivered"):
                begun = datetime.now(UTC).isoformat()
                taken = db.execute(
                    "UPDATE ssm_invocations SET status = 'InProgress', details = 'In Progress',"
                    " begun = ? WHERE command = ? AND instance = ? AND status = 'Pending'",
                    (begun, *place),
                )
                if taken.rowcount:
                    parameters = json.loads(row["document"])["Parameters"]
                    script = "\n".join(parameters["commands"])
                    given = (place, script, row["run_seconds"])
                    threading.Thread(target=self._command, args=given, daemon=True).start()

    def _command(self, place: tuple[str, str], script: str, seconds: int) -> None:
        """Have the agent run it, and leave the result."""
        path = instance_path(self._runtime, place[1]) / "agent.sock"
        line = b""
        try:
            with socket.socket(socket.AF_UNIX) as agent:
                agent.connect(str(path))
                self._running[place] = agent
                agent.sendall(json.dumps({"script": script, "seconds": seconds}).encode() + b"\n")
                with agent.makefile("rb") as lines:
                    line = lines.readline()
        except OSError:
            pass  # the instance has gone
        finally:
            self._running.pop(place, None)
        answer = json.loads(line) if line else {"status": "Cancelled", "code": -1}
        if "/answer " in script and faults_of(self._lab).get("lost"):
            answer["output"] = ""  # what the host's own program says
        self._leave(place, answer)

    def _cancel(self, place: tuple[str, str]) -> None:
        agent = self._running.get(place)
        if agent is None:
            self._leave(place, {"status": "Cancelled", "code": -1})
            return
        with contextlib.suppress(OSError):
            agent.shutdown(socket.SHUT_RDWR)

    def _leave(self, place: tuple[str, str], answer: dict[str, Any]) -> None:
        status = str(answer["status"])
        details = "Execution Timed Out" if status == "TimedOut" else status
        values = (
            status, details, datetime.now(UTC).isoformat(), answer["code"],
            str(answer.get("output", "")), str(answer.get("error", "")), *place,
        )  # fmt: skip
        with contextlib.closing(tables(self._lab)) as db:
            db.execute(
                "UPDATE ssm_invocations SET status = ?, details = ?, ended = ?, code = ?,"
                " output = ?, error = ? WHERE command = ? AND instance = ?"
                " AND status IN ('InProgress', 'Cancelling')",
                values,
            )
