"""A page for each command, made from the command itself: usage, help, arguments, options."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator

import click

from nitro_site.markdown import code, plain
from nitro_workflow.cli import cli
from nitro_workflow.vsock import open_transport, run_proxy

PROGRAM = "nitro-workflow"


def command_pages() -> dict[str, str]:
    """Return Markdown by the name of its page: one for each command, one for ``vsock-proxy``."""
    top = click.Context(cli, info_name=PROGRAM)
    pages = {}
    for name in cli.list_commands(top):
        command = cli.get_command(top, name)
        if command is None:
            raise LookupError(name)
        pages[name] = "\n\n".join(_command(command, top, name, level=1))
    return pages | {"vsock-proxy": _proxy_page()}


def _command(command: click.Command, above: click.Context, name: str, level: int) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=above)
    whole = context.command_path
    yield f"{'#' * level} {whole.removeprefix(PROGRAM + ' ')}"
    yield _block("{program}", whole) if level else ""
    usage = " ".join(command.collect_usage_pieces(context))
    yield _block("text", f"{whole} {usage}".rstrip())
    yield from _paragraphs(command.help or "")
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record and "--help" not in parameter.opts:
            yield _option(*record)
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            if found is None:
                raise LookupError(f"{whole} {below}")
            if not found.hidden:
                yield from _command(found, context, below, level + 1)


def _paragraphs(text: str) -> Iterator[str]:
    """Return a help text's paragraphs; one that click leaves as it is keeps its lines."""
    for part in re.split(r"\n\s*\n", text.replace("\f", "").strip()):
        if part.lstrip().startswith("\b"):
            yield _block("text", part.lstrip().removeprefix("\b").strip("\n"))
        elif part.strip():
            yield plain(part)


def _block(kind: str, text: str) -> str:
    return f"```{kind} {text}\n```" if kind.startswith("{") else f"```{kind}\n{text}\n```"


def _option(names: str, said: str) -> str:
    """Return an option as Sphinx knows one, so that its name can be searched and linked."""
    names = names.replace(" / ", ", ")
    return f"````{{option}} {names}\n{plain(said)}\n````"


def _proxy_page() -> str:
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        run_proxy(["--help"], open_transport)
    return "\n\n".join([
        "# vsock-proxy",
        f"A program of its own, installed beside {code(PROGRAM)}; its options are those of AWS's.",
        _block("text", said.getvalue().rstrip()),
    ])  # fmt: skip
