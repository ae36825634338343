"""`nitro-workflow policy`: decide, explain, analyse and write key policies."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.cli.policy_answers import check, who_can_decrypt
from nitro_workflow.cli.policy_files import (
    FILE,
    JSON,
    echo,
    emit,
    fetch_key,
    measured,
    read_file,
    read_grants,
    read_json_file,
    read_key_policy,
    read_policy,
)
from nitro_workflow.cli.policy_history import authorization_details, history
from nitro_workflow.errors import InputError, UsageError

if TYPE_CHECKING:
    from nitro_workflow.policy import (
        AuthorizationDetails,
        Explanation,
        Policies,
        Policy,
        PolicyKind,
        Request,
    )

__all__ = ["policy"]

OUR_READING = "our reading of the policies, not KMS's reason: AWS does not give one"


@click.group()
def policy() -> None:
    """Decide, explain, analyse and write key policies."""


policy.add_command(check)
policy.add_command(who_can_decrypt)
policy.add_command(history)


@policy.command()
@click.option("--request", "request_file", type=FILE, help="The request, or one a line.")
@click.option("--key-policy", type=FILE, help="The policy of the KMS key.")
@click.option("--resource-policy", type=FILE, help="The policy of any other resource.")
@click.option("--identity-policy", multiple=True, type=FILE, help="A policy of the caller.")
@click.option("--boundary", type=FILE, help="The caller's permissions boundary.")
@click.option("--session-policy", type=FILE, help="The policy of the caller's session.")
@click.option("--grants", type=FILE, help="The key's grants, as ListGrants answers them.")
@click.option("--document", type=FILE, help="Take the PCRs from this attestation document.")
@click.option("--cloudtrail", type=FILE, help="Take the request from a CloudTrail record.")
@click.option("--authorization-id", help="Ask AWS about a denial that it gave this id.")
@click.option("--authorization", type=FILE, help="The same of a saved answer of AWS.")
@click.option("--key-arn", help="Fetch the policy and the grants of this key from KMS.")
@JSON
@click.pass_context
def explain(ctx: click.Context, /, as_json: bool, **options: Any) -> None:
    """Say how a request is decided, by which statement, and why.

    The request is {"principal", "action", "resource", "resource_account", "context": {"key":
    ["value", …]}}. What AWS itself knows of the caller (aws:PrincipalArn, aws:PrincipalAccount,
    aws:username, …) is added unless the context gives it; a resource whose account neither the
    ARN nor resource_account says is the caller's own. An authorization id stands in the message of
    a denial of AWS: its access troubleshooter names the statements that matched, and our reading
    the one that nearly did. Exit code 0 when every request is allowed, 1 when one is denied.
    """
    from nitro_workflow.policy import explain as explain_request

    names = ("cloudtrail", "document", "key_arn", "authorization", "authorization_id")
    met_on_aws = any(options[name] for name in names)
    denied = False
    asked = _Asked(options)
    given = _Given(options, asked.policy)
    for request, words in asked.requests:
        explanation = explain_request(request, given.policies(request))
        denied = denied or not explanation.decision.allowed
        _show(explanation, words, as_json=as_json, met_on_aws=met_on_aws)
    ctx.exit(1 if denied else 0)


def _show(
    explanation: Explanation, words: AuthorizationDetails | None, *, as_json: bool, met_on_aws: bool
) -> None:
    warnings = [text for outcome in explanation.outcomes for text in outcome.policy.warnings]
    warnings = list(dict.fromkeys(warnings))
    if as_json:
        record = explanation.to_json()
        record |= {"reading": OUR_READING} if met_on_aws else {}
        record |= {"warnings": warnings} if warnings else {}
        record |= {"authorization": words.to_json()} if words else {}
        emit(record)
        return
    from nitro_workflow.policy import render_explanation

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    echo(render_explanation(explanation, width))
    for text in warnings:
        echo(f"AWS would not save this policy: {text}")
    if words:
        echo(words.to_text())
    if met_on_aws:
        click.echo(f"This is {OUR_READING}.")
    click.echo()


_QUESTIONS = ("request_file", "cloudtrail", "authorization", "authorization_id")


class _Asked:
    """The requests of the options, each with AWS's word about it where there is one.

    ``policy`` is the resource's policy as AWS had it, None where it gave none.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        given = [name for name in _QUESTIONS if options[name]]
        if len(given) != 1:
            raise UsageError(
                "no question" if not given else "two questions",
                expected="either --request or --cloudtrail, --authorization or --authorization-id",
                next="nitro-workflow policy explain --help",
            )
        self.policy: Policy | None = None
        self.requests: list[tuple[Request, AuthorizationDetails | None]] = []
        if given[0].startswith("authorization"):
            file, asked = options["authorization"], options["authorization_id"]
            details, self.policy = authorization_details(file, asked)
            self.requests = [(entry.request, entry) for entry in details]
        else:
            self.requests = [(request, None) for request in _read_requests(options)]
        if options["document"] is not None:
            self._take_registers(options["document"])

    def _take_registers(self, path: Path) -> None:
        from nitro_workflow.attestation import parse_document
        from nitro_workflow.policy import with_document

        document = parse_document(read_file(path))
        self.requests = [
            (with_document(request, document), words) for request, words in self.requests
        ]


def _read_requests(options: Mapping[str, Any]) -> list[Request]:
    from nitro_workflow.policy import parse_requests, requests_from_cloudtrail

    if options["cloudtrail"]:
        return list(requests_from_cloudtrail(read_json_file(options["cloudtrail"])))
    path = options["request_file"]
    return parse_requests(read_file(path), where=str(path))


class _Given:
    """The policies of the options, each read once however many requests there are."""

    def __init__(self, options: Mapping[str, Any], told: Policy | None = None) -> None:
        names = ("key_policy", "resource_policy", "key_arn")
        if sum(bool(options[name]) for name in names) > 1:
            raise UsageError(
                "more than one policy of the resource",
                expected="one of --key-policy, --resource-policy and --key-arn",
            )
        self.options, self.told = options, told
        self.fetched = fetch_key(options["key_arn"]) if options["key_arn"] else None
        self.grants = self.fetched.grants if self.fetched else read_grants(options["grants"]) or ()
        self.identity = [read_policy(path, "identity") for path in options["identity_policy"]]
        self.boundary = read_policy(options["boundary"], "boundary")
        self.session = read_policy(options["session_policy"], "session")
        self.resources: dict[PolicyKind, Policy | None] = {}

    def resource(self, action: str) -> Policy | None:
        """Return the policy of the resource; for a role it is a trust policy."""
        if self.fetched:
            return self.fetched.policy
        trust = action.lower().startswith(("sts:assumerole", "sts:tagsession", "sts:setsource"))
        kind: PolicyKind = "trust" if trust else "resource"
        if kind not in self.resources:
            if self.told and not (self.options["key_policy"] or self.options["resource_policy"]):
                return self.told
            key_policy, other = self.options["key_policy"], self.options["resource_policy"]
            self.resources[kind] = (
                read_key_policy(key_policy) if key_policy else read_policy(other, kind)
            )
        return self.resources[kind]

    def policies(self, request: Request) -> Policies:
        from nitro_workflow.policy import Policies

        identity = tuple(entry for entry in self.identity if entry is not None)
        resource = self.resource(request.action)
        return Policies(resource, identity, self.boundary, self.session, self.grants)


@policy.command()
@click.option("--owner", help="The data owner's role: start a new policy that they administer.")
@click.option("--policy", "base", type=FILE, help="Start from this policy; keep all it says.")
@click.option("--role", required=True, help="The role of the parent instance.")
@click.option("--image", "images", multiple=True, type=FILE, help="An EIF; old and new together.")
@click.option("--pcrs", multiple=True, type=FILE, help="Measurements as nitro-cli prints them.")
@click.option("--context", multiple=True, metavar="KEY=VALUE", help="Expected encryption context.")
@click.option("--data-keys/--no-data-keys", default=True, help="Let the owner make data keys.")
@click.option("--without-deny", is_flag=True, help="Leave the hardening Deny out.")
@JSON
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
        document = read_key_policy(base, lenient=False).to_json()
    else:
        document = write.initial_key_policy(owner or "")
        document = write.allow_data_keys(document, owner or "") if data_keys else document
    listed = [
        *map(measured, images),
        *(parse_measurements(read_file(path), where=str(path)) for path in pcrs),
    ]
    pairs = dict(_pair(text) for text in context)
    result = write.attestation_policy(
        document, role, listed, encryption_context=pairs, harden=not without_deny
    )
    emit(result) if as_json else click.echo(json.dumps(result, indent=2))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UsageError(f"--context {text}", expected="KEY=VALUE")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "text that is not UTF-8",
            expected="UTF-8: an encryption context is text",
            where="--context",
            next="write it in UTF-8, as the program that encrypts does",
        ) from error
    return key, value


@policy.command()
@click.argument("old", type=FILE)
@click.argument("new", type=FILE)
@JSON
@click.pass_context
def diff(ctx: click.Context, old: Path, new: Path, as_json: bool) -> None:
    """Show what changes from one key policy to another. Exit code 1 when anything does."""
    from nitro_workflow.policy import analyse
    from nitro_workflow.policy import author as write

    before, after = read_key_policy(old), read_key_policy(new)
    change = write.diff(before.to_json(), after.to_json())
    verdicts = [analyse(parsed).without_attestation for parsed in (before, after)]
    if as_json:
        emit({**change.to_json(), "without_attestation": {"old": verdicts[0], "new": verdicts[1]}})
    else:
        echo(change.unified or "No difference.")
        click.echo(f"Path to the plaintext without attestation: {' → '.join(verdicts)}")
    ctx.exit(1 if change else 0)
