"""What the commands about policies read: files as other tools write them, and a key of AWS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.errors import CloudUnavailable, PolicyError, UsageError

if TYPE_CHECKING:
    from nitro_workflow.policy import Grant, Policy, PolicyKind

__all__ = [
    "FILE",
    "JSON",
    "FetchedKey",
    "echo",
    "emit",
    "fetch_key",
    "measured",
    "read_file",
    "read_grants",
    "read_json_file",
    "read_key_policies",
    "read_key_policy",
    "read_policy",
    "read_registers",
]

LARGEST = 256 << 20  # bytes: a Terraform state or a trail of some hours is less
FILE = click.Path(path_type=Path)  # what is not there is bad input, as for every other command
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


def read_file(path: Path) -> bytes:
    """Return the bytes of a file; raises `PolicyError` where it cannot be read, or has no end."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise PolicyError(
            str(error.strerror), expected="a readable file", where=str(path)
        ) from None
    if len(data) > LARGEST:
        raise PolicyError(
            f"more than {LARGEST} bytes", expected="a file of policies or records", where=str(path),
            next="cut it into parts: a trail's files hold an hour each",
        )  # fmt: skip
    return data


def read_key_policies(path: Path, *, lenient: bool = True) -> tuple[tuple[str, Policy], ...]:
    """Read every key policy of a file: (resource in a template, or ``""``; policy)."""
    from nitro_workflow.policy import find_policies, parse_policy, parse_policy_leniently

    read = parse_policy_leniently if lenient else parse_policy
    data = read_file(path)
    sources = find_policies(data, where=str(path))
    if len(sources) == 1 and isinstance(sources[0].policy, Mapping) and not sources[0].resource:
        return (("", read(data, name=str(path))),)  # from its text: errors name line and column
    return tuple(
        (source.resource, read(source.policy, name=_named(path, source.resource)))
        for source in sources
    )


def _named(path: Path, resource: str) -> str:
    return f"{path}, {resource}" if resource else str(path)


def read_key_policy(path: Path, *, lenient: bool = True) -> Policy:
    """Read the one key policy of a file; raises `UsageError` where it holds several."""
    found = read_key_policies(path, lenient=lenient)
    if len(found) > 1:
        raise UsageError(
            f"{len(found)} key policies in {path}", expected="one",
            next="`nitro-workflow policy check` takes files with several",
        )  # fmt: skip
    return found[0][1]


def read_registers(
    image: Path | None, pcrs: Path | None, document: Path | None
) -> dict[str, str] | None:
    """Return the registers of an EIF, of measurements or of a document; None for no file.

    Raises `UsageError` for more than one of them.
    """
    given = [path for path in (image, pcrs, document) if path is not None]
    if len(given) > 1:
        raise UsageError("more than one image", expected="one of --image, --pcrs and --document")
    if image is not None:
        return measured(image)
    if pcrs is not None:
        from nitro_workflow.policy import parse_measurements

        return parse_measurements(read_file(pcrs), where=str(pcrs))
    if document is not None:
        from nitro_workflow.attestation import parse_document
        from nitro_workflow.policy import pcr_values

        return pcr_values(parse_document(read_file(document)))
    return None


def measured(path: Path) -> dict[str, str]:
    """Return the registers of an EIF."""
    from nitro_workflow.image import measure_file

    found = measure_file(path)
    values = {"PCR0": found.pcr0, "PCR1": found.pcr1, "PCR2": found.pcr2}
    return {name: value.hex() for name, value in values.items()} | (
        {"PCR8": found.pcr8.hex()} if found.pcr8 else {}
    )


def read_policy(path: Path | None, kind: PolicyKind, *, lenient: bool = True) -> Policy | None:
    """Read a policy of a kind; None for no path."""
    from nitro_workflow.policy import parse_policy, parse_policy_leniently

    if path is None:
        return None
    read = parse_policy_leniently if lenient else parse_policy
    return read(read_file(path), kind=kind, name=str(path))


def read_json_file(path: Path) -> Any:
    """Read a file of JSON."""
    from nitro_workflow.policy import read_json

    return read_json(read_file(path), what=str(path))


def read_grants(path: Path | None) -> tuple[Grant, ...] | None:
    """Read ListGrants' answer; None for no path."""
    from nitro_workflow.policy import parse_grants

    return None if path is None else parse_grants(read_file(path), where=str(path))


def emit(value: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, in ASCII: nothing in it can move a terminal."""
    click.echo(json.dumps(value).replace("\x7f", "\\u007f"))


def echo(text: str) -> None:
    """Print text; what a hostile file put in it to move a terminal or turn its line is shown."""
    click.echo("".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text))


@dataclass(frozen=True, slots=True)
class FetchedKey:
    """A key's policy and grants; ``unlisted`` says why the grants could not be read, or ``""``."""

    policy: Policy
    grants: tuple[Grant, ...]
    unlisted: str = ""


def fetch_key(key_arn: str) -> FetchedKey:
    """Get a key's policy and, where that is allowed, its grants.

    Raises `UsageError` for what is not the ARN of a key, `CloudUnavailable` where KMS does not
    answer.
    """
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
    policy = parse_policy_leniently(text, name=f"policy of {key_arn}")
    try:
        pages = kms.get_paginator("list_grants").paginate(KeyId=key_arn)
        return FetchedKey(policy, tuple(Grant.from_json(g) for p in pages for g in p["Grants"]))
    except (BotoCoreError, ClientError):
        click.echo("The key's grants could not be listed; they are left out.", err=True)
        return FetchedKey(policy, (), "the key's grants could not be listed")
