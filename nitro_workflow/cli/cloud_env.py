"""What each SDK needs to reach the local cloud, in its own way."""

from __future__ import annotations

import sys
from pathlib import Path

from nitro_workflow.cloud.connection import REGION, Connection

__all__ = ["LANGUAGES", "recipe"]

LANGUAGES = ("boto3", "cli", "go", "java", "js", "rust")

# How each SDK is told of a CA. Sources: AWS SDKs and Tools Reference Guide, "Custom CA bundle";
# Node.js CLI documentation (NODE_EXTRA_CA_CERTS); rustls-native-certs (SSL_CERT_FILE); JSSE
# Reference Guide (javax.net.ssl.trustStore).
_CA = {
    "boto3": 'export AWS_CA_BUNDLE="{ca}"',
    "cli": 'export AWS_CA_BUNDLE="{ca}"',
    "go": 'export AWS_CA_BUNDLE="{ca}"',
    "js": 'export NODE_EXTRA_CA_CERTS="{ca}"',
    "rust": 'export SSL_CERT_FILE="{ca}"',
    "java": (
        'keytool -importcert -noprompt -alias nitro-lab -file "{ca}" \\\n'
        '    -keystore "{ca}.p12" -storetype PKCS12 -storepass changeit\n'
        'export JAVA_TOOL_OPTIONS="-Djavax.net.ssl.trustStore={ca}.p12 '
        '-Djavax.net.ssl.trustStorePassword=changeit"'
    ),
}
_NOTES = {
    "boto3": 'S3 presigned URLs need Config(signature_version="s3v4").',
    "cli": "AWS CLI 2.13 or later reads AWS_ENDPOINT_URL.",
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

    Raises:
        UsageError: no key of that account is kept here.
    """
    key = connection.key(account)
    lines = [
        f"# {_NOTES[language]}",
        f'export AWS_ENDPOINT_URL="{connection.endpoint}"',
        f'export AWS_REGION="{REGION}" AWS_DEFAULT_REGION="{REGION}"',
        'export AWS_EC2_METADATA_DISABLED="true"',
        _CA[language].format(ca=connection.ca),
    ]
    if show_secrets:
        lines.append(f'export AWS_ACCESS_KEY_ID="{key["access_key_id"]}"')
        lines.append(f'export AWS_SECRET_ACCESS_KEY="{key["secret_access_key"]}"')
        lines.append("unset AWS_SESSION_TOKEN AWS_PROFILE")
    else:
        lines += _process_profile(account, lab)
    return "\n".join(lines)


def _process_profile(account: str, lab: Path) -> list[str]:
    """Return lines that let the SDK fetch the credentials: a profile with credential_process."""
    folder = lab / "cloud"
    command = (
        f'"{sys.executable}" -m nitro_workflow.cli cloud credentials '
        f'--lab "{lab}" --account {account} --print-secrets'
    )
    return [
        f"cat > \"{folder}/aws-config-{account}\" <<'END'",
        "[default]",
        f"credential_process = {command}",
        "END",
        f'export AWS_CONFIG_FILE="{folder}/aws-config-{account}"',
        f'export AWS_SHARED_CREDENTIALS_FILE="{folder}/no-credentials"',
        "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE",
    ]
