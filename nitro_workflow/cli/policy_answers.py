"""`nitro-workflow policy check` and `who-can-decrypt`: what is dangerous, and who gets in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.cli.policy_files import (
    FILE,
    JSON,
    echo,
    emit,
    fetch_key,
    read_grants,
    read_key_policies,
    read_policy,
    read_registers,
)
from nitro_workflow.errors import UsageError

if TYPE_CHECKING:
    from nitro_workflow.policy import Analysis, Grant, ImageAnswer, Policy, PolicyKind

__all__ = ["check", "who_can_decrypt"]

_KINDS = click.Choice(["key", "resource", "identity", "boundary", "session", "trust"])
_SEVERITIES = ("critical", "high", "medium", "low")
_FAIL_ON = click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(["path", "unknown", "image", *_SEVERITIES, "nothing"]),
    default=("path", "unknown", "image", "high"),
    show_default=True,
    help="Exit 1 for an answer, for an image that is named and does not pass, or for findings of "
    "this severity and worse. May be repeated.",
)


_IMAGE = click.option("--image", type=FILE, help="An EIF: does it pass, and its debug twin?")
_PCRS = click.option("--pcrs", type=FILE, help="The same of measurements as nitro-cli prints them.")
_DOCUMENT = click.option("--document", type=FILE, help="The same of an attestation document.")


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--kind", type=_KINDS, default="key", show_default=True, help="Where it stands.")
@_IMAGE
@_PCRS
@_DOCUMENT
@_FAIL_ON
@JSON
@click.pass_context
def check(
    ctx: click.Context, files: Sequence[Path], kind: str, image: Path | None, pcrs: Path | None,
    document: Path | None, fail_on: Sequence[str], as_json: bool,
) -> None:  # fmt: skip
    """Read policies strictly and report what is dangerous or can never work.

    A file is a policy, the answer of `aws kms get-key-policy`, a CloudFormation template as JSON
    (CDK writes such) or `terraform show -json` of a plan or a state. Of a key policy three
    questions are answered: can the plaintext be had without attestation, with a document of another
    image, from a debug enclave? Exit code 1 when an answer is "path" or "unknown", a finding is
    high or critical, or the image that is named is not sure to pass each key policy (see
    --fail-on); 3 when a file is no policy.

    "none" is a proof where conditions compare keys with constants, each key by one kind of
    operator; what lies outside that gives "unknown", by name.
    """
    registers = read_registers(image, pcrs, document)
    if registers is not None and kind != "key":
        raise UsageError(f"an image, asked of a policy of kind {kind}", expected="--kind key")
    failed = False
    for path in files:
        if kind != "key":
            _read_only(path, _kind(kind), as_json=as_json)
            continue
        for resource, parsed in read_key_policies(path, lenient=False):
            record = {"file": str(path)} | ({"resource": resource} if resource else {})
            answers = _answer(record, parsed, registers, Known(), as_json=as_json)
            failed = failed or fails(*answers, fail_on)
    ctx.exit(1 if failed else 0)


def fails(analysis: Analysis, image: ImageAnswer | None, fail_on: Sequence[str]) -> bool:
    """Say whether there is what a pipeline stops for."""
    if set(fail_on) & set(analysis.answers.values()):
        return True
    if image and image.passes != "path" and "image" in fail_on:
        return True
    limits = [_SEVERITIES.index(name) for name in fail_on if name in _SEVERITIES]
    return any(_SEVERITIES.index(f.severity) <= max(limits, default=-1) for f in analysis.findings)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known beside the policy; ``unlisted`` says why grants could not be read."""

    grants: Sequence[Grant] | None = None
    key_arn: str | None = None
    unlisted: str = ""


def _answer(
    record: dict[str, Any], parsed: Policy, registers: Mapping[str, str] | None, known: Known, *,
    as_json: bool, titled: bool = True,
) -> tuple[Analysis, ImageAnswer | None]:  # fmt: skip
    """Print what is to be said of one key policy, and how it is called; return the answers."""
    from nitro_workflow.policy import analyse, ask_image, notes, render_analysis, render_image

    analysis = analyse(parsed, grants=known.grants, key_arn=known.key_arn, unlisted=known.unlisted)
    grants = known.grants or ()
    answer = (
        None if registers is None
        else ask_image(parsed, registers, grants=grants, key_arn=known.key_arn)
    )  # fmt: skip
    odd = notes(parsed)
    if as_json:
        image = {"image": answer.to_json()} if answer else {}
        emit({**record, "notes": list(odd), **image, **analysis.to_json()})
        return analysis, answer
    head = [", ".join(record.values())] if titled else []
    echo("\n".join([*head, *(f"  {text}" for text in odd if titled), render_analysis(analysis)]))
    if answer:
        echo("\n" + render_image(answer))
    return analysis, answer


def _read_only(path: Path, kind: PolicyKind, *, as_json: bool) -> None:
    from nitro_workflow.policy import notes

    parsed = read_policy(path, kind, lenient=False)
    odd = notes(parsed) if parsed is not None else ()
    if as_json:
        emit({"file": str(path), "notes": list(odd), "findings": []})
    else:
        lines = [str(path), *(f"  {text}" for text in odd), "  Read; nothing else to report."]
        echo("\n".join(lines))


def _kind(text: str) -> PolicyKind:
    from nitro_workflow.policy import KINDS

    return next(kind for kind in KINDS if kind == text)


@click.command("who-can-decrypt")
@click.argument("key_policies", nargs=-1, type=FILE, metavar="[KEY_POLICY]...")
@click.option("--grants", type=FILE, help="The key's grants, as ListGrants answers them.")
@click.option("--key-arn", help="Fetch the policy and the grants of this key from KMS.")
@_IMAGE
@_PCRS
@_DOCUMENT
@_FAIL_ON
@JSON
@click.pass_context
def who_can_decrypt(
    ctx: click.Context, key_policies: Sequence[Path], grants: Path | None, key_arn: str | None,
    image: Path | None, pcrs: Path | None, document: Path | None, fail_on: Sequence[str],
    as_json: bool,
) -> None:  # fmt: skip
    """Say who can ever get the plaintext, with and without attestation, and who can change that.

    Takes the files that `check` takes. Exit code 1 when one of the three answers is "path" or
    "unknown", a finding is high or critical, or the image that is named is not sure to pass (see
    --fail-on), else 0: then it is proved that there is no path without attestation, with another
    image or from a debug enclave.

    "none" is a proof where conditions compare keys with constants, each key by one kind of
    operator; what lies outside that gives "unknown", by name.
    """
    if bool(key_policies) == bool(key_arn):
        raise UsageError("no policy or two", expected="either KEY_POLICY or --key-arn")
    registers = read_registers(image, pcrs, document)
    failed = False
    asked = list(_asked(key_policies, grants, key_arn))
    for record, parsed, known in asked:
        titled = len(asked) > 1
        answers = _answer(record, parsed, registers, known, as_json=as_json, titled=titled)
        failed = failed or fails(*answers, fail_on)
    ctx.exit(1 if failed else 0)


def _asked(
    paths: Sequence[Path], grants: Path | None, key_arn: str | None
) -> Iterator[tuple[dict[str, Any], Policy, Known]]:
    if key_arn:
        fetched = fetch_key(key_arn)
        known = Known(fetched.grants, key_arn, fetched.unlisted)
        yield {"file": key_arn}, fetched.policy, known
    listed = read_grants(grants)
    for path in paths:
        for resource, parsed in read_key_policies(path):
            record = {"file": str(path)} | ({"resource": resource} if resource else {})
            yield record, parsed, Known(listed)
