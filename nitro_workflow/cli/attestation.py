"""`nitro-workflow attestation show|verify|explain FILE…`; `pack` has a module of its own."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from nitro_workflow.attestation import (
    Report,
    decode_input,
    fields_json,
    plain,
    render_document,
    render_report,
    render_row,
)
from nitro_workflow.cli.attestation_ask import Ask, asked, read_input
from nitro_workflow.cli.attestation_pack import pack
from nitro_workflow.errors import InputError, NitroWorkflowError, UsageError

__all__ = ["attestation"]

_STATUS_EVERY = 100
_LONGEST_LINE = 65536  # sixteen times the longest path: whoever names more names no file
_HEAD = (
    f"{'verdict':<8} {'kind':<8} {'mode':<10} {'time (UTC)':<23} {'module id':<40}"
    f" {'failed':<20} file"
)


@click.group()
def attestation() -> None:
    """Show, verify and explain attestation documents.

    A FILE holds one document as raw bytes, hex, base64 or base64url, or inside JSON or PEM; `-` is
    standard input, and a folder stands for the files in it.

    Exit codes: 0 all was read, and accepted (`verify`, `explain`); 1 a document is refused; 2 the
    call does not make sense; 3 an input is no document at all.
    """


attestation.add_command(pack)

_Command = Callable[..., Any]


def _options(*decorators: Callable[[_Command], _Command]) -> Callable[[_Command], _Command]:
    def decorate(command: _Command) -> _Command:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorate


_input_options = _options(
    click.argument("files", nargs=-1, metavar="FILE..."),
    click.option("--files-from", metavar="LIST", help="Read file names from LIST, one a line."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line and file."),
    click.option(
        "--at",
        default="now",
        show_default=True,
        metavar="TIME",
        help="When to judge certificates: now, document (its own time), or 2026-01-31T12:00:00Z.",
    ),
    click.option("--root", metavar="FILE", help="Trust this root, PEM or DER, instead of AWS's."),
)
_check_options = _options(
    click.option("--pcr", multiple=True, metavar="N=HEX", help="3=ROLE-ARN, 4=INSTANCE-ID too."),
    click.option("--eif", multiple=True, metavar="FILE", help="PCRs of this image, or another."),
    click.option("--measurements", multiple=True, metavar="FILE", help="PCRs of nitro-cli's JSON."),
    click.option(
        "--policy", multiple=True, metavar="FILE", help="PCRs that this key policy asks for."
    ),
    click.option("--signing-certificate", metavar="FILE", help="PCR8 of this certificate."),
    click.option("--nonce", metavar="BYTES", help="HEX, text:…, base64:… or @FILE."),
    click.option("--user-data", metavar="BYTES", help="The same forms."),
    click.option("--public-key", metavar="BYTES", help="The same forms; @FILE may be PEM."),
    click.option("--max-age", metavar="AGE", help="Refuse older ones: 300, 5m, 2h."),
    click.option("--allow-debug", is_flag=True, help="Let enclaves in debug mode pass."),
)


@attestation.command()
@_input_options
@click.pass_context
def show(ctx: click.Context, /, **given: Any) -> None:
    """Show what documents say, with byte ranges, and whether they are authentic."""
    ask = Ask(allow_debug=True, **given)
    totals = _run(ask, _show_one)
    ctx.exit(3 if totals["unreadable"] else 0)


@attestation.command()
@_input_options
@_check_options
@click.pass_context
def verify(ctx: click.Context, /, **given: Any) -> None:
    """Accept documents, or refuse them: authenticity and every expectation given."""
    ask = asked(given)
    totals = _run(ask, _verify_one, head=not ask.as_json)
    ctx.exit(_exit_code(totals))


@attestation.command()
@_input_options
@_check_options
@click.pass_context
def explain(ctx: click.Context, /, **given: Any) -> None:
    """Run every check that can be run, and say what each found."""
    totals = _run(asked(given), _explain_one)
    ctx.exit(_exit_code(totals))


def _exit_code(totals: Counter[str]) -> int:
    return 3 if totals["unreadable"] else int(totals["refused"] > 0)


_One = Callable[[str, Report], tuple[dict[str, object], list[str]]]


def _show_one(name: str, report: Report) -> tuple[dict[str, object], list[str]]:
    return fields_json(report.reading), [plain(name, 400), *render_document(report)]


def _verify_one(name: str, report: Report) -> tuple[dict[str, object], list[str]]:
    failures = [step for step in report.steps if step.status == "failed"]
    passed = {step.id: step for step in report.steps if step.status == "passed"}
    reasons = [
        {
            "step": step.id,
            "found": step.found,
            "expected": step.expected,
            "where": step.where,
            "next": step.next,
        }
        for step in failures
    ]
    lines = [f"         {s.id}: {plain(s.found)}; expected {plain(s.expected)}" for s in failures]
    lines += dict.fromkeys(f"         next: {plain(s.next, 240)}" for s in failures if s.next)
    if "pcrs" in passed:
        lines.append(f"         PCRs match {plain(passed['pcrs'].found)}")
    matched = passed["pcrs"].found if "pcrs" in passed else None
    extra: dict[str, object] = {
        "accepted": report.accepted,
        "matched": matched,
        "reasons": reasons,
    }
    return extra, [render_row(report, name), *lines]


def _explain_one(name: str, report: Report) -> tuple[dict[str, object], list[str]]:
    steps = [
        {
            "id": step.id,
            "title": step.title,
            "clause": step.clause,
            "status": step.status,
            "found": step.found,
            "expected": step.expected,
            "where": step.where,
            "detail": list(step.detail),
            "next": step.next,
        }
        for step in report.steps
    ]
    extra = {"accepted": report.accepted, "steps": steps}
    return extra, [plain(name, 400), *render_report(report)]


def _run(ask: Ask, one: _One, *, head: bool = False) -> Counter[str]:
    """Judge one input after the other; nothing of an input is kept but a count."""
    totals: Counter[str] = Counter()
    for name in _progress(_names(ask.files, ask.files_from)):
        if head and totals["inputs"] == 0:
            click.echo(_HEAD)
        totals["inputs"] += 1
        try:
            decoded = decode_input(read_input(Path(name)))
        except NitroWorkflowError as error:
            totals["unreadable"] += 1
            _say_unreadable(ask, name, error, head=head)
            continue
        report = ask.explain(decoded.data)
        totals["accepted" if report.accepted else "refused"] += 1
        totals["unreadable"] += report.reading.payload is None
        totals.update(f"failed {step}" for step in report.failed)
        extra, lines = one(name, report)
        if ask.as_json:
            row = {"file": name, **report.to_json(), "form": decoded.form, **extra}
            click.echo(json.dumps(row))
        else:
            click.echo("\n".join(lines))
    if totals["inputs"] > 1 and not ask.as_json:
        click.echo(_summary(totals))
    return totals


def _say_unreadable(ask: Ask, name: str, error: NitroWorkflowError, *, head: bool) -> None:
    if not ask.as_json:
        click.echo(render_row(None, name) if head else f"{plain(name, 400)}\n  not read")
        click.echo(f"         {plain(str(error), 240)}")
        if error.next:
            click.echo(f"         next: {plain(error.next, 240)}")
        return
    nothing: dict[str, object] = dict.fromkeys(("kind", "mode", "module_id", "timestamp_ms"))
    row = {"file": name, "verdict": "refused", "failed": ["shape"], **nothing, "pcrs": {}}
    click.echo(json.dumps({**row, "error": error.to_json()}))


def _summary(totals: Counter[str]) -> str:
    why = ", ".join(
        f"{name.removeprefix('failed ')} {count}"
        for name, count in totals.items()
        if name.startswith("failed ")
    )
    text = f"{totals['inputs']} inputs: {totals['accepted']} accepted, {totals['refused']} refused"
    unread = totals["inputs"] - totals["accepted"] - totals["refused"]
    return text + (f" ({why})" if why else "") + (f", {unread} not read" if unread else "")


def _names(files: tuple[str, ...], files_from: str | None) -> Iterator[str]:
    if not files and files_from is None:
        raise UsageError(
            "no FILE", expected="files, a folder, - or --files-from LIST", where="arguments"
        )
    for name in files:
        yield from _files_of(name)
    if files_from is not None:
        yield from _listed(files_from)


def _files_of(name: str) -> list[str]:
    """Return the files in a folder, and what is no folder that can be read as it is."""
    try:
        if name != "-" and Path(name).is_dir():
            return [str(path) for path in sorted(Path(name).iterdir()) if path.is_file()]
    except OSError:
        pass  # reading it says what is wrong with it
    return [name]


def _listed(files_from: str) -> Iterator[str]:
    try:
        with click.open_file(files_from, errors="surrogateescape") as lines:
            while line := lines.readline(_LONGEST_LINE + 2):
                name = line.rstrip("\r\n")
                if len(name) > _LONGEST_LINE:
                    raise InputError(
                        f"a line of more than {_LONGEST_LINE} characters",
                        expected="file names, one a line",
                        where=files_from,
                        next="name a list of files, such as `find` prints",
                    )
                if name.strip():
                    yield name
    except OSError as error:
        raise InputError(
            error.strerror or str(error), expected="a list of files", where=files_from
        ) from error


def _progress(names: Iterable[str]) -> Iterator[str]:
    """Count on standard error, where a person looks at it and the output goes elsewhere."""
    counting = sys.stderr.isatty() and not sys.stdout.isatty()
    for number, name in enumerate(names, 1):
        if counting and number % _STATUS_EVERY == 0:
            click.echo(f"\r{number} judged", nl=False, err=True)
        yield name
    if counting:
        click.echo("\r\033[K", nl=False, err=True)
