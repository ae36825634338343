"""A line for nitro-cli, run as a person on the parent instance would run it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import UsageError
from nitro_workflow.lab import image_of

if TYPE_CHECKING:
    from nitro_workflow.lab import Lab

__all__ = ["Said", "run_line"]

PROGRAM: Final = "nitro-cli"
SECONDS: Final = 120.0  # a launch takes five, on a loaded machine some more


@dataclass(frozen=True, slots=True)
class Said:
    """What a line said. ``errors`` is its standard error, ``status`` its exit status."""

    line: str
    output: str
    errors: str
    status: int

    @property
    def answer(self) -> Any:
        """The JSON that it printed; None where it printed none."""
        try:
            return json.loads(self.output)
        except ValueError:
            return None

    @property
    def code(self) -> str:
        """The E-code of a refusal; "" for none."""
        found = self.errors.partition("[ ")[2].partition(" ]")[0]
        return found if found[:1] == "E" and found[1:].isdigit() else ""

    def __repr__(self) -> str:
        shown = [f"$ {self.line}", self.errors.rstrip(), self.output.rstrip()]
        return "\n".join([*filter(None, shown), f"exit status {self.status}"])


def run_line(lab: Lab, line: str) -> Said:
    """Run ``nitro-cli …`` as on the lab's parent instance, in the folder that holds the image.

    Raises `UsageError` for a line of another program.
    """
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise _other(f"a line that no shell takes: {error}") from error
    if not words or words[0] != PROGRAM:
        raise _other(f"the program {words[0]!r:.40}" if words else "an empty line")
    image = image_of(lab.bench)
    if folder := lab.bench.host.image_folder(image):
        return _on_the_parent(lab, folder, words)
    command = [sys.executable, "-m", "nitro_workflow.cli", PROGRAM, "--lab", str(lab.path)]
    try:
        done = subprocess.run(
            [*command, *words[1:]],
            cwd=image.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(
            f"no end after {SECONDS:.0f} s",
            expected="a command that ends: console follows an enclave to its end",
            where="lesson.nitro_cli",
            next="give console --disconnect-timeout 2",
        ) from error
    errors = done.stderr.replace("python -m nitro_workflow.cli ", "")
    return Said(shlex.join(words), done.stdout, errors, done.returncode)


def _on_the_parent(lab: Lab, folder: str, words: list[str]) -> Said:
    """Have the instance's own nitro-cli run it, as its administrator may."""
    instance = lab.bench.produced("P8", "instance_id")
    shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', folder, *words]
    done = lab.bench.host.run_command(instance, shell, timeout=SECONDS)
    return Said(shlex.join(words), done["stdout"], done["stderr"], done["exit"])


def _other(found: str) -> UsageError:
    return UsageError(
        found,
        expected="nitro-cli run-enclave …, or another of its commands, as one text",
        where="lesson.nitro_cli",
        next="write the line as you would on the parent instance",
    )
