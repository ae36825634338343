"""The AWS SDK for Go against the local cloud: another SDK, another TLS stack, another signer.

The program beside this file is made by the Go tool chain; its modules come through the module
proxy. It is told of the cloud only as `nitro-workflow cloud env --for go` prints it.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from nitro_workflow.attestation.issue import HypervisorPki
from nitro_workflow.cms import open_envelope
from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow, own_cloud, policy

__all__ = ["own_cloud"]  # a fixture

pytestmark = pytest.mark.interop

HERE = Path(__file__).parent / "aws_sdk_go"
SECRET = "the data key of an enclave"
PCRS = {index: bytes([index + 1]) * 48 for index in range(16)}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Return a function that runs the Go program with an environment of its own."""
    target = tmp_path_factory.mktemp("go") / "aws_sdk_go"
    subprocess.run(["go", "build", "-trimpath", "-o", str(target), "."], cwd=HERE, check=True)

    def run(environment: dict[str, str], *arguments: str, code: int = 0) -> dict[str, Any]:
        plain = {"PATH": os.environ["PATH"], "HOME": str(target.parent), **environment}
        done = subprocess.run([str(target), *arguments], capture_output=True, text=True, env=plain)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(autouse=True)
def _needs_go(require: Callable[[str, bool, str], None]) -> None:
    require("interop", shutil.which("go") is not None, "install the Go tool chain (1.24 or later)")


def environment(cloud: RunningCloud, keys: dict[str, str]) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_CA_BUNDLE": cloud.ca,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": keys.get("AccessKeyId", keys.get("access_key_id", "")),
        "AWS_SECRET_ACCESS_KEY": keys.get("SecretAccessKey", keys.get("secret_access_key", "")),
        **({"AWS_SESSION_TOKEN": keys["SessionToken"]} if "SessionToken" in keys else {}),
    }


def key_policy(role: str) -> str:
    root = {"AWS": f"arn:aws:iam::{DATA}:root"}
    measured = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": PCRS[0].hex()}}
    return policy(
        {"Effect": "Allow", "Principal": root, "Resource": "*",
         "NotAction": ["kms:Decrypt", "kms:ReEncryptFrom"]},
        {"Effect": "Allow", "Principal": {"AWS": role}, "Resource": "*", "Action": "kms:Decrypt",
         "Condition": measured},
    )  # fmt: skip


def test_credentials_through_the_recipe(
    own_cloud: RunningCloud, program: Callable[..., Any], tmp_path: Path
) -> None:
    own_cloud.start()
    from click.testing import CliRunner

    from nitro_workflow.cli.cloud import cloud

    recipe = CliRunner().invoke(cloud, ["env", "--lab", str(own_cloud.lab), "--for", "go"]).output
    shown = subprocess.run(["sh", "-ec", f"{recipe}\nenv -0"], capture_output=True, check=True)
    pairs = (line.partition(b"=") for line in shown.stdout.split(b"\0"))
    given = {k.decode(): v.decode() for k, _, v in pairs if k.startswith(b"AWS_")}
    assert program(given, "who") == {"arn": f"arn:aws:iam::{DATA}:user/operator"}


def test_objects(own_cloud: RunningCloud, program: Callable[..., Any]) -> None:
    own_cloud.start()
    owner = environment(own_cloud, own_cloud.keys[DATA])
    assert program(owner, "store", "go-bucket") == {"same": True, "key": "a b/ü+x"}
    wrong = {**owner, "AWS_SECRET_ACCESS_KEY": "x" * 40}
    assert program(wrong, "store", "go-other", code=1)["code"] == "SignatureDoesNotMatch"


def test_attested_decrypt(
    own_cloud: RunningCloud, program: Callable[..., Any], tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    pki = HypervisorPki.create(now)
    trust(own_cloud, pki)
    own_cloud.start()
    role = f"arn:aws:iam::{COMPUTE}:role/GoParent"
    session = own_cloud.role("GoParent", [allow("kms:Decrypt")], account=COMPUTE)
    owner, parent = environment(own_cloud, own_cloud.keys[DATA]), environment(own_cloud, session)

    # 1. the owner makes a key and encrypts
    (tmp_path / "policy.json").write_text(key_policy(role))
    made = program(owner, "create", str(tmp_path / "policy.json"), SECRET)
    assert made["key"].startswith(f"arn:aws:kms:us-east-1:{DATA}:key/")
    sealed = tmp_path / "sealed"
    sealed.write_bytes(base64.b64decode(made["ciphertext"]))

    # 2. with a document of the right enclave the parent gets an envelope, and only that
    private = rsa.generate_private_key(65537, 2048)
    document = tmp_path / "document"
    document.write_bytes(issue(pki, private, now, PCRS))
    answer = program(parent, "decrypt", str(sealed), str(document))
    assert answer["plaintext"] is None
    assert open_envelope(base64.b64decode(answer["envelope"]), private) == SECRET.encode()

    # 3. refusals: no document, another image, another root, too old
    refusal = program(parent, "decrypt", str(sealed), "-", code=1)
    assert refusal["code"] == "AccessDeniedException"
    assert refusal["message"].endswith(
        "because no resource-based policy allows the kms:Decrypt action"
    )
    document.write_bytes(issue(pki, private, now, {**PCRS, 0: bytes(47) + b"\1"}))
    assert program(parent, "decrypt", str(sealed), str(document), code=1) == refusal
    document.write_bytes(issue(HypervisorPki.create(now), private, now, PCRS))
    other = program(parent, "decrypt", str(sealed), str(document), code=1)
    assert other["code"] == "ValidationException"
    before = now - timedelta(minutes=10)
    document.write_bytes(issue(pki, private, before, PCRS))
    assert (
        program(parent, "decrypt", str(sealed), str(document), code=1)["code"]
        == "ValidationException"
    )

    # 4. the owner may not decrypt either, and his trail shows what the cloud saw
    assert program(owner, "decrypt", str(sealed), "-", code=1)["code"] == "AccessDeniedException"
    records = own_cloud.events(DATA, EventName="Decrypt")
    seen = [r["additionalEventData"].get("recipient") for r in records if "errorCode" not in r]
    digest = base64.b64encode(PCRS[0]).decode()
    assert [s["attestationDocumentEnclaveImageDigest"] for s in seen] == [digest]
    assert any("aws-sdk-go-v2" in r["userAgent"] for r in records)


def trust(cloud: RunningCloud, pki: HypervisorPki) -> None:
    from cryptography import x509

    path = cloud.lab / "hypervisor" / "root.pem"
    path.parent.mkdir(parents=True)
    certificate = x509.load_der_x509_certificate(pki.root_der)
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def issue(
    pki: HypervisorPki, private: rsa.RSAPrivateKey, now: datetime, pcrs: dict[int, bytes]
) -> bytes:
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    issuer = pki.instance("i-0123456789abcdef0", now)
    module = "i-0123456789abcdef0-enc0123456789abcde"
    return issuer.issue(module_id=module, pcrs=pcrs, public_key=public, now=now)
