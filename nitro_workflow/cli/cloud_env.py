"""What each SDK needs to reach the local cloud, in its own way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from nitro_workflow.cloud import REGION, Connection
from nitro_workflow.errors import UsageError

__all__ = ["LANGUAGES", "recipe"]

LANGUAGES = ("boto3", "cli", "cpp", "go", "java", "js", "other", "rclone", "rust")

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


def _variables(*names: str) -> Callable[[Path], list[str]]:
    return lambda ca: [f"export {name}={quote(str(ca))}" for name in names]


def _openssl(*further: str) -> Callable[[Path], list[str]]:
    """Return lines for whatever reads OpenSSL's variables: a folder of CAs would count as well."""
    return lambda ca: ["unset SSL_CERT_DIR", *_variables("SSL_CERT_FILE", *further)(ca)]


def _rclone(ca: Path) -> list[str]:
    """Return lines that make the remote ``nitro:``, which takes the rest from the environment.

    To rclone, AWS is a name that a bucket stands in front of; its other S3s have it in the path.
    """
    remote = {"TYPE": "s3", "PROVIDER": "Minio", "ENV_AUTH": "true",
              "FORCE_PATH_STYLE": "true"}  # fmt: skip
    return [
        "unset AWS_CA_BUNDLE",
        *_openssl()(ca),
        "export AWS_SDK_LOAD_CONFIG=1",
        *(f"export RCLONE_CONFIG_NITRO_{name}={value}" for name, value in remote.items()),
        'export RCLONE_CONFIG_NITRO_ENDPOINT="$AWS_ENDPOINT_URL"',
        'export RCLONE_CONFIG_NITRO_REGION="$AWS_REGION"',
    ]


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
# Node.js CLI documentation (NODE_EXTRA_CA_CERTS); rustls-native-certs and Go's crypto/x509
# (SSL_CERT_FILE); libcurl (CURL_CA_BUNDLE); JSSE Reference Guide (javax.net.ssl.trustStore).
_CA: dict[str, Callable[[Path], list[str]]] = {
    "boto3": _variables("AWS_CA_BUNDLE"),
    "cli": _variables("AWS_CA_BUNDLE"),
    "cpp": _openssl("AWS_CA_BUNDLE", "CURL_CA_BUNDLE"),
    "go": _variables("AWS_CA_BUNDLE"),
    "java": _trust_store,
    "js": _variables("NODE_EXTRA_CA_CERTS"),
    "other": _openssl("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
    "rclone": _rclone,
    "rust": _openssl(),
}
_NOTES = {
    "boto3": "boto3 1.28 or later reads AWS_ENDPOINT_URL, also where a library calls it.",
    "cli": "AWS CLI 1.29 or 2.13, or later, reads AWS_ENDPOINT_URL.",
    "cpp": (
        "AWS SDK for C++ 1.11.486 or later reads AWS_ENDPOINT_URL; an earlier one, and pyarrow's "
        "S3FileSystem (tls_ca_file_path), are given endpoint and CA in the program."
    ),
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
    "other": (
        "Programs that read SSL_CERT_FILE, CURL_CA_BUNDLE or REQUESTS_CA_BUNDLE: minio, curl, "
        "s3fs-fuse (-o url=$AWS_ENDPOINT_URL -o use_path_request_style), sops, Terraform."
    ),
    "rclone": (
        "The remote is nitro: (rclone ls nitro:BUCKET). rclone fails where AWS_CA_BUNDLE is set, "
        "so it is unset in this shell."
    ),
    "rust": (
        "aws-config reads AWS_ENDPOINT_URL; the default TLS client reads SSL_CERT_FILE. S3 with an "
        "endpoint that is a name, not an address, needs force_path_style(true)."
    ),
}


def recipe(
    connection: Connection,
    language: str,
    account: str,
    lab: Path,
    *,
    show_secrets: bool,
    region: str = REGION,
) -> str:
    """Return lines for a shell. Without `show_secrets` they hold no secret.

    A lab that somebody else made is data: nothing of it becomes code of the shell or of the JVM.

    Raises `UsageError`: no key of that account is kept here; or a path or an endpoint with a
    character that a line of a file, or the JVM's options, cannot hold.
    """
    key = connection.key(account)
    for text in (str(lab), connection.endpoint.ca, connection.endpoint.url, account, region):
        _check(text, without='"' if language == "java" else "")
    lines = [
        f"# {_NOTES[language]}",
        f"unset {' '.join(_UNSET)}",
        f"export AWS_ENDPOINT_URL={quote(connection.endpoint.url)}",
        f"export AWS_REGION={quote(region)} AWS_DEFAULT_REGION={quote(region)}",
        _STATED,
        *_no_proxy(connection.endpoint.url),
        *_CA[language](Path(connection.endpoint.ca)),
    ]
    process = "" if show_secrets else _process(account, lab)
    lines += _profile(
        lab / "cloud" / f"aws-config-{account}{'-keys' if show_secrets else ''}", process
    )
    if show_secrets:
        lines.append(f"export AWS_ACCESS_KEY_ID={quote(key['access_key_id'])}")
        lines.append(f"export AWS_SECRET_ACCESS_KEY={quote(key['secret_access_key'])}")
    else:
        lines.append("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY")
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


def _process(account: str, lab: Path) -> str:
    """Return the line of a profile that lets the SDK fetch the credentials itself."""
    command = (
        f"{quote(sys.executable)} -m nitro_workflow.cli cloud credentials "
        f"--lab {quote(str(lab))} --account {quote(account)} --print-secrets"
    )
    return f"credential_process = {command}\n"


def _profile(config: Path, process: str) -> list[str]:
    """Return lines that put a profile of this lab in the place of the user's own files.

    Presigned URLs are made with Signature Version 4, and a bucket stands in the path: an endpoint
    that is a name would get it in front of that name.
    """
    profile = f"[default]\n{process}s3 =\n  signature_version = s3v4\n  addressing_style = path"
    return [
        f"printf '%s\\n' {quote(profile)} > {quote(str(config))}",
        f"export AWS_CONFIG_FILE={quote(str(config))}",
        f"export AWS_SHARED_CREDENTIALS_FILE={quote(str(config.parent / 'no-credentials'))}",
    ]
