"""AWS's own SDKs against the local cloud: other languages, TLS stacks, signers, checksums.

Each is told of the cloud only by what ``nitro-workflow cloud env`` prints for it, pasted into a
shell as it is. The folder's name has a space, and the shell holds settings for another cloud.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from nitro_workflow.attestation import HypervisorPki
from nitro_workflow.cli.cloud import cloud as cloud_command
from nitro_workflow.cloud.local.http.tls_identity import ensure_tls
from nitro_workflow.cms import open_envelope
from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow, policy
from tests.interop.peers import Unbuilt
from tests.interop.sdks import SDKS, Sdk

pytestmark = pytest.mark.interop

SECRET = "the data key of an enclave"
PCRS = {index: bytes([index + 1]) * 48 for index in range(16)}
ROOT = {"AWS": f"arn:aws:iam::{DATA}:root"}
# What would lead an SDK elsewhere: another endpoint, an identity of a pod, a profile, a proxy.
ELSEWHERE = "https://127.0.0.1:9"
POISON = {
    "AWS_ENDPOINT_URL": ELSEWHERE,
    "AWS_ENDPOINT_URL_KMS": ELSEWHERE,
    "AWS_ENDPOINT_URL_S3": ELSEWHERE,
    "AWS_ENDPOINT_URL_STS": ELSEWHERE,
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_REGION": "eu-north-1",
    "AWS_DEFAULT_REGION": "eu-north-1",
    "AWS_PROFILE": "production",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS_SESSION_TOKEN": "another session",
    "AWS_ROLE_ARN": f"arn:aws:iam::{DATA}:role/Pod",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "/nonexistent/token",
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
}
Run = Callable[..., dict[str, Any]]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(sdk, id=sdk.name, marks=[pytest.mark.heavy] if sdk.heavy else [])
        for sdk in SDKS
    ],
)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    return request.param


@pytest.fixture(scope="module")
def made(sdk: Sdk) -> tuple[list[str], str]:
    """Return the command that runs the SDK's program, or why there is none."""
    if not sdk.present:
        return [], sdk.remedy
    try:
        return sdk.make(), ""
    except Unbuilt as trouble:
        return [], f"{sdk.remedy}: {trouble}"


@pytest.fixture
def program(made: tuple[list[str], str], require: Callable[[str, bool, str], None]) -> Run:
    command, trouble = made
    require("interop", not trouble, trouble)

    def run(environment: dict[str, str], *words: str, code: int = 0) -> dict[str, Any]:
        done = subprocess.run([*command, *words], capture_output=True, text=True, env=environment)
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def pki() -> HypervisorPki:
    return HypervisorPki.create(datetime.now(UTC))


@pytest.fixture(scope="module")
def lab_cloud(
    tmp_path_factory: pytest.TempPathFactory, pki: HypervisorPki
) -> Iterator[RunningCloud]:
    """One cloud for all SDKs; it believes this hypervisor's documents."""
    running = RunningCloud(tmp_path_factory.mktemp("sdks") / "the lab")
    root = running.lab / "hypervisor" / "root.pem"
    root.parent.mkdir(parents=True)
    certificate = x509.load_der_x509_certificate(pki.root_der)
    root.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    running.start()
    yield running
    running.stop(signal.SIGKILL)


def pasted(lab: Path, sdk: Sdk, *options: str, home: Path, times: int = 1) -> dict[str, str]:
    """Return the environment of a shell in which the command's output was pasted."""
    words = ["env", "--lab", str(lab), "--for", sdk.name, *options]
    recipe = CliRunner().invoke(cloud_command, words, catch_exceptions=False).stdout
    script = "\n".join([*[recipe] * times, "env -0"])
    before = {"PATH": os.environ["PATH"], "HOME": str(home), **POISON}
    shell = ["sh", "-euc", script]
    shown = subprocess.run(shell, capture_output=True, check=True, env=before).stdout
    pairs = (line.partition("=") for line in shown.decode().split("\0") if line)
    return {name: value for name, _, value in pairs}


@pytest.fixture
def owner(lab_cloud: RunningCloud, sdk: Sdk, tmp_path: Path) -> dict[str, str]:
    return pasted(lab_cloud.lab, sdk, "--show-secrets", home=tmp_path)


def test_credentials_through_the_recipe(
    lab_cloud: RunningCloud, sdk: Sdk, program: Run, tmp_path: Path
) -> None:
    key = lab_cloud.keys[COMPUTE]["secret_access_key"]
    given = pasted(lab_cloud.lab, sdk, "--account", COMPUTE, home=tmp_path, times=2)
    assert key not in "".join(given.values())
    assert program(given, "who") == {"arn": f"arn:aws:iam::{COMPUTE}:user/operator"}


def test_another_authority_is_refused(
    lab_cloud: RunningCloud, sdk: Sdk, program: Run, tmp_path: Path
) -> None:
    """The recipe of a folder that names the same endpoint and another CA of the same name."""
    folder = tmp_path / "impostor" / "cloud"
    where = {"endpoint": lab_cloud.endpoint, "ca": str(ensure_tls(folder, "us-east-1").ca)}
    (folder / "endpoint.json").write_text(json.dumps(where))
    (folder / "credentials.json").write_text(json.dumps(lab_cloud.keys))
    given = pasted(folder.parent, sdk, "--show-secrets", home=tmp_path)
    answer = program({**given, "AWS_MAX_ATTEMPTS": "1"}, "who", code=1)
    assert answer.keys() == {"error"}
    assert sdk.distrust in answer["error"]


def test_plain_decrypt(owner: dict[str, str], program: Run, tmp_path: Path) -> None:
    everything = policy(allow("kms:*", Principal=ROOT))
    (tmp_path / "policy.json").write_text(everything)
    made = program(owner, "create", str(tmp_path / "policy.json"), SECRET)
    assert made["key"].startswith(f"arn:aws:kms:us-east-1:{DATA}:key/")
    (tmp_path / "sealed").write_bytes(base64.b64decode(made["ciphertext"]))
    answer = program(owner, "decrypt", str(tmp_path / "sealed"), "-")
    assert base64.b64decode(answer["plaintext"]) == SECRET.encode()
    assert answer["envelope"] is None


def test_attested_decrypt(
    lab_cloud: RunningCloud,
    pki: HypervisorPki,
    sdk: Sdk,
    owner: dict[str, str],
    program: Run,
    tmp_path: Path,
) -> None:
    name = f"Parent-{sdk.name}"
    session = lab_cloud.role(name, [allow("kms:Decrypt")], account=COMPUTE)
    parent = {
        **owner,
        "AWS_ACCESS_KEY_ID": session["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": session["SecretAccessKey"],
        "AWS_SESSION_TOKEN": session["SessionToken"],
    }
    sealed, document = tmp_path / "sealed", tmp_path / "document"

    # 1. the owner makes a key and encrypts
    (tmp_path / "policy.json").write_text(key_policy(f"arn:aws:iam::{COMPUTE}:role/{name}"))
    made = program(owner, "create", str(tmp_path / "policy.json"), SECRET)
    sealed.write_bytes(base64.b64decode(made["ciphertext"]))

    # 2. with a document of the right enclave the parent gets an envelope, and only that
    private = rsa.generate_private_key(65537, 2048)
    document.write_bytes(issue(pki, private, PCRS))
    answer = program(parent, "decrypt", str(sealed), str(document))
    assert answer["plaintext"] is None
    assert open_envelope(base64.b64decode(answer["envelope"]), private) == SECRET.encode()

    # 3. refusals: no document, another image, another root
    refusal = {
        "code": "AccessDeniedException",
        "message": f"User: arn:aws:sts::{COMPUTE}:assumed-role/{name}/test is not authorized to "
        f"perform: kms:Decrypt on resource: {made['key']} because no resource-based policy allows "
        "the kms:Decrypt action",
    }
    assert program(parent, "decrypt", str(sealed), "-", code=1) == refusal
    document.write_bytes(issue(pki, private, {**PCRS, 0: bytes(47) + b"\1"}))
    assert program(parent, "decrypt", str(sealed), str(document), code=1) == refusal
    document.write_bytes(issue(HypervisorPki.create(datetime.now(UTC)), private, PCRS))
    other = program(parent, "decrypt", str(sealed), str(document), code=1)
    assert other["code"] == "ValidationException"

    # 4. the owner may not decrypt either, and his trail shows what the cloud saw
    assert program(owner, "decrypt", str(sealed), "-", code=1)["code"] == "AccessDeniedException"
    records = lab_cloud.events(DATA, EventName="Decrypt", ResourceName=made["key"])
    seen = [r["additionalEventData"].get("recipient") for r in records if "errorCode" not in r]
    digest = base64.b64encode(PCRS[0]).decode()
    assert [s["attestationDocumentEnclaveImageDigest"] for s in seen] == [digest]
    assert all(sdk.agent in r["userAgent"] for r in records)


def test_objects(owner: dict[str, str], sdk: Sdk, program: Run) -> None:
    assert program(owner, "store", f"{sdk.name}-bucket") == {"same": True, "key": "a b/ü+x"}
    wrong = {**owner, "AWS_SECRET_ACCESS_KEY": "x" * 40}
    assert program(wrong, "store", f"{sdk.name}-other", code=1)["code"] == "SignatureDoesNotMatch"


def key_policy(role: str) -> str:
    measured = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": PCRS[0].hex()}}
    return policy(
        {"Effect": "Allow", "Principal": ROOT, "Resource": "*",
         "NotAction": ["kms:Decrypt", "kms:ReEncryptFrom"]},
        allow("kms:Decrypt", Principal={"AWS": role}, Condition=measured),
    )  # fmt: skip


def issue(pki: HypervisorPki, private: rsa.RSAPrivateKey, pcrs: dict[int, bytes]) -> bytes:
    now = datetime.now(UTC)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    issuer = pki.instance("i-0123456789abcdef0", now)
    module = "i-0123456789abcdef0-enc0123456789abcde"
    return issuer.issue(module_id=module, pcrs=pcrs, public_key=public, now=now)
