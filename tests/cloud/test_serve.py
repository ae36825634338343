"""The process: ready, restarted, killed, told to stop; and what it refuses to do."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nitro_workflow.cli.cloud import cloud as cloud_command
from nitro_workflow.cli.cloud import events as events_command
from nitro_workflow.cli.cloud_env import LANGUAGES, recipe
from nitro_workflow.cloud import Connection, Endpoint, ServeOptions, Settings
from nitro_workflow.cloud.local.serve import serve
from nitro_workflow.errors import CertificateError, CloudUnavailable, InputError, UsageError
from tests.cloud.conftest import COMPUTE, DATA, SERVE, SERVICE, RunningCloud, allow


def test_a_first_start_seeds_keys_that_nobody_knows(cloud: RunningCloud) -> None:
    path = cloud.lab / "cloud" / "credentials.json"
    assert set(cloud.keys) == {DATA, COMPUTE, SERVICE}
    for private in (path, path.with_name("wrapping.key"), path.with_name("server.key")):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert all(len(key["secret_access_key"]) == 40 for key in cloud.keys.values())


def test_health(cloud: RunningCloud) -> None:
    context = ssl.create_default_context(cafile=cloud.ca)
    with urllib.request.urlopen(f"{cloud.endpoint}/_nitro/health", context=context) as answer:
        facts = json.loads(answer.read())
    assert facts.pop("descriptors") > 5
    assert facts == {"status": "ok", "accounts": 2, "pid": cloud.pid}


def test_state_and_identity_survive(own_cloud: RunningCloud) -> None:
    own_cloud.start()
    session = own_cloud.role("Kept", [allow("iam:ListRoles")])
    own_cloud.client("s3").create_bucket(Bucket="kept")
    own_cloud.client("s3").put_object(Bucket="kept", Key="k", Body=b"kept")
    ca, port = Path(own_cloud.ca).read_bytes(), own_cloud.port
    assert own_cloud.stop(signal.SIGKILL) == -signal.SIGKILL
    (own_cloud.lab / "cloud" / "incoming" / "unfinished").write_bytes(b"x")
    own_cloud.start("--port", str(port))
    assert own_cloud.port == port
    assert Path(own_cloud.ca).read_bytes() == ca
    assert own_cloud.client("s3").get_object(Bucket="kept", Key="k")["Body"].read() == b"kept"
    own_cloud.client("iam", session).list_roles()  # the session of before
    assert not list((own_cloud.lab / "cloud" / "incoming").iterdir())
    assert own_cloud.stop() == 0
    assert not (own_cloud.lab / "cloud" / "endpoint.json").exists()


def test_files_that_no_row_names_are_swept(own_cloud: RunningCloud) -> None:
    own_cloud.start()
    own_cloud.stop()
    lost = own_cloud.lab / "cloud" / "objects" / "ff" / ("f" * 32)
    lost.parent.mkdir()
    lost.write_bytes(b"x")
    own_cloud.start()
    assert not lost.exists()


def test_one_process_a_cloud(cloud: RunningCloud) -> None:
    with pytest.raises(CloudUnavailable, match="another process"):
        serve(ServeOptions(Settings(cloud.lab)))
    assert json.loads((cloud.lab / "cloud" / "endpoint.json").read_text())["pid"] == cloud.pid


def test_a_port_that_is_taken(tmp_path: Path, cloud: RunningCloud) -> None:
    with pytest.raises(CloudUnavailable, match="can not be bound"):
        serve(ServeOptions(Settings(tmp_path), port=cloud.port))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.internal"])
def test_no_default_credential_beyond_loopback(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError, match="drawn by default"):
        serve(ServeOptions(Settings(tmp_path), host))
    assert not (tmp_path / "cloud" / "credentials.json").exists()


def test_a_seeded_cloud_is_not_opened_to_a_network(cloud: RunningCloud) -> None:
    with pytest.raises(UsageError, match="drawn by default"):
        serve(ServeOptions(Settings(cloud.lab), "0.0.0.0"))


def new_credentials(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    done = CliRunner().invoke(cloud_command, ["new-credentials", str(path)])
    assert done.exit_code == 0, done.output
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return path


def test_a_teams_cloud_needs_its_own_keys_and_certificate(tmp_path: Path) -> None:
    path = new_credentials(tmp_path)
    with pytest.raises(UsageError, match="the lab's own certificate"):
        serve(ServeOptions(Settings(tmp_path), "0.0.0.0", credentials=path))
    with pytest.raises(UsageError, match="there already"):
        CliRunner().invoke(cloud_command, ["new-credentials", str(path)], catch_exceptions=False)


def test_a_teams_cloud(tmp_path: Path, own_cloud: RunningCloud, cloud: RunningCloud) -> None:
    path, tls = new_credentials(tmp_path), cloud.lab / "cloud"
    own_cloud.process = subprocess.Popen(
        [sys.executable, "-m", "nitro_workflow.cli", "cloud", "serve", "--lab", str(own_cloud.lab),
         "--bind", "0.0.0.0", "--name", "localhost", "--credentials", str(path),
         "--tls-certificate", str(tls / "server.pem"), "--tls-key", str(tls / "server.key"),
         "--tls-ca", str(tls / "ca.pem")],
    )  # fmt: skip
    own_cloud.wait()
    assert own_cloud.endpoint.startswith("https://localhost:")
    assert not (own_cloud.lab / "cloud" / "credentials.json").exists()
    endpoint = Endpoint(own_cloud.endpoint, str(tls / "ca.pem"))
    connection = Connection(endpoint, json.loads(path.read_text()))
    with connection.client("sts", DATA) as sts:
        assert sts.get_caller_identity()["Account"] == DATA
    assert own_cloud.stop() == 0


def test_bad_keys_and_tls_files(tmp_path: Path) -> None:
    from nitro_workflow.cloud.local.seed import read_keys
    from nitro_workflow.cloud.local.serve import tls_files

    path = new_credentials(tmp_path)
    path.chmod(0o644)
    with pytest.raises(InputError, match="others can read"):
        read_keys(path)
    path.chmod(0o600)
    keys = json.loads(path.read_text())
    for text in ("", "[]", json.dumps({DATA: {}}),
                 json.dumps({**keys, DATA: {**keys[DATA], "secret_access_key": "test"}})):  # fmt: skip
        path.write_text(text)
        with pytest.raises(InputError):
            read_keys(path)
    assert tls_files(None, None, None) is None
    with pytest.raises(UsageError):
        tls_files(path, None, None)
    with pytest.raises(CertificateError):
        tls_files(path, path, path)


def test_json_log_has_no_secrets(cloud: RunningCloud) -> None:
    session = cloud.role("Logged", [])
    lines = [json.loads(line) for line in cloud.log.splitlines()]
    requests = [line for line in lines if "method" in line]
    assert {"at", "path", "status", "milliseconds", "request_id"} <= requests[-1].keys()
    assert all({"at", "level", "message"} <= line.keys() for line in lines if line not in requests)
    for secret in (session["SecretAccessKey"], session["SessionToken"], session["AccessKeyId"]):
        assert secret not in cloud.log


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cloud_command, arguments, catch_exceptions=False)


@pytest.mark.parametrize("language", ["boto3", "cli", "go", "java", "js", "rust"])
def test_env_prints_no_secret_unasked(cloud: RunningCloud, language: str) -> None:
    where = ("--lab", str(cloud.lab), "--for", language, "--account", COMPUTE)
    secret = cloud.keys[COMPUTE]["secret_access_key"]
    quiet, asked = run("env", *where).output, run("env", *where, "--show-secrets").output
    assert secret not in quiet
    assert secret in asked
    for text in (quiet, asked):
        assert cloud.endpoint in text
        assert cloud.ca in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("a\nEND\ntouch ran\ncat <<'END'\n", "https://127.0.0.1:9"),
        ("a'; touch ran; '", "https://127.0.0.1:9"),
        ("$(touch ran)", "https://127.0.0.1:9"),
        ('a" -XX:OnError="touch ran', "https://127.0.0.1:9"),
        ("a", "https://$(touch\tran):9"),
        ("a", "https://$({touch,ran}):9"),
        ("a", 'https://x";{touch,ran};":9'),
        ("a", "https://127.0.0.1:9/\ntouch ran"),
    ],
)
def test_a_lab_of_somebody_else_runs_nothing_in_the_shell(
    tmp_path: Path, language: str, name: str, endpoint: str
) -> None:
    lab = tmp_path / name
    (lab / "cloud").mkdir(parents=True)
    keys = {DATA: {"access_key_id": "AKIA", "secret_access_key": "s"}}
    connection = Connection(Endpoint(endpoint, str(lab / "cloud" / "ca.pem")), keys)
    for show in (False, True):
        try:
            text = recipe(connection, language, DATA, lab, show_secrets=show)
        except UsageError:
            continue
        rest = 'keytool() { :; }\neval "$1"\nprintf %s "$JAVA_TOOL_OPTIONS"'
        done = subprocess.run(
            ["bash", "-c", rest, "bash", text], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.stderr == ""
        assert "OnError" not in done.stdout
        assert not list(tmp_path.glob("**/ran"))


def test_env_is_enough_for_boto3(cloud: RunningCloud) -> None:
    recipe = run("env", "--lab", str(cloud.lab)).output
    program = (
        "import boto3; c = boto3.client('sts'); print(c.get_caller_identity()['Arn']); c.close()"
    )
    script = f'{recipe}\n{sys.executable} -c "{program}"'
    elsewhere = dict.fromkeys(("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"), "https://127.0.0.1:9")
    poison = {
        **elsewhere, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true", "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_PROFILE": "production", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x" * 40, "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent",
        "AWS_ROLE_ARN": "arn:aws:iam::111122223333:role/Pod", "HTTPS_PROXY": "http://127.0.0.1:9",
    }  # fmt: skip
    clean = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment = {**clean, **poison}
    done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, env=environment)
    assert done.stdout.strip() == f"arn:aws:iam::{DATA}:user/operator", done.stderr


def test_secrets_are_printed_only_when_named(cloud: RunningCloud) -> None:
    assert run("credentials", "--lab", str(cloud.lab)).exit_code == 2
    printed = json.loads(run("credentials", "--lab", str(cloud.lab), "--print-secrets").output)
    assert printed["SecretAccessKey"] == cloud.keys[DATA]["secret_access_key"]
    with pytest.raises(UsageError, match="no credentials of"):
        run("credentials", "--lab", str(cloud.lab), "--account", "0", "--print-secrets")


def test_events_command(cloud: RunningCloud, refused: Any) -> None:
    session = cloud.role("Asker", [])
    refused("AccessDenied", cloud.client("iam", session).list_users)
    options = ["--lab", str(cloud.lab), "--denied", "--name", "ListUsers"]
    shown = CliRunner().invoke(events_command, options, catch_exceptions=False).output
    assert "iam:ListUsers  AccessDenied" in shown
    assert "nothing in the caller's identity policies allows iam:ListUsers" in shown
    lines = CliRunner().invoke(events_command, [*options, "--json"], catch_exceptions=False).output
    assert all(json.loads(line)["errorCode"] for line in lines.splitlines())


def test_no_cloud_says_so(tmp_path: Path) -> None:
    with pytest.raises(CloudUnavailable, match=r"no endpoint\.json"):
        Connection.of(tmp_path)
    (tmp_path / "cloud").mkdir()
    for text, found in (("{", "not JSON"), ("{}", "without endpoint")):
        (tmp_path / "cloud" / "endpoint.json").write_text(text)
        with pytest.raises(CloudUnavailable, match=found):
            Connection.of(tmp_path)


def test_a_missing_lab_and_a_damaged_key(tmp_path: Path) -> None:
    folder = tmp_path / "cloud"
    folder.mkdir()
    (folder / "wrapping.key").write_bytes(b"")
    with pytest.raises(CloudUnavailable, match="0 bytes"):
        serve(ServeOptions(Settings(tmp_path)))
    done = subprocess.run([*SERVE, "--lab", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode != 0


def test_what_says_that_it_is_ready_listens(own_cloud: RunningCloud) -> None:
    own_cloud.start()
    with socket.create_connection(("127.0.0.1", own_cloud.port), timeout=60):
        pass


def test_the_command_says_where_it_serves(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nitro_workflow.cli", "cloud", "serve", "--lab", str(tmp_path)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        written = json.loads((tmp_path / "cloud" / "endpoint.json").read_text())["endpoint"]
        process.terminate()
        assert process.wait(timeout=60) == 0
    assert line.startswith(f"Serving {written};")
