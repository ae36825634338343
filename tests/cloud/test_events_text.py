"""What a caller chose is text in the log and on the terminal: it moves nothing and forges no line."""

from __future__ import annotations

import contextlib
import json

import pytest
from click.testing import CliRunner

from nitro_workflow.cli.cloud import events as events_command
from tests.cloud.conftest import DATA, RunningCloud

ESCAPES = "\x1b[2J\x1b]0;owned\x07"
FORGED = "\n2026-01-01T00:00:00.000Z  kms:Decrypt  done\n  who  arn:aws:iam::1:root"
BIDI = "\u202eesrever\u2066"
NASTY = f"{ESCAPES}\r{FORGED}\r\u2028{BIDI}\x85\x9b31m"


@pytest.fixture(scope="module")
def shown(cloud: RunningCloud) -> str:
    """The events command's output after calls with nasty strings wherever they may stand."""
    kms, sts, ec2 = (cloud.client(name) for name in ("kms", "sts", "ec2"))
    s3, iam = cloud.client("s3"), cloud.client("iam")
    key = kms.create_key(Description=NASTY)["KeyMetadata"]["KeyId"]
    role = cloud.role("Nasty", [])
    refused = [
        lambda: kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={NASTY: NASTY}),
        lambda: cloud.client("kms", role).encrypt(
            KeyId=key, Plaintext=b"x", EncryptionContext={NASTY[:99]: NASTY}
        ),
        lambda: kms.encrypt(KeyId="alias/" + NASTY, Plaintext=b"x"),
        lambda: kms.create_alias(AliasName="alias/" + NASTY, TargetKeyId=key),
        lambda: ec2.start_instances(InstanceIds=["i-" + NASTY]),
        lambda: iam.get_role(RoleName=NASTY),
        lambda: sts.assume_role(RoleArn="arn:aws:iam::1:role/" + NASTY, RoleSessionName="x"),
        lambda: s3.get_object(Bucket="nasty-bucket", Key=NASTY),
        lambda: cloud.client("s3", role).get_object(Bucket="nasty", Key=NASTY),
    ]
    s3.create_bucket(Bucket="nasty")
    for call in refused:
        with contextlib.suppress(Exception):
            call()
    options = ["--lab", str(cloud.lab), "--limit", "40", "--account", DATA]
    done = CliRunner().invoke(events_command, options, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_nothing_reaches_the_terminal_raw(shown: str) -> None:
    assert "owned" in shown or "\\x1b" in shown
    assert all(letter.isprintable() or letter == "\n" for letter in shown)


def test_no_line_is_forged(shown: str) -> None:
    assert "2026-01-01" not in [line[:10] for line in shown.splitlines()]
    assert not any(
        line.strip().startswith("who  arn:aws:iam::1:root") for line in shown.splitlines()
    )


def test_the_servers_log_is_one_object_a_line(cloud: RunningCloud, shown: str) -> None:
    assert shown
    lines = cloud.log.splitlines()
    assert all(line.isascii() and isinstance(json.loads(line), dict) for line in lines)
