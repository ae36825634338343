"""What a client does in the shell that asks: would it reach the lab's cloud, or something else.

Variables are read as the SDKs read them, the CA files are tried on the endpoint, and a client of
boto3 is made as any program would make it. A client that would go elsewhere is not let go.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from nitro_workflow.cloud import Connection

__all__ = ["Diagnosis", "diagnose"]

_SERVICES = ("CLOUDTRAIL", "EC2", "IAM", "KMS", "S3", "STS")
_TIMEOUT_S = 5
_CA_FILES = ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
             "NODE_EXTRA_CA_CERTS")  # fmt: skip
# Identities that an SDK takes before the lab's keys, or in their place.
_IDENTITIES = (
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at: `fine`, or what leads elsewhere and what to do. No secrets."""

    what: str
    fine: bool
    found: str
    remedy: str = ""


def diagnose(connection: Connection, environment: Mapping[str, str]) -> list[Diagnosis]:
    """Return what was found of this environment, the trial last; nothing is sent elsewhere."""
    found = [
        *_endpoints(connection, environment),
        *_switches(environment),
        *_proxy(connection, environment),
        *_authorities(connection, environment),
    ]
    return [*found, *_trial(connection)]


def _endpoints(connection: Connection, environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    wanted = connection.endpoint.url
    general = environment.get("AWS_ENDPOINT_URL", "")
    same = general.rstrip("/") == wanted
    yield Diagnosis(
        "AWS_ENDPOINT_URL", same, general or "not set: AWS itself",
        "" if same else f"export AWS_ENDPOINT_URL={wanted}",
    )  # fmt: skip
    for service in _SERVICES:
        name = f"AWS_ENDPOINT_URL_{service}"
        own = environment.get(name, wanted)
        if own.rstrip("/") != wanted:
            yield Diagnosis(name, False, f"{own}: it wins over AWS_ENDPOINT_URL", f"unset {name}")


def _switches(environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    names = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT",
             "AWS_USE_DUALSTACK_ENDPOINT")  # fmt: skip
    for name in names:
        if environment.get(name, "").lower() == "true":
            yield Diagnosis(name, False, "true: AWS's own names are used", f"export {name}=false")
    for name in _IDENTITIES:
        if environment.get(name):
            yield Diagnosis(name, False, "set: another identity", f"unset {name}")
    disabled = environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true"
    yield Diagnosis(
        "AWS_EC2_METADATA_DISABLED", disabled,
        "true" if disabled else "not true: without keys an SDK asks a machine's metadata service",
        "" if disabled else "export AWS_EC2_METADATA_DISABLED=true",
    )  # fmt: skip


def _proxy(connection: Connection, environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    host = urlsplit(connection.endpoint.url).hostname or ""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        exempt = ",".join(filter(None, (environment.get(n, "") for n in ("NO_PROXY", "no_proxy"))))
        names = [part.strip().lstrip(".") for part in exempt.split(",")]
        if environment.get(name) and host not in names and "*" not in names:
            found = f"set, and {host} is not in NO_PROXY"
            remedy = f'export NO_PROXY="{host},$NO_PROXY" no_proxy="{host},$no_proxy"'
            yield Diagnosis(name, False, found, remedy)


def _authorities(connection: Connection, environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    for name in _CA_FILES:
        path = environment.get(name)
        if path:
            trouble = _trouble(connection, Path(path))
            remedy = f"export {name}={connection.endpoint.ca}" if trouble else ""
            yield Diagnosis(name, not trouble, trouble or "vouches for the cloud", remedy)
    if environment.get("AWS_CA_BUNDLE"):
        yield Diagnosis("rclone", True, "fails where AWS_CA_BUNDLE is set: cloud env --for rclone")


def _trouble(connection: Connection, path: Path) -> str:
    """Return why a client with this CA file does not trust the endpoint; "" where it does."""
    where = urlsplit(connection.endpoint.url)
    address = (where.hostname or "", where.port or 443)
    try:
        context = ssl.create_default_context(cafile=path)
        with (
            socket.create_connection(address, _TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=where.hostname),
        ):
            return ""
    except ssl.SSLCertVerificationError as error:
        return f"does not vouch for the cloud: {error.verify_message}"
    except (OSError, ssl.SSLError) as error:
        return f"cannot be used: {error.strerror or type(error).__name__}"


def _trial(connection: Connection) -> Iterator[Diagnosis]:
    """Make the clients that a program would make here; ask who they are, of this cloud only."""
    try:
        session = _session()
        clients = {name: session.create_client(name) for name in ("sts", "kms", "s3")}
    except Exception as error:  # noqa: BLE001 - botocore's own words are the diagnosis
        yield Diagnosis("boto3", False, f"{type(error).__name__}: {error}", _RECIPE)
        return
    try:
        strays = {
            n: c for n, c in clients.items() if c.meta.endpoint_url != connection.endpoint.url
        }
        for name, client in strays.items():
            found = f"would go to {client.meta.endpoint_url}; nothing was sent"
            yield Diagnosis(f"boto3 {name}", False, found, _RECIPE)
        if not strays:
            yield _identity(clients["sts"].get_caller_identity)
    finally:
        for client in clients.values():
            client.close()


_RECIPE = 'eval "$(nitro-workflow cloud env)"'


def _session() -> Any:
    """Return botocore's session of this environment, without what asks a machine for its role."""
    import botocore.session

    session = botocore.session.Session()
    session.set_config_variable("region", session.get_config_variable("region") or "us-east-1")
    chain = session.get_component("credential_provider")
    for name in ("iam-role", "container-role"):
        chain.remove(name)
    return session


def _identity(ask: Callable[[], Mapping[str, Any]]) -> Diagnosis:
    try:
        return Diagnosis("boto3", True, f"is {ask()['Arn']} of this cloud")
    except Exception as error:  # noqa: BLE001 - botocore's own words are the diagnosis
        return Diagnosis("boto3", False, f"{type(error).__name__}: {error}", _RECIPE)
