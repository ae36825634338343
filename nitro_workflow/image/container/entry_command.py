"""Which command an enclave runs: nitro-cli's rule, and the one that people expect.

nitro-cli takes Cmd and, only when there is none, Entrypoint (``extract_image`` in
enclave_build/src/docker.rs). An image with both, which Docker runs as Entrypoint followed by Cmd,
therefore starts as something else in an enclave. Both ways are here, and both are said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.errors import ImageError


@dataclass(frozen=True, slots=True)
class CommandChoice:
    """The command, the environment's lines, and what a person should know about how they came."""

    command: tuple[str, ...]
    environment: tuple[str, ...]
    notes: tuple[str, ...]


def choose_command(
    config: Mapping[str, Any], *, join_entrypoint: bool = False, given: Sequence[str] = ()
) -> CommandChoice:
    """Return what the enclave runs for a container's configuration.

    ``given`` replaces both. ``join_entrypoint`` is Docker's rule, without it nitro-cli's. Raises
    `ImageError` when there is nothing to run.
    """
    cmd, entrypoint = _list(config, "Cmd"), _list(config, "Entrypoint")
    environment = _list(config, "Env")
    if given:
        command, note = tuple(given), f"command given: {_show(given)}"
    elif join_entrypoint:
        command = entrypoint + cmd
        note = f"command: Entrypoint and Cmd joined, as Docker runs them: {_show(command)}"
    elif cmd and entrypoint:
        command = cmd
        note = (
            f"command: Cmd alone, as nitro-cli takes it: {_show(cmd)}. Entrypoint "
            f"{_show(entrypoint)} is NOT run; --join-entrypoint runs both, as Docker does"
        )
    else:
        command = cmd or entrypoint
        note = f"command: {'Cmd' if cmd else 'Entrypoint'}: {_show(command)}"
    if not command:
        raise ImageError(
            "an image with neither Cmd nor Entrypoint",
            expected="a command to run",
            where="configuration",
            next="Give one with --command, or add CMD to the Dockerfile.",
        )
    return CommandChoice(command, environment, (note, *_ignored(config)))


def _ignored(config: Mapping[str, Any]) -> list[str]:
    """AWS's init takes cmd and env alone: it runs as root, in ``/``."""
    notes = []
    if config.get("User") not in (None, "", "root", "0", "0:0"):
        notes.append(f"User {config['User']!r} is not used: an enclave's init runs it as root")
    if config.get("WorkingDir") not in (None, "", "/"):
        notes.append(f"WorkingDir {config['WorkingDir']!r} is not used: an enclave starts in /")
    return notes


def _list(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = config.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ImageError(
            f"{key} is {value!r}"[:200],
            expected="a list of text",
            where="configuration",
            next="Save the image again with its own tool.",
        )
    return tuple(value)


def _show(words: Sequence[str]) -> str:
    return "[" + ", ".join(repr(word) for word in words) + "]"
