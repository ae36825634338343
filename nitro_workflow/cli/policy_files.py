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
    "emit",
    "fetch_key",
    "read_file",
    "read_grants",
    "read_json_file",
    "read_policy",
]

FILE = click.Path(path_type=Path)  # what is not there is bad input, as for every other command
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")


def read_file(path: Path) -> bytes:
    """Return the bytes of a file; raises `PolicyError` where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PolicyError(
            str(error.strerror), expected="a readable file", where=str(path)
        ) from None


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
    click.echo(json.dumps(value))


@dataclass(frozen=True, slots=True)
class FetchedKey:
    """A key's policy and grants; ``unlisted`` says why the grants could not be read, or ``""``."""

    policy: Policy
    grants: tuple[Grant, ...]
    unlisted: str = ""


def fetch_key(key_arn: str) -> FetchedKey:
    """Get a key's policy and, where that is allowed, its grants.

    Raises `UsageError` for what is no ARN of a key, `CloudUnavailable` where KMS does not answer.
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
