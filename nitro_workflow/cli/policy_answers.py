"""`nitro-workflow policy check` and `who-can-decrypt`: what is dangerous, and who gets in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nitro_workflow.cli.policy_files import (
    FILE,
    JSON,
    emit,
    fetch_key,
    read_grants,
    read_policy,
)
from nitro_workflow.errors import UsageError

if TYPE_CHECKING:
    from nitro_workflow.policy import Analysis, Grant, Policy, PolicyKind

__all__ = ["check", "who_can_decrypt"]

_KINDS = click.Choice(["key", "resource", "identity", "boundary", "session", "trust"])
_SEVERITIES = ("critical", "high", "medium", "low")
_FAIL_ON = click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(["path", "unknown", *_SEVERITIES, "nothing"]),
    default=("path", "unknown", "high"),
    show_default=True,
    help="Exit 1 for an answer, or for findings of this severity and worse. May be repeated.",
)


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--kind", type=_KINDS, default="key", show_default=True, help="Where it stands.")
@_FAIL_ON
@JSON
@click.pass_context
def check(
    ctx: click.Context, files: Sequence[Path], kind: str, fail_on: Sequence[str], as_json: bool
) -> None:
    """Read policies strictly and report what is dangerous or can never work.

    Of a key policy three questions are answered: can the plaintext be had without attestation, with
    a document of another image, from a debug enclave? Exit code 1 when an answer is "path" or
    "unknown", or a finding is high or critical (see --fail-on); 3 when a file is no policy.
    """
    failed = False
    for path in files:
        parsed = read_policy(path, "resource" if kind == "key" else _kind(kind), lenient=False)
        if parsed is not None:
            analysis = _check(path, parsed, key=kind == "key", as_json=as_json)
            failed = failed or (analysis is not None and fails(analysis, fail_on))
    ctx.exit(1 if failed else 0)


def fails(analysis: Analysis, fail_on: Sequence[str]) -> bool:
    """Say whether an analysis has what a pipeline stops for."""
    if set(fail_on) & set(analysis.answers.values()):
        return True
    limits = [_SEVERITIES.index(name) for name in fail_on if name in _SEVERITIES]
    return any(_SEVERITIES.index(f.severity) <= max(limits, default=-1) for f in analysis.findings)


def _check(path: Path, parsed: Policy, *, key: bool, as_json: bool) -> Analysis | None:
    """Print what is to be said of one policy; of a key policy return the analysis."""
    from nitro_workflow.policy import analyse, notes, render_analysis

    analysis = analyse(parsed) if key else None
    odd = notes(parsed)
    if as_json:
        record = analysis.to_json() if analysis else {"findings": []}
        emit({"file": str(path), "notes": list(odd), **record})
    else:
        click.echo("\n".join([str(path), *(f"  {text}" for text in odd)]))
        click.echo(render_analysis(analysis) if analysis else "  Read; nothing else to report.")
    return analysis


def _kind(text: str) -> PolicyKind:
    from nitro_workflow.policy import KINDS

    return next(kind for kind in KINDS if kind == text)


@click.command("who-can-decrypt")
@click.argument("key_policy", required=False, type=FILE)
@click.option("--grants", type=FILE, help="The key's grants, as ListGrants answers them.")
@click.option("--key-arn", help="Fetch the policy and the grants of this key from KMS.")
@_FAIL_ON
@JSON
@click.pass_context
def who_can_decrypt(
    ctx: click.Context, key_policy: Path | None, grants: Path | None, key_arn: str | None,
    fail_on: Sequence[str], as_json: bool,
) -> None:  # fmt: skip
    """Say who can ever get the plaintext, with and without attestation, and who can change that.

    Exit code 1 when one of the three answers is "path" or "unknown", or a finding is high or
    critical (see --fail-on), else 0: then it is proved that there is no path without attestation,
    with another image or from a debug enclave.
    """
    from nitro_workflow.policy import analyse, render_analysis

    if bool(key_policy) == bool(key_arn):
        raise UsageError("no policy or two", expected="either KEY_POLICY or --key-arn")
    known: Sequence[Grant] | None = read_grants(grants)
    unlisted = ""
    if key_arn:
        fetched = fetch_key(key_arn)
        parsed, known, unlisted = fetched.policy, fetched.grants, fetched.unlisted
    else:
        found = read_policy(key_policy, "resource")
        if found is None:  # the check above has made sure that there is a file
            raise UsageError("no policy", expected="KEY_POLICY")
        parsed = found
    analysis = analyse(parsed, grants=known, key_arn=key_arn, unlisted=unlisted)
    record = {"file": str(key_policy or key_arn), **analysis.to_json()}
    emit(record) if as_json else click.echo(render_analysis(analysis))
    ctx.exit(1 if fails(analysis, fail_on) else 0)
