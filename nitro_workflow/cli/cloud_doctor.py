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
from shlex import quote
from typing import Any
from urllib.parse import urlsplit

from nitro_workflow.cloud import Connection

__all__ = ["Diagnosis", "diagnose"]

_SERVICES = ("CLOUDTRAIL", "EC2", "IAM", "KMS", "S3", "STS")
_TIMEOUT_S = 5
# The first that is set is boto3's and the AWS CLI's CA; each of the others is some programs' own,
# and a shell may hold it for what is not AWS: name → what `cloud env --for` sets it for.
_CA_FILES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
_OTHER_CA_FILES = {"SSL_CERT_FILE": "other", "CURL_CA_BUNDLE": "other", "NODE_EXTRA_CA_CERTS": "js"}
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
    """One thing that was looked at: `fine`, or what leads elsewhere and what to do. No secrets.

    `aside` says that it is some programs' matter, and whether it is well for them is not known.
    """

    what: str
    fine: bool
    found: str
    remedy: str = ""
    aside: bool = False

    @property
    def mark(self) -> str:
        """The word in front of it: ``ok``, ``note`` or ``WRONG``."""
        return ("note" if self.aside else "ok") if self.fine else "WRONG"


def diagnose(connection: Connection, environment: Mapping[str, str]) -> list[Diagnosis]:
    """Return what was found of this environment, the trial last; nothing is sent elsewhere."""
    found = [
        *_endpoints(connection, environment),
        *_switches(environment),
        *_proxy(connection, environment),
        *_authorities(connection, environment),
    ]
    return [*found, *_trial(connection, environment)]


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
    first = next((name for name in _CA_FILES if environment.get(name)), "")
    if first:
        trouble = _trouble(connection, Path(environment[first]))
        remedy = f"export AWS_CA_BUNDLE={quote(connection.endpoint.ca)}" if trouble else ""
        yield Diagnosis(first, not trouble, trouble or _VOUCHES, remedy)
    for name, language in _OTHER_CA_FILES.items():
        if path := environment.get(name):
            trouble = _trouble(connection, Path(path))
            # Whose it is, is not known here: to change it may break what has it for its own.
            advice = f"for a program that reads it, in a shell of its own: {_recipe(language)}"
            yield Diagnosis(
                name, True, f"{trouble}; boto3 does not read it" if trouble else _VOUCHES,
                advice if trouble else "", aside=bool(trouble),
            )  # fmt: skip
    if environment.get("AWS_CA_BUNDLE"):
        found = "fails where AWS_CA_BUNDLE is set"
        yield Diagnosis("rclone", True, found, _recipe("rclone"), aside=True)


def _lent_authority(connection: Connection, environment: Mapping[str, str]) -> str:
    """Return the CA of a shell that is set up for another SDK than boto3; "" where boto3 has one.

    The trial is of the rest then: the endpoint, the identity.
    """
    if any(environment.get(name) for name in _CA_FILES):
        return ""
    files = (environment.get(name, "") for name in _OTHER_CA_FILES)
    if any(path and not _trouble(connection, Path(path)) for path in files):
        return connection.endpoint.ca
    store = f"{connection.endpoint.ca}.p12"
    return connection.endpoint.ca if store in environment.get("JAVA_TOOL_OPTIONS", "") else ""


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


def _trial(connection: Connection, environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Make the clients that a program would make here; ask who they are, of this cloud only."""
    lent = _lent_authority(connection, environment)
    if lent:
        found = "not set, which boto3 and the AWS CLI read; the trial below has the lab's CA"
        yield Diagnosis("AWS_CA_BUNDLE", True, found, aside=True)
    try:
        session = _session(lent)
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


def _recipe(language: str = "") -> str:
    option = f" --for {language}" if language else ""
    return f'eval "$(nitro-workflow cloud env{option})"'


_RECIPE, _VOUCHES = _recipe(), "vouches for the cloud"


def _session(authority: str) -> Any:
    """Return botocore's session of this environment, without what asks a machine for its role."""
    import botocore.session

    session = botocore.session.Session()
    session.set_config_variable("region", session.get_config_variable("region") or "us-east-1")
    if authority:
        session.set_config_variable("ca_bundle", authority)
    chain = session.get_component("credential_provider")
    for name in ("iam-role", "container-role"):
        chain.remove(name)
    return session


def _identity(ask: Callable[[], Mapping[str, Any]]) -> Diagnosis:
    try:
        return Diagnosis("boto3", True, f"is {ask()['Arn']} of this cloud")
    except Exception as error:  # noqa: BLE001 - botocore's own words are the diagnosis
        return Diagnosis("boto3", False, f"{type(error).__name__}: {error}", _RECIPE)
