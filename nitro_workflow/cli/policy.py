"""`nitro-workflow policy`: decide, explain, analyse and write key policies."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.errors import CloudUnavailable, PolicyError, UsageError

if TYPE_CHECKING:
    from nitro_workflow.policy import Explanation, Grant, Policies, Policy, PolicyKind, Request

__all__ = ["policy"]

_FILE = click.Path(path_type=Path)  # what is not there is bad input, as for every other command
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
_KINDS = click.Choice(["key", "resource", "identity", "boundary", "session", "trust"])
OUR_READING = "our reading of the policies, not KMS's reason: AWS does not give one"


@click.group()
def policy() -> None:
    """Decide, explain, analyse and write key policies."""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PolicyError(
            str(error.strerror), expected="a readable file", where=str(path)
        ) from None


def _policy(path: Path | None, kind: PolicyKind, *, lenient: bool = True) -> Policy | None:
    from nitro_workflow.policy import parse_policy, parse_policy_leniently

    if path is None:
        return None
    read = parse_policy_leniently if lenient else parse_policy
    return read(_read(path), kind=kind, name=str(path))


def _json_file(path: Path) -> Any:
    from nitro_workflow.policy import read_json

    return read_json(_read(path), what=str(path))


def _grants(path: Path | None) -> tuple[Grant, ...] | None:
    from nitro_workflow.policy import parse_grants

    return None if path is None else parse_grants(_read(path), where=str(path))


def _emit(value: Mapping[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


@policy.command()
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--kind", type=_KINDS, default="key", show_default=True, help="Where it stands.")
@_JSON
@click.pass_context
def check(ctx: click.Context, files: Sequence[Path], kind: str, as_json: bool) -> None:
    """Read policies strictly and report what is dangerous or can never work.

    Exit code 1 when there is a finding of medium severity or worse, 3 when a file is no policy.
    """
    found = False
    for path in files:
        parsed = _policy(path, "resource" if kind == "key" else _kind(kind), lenient=False)
        if parsed is not None:
            found = _check(path, parsed, key=kind == "key", as_json=as_json) or found
    ctx.exit(1 if found else 0)


def _check(path: Path, parsed: Policy, *, key: bool, as_json: bool) -> bool:
    """Print what is to be said of one policy; say whether it is a finding."""
    from nitro_workflow.policy import analyse, notes, render_analysis

    analysis = analyse(parsed) if key else None
    odd = notes(parsed)
    if as_json:
        record = analysis.to_json() if analysis else {"findings": []}
        _emit({"file": str(path), "notes": list(odd), **record})
    else:
        click.echo("\n".join([str(path), *(f"  {text}" for text in odd)]))
        click.echo(render_analysis(analysis) if analysis else "  Read; nothing else to report.")
    return bool(analysis and analysis.worst not in (None, "low"))


def _kind(text: str) -> PolicyKind:
    from nitro_workflow.policy import KINDS

    return next(kind for kind in KINDS if kind == text)


@policy.command()
@click.option("--request", "request_file", type=_FILE, help="The request, or one a line.")
@click.option("--key-policy", type=_FILE, help="The policy of the KMS key.")
@click.option("--resource-policy", type=_FILE, help="The policy of any other resource.")
@click.option("--identity-policy", multiple=True, type=_FILE, help="A policy of the caller.")
@click.option("--boundary", type=_FILE, help="The caller's permissions boundary.")
@click.option("--session-policy", type=_FILE, help="The policy of the caller's session.")
@click.option("--grants", type=_FILE, help="The key's grants, as ListGrants answers them.")
@click.option("--document", type=_FILE, help="Take the PCRs from this attestation document.")
@click.option("--cloudtrail", type=_FILE, help="Take the request from a CloudTrail record.")
@click.option("--key-arn", help="Fetch the policy and the grants of this key from KMS.")
@_JSON
@click.pass_context
def explain(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Say how a request is decided, by which statement, and why.

    The request is {"principal", "action", "resource", "resource_account", "context": {"key":
    ["value", …]}}. What AWS itself knows of the caller (aws:PrincipalArn, aws:PrincipalAccount,
    aws:username, …) is added unless the context gives it; a resource whose account neither the
    ARN nor resource_account says is the caller's own. Exit code 0 when every request is allowed,
    1 when one is denied.
    """
    from nitro_workflow.policy import explain as explain_request

    met_on_aws = bool(options["cloudtrail"] or options["document"] or options["key_arn"])
    denied = False
    requests, given = _requests(options), _Given(options)
    for request in requests:
        explanation = explain_request(request, given.policies(request))
        denied = denied or not explanation.decision.allowed
        _show(explanation, as_json=as_json, met_on_aws=met_on_aws)
    ctx.exit(1 if denied else 0)


def _show(explanation: Explanation, *, as_json: bool, met_on_aws: bool) -> None:
    warnings = [text for outcome in explanation.outcomes for text in outcome.policy.warnings]
    warnings = list(dict.fromkeys(warnings))
    if as_json:
        record = explanation.to_json()
        record |= {"reading": OUR_READING} if met_on_aws else {}
        record |= {"warnings": warnings} if warnings else {}
        _emit(record)
        return
    from nitro_workflow.policy import render_explanation

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    click.echo(render_explanation(explanation, width))
    for text in warnings:
        click.echo(f"AWS would not save this policy: {text}")
    if met_on_aws:
        click.echo(f"This is {OUR_READING}.")
    click.echo()


def _requests(options: Mapping[str, Any]) -> list[Request]:
    from nitro_workflow.policy import parse_requests, requests_from_cloudtrail, with_document

    if bool(options["request_file"]) == bool(options["cloudtrail"]):
        raise UsageError(
            "no question" if not options["request_file"] else "two questions",
            expected="either --request or --cloudtrail",
            next="nitro-workflow policy explain --help",
        )
    if options["cloudtrail"]:
        requests = list(requests_from_cloudtrail(_json_file(options["cloudtrail"])))
    else:
        path = options["request_file"]
        requests = parse_requests(_read(path), where=str(path))
    if options["document"] is None:
        return requests
    from nitro_workflow.attestation import parse_document

    document = parse_document(_read(options["document"]))
    return [with_document(request, document) for request in requests]


class _Given:
    """The policies of the options, each read once however many requests there are."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        names = ("key_policy", "resource_policy", "key_arn")
        if sum(bool(options[name]) for name in names) > 1:
            raise UsageError(
                "more than one policy of the resource",
                expected="one of --key-policy, --resource-policy and --key-arn",
            )
        self.options = options
        self.fetched = _fetch(options["key_arn"]) if options["key_arn"] else None
        self.grants = self.fetched[1] if self.fetched else _grants(options["grants"]) or ()
        self.identity = [_policy(path, "identity") for path in options["identity_policy"]]
        self.boundary = _policy(options["boundary"], "boundary")
        self.session = _policy(options["session_policy"], "session")
        self.resources: dict[PolicyKind, Policy | None] = {}

    def resource(self, action: str) -> Policy | None:
        """Return the policy of the resource; for a role it is a trust policy."""
        if self.fetched:
            return self.fetched[0]
        trust = action.lower().startswith(("sts:assumerole", "sts:tagsession", "sts:setsource"))
        kind: PolicyKind = "trust" if trust else "resource"
        if kind not in self.resources:
            path = self.options["key_policy"] or self.options["resource_policy"]
            self.resources[kind] = _policy(path, kind)
        return self.resources[kind]

    def policies(self, request: Request) -> Policies:
        from nitro_workflow.policy import Policies

        identity = tuple(entry for entry in self.identity if entry is not None)
        resource = self.resource(request.action)
        return Policies(resource, identity, self.boundary, self.session, self.grants)


def _fetch(key_arn: str) -> tuple[Policy, tuple[Grant, ...]]:
    """Get a key's policy and, where that is allowed, its grants."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from nitro_workflow.policy import Grant, parse_policy_leniently

    parts = key_arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "kms":
        raise UsageError(f"--key-arn {key_arn}", expected="arn:aws:kms:REGION:ACCOUNT:key/ID")
    try:
        kms = boto3.client("kms", region_name=parts[3])
        text = kms.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"]
    except (BotoCoreError, ClientError) as error:
        raise CloudUnavailable(
            str(error), expected=f"the policy of {key_arn}", where="kms:GetKeyPolicy",
            next="check credentials and region, or give the policy with --key-policy FILE",
        ) from error  # fmt: skip
    try:
        pages = kms.get_paginator("list_grants").paginate(KeyId=key_arn)
        grants = tuple(Grant.from_json(entry) for page in pages for entry in page["Grants"])
    except (BotoCoreError, ClientError):
        click.echo("The key's grants could not be listed; they are left out.", err=True)
        grants = ()
    return parse_policy_leniently(text, name=f"policy of {key_arn}"), grants


@policy.command("who-can-decrypt")
@click.argument("key_policy", required=False, type=_FILE)
@click.option("--grants", type=_FILE, help="The key's grants, as ListGrants answers them.")
@click.option("--key-arn", help="Fetch the policy and the grants of this key from KMS.")
@_JSON
@click.pass_context
def who_can_decrypt(
    ctx: click.Context, key_policy: Path | None, grants: Path | None, key_arn: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Say who can ever get the plaintext, with and without attestation, and who can change that.

    Exit code 0 when there is provably no path without attestation, else 1.
    """
    from nitro_workflow.policy import KEY_ARN, analyse, render_analysis

    if bool(key_policy) == bool(key_arn):
        raise UsageError("no policy or two", expected="either KEY_POLICY or --key-arn")
    known: Sequence[Grant] | None = _grants(grants)
    if key_arn:
        parsed, known = _fetch(key_arn)
    else:
        found = _policy(key_policy, "resource")
        if found is None:  # the check above has made sure that there is a file
            raise UsageError("no policy", expected="KEY_POLICY")
        parsed = found
    analysis = analyse(parsed, grants=known, key_arn=key_arn or KEY_ARN)
    _emit(analysis.to_json()) if as_json else click.echo(render_analysis(analysis))
    ctx.exit(0 if analysis.without_attestation == "none" else 1)


@policy.command()
@click.option("--owner", help="The data owner's role: start a new policy that he administers.")
@click.option("--policy", "base", type=_FILE, help="Start from this policy; keep all it says.")
@click.option("--role", required=True, help="The role of the parent instance.")
@click.option("--image", "images", multiple=True, type=_FILE, help="An EIF; old and new together.")
@click.option("--pcrs", multiple=True, type=_FILE, help="Measurements as nitro-cli prints them.")
@click.option("--context", multiple=True, metavar="KEY=VALUE", help="Expected encryption context.")
@click.option("--data-keys/--no-data-keys", default=True, help="Let the owner make data keys.")
@click.option("--without-deny", is_flag=True, help="Leave the hardening Deny out.")
@_JSON
def author(
    owner: str | None, base: Path | None, role: str, images: Sequence[Path], pcrs: Sequence[Path],
    context: Sequence[str], data_keys: bool, without_deny: bool, as_json: bool,
) -> None:  # fmt: skip
    """Write a key policy that lets only the measured enclaves decrypt."""
    from nitro_workflow.policy import author as write
    from nitro_workflow.policy import check_arns, parse_measurements

    if bool(owner) == bool(base):
        raise UsageError("no start or two", expected="either --owner ARN or --policy FILE")
    check_arns({"--owner": owner, "--role": role})
    document: Mapping[str, Any]
    if base is not None:
        parsed = _policy(base, "resource", lenient=False)
        document = parsed.to_json() if parsed else {}
    else:
        document = write.initial_key_policy(owner or "")
        document = write.allow_data_keys(document, owner or "") if data_keys else document
    measured = [
        *map(_measure, images),
        *(parse_measurements(_read(path), where=str(path)) for path in pcrs),
    ]
    pairs = dict(_pair(text) for text in context)
    result = write.attestation_policy(
        document, role, measured, encryption_context=pairs, harden=not without_deny
    )
    _emit(result) if as_json else click.echo(json.dumps(result, indent=2, ensure_ascii=False))


def _measure(path: Path) -> dict[str, str]:
    from nitro_workflow.image import measure_file

    measured = measure_file(path)
    values = {"PCR0": measured.pcr0, "PCR1": measured.pcr1, "PCR2": measured.pcr2}
    return {name: value.hex() for name, value in values.items()} | (
        {"PCR8": measured.pcr8.hex()} if measured.pcr8 else {}
    )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UsageError(f"--context {text}", expected="KEY=VALUE")
    return key, value


@policy.command()
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@_JSON
@click.pass_context
def diff(ctx: click.Context, old: Path, new: Path, as_json: bool) -> None:
    """Show what changes from one key policy to another. Exit code 1 when anything does."""
    from nitro_workflow.policy import analyse
    from nitro_workflow.policy import author as write

    before, after = _policy(old, "resource"), _policy(new, "resource")
    if before is None or after is None:
        raise UsageError("no policies", expected="OLD and NEW")
    change = write.diff(before.to_json(), after.to_json())
    verdicts = [analyse(parsed).without_attestation for parsed in (before, after)]
    if as_json:
        _emit({**change.to_json(), "without_attestation": {"old": verdicts[0], "new": verdicts[1]}})
    else:
        click.echo(change.unified or "No difference.")
        click.echo(f"Path to the plaintext without attestation: {' → '.join(verdicts)}")
    ctx.exit(1 if change else 0)
