"""What each SDK needs to reach the local cloud, in its own way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from nitro_workflow.cloud import REGION, Connection
from nitro_workflow.errors import UsageError

__all__ = ["LANGUAGES", "recipe"]

LANGUAGES = ("boto3", "cli", "go", "java", "js", "rust")

# What the shell may hold for real AWS and would win over the endpoint or the credentials below:
# a service's own endpoint, an identity of a pod, another profile, AWS's FIPS or dual-stack names.
_SERVICES = ("CLOUDTRAIL", "EC2", "IAM", "KMS", "S3", "STS")
_UNSET = (
    *(f"AWS_ENDPOINT_URL_{service}" for service in _SERVICES),
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
_STATED = """\
export AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false AWS_EC2_METADATA_DISABLED=true
export AWS_USE_FIPS_ENDPOINT=false AWS_USE_DUALSTACK_ENDPOINT=false"""


def _variable(name: str, ca: Path) -> list[str]:
    return [f"export {name}={quote(str(ca))}"]


def _trust_store(ca: Path) -> list[str]:
    """Return lines that make a store for the JVM, which reads no PEM file."""
    store = f"{ca}.p12"
    # The JVM splits JAVA_TOOL_OPTIONS at spaces unless they are quoted for it too.
    trust = f'-Djavax.net.ssl.trustStore="{store}" -Djavax.net.ssl.trustStorePassword=changeit'
    return [
        f"rm -f {quote(store)}",
        f"keytool -importcert -noprompt -alias nitro-lab -file {quote(str(ca))} \\",
        f"    -keystore {quote(store)} -storetype PKCS12 -storepass changeit",
        f"export JAVA_TOOL_OPTIONS={quote(trust)}",
    ]


# How each SDK is told of a CA. Sources: AWS SDKs and Tools Reference Guide, "Custom CA bundle";
# Node.js CLI documentation (NODE_EXTRA_CA_CERTS); rustls-native-certs (SSL_CERT_FILE); JSSE
# Reference Guide (javax.net.ssl.trustStore).
_CA: dict[str, Callable[[Path], list[str]]] = {
    "boto3": partial(_variable, "AWS_CA_BUNDLE"),
    "cli": partial(_variable, "AWS_CA_BUNDLE"),
    "go": partial(_variable, "AWS_CA_BUNDLE"),
    "java": _trust_store,
    "js": partial(_variable, "NODE_EXTRA_CA_CERTS"),
    "rust": partial(_variable, "SSL_CERT_FILE"),
}
_NOTES = {
    "boto3": 'S3 presigned URLs need Config(signature_version="s3v4").',
    "cli": "AWS CLI 1.29 or 2.13, or later, reads AWS_ENDPOINT_URL.",
    "go": (
        "aws-sdk-go-v2: config.LoadDefaultConfig reads all of these. S3 with an endpoint that is a "
        "name, not an address, needs UsePathStyle."
    ),
    "java": (
        "AWS SDK for Java 2.28 or later reads AWS_ENDPOINT_URL. S3 with an endpoint that is a "
        "name, not an address, needs forcePathStyle(true)."
    ),
    "js": (
        "AWS SDK for JavaScript 3.451 or later reads AWS_ENDPOINT_URL. S3 with an endpoint that is "
        "a name, not an address, needs forcePathStyle."
    ),
    "rust": (
        "aws-config reads AWS_ENDPOINT_URL; the default TLS client reads SSL_CERT_FILE. S3 with an "
        "endpoint that is a name, not an address, needs force_path_style(true)."
    ),
}


def recipe(
    connection: Connection, language: str, account: str, lab: Path, *, show_secrets: bool
) -> str:
    """Return lines for a shell. Without `show_secrets` they hold no secret.

    A lab that somebody else made is data: nothing of it becomes code of the shell or of the JVM.

    Raises:
        UsageError: no key of that account is kept here; or a path or an endpoint with a character
            that a line of a file, or the JVM's options, cannot hold.
    """
    key = connection.key(account)
    for text in (str(lab), connection.endpoint.ca, connection.endpoint.url, account):
        _check(text, without='"' if language == "java" else "")
    lines = [
        f"# {_NOTES[language]}",
        f"unset {' '.join(_UNSET)}",
        f"export AWS_ENDPOINT_URL={quote(connection.endpoint.url)}",
        f"export AWS_REGION={REGION} AWS_DEFAULT_REGION={REGION}",
        _STATED,
        *_no_proxy(connection.endpoint.url),
        *_CA[language](Path(connection.endpoint.ca)),
    ]
    if show_secrets:
        lines.append(f"export AWS_ACCESS_KEY_ID={quote(key['access_key_id'])}")
        lines.append(f"export AWS_SECRET_ACCESS_KEY={quote(key['secret_access_key'])}")
    else:
        lines += _process_profile(account, lab)
    return "\n".join(lines)


def _check(text: str, *, without: str) -> None:
    wrong = next((char for char in text if not char.isprintable() or char in without), None)
    if wrong is not None:
        raise UsageError(
            f"{wrong!r} in {text!r}",
            expected='one line of printable characters, and no " for the JVM',
            where="cloud env",
            next="use a lab whose folder has a plain name",
        )


def _no_proxy(endpoint: str) -> list[str]:
    """Return lines that keep a proxy out of the way to the cloud, and in its place otherwise."""
    host = quote(urlsplit(endpoint).hostname or "")
    return [f'export {name}={host}"${{{name}:+,${name}}}"' for name in ("NO_PROXY", "no_proxy")]


def _process_profile(account: str, lab: Path) -> list[str]:
    """Return lines that let the SDK fetch the credentials: a profile with credential_process."""
    config = lab / "cloud" / f"aws-config-{account}"
    command = (
        f"{quote(sys.executable)} -m nitro_workflow.cli cloud credentials "
        f"--lab {quote(str(lab))} --account {quote(account)} --print-secrets"
    )
    profile = f"[default]\ncredential_process = {command}"
    return [
        f"printf '%s\\n' {quote(profile)} > {quote(str(config))}",
        f"export AWS_CONFIG_FILE={quote(str(config))}",
        f"export AWS_SHARED_CREDENTIALS_FILE={quote(str(lab / 'cloud' / 'no-credentials'))}",
        "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY",
    ]
