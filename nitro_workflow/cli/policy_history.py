"""`nitro-workflow policy history`, and AWS's word about a denial for `policy explain`."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.cli.policy_files import (
    FILE,
    JSON,
    echo,
    emit,
    read_file,
    read_json_file,
    read_key_policy,
)
from nitro_workflow.errors import CloudUnavailable, PolicyError

if TYPE_CHECKING:
    from nitro_workflow.policy import AuthorizationDetails, Policy

__all__ = ["authorization_details", "history"]

MAX_LOG = 64 * 1_048_576  # bytes of one log file; CloudTrail's are a few megabytes


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option("--key-policy", type=FILE, help="Say also which images this policy does not name.")
@JSON
@click.pass_context
def history(
    ctx: click.Context, files: Sequence[Path], key_policy: Path | None, as_json: bool
) -> None:
    """Look back in CloudTrail's records: which images and principals decrypted, and how.

    A file is a log file of CloudTrail (also compressed, .json.gz), the answer of LookupEvents, or
    one record. Exit code 1 when plaintext went out without a document, to an enclave in debug mode
    or to an image that the policy does not name.
    """
    from nitro_workflow.policy import look_back, render_history

    policy = read_key_policy(key_policy) if key_policy else None
    found = look_back((_log(path) for path in files), policy)
    emit(found.to_json()) if as_json else echo(render_history(found))
    ctx.exit(1 if any(entry.worrying for entry in found.decryptions) else 0)


def _log(path: Path) -> Any:
    """Read a log file; raises `PolicyError` for a damaged or an enormous one."""
    from nitro_workflow.policy import read_json

    data = read_file(path)
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
                data = file.read(MAX_LOG + 1)
        except (OSError, EOFError) as error:
            raise PolicyError(str(error), expected="a gzip file", where=str(path)) from None
    if len(data) > MAX_LOG:
        raise PolicyError(
            f"more than {MAX_LOG} bytes", expected="a log file of CloudTrail", where=str(path)
        )
    return read_json(data, what=str(path), limit=MAX_LOG)


def authorization_details(
    file: Path | None, authorization_id: str | None
) -> tuple[tuple[AuthorizationDetails, ...], Policy | None]:
    """Return what AWS tells of a denial, and the resource's policy where AWS gave it.

    Raises `CloudUnavailable` where AWS does not answer.
    """
    from nitro_workflow.policy import parse_authorization

    if file is not None:
        return parse_authorization(read_json_file(file), where=str(file)), None
    return _fetched(authorization_id or "")


def _fetched(authorization_id: str) -> tuple[tuple[AuthorizationDetails, ...], Policy | None]:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from nitro_workflow.policy import parse_authorization, parse_policy_leniently

    try:
        client = boto3.client("iam-toolbox")
        answer = _all_pages(client, authorization_id)
        details = parse_authorization(answer)
        uris = details[0].resource_policies
        if not uris:
            return details, None
        found = client.get_request_authorization_policy(
            authorizationId=authorization_id, policyUri=uris[0]
        )
    except (BotoCoreError, ClientError) as error:
        raise CloudUnavailable(
            str(error), expected=f"the details of {authorization_id}",
            where="iam:GetRequestAuthorizationDetails",
            next="AWS keeps them for at least 24 hours; save the answer and give it with"
            " --authorization FILE",
        ) from error  # fmt: skip
    return details, parse_policy_leniently(found["policyDocument"], name=uris[0])


def _all_pages(client: Any, authorization_id: str) -> dict[str, Any]:
    """Return the whole answer: later pages only add evaluations and policies."""
    answer = dict(client.get_request_authorization_details(authorizationId=authorization_id))
    token = answer.get("nextToken")
    while token:
        page = client.get_request_authorization_details(
            authorizationId=authorization_id, nextToken=token
        )
        for name in ("evaluations", "policies"):
            answer[name] = [*answer.get(name, []), *page.get(name, [])]
        token = page.get("nextToken")
    return answer
