"""`cloud doctor`: what a shell's set-up does to a client, with what leads elsewhere by name."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from nitro_workflow.cli.cloud import cloud as cloud_command
from nitro_workflow.cli.cloud_env import LANGUAGES
from nitro_workflow.cloud.local.http.tls_identity import ensure_tls
from tests.cloud.conftest import DATA, RunningCloud

Doctor = Callable[..., Result]


def invoke(*words: str, env: dict[str, str | None] | None = None) -> Result:
    return CliRunner().invoke(cloud_command, list(words), env=env)


def environment(cloud: RunningCloud, *options: str) -> dict[str, str]:
    """What a shell has after the recipe was pasted into it."""
    text = invoke("env", "--lab", str(cloud.lab), *options).output
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    script = f"keytool() {{ :; }}\n{text}\nenv -0"
    shown = subprocess.run(["sh", "-euc", script], capture_output=True, check=True, env=clean)
    pairs = (line.partition("=") for line in shown.stdout.decode().split("\0") if line)
    return {name: value for name, _, value in pairs}


@pytest.fixture
def doctor(cloud: RunningCloud) -> Doctor:
    def ask(given: dict[str, str], **changes: str) -> Result:
        emptied = dict.fromkeys(os.environ)
        return invoke("doctor", "--lab", str(cloud.lab), env={**emptied, **given, **changes})

    return ask


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_cloud_env_prints_is_well(cloud: RunningCloud, doctor: Doctor, language: str) -> None:
    given = environment(cloud, "--for", language, "--show-secrets")
    said = doctor(given)
    assert said.exit_code == 0, said.output
    assert f"boto3: is arn:aws:iam::{DATA}:user/operator of this cloud" in said.output
    assert "WRONG" not in said.output
    assert cloud.keys[DATA]["secret_access_key"] not in said.output


def test_an_empty_shell_leads_to_aws_and_sends_nothing(
    doctor: Doctor, monkeypatch: pytest.MonkeyPatch, cloud: RunningCloud
) -> None:
    real, reached = socket.socket.connect, []

    def connect(self: Any, address: Any) -> Any:
        reached.append(address)
        return real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    said = doctor({})
    assert said.exit_code == 1
    assert "WRONG  AWS_ENDPOINT_URL: not set: AWS itself" in said.output
    assert (
        "boto3 kms: would go to https://kms.us-east-1.amazonaws.com; nothing was sent"
        in said.output
    )
    assert all(address[1] == cloud.port for address in reached)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AWS_ENDPOINT_URL", "https://127.0.0.1:9", "next: export AWS_ENDPOINT_URL="),
        ("AWS_ENDPOINT_URL_S3", "https://127.0.0.1:9", "next: unset AWS_ENDPOINT_URL_S3"),
        ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", "AWS's own names are used"),
        ("AWS_USE_FIPS_ENDPOINT", "true", "AWS's own names are used"),
        ("AWS_PROFILE", "production", "next: unset AWS_PROFILE"),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/Pod", "another identity"),
        ("AWS_EC2_METADATA_DISABLED", "", "metadata service"),
        ("AWS_SECRET_ACCESS_KEY", "x" * 40, "boto3: ClientError"),
        ("HTTPS_PROXY", "http://127.0.0.1:9", ""),
    ],
)
def test_what_leads_elsewhere_is_named(
    cloud: RunningCloud, doctor: Doctor, name: str, value: str, says: str
) -> None:
    given = environment(cloud, "--show-secrets")
    said = doctor(given, **{name: value})
    # A proxy alone is no trouble: the recipe has taken the cloud out of it.
    assert said.exit_code == (1 if says else 0), said.output
    assert says in said.output
    if name == "HTTPS_PROXY":
        said = doctor(given, HTTPS_PROXY=value, NO_PROXY="", no_proxy="")
        assert "HTTPS_PROXY: set, and 127.0.0.1 is not in NO_PROXY" in said.output


def test_an_authority_that_does_not_vouch(
    cloud: RunningCloud, doctor: Doctor, tmp_path: Path
) -> None:
    given = environment(cloud, "--show-secrets")
    other = str(ensure_tls(tmp_path, "us-east-1").ca)
    said = doctor(given, AWS_CA_BUNDLE=other)
    assert said.exit_code == 1
    assert "WRONG  AWS_CA_BUNDLE: does not vouch for the cloud" in said.output
    assert f"next: export AWS_CA_BUNDLE={cloud.ca}" in said.output
    said = doctor({**given, "AWS_CA_BUNDLE": ""}, REQUESTS_CA_BUNDLE=other)
    assert "WRONG  REQUESTS_CA_BUNDLE: does not vouch for the cloud" in said.output
    assert f"next: export AWS_CA_BUNDLE={cloud.ca}" in said.output
    said = doctor(given, REQUESTS_CA_BUNDLE=other)  # AWS_CA_BUNDLE comes before it
    assert said.exit_code == 0, said.output


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"])
@pytest.mark.parametrize("path", ["other", "/nonexistent"])
def test_another_programs_authority_is_left_alone(
    cloud: RunningCloud, doctor: Doctor, tmp_path: Path, name: str, path: str
) -> None:
    """It was called wrong, and the advice would have broken whatever it was set for."""
    given = environment(cloud, "--show-secrets")
    other = str(ensure_tls(tmp_path, "us-east-1").ca) if path == "other" else path
    said = doctor(given, **{name: other})
    assert said.exit_code == 0, said.output
    assert "WRONG" not in said.output
    assert f"note   {name}: " in said.output
    assert f"export {name}" not in said.output


def test_a_region_of_ones_own(cloud: RunningCloud) -> None:
    given = environment(cloud, "--region", "eu-west-1", "--for", "rclone")
    assert given["AWS_REGION"] == given["RCLONE_CONFIG_NITRO_REGION"] == "eu-west-1"
    assert "AWS_CA_BUNDLE" not in given
    assert "signature_version = s3v4" in Path(given["AWS_CONFIG_FILE"]).read_text()
