"""Rough handling for as long as one likes: nothing may run, be left, or be lost at the end.

``python tests/lab/soak.py --minutes 30 [--seed N]`` (outside CI). Walks in one lab on a small disk
of its own (a tmpfs, where this user may mount one), interrupted and killed at random moments, with
a full disk, from two terminals of different environments. After each round: no traceback was
printed, one enclave runs at most, and the walk that follows ends with 17 of 17 steps. At the end:
no process, nothing on disk beside the lab, the key and the answer those of the first walk.
Exit code 1 where that does not hold.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nitro_workflow.lab import find_processes

CLI = [sys.executable, "-m", "nitro_workflow.cli"]
WALK_SECONDS = 9.0  # within which a walk is hit
PATIENCE = 240.0  # seconds for any one command
DISK = 400  # MiB
STEPS = [*(f"P{number}" for number in range(1, 9)), *(f"D{number}" for number in range(1, 10))]


@dataclass
class Soak:
    """One run; ``faults`` are what should not have been."""

    base: Path
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    sessions: set[int] = field(default_factory=set)

    @property
    def lab(self) -> Path:
        return self.base / "disk" / "lab"

    def environment(self, terminal: str = "one") -> dict[str, str]:
        """Return what a terminal has: every one other folders for sockets and drafts."""
        folder = self.base / terminal
        folder.mkdir(exist_ok=True)
        short = {"TMPDIR": str(folder), "XDG_RUNTIME_DIR": str(folder)}
        return {**os.environ, **(short if terminal != "ssh" else {"TMPDIR": str(folder)})}

    def start(self, *arguments: str, terminal: str = "one") -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*CLI, *arguments, "--lab", str(self.lab)],
            env=self.environment(terminal),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end_of(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        try:
            out, err = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            self.faults.append(f"{process.args} did not end within {PATIENCE:.0f} s")
        if "Traceback" in err + out:
            self.faults.append(f"{process.args}: {err[-2000:]}")
        return process.returncode, out

    def run(self, *arguments: str, terminal: str = "one") -> tuple[int, str]:
        return self.end_of(self.start(*arguments, terminal=terminal))

    def walk(self, terminal: str = "one") -> subprocess.Popen[str]:
        return self.start("walk", "--json", "--size", "256KiB", terminal=terminal)

    # -- what is done to it ------------------------------------------------------------------------

    def interrupt(self) -> None:
        """Hit the command itself: Ctrl-C, a closed terminal, kill."""
        command = self.chance.choice(["walk", "P8", "D2"])
        process = self.walk() if command == "walk" else self.start("step", command)
        time.sleep(self.chance.uniform(0.1, WALK_SECONDS))
        number = self.chance.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
        if process.poll() is None:
            os.killpg(process.pid, number)
        self.end_of(process)

    def kill(self) -> None:
        """Kill one or two of the lab's processes under a walk."""
        process = self.walk()
        time.sleep(self.chance.uniform(0.1, WALK_SECONDS))
        found = find_processes(self.lab)
        for victim in self.chance.sample(found, min(len(found), self.chance.randint(1, 2))):
            if victim.alive:
                os.kill(victim.pid, signal.SIGKILL)
        self.end_of(process)

    def full_disk(self) -> None:
        """Fill the disk under a walk, or before a step."""
        process = self.walk() if self.chance.random() < 0.5 else None
        time.sleep(self.chance.uniform(0, WALK_SECONDS) if process else 0)
        filler = self.base / "disk" / "filler"
        try:
            with filler.open("wb") as file:
                while True:
                    file.write(bytes(1 << 16))
        except OSError:
            pass
        status, _ = self.run("status")
        code, _ = self.run("step", self.chance.choice(STEPS))
        if process:
            self.end_of(process)
        if self.chance.random() < 0.3:
            down, _ = self.run("down")
            status = status or down
        filler.unlink()
        if status or code not in (0, 1, 3, 4):
            self.faults.append(f"full disk: status or down {status}, step {code}")

    def two_terminals(self) -> None:
        """Walk in two terminals; in the second, sometimes end all instead."""
        first = self.walk()
        time.sleep(self.chance.uniform(0, WALK_SECONDS / 2))
        second = self.chance.choice(["walk", "status", "down"])
        terminal = self.chance.choice(["two", "ssh"])
        other = self.walk(terminal) if second == "walk" else self.start(second, terminal=terminal)
        code, _ = self.end_of(other)
        if code not in (0, 3, 4):
            self.faults.append(f"second terminal: {second} {code}")
        self.end_of(first)

    def clean_runtime(self) -> None:
        """Remove the sockets' folder, as the end of a login does."""
        for found in find_processes(self.lab):
            if found.runtime:
                shutil.rmtree(found.runtime, ignore_errors=True)

    # -- what must hold ----------------------------------------------------------------------------

    def recovers(self) -> dict[str, Any]:
        """Walk; return what must never change. One enclave runs afterwards."""
        self.note_sessions()
        code, out = self.end_of(self.walk())
        lines = [json.loads(line) for line in out.splitlines()]
        good = [line["step"] for line in lines if line["status"] == "done"]
        if code or good != STEPS:
            self.faults.append(f"a walk afterwards: exit {code}, {lines[-1:] or out[-500:]}")
            return {}
        self.note_sessions()
        _, text = self.run("status", "--json")
        if len(json.loads(text)["enclaves"]) != 1:
            self.faults.append(f"not one enclave: {text}")
        result = lines[-1]["evidence"]
        return {"key": lines[0]["evidence"]["key_arn"], "groups": result["groups"]}

    def note_sessions(self) -> None:
        """Remember each background process's session: all below it belongs to the lab."""
        self.sessions |= {one.pid for one in find_processes(self.lab)}

    def left_running(self) -> list[str]:
        """Return what still runs of all that ever ran for this lab."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                line = (
                    (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                )
            except OSError:
                continue
            ours = session in self.sessions or str(self.base) in line
            if ours and state != "Z" and int(entry.name) != os.getpid():
                found.append(f"{entry.name} {line[:160]}")
        return found

    def left_on_disk(self) -> list[str]:
        """Return drafts in the lab, and what is left in the folders for drafts and sockets."""
        drafts = [p for p in self.lab.rglob(".*") if p.is_file() and "rootfs" not in p.parts]
        for terminal in ("one", "two", "ssh"):
            folder = self.base / terminal
            aside = ("nitro-workflow", f"nitro-workflow-{os.getuid()}")  # the folders' own folder
            if folder.exists():
                drafts += [p for p in folder.iterdir() if p.name not in aside]
                drafts += [p for name in aside for p in folder.glob(f"{name}/*")]
        return [str(path) for path in drafts]


def soak(run: Soak, minutes: float, disk: bool) -> int:
    """Run rounds until the time is over; print what was done and what should not have been."""
    first, rounds = run.recovers(), 0
    actions: list[Callable[[], None]] = [run.interrupt, run.interrupt, run.kill, run.two_terminals]
    actions += [run.clean_runtime, *([run.full_disk] if disk else [])]
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end and len(run.faults) < 10:
        action = run.chance.choice(actions)
        before = len(run.faults)
        for _ in range(run.chance.randint(1, 3)):
            action()
            run.done[action.__name__] += 1
        after = run.recovers()
        rounds += 1
        if after and after != first:
            run.faults.append(f"after {action.__name__}: another key or another answer")
        print(f"round {rounds}: {action.__name__}", flush=True)
        for fault in run.faults[before:]:
            print(f"  FAULT {fault}", flush=True)
    run.note_sessions()
    run.run("down")
    time.sleep(1)
    left = run.left_running()
    print(f"{rounds} rounds: {dict(run.done)}; disk {'of its own' if disk else 'not tried'}")
    print(f"faults {len(run.faults)}; running afterwards {left}; on disk {run.left_on_disk()}")
    return 1 if run.faults or left or run.left_on_disk() else 0


def main() -> int:
    """Set the disk up, soak, take it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    base = Path(tempfile.mkdtemp(prefix="soak-", dir="/tmp"))
    (base / "disk").mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m", "tmpfs", str(base / "disk")]
    disk = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        return soak(Soak(base, random.Random(options.seed)), options.minutes, disk)
    finally:
        if disk:
            subprocess.run(["umount", "-l", str(base / "disk")], check=False)
        shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
