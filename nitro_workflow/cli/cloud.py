"""``nitro-workflow cloud`` and ``nitro-workflow events``: the local cloud as a service."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click

from nitro_workflow.cli.cloud_env import LANGUAGES, recipe
from nitro_workflow.cloud import DATA_ACCOUNT, REGION, Connection, cloud_errors

_LAB = click.option(
    "--lab",
    type=click.Path(path_type=Path, file_okay=False),
    help="The lab's folder  [default: NITRO_WORKFLOW_LAB, else one for each user]",
)


def _folder(lab: Path | None) -> Path:
    from nitro_workflow.lab import default_folder

    return (lab or default_folder()).resolve()


@click.group()
def cloud() -> None:
    """Serve the local cloud; print what SDKs need to use it."""


@cloud.command()
@_LAB
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=0, show_default="a free one", type=click.IntRange(0, 65535))
@click.option("--name", help="The host name that clients use, where it is not the address.")
@click.option("--tls-certificate", type=click.Path(path_type=Path, exists=True), help="PEM chain.")
@click.option("--tls-key", type=click.Path(path_type=Path, exists=True), help="PEM private key.")
@click.option("--tls-ca", type=click.Path(path_type=Path, exists=True), help="PEM, for clients.")
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Seed with these keys (of `cloud new-credentials`) instead of drawing some.",
)
@click.option("--json-log", is_flag=True, help="Write one JSON object a request to stderr.")
@click.option(
    "--attestation-max-age",
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="How old an attestation document may be. AWS publishes no figure; this is the lab's.",
)
def serve(
    lab: Path | None,
    bind: str,
    port: int,
    name: str | None,
    tls_certificate: Path | None,
    tls_key: Path | None,
    tls_ca: Path | None,
    credentials: Path | None,
    json_log: bool,
    attestation_max_age: int,
) -> None:
    """Serve KMS, S3, IAM, STS, EC2 and CloudTrail on one HTTPS endpoint until told to stop.

    It is ready when cloud/endpoint.json is in the lab's folder; GET /_nitro/health answers then.
    SIGTERM and SIGINT end it after the requests under way.
    """
    from nitro_workflow.cloud import ServeOptions, Settings, serve, tls_files

    settings = Settings(_folder(lab), attestation_max_age_s=attestation_max_age)
    tls = tls_files(tls_certificate, tls_key, tls_ca)

    def say(address: str) -> None:
        click.echo(
            f"Serving {address}; `nitro-workflow cloud env` prints what SDKs need.", err=True
        )
        click.echo("Control-C stops it; what it knows stays in the lab's folder.", err=True)

    serve(
        ServeOptions(
            settings, bind, port, tls, credentials, json_log, name or "", None if json_log else say
        )
    )


@cloud.command()
@_LAB
@click.option("--for", "language", type=click.Choice(LANGUAGES), default="boto3", show_default=True)
@click.option("--account", default=DATA_ACCOUNT, show_default=True, help="Whose operator.")
@click.option("--region", default=REGION, show_default=True, help="This cloud has every region.")
@click.option("--show-secrets", is_flag=True, help="Print the secret access key as well.")
def env(lab: Path | None, language: str, account: str, region: str, show_secrets: bool) -> None:
    """Print what an SDK needs to reach this cloud: endpoint, CA in its own way, credentials.

    Paste it, or: eval "$(nitro-workflow cloud env --for js)". It undoes what the shell holds for
    real AWS. Secrets are printed only when asked for; without, the SDK fetches them itself through
    credential_process.
    """
    folder = _folder(lab)
    connection = Connection.of(folder)
    text = recipe(connection, language, account, folder, show_secrets=show_secrets, region=region)
    click.echo(text)


@cloud.command()
@_LAB
def doctor(lab: Path | None) -> None:
    """Try the set-up of this shell: whether an AWS client started here reaches this cloud.

    Says what leads elsewhere, and how to mend it. A client that would go elsewhere sends nothing.
    """
    from nitro_workflow.cli.cloud_doctor import diagnose

    found = diagnose(Connection.of(_folder(lab)), os.environ)
    for one in found:
        click.echo(f"{one.mark:<5}  {one.what}: {one.found}")
        if one.remedy:
            click.echo(f"       next: {one.remedy}")
    if not all(one.fine for one in found):
        raise SystemExit(1)  # a finding, as in the one exit table


@cloud.command()
@_LAB
@click.option("--account", default=DATA_ACCOUNT, show_default=True, help="Whose operator.")
@click.option("--print-secrets", is_flag=True, required=True, help="Say that you want them.")
def credentials(lab: Path | None, account: str, print_secrets: bool) -> None:
    """Print an operator's keys as an SDK's credential_process expects them."""
    del print_secrets  # required, so that nobody prints secrets by mistake
    key = Connection.of(_folder(lab)).key(account)
    pair = {"AccessKeyId": key["access_key_id"], "SecretAccessKey": key["secret_access_key"]}
    click.echo(json.dumps({"Version": 1, **pair}))


@cloud.command()
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def new_credentials(path: Path) -> None:
    """Draw keys for a new cloud into PATH (mode 0600), for `cloud serve --credentials PATH`."""
    from nitro_workflow.cloud import draw_keys, write_private

    write_private(path, draw_keys(), replace=False)
    click.echo(f"{path}: keys of two operators and of AWS's own side; keep it private", err=True)


@click.command()
@_LAB
@click.option("--account", multiple=True, help="Only this account's records (repeatable).")
@click.option("--region", default=REGION, show_default=True, help="Which region's records.")
@click.option("--name", help="Only this API call, such as Decrypt.")
@click.option("--denied", is_flag=True, help="Only refusals.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="One CloudTrail-shaped object a line.")
def events(
    lab: Path | None,
    account: tuple[str, ...],
    region: str,
    name: str | None,
    denied: bool,
    limit: int,
    as_json: bool,
) -> None:
    """Show the cloud's decision records, newest last, with their reasons."""
    connection = Connection.of(_folder(lab))
    accounts = account or tuple(key for key in connection.keys if key.isdigit())
    records: dict[str, dict[str, Any]] = {}
    with cloud_errors("events"):
        for owner in accounts:
            # One more than is shown says whether there are more.
            for record in islice(_records(connection, owner, region, name, denied), limit + 1):
                records[record["eventID"]] = record
    newest = sorted(records.values(), key=lambda record: record["eventTime"])[-limit:]
    for record in newest:
        click.echo(json.dumps(record) if as_json else "\n".join(map(_as_text, _lines(record))))
    if not newest:
        click.echo(f"No such record in {region}; --region names another.", err=True)
    elif len(records) > limit:
        click.echo(
            f"The newest {limit}; there are more: --limit {min(limit * 10, 10_000)}", err=True
        )


def _records(
    connection: Connection, account: str, region: str, name: str | None, denied: bool
) -> Iterator[dict[str, Any]]:
    """Yield the account's records, newest first."""
    attributes = [{"AttributeKey": "EventName", "AttributeValue": name}] if name else []
    with connection.client("cloudtrail", account, region) as client:
        for page in client.get_paginator("lookup_events").paginate(LookupAttributes=attributes):
            for event in page["Events"]:
                record = json.loads(event["CloudTrailEvent"])
                if "errorCode" in record or not denied:
                    yield record


def _as_text(line: str) -> str:
    """Return a line in which what a caller chose moves no cursor and makes no second line."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)


def _lines(record: dict[str, Any]) -> list[str]:
    identity = record["userIdentity"]
    who = identity.get("arn") or identity.get("invokedBy", "anonymous")
    service = record["eventSource"].partition(".")[0]
    outcome = record.get("errorCode", "done")
    lines = [f"{record['eventTime']}  {service}:{record['eventName']}  {outcome}", f"  who  {who}"]
    additional = record.get("additionalEventData", {})
    decision = additional.get("nitroWorkflow", {})
    if record.get("errorMessage"):
        lines.append(f"  said {record['errorMessage']}")
    if text := decision.get("explanation", decision.get("summary", "")):
        lines += [f"  │ {line}" if line else "  │" for line in text.splitlines()]
    lines += [f"  {key}  {value}" for key, value in additional.get("recipient", {}).items()]
    return lines
