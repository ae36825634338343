"""`nitro-workflow nitro-cli …`: nitro-cli's commands, flags, JSON, E-codes and exit statuses."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import NoneType
from typing import TYPE_CHECKING, Any, Final

import click

from nitro_workflow.errors import (
    HostError,
    ImageError,
    ImageRefused,
    NitroWorkflowError,
    SandboxUnavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nitro_workflow.host import Host

__all__ = ["nitro_cli"]

HELP_PAGE: Final = "https://docs.aws.amazon.com/enclaves/latest/user/cli-errors.html"


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


class _NitroCli(click.Group):
    """Prints errors as nitro-cli does; the exit status is the error's number."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except NitroWorkflowError as error:
            code = _code_of(error)
            lines = [f"[ {code} ] {error.found}"]
            lines.append(f"For more details, please visit {HELP_PAGE}#{code}")
            lines += [f"{label}: {text}" for label, text in _advice(error) if text]
            click.echo("\n\n".join(lines), err=True)
            from nitro_workflow.host import status_of

            ctx.exit(status_of(code))


@click.group(name="nitro-cli", cls=_NitroCli)
@click.option("--lab", type=click.Path(path_type=Path), help="Lab folder; else NITRO_WORKFLOW_LAB.")
@click.pass_context
def nitro_cli(ctx: click.Context, lab: Path | None) -> None:
    """Run enclaves of the lab's instance with nitro-cli's commands, JSON and error codes."""
    ctx.obj = lab


def _host(ctx: click.Context) -> Host:
    from nitro_workflow.lab import LabFolder, LocalPair

    return LocalPair(LabFolder.open(ctx.obj)).host


class _SeveralIds(click.Command):
    """Lets ``--cpu-ids`` take what follows it, as nitro-cli does: ``--cpu-ids 1 3``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        spread: list[str] = []
        taking = False
        for word in args:
            if taking and not word.startswith("-") and spread[-1] != "--cpu-ids":
                spread.append("--cpu-ids")
            taking = word.partition("=")[0] == "--cpu-ids" or (taking and not word.startswith("-"))
            spread.append(word)
        return super().parse_args(ctx, spread)


@nitro_cli.command("run-enclave", cls=_SeveralIds)
@click.option("--eif-path", type=click.Path(path_type=Path))
@click.option("--memory", help="n, nM, nG or nT; MiB without a unit.")
@click.option("--cpu-count", type=int)
@click.option(
    "--cpu-ids", type=int, multiple=True, metavar="ID...", help="One or several ids of CPUs."
)
@click.option("--enclave-cid", type=int)
@click.option("--enclave-name")
@click.option("--debug-mode", is_flag=True, help="Console readable; PCR0, PCR1 and PCR2 are zero.")
@click.option("--attach-console", is_flag=True, help="Implies --debug-mode.")
@click.option("--config", type=click.Path(path_type=Path), help="JSON file in place of all others.")
@click.pass_context
def run_enclave(ctx: click.Context, /, config: Path | None, **given: Any) -> None:
    """Measure an image and run it."""
    from nitro_workflow.host import LaunchRequest, parse_memory

    options = _from_config(config, given) if config else given
    if not options["eif_path"] or not options["memory"]:
        raise HostError("Missing argument", expected="--eif-path and --memory", code="E01")
    ids = list(options["cpu_ids"] or ()) or None
    if (ids is None) == (options["cpu_count"] is None):
        found = "Conflicting arguments" if ids else "Missing argument"
        code = "E02" if ids else "E01"
        raise HostError(found, expected="one of --cpu-count and --cpu-ids", code=code)
    click.echo("Start allocating memory...", err=True)
    host = _host(ctx)
    answer = host.run_enclave(
        LaunchRequest(
            str(options["eif_path"]),
            parse_memory(str(options["memory"])),
            options["cpu_count"],
            options["enclave_name"],
            options["enclave_cid"],
            bool(options["debug_mode"] or options["attach_console"]),
            tuple(ids) if ids else None,
        )
    )
    click.echo(
        f"Started enclave with enclave-cid: {answer['EnclaveCID']}, memory: {answer['MemoryMiB']} "
        f"MiB, cpu-ids: {answer['CPUIDs']}",
        err=True,
    )
    _print(answer)
    if options["attach_console"]:
        _follow(host, answer["EnclaveID"], None)


@nitro_cli.command("describe-enclaves")
@click.option("--metadata", is_flag=True)
@click.pass_context
def describe_enclaves(ctx: click.Context, metadata: bool) -> None:
    """List the running enclaves."""
    _print(_host(ctx).describe_enclaves(metadata=metadata))


@nitro_cli.command("terminate-enclave")
@click.option("--enclave-id")
@click.option("--enclave-name")
@click.option("--all", "every", is_flag=True)
@click.pass_context
def terminate_enclave(
    ctx: click.Context, enclave_id: str | None, enclave_name: str | None, *, every: bool
) -> None:
    """End one enclave, or all."""
    _exactly_one(("--enclave-id", enclave_id), ("--enclave-name", enclave_name), ("--all", every))
    host = _host(ctx)
    if not every:
        _print(host.terminate_enclave(enclave_id, enclave_name=enclave_name))
        return
    _print([host.terminate_enclave(it["EnclaveID"]) for it in host.describe_enclaves()])


@nitro_cli.command("console")
@click.option("--enclave-id")
@click.option("--enclave-name")
@click.option("--disconnect-timeout", type=int, metavar="SECONDS")
@click.pass_context
def console(
    ctx: click.Context,
    enclave_id: str | None,
    enclave_name: str | None,
    disconnect_timeout: int | None,
) -> None:
    """Show a debug enclave's output, and follow it until the enclave ends."""
    _exactly_one(("--enclave-id", enclave_id), ("--enclave-name", enclave_name))
    _follow(_host(ctx), enclave_id, enclave_name, disconnect_timeout)


@nitro_cli.command("describe-eif")
@click.option("--eif-path", type=click.Path(path_type=Path), required=True)
def describe_eif(eif_path: Path) -> None:
    """Show what is in an image and what it measures to."""
    from nitro_workflow.image import describe_image

    _print(describe_image(_existing(eif_path)))


@nitro_cli.command("build-enclave")
@click.option(
    "--docker-uri", required=True, help="Name in Docker, oci:FOLDER or docker-archive:FILE."
)
@click.option("--output-file", type=click.Path(path_type=Path), required=True)
@click.option("--docker-dir", type=click.Path(path_type=Path))
@click.option("--signing-certificate", type=click.Path(path_type=Path))
@click.option("--private-key")
@click.option("--name")
@click.option("--version")
@click.option("--metadata", type=click.Path(path_type=Path))
def build_enclave(**options: Any) -> None:
    """Build an image; this machine's lab builds its own in step P6."""
    from nitro_workflow.cli.host_build import build

    click.echo("Start building the Enclave Image...", err=True)
    measurements = build(options)
    click.echo("Enclave Image successfully created.", err=True)
    _print({"Measurements": measurements})


@nitro_cli.command("sign-eif")
@click.option("--eif-path", type=click.Path(path_type=Path), required=True)
@click.option("--signing-certificate", type=click.Path(path_type=Path), required=True)
@click.option("--private-key", required=True, help="PEM file of an EC key.")
def sign_eif(eif_path: Path, signing_certificate: Path, private_key: str) -> None:
    """Sign an image, or replace its signature."""
    from nitro_workflow.cli.host_build import sign

    _print(sign(_existing(eif_path), signing_certificate, private_key))


@nitro_cli.command("pcr")
@click.option("--signing-certificate", type=click.Path(path_type=Path))
@click.option("--input", "source", type=click.Path(path_type=Path))
def pcr(signing_certificate: Path | None, source: Path | None) -> None:
    """Compute PCR8 of a certificate, or the PCR of a file's bytes."""
    from nitro_workflow.image import certificate_der, pcr_of

    _exactly_one(("--signing-certificate", signing_certificate), ("--input", source))
    if signing_certificate is not None:
        der = certificate_der(_existing(signing_certificate).read_bytes())
        _print({"PCR8": pcr_of(der).hex()})
    elif source is not None:
        _print({"PCR": pcr_of(_existing(source).read_bytes()).hex()})


@nitro_cli.command("explain")
@click.option("--error-code", required=True, metavar="Enn")
def explain(error_code: str) -> None:
    """Say what an error code means."""
    from nitro_workflow.host import MEANINGS

    code = error_code.upper()
    if code not in MEANINGS:
        expected = f"{min(MEANINGS)} to {max(MEANINGS)}"
        raise HostError(f"No such error code: {error_code:.20}", expected=expected, code="E03")
    click.echo(f"{code}: {MEANINGS[code]}\n\nFor more details, please visit {HELP_PAGE}#{code}")


# -- helpers --------------------------------------------------------------------------------------


def _follow(
    host: Host, enclave_id: str | None, name: str | None, seconds: int | None = None
) -> None:
    """Print the console until the enclave ends, or for ``seconds``."""
    started, offset = time.monotonic(), 0
    while True:
        answer = host.console(enclave_id, enclave_name=name, offset=offset)
        click.echo(answer["text"], nl=False)
        offset = answer["offset"]
        if answer["ended"] or (seconds is not None and time.monotonic() - started > seconds):
            return
        time.sleep(0.2)


def _from_config(path: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a ``--config`` file, which excludes every other one."""
    if any(value for value in given.values()):
        raise HostError("Conflicting arguments", expected="--config alone", code="E02")
    try:
        with _existing(path).open("rb") as file:
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


def _existing(path: Path) -> Path:
    try:
        path.open("rb").close()
    except OSError as error:
        raise HostError(
            f"File: '{path.name}', failing operation: 'Open'. {error.strerror}",
            expected="a file that you may read",
            code="E19",
        ) from error
    return path


def _exactly_one(*options: tuple[str, Any]) -> None:
    given = [name for name, value in options if value]
    if len(given) != 1:
        names = ", ".join(name for name, _ in options)
        code, found = ("E02", "Conflicting arguments") if given else ("E01", "Missing argument")
        raise HostError(found, expected=f"exactly one of {names}", code=code)


def _code_of(error: NitroWorkflowError) -> str:
    if len(error.code) == 3 and error.code[0] == "E" and error.code[1:].isdigit():
        return error.code
    match error:
        case ImageRefused():
            return "E59"
        case ImageError():
            return "E35"
        case SandboxUnavailable():
            return "E36"
        case _:
            return "E00"


def _advice(error: NitroWorkflowError) -> Sequence[tuple[str, str]]:
    return (("Expected", error.expected), ("Next", error.next))


def _print(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))
