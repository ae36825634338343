"""What run-enclave is told: its options, or a ``--config`` file in place of them."""

from __future__ import annotations

import json
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import click

from nitro_workflow.cli.host_errors import exactly_one
from nitro_workflow.errors import HostError
from nitro_workflow.host import LaunchRequest, parse_memory
from nitro_workflow.regular_file import open_finite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["SeveralIds", "existing", "launch_request", "options_of"]


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: type(value) in kinds


def _is_ids(value: Any) -> bool:
    return value is None or (_is(list)(value) and all(map(_is(int), value)))


CONFIG_KEYS: Final = {
    "attach_console": _is(bool),
    "cpu_count": _is(int, NoneType),
    "cpu_ids": _is_ids,
    "debug_mode": _is(bool),
    "eif_path": _is(str),
    "enclave_cid": _is(int, NoneType),
    "enclave_name": _is(str, NoneType),
    "memory_mib": _is(int),
}
"""Key of ``--config`` → whether a JSON value is of its kind."""

CONFIG_LIMIT: Final = 64 * 1024  # bytes


class SeveralIds(click.Command):
    """Lets ``--cpu-ids`` take what follows it, as nitro-cli does: ``--cpu-ids 1 3``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Give each further id an option of its own, which is what click knows."""
        spread: list[str] = []
        taking = False
        for word in args:
            if taking and not word.startswith("-") and spread[-1] != "--cpu-ids":
                spread.append("--cpu-ids")
            taking = word.partition("=")[0] == "--cpu-ids" or (taking and not word.startswith("-"))
            spread.append(word)
        return super().parse_args(ctx, spread)


def options_of(config: Path | None, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options that count: those of the ``--config`` file, which excludes all others.

    Raises `click.UsageError` where the command line's own do not go together: exit status 2.
    """
    if config:
        return _from_config(config, given)
    if not given["eif_path"] or not given["memory"]:
        raise click.UsageError("missing argument; expected --eif-path and --memory, or --config")
    exactly_one(("--cpu-count", given["cpu_count"] is not None), ("--cpu-ids", given["cpu_ids"]))
    return given


def launch_request(options: Mapping[str, Any]) -> LaunchRequest:
    """Return what the options ask for; raises `HostError` E01, E02 or E47."""
    if not options["eif_path"] or not options["memory"]:
        raise HostError("Missing argument", expected="--eif-path and --memory", code="E01")
    ids = list(options["cpu_ids"] or ()) or None
    if (ids is None) == (options["cpu_count"] is None):
        found = "Conflicting arguments" if ids else "Missing argument"
        code = "E02" if ids else "E01"
        raise HostError(found, expected="one of --cpu-count and --cpu-ids", code=code)
    return LaunchRequest(
        str(options["eif_path"]),
        parse_memory(str(options["memory"])),
        options["cpu_count"],
        options["enclave_name"],
        options["enclave_cid"],
        bool(options["debug_mode"] or options["attach_console"]),
        tuple(ids) if ids else None,
    )


def existing(path: Path) -> Path:
    """Return the path of a file that can be read to its end; raises `HostError` E19."""
    try:
        open_finite(path).close()
    except OSError as error:
        raise HostError(
            f"File: '{path.name}', failing operation: 'Open'. {error.strerror}",
            expected="a file that you may read",
            code="E19",
        ) from error
    return path


def _from_config(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    if any(value for value in given.values()):
        raise click.UsageError("--config cannot be used with other options; expected it alone")
    try:
        with existing(path).open("rb") as file:
            body = json.loads(file.read(CONFIG_LIMIT))
    except (ValueError, RecursionError) as error:
        raise HostError(
            f"Serde error: {error}"[:200], expected="a JSON object", code="E17"
        ) from error
    unknown = set(body) - CONFIG_KEYS.keys() if isinstance(body, dict) else {"not an object"}
    if unknown:
        found = f"Serde error: unknown field {min(unknown)!r:.60}"
        raise HostError(found, expected=", ".join(sorted(CONFIG_KEYS)), code="E17")
    for name, value in body.items():
        if not CONFIG_KEYS[name](value):
            raise HostError(f"Serde error: {name} is {value!r:.60}", expected=name, code="E17")
    options = {name: body.get(name) for name in given}
    return {**options, "memory": body.get("memory_mib")}
