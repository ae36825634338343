"""Signing with a key that never leaves KMS: the lab's, over HTTPS, by the command."""

from __future__ import annotations

import datetime as dt

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from nitro_workflow.cli.image import image
from nitro_workflow.errors import CloudUnavailable, Refused
from nitro_workflow.image import measure_file, open_image, verify_signature
from tests.cloud.conftest import DATA, RunningCloud

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    running = RunningCloud(tmp_path_factory.mktemp("cloud"))
    running.start()
    yield running
    assert running.stop() == 0


def certificate_for(kms, arn) -> bytes:
    """Return a certificate for a KMS key's public half, issued by some other key."""
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=arn)["PublicKey"])
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a key in KMS")])
    return (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
        .public_key(public).not_valid_before(NOW - dt.timedelta(1)).not_valid_after(NOW + dt.timedelta(1))
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )  # fmt: skip


@pytest.fixture
def environment(cloud, tmp_path, monkeypatch):
    key = cloud.keys[DATA]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["secret_access_key"])
    monkeypatch.setenv("AWS_CA_BUNDLE", cloud.ca)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", cloud.endpoint)
    return tmp_path


def sign(path, arn, *more: str):
    arguments = ["sign", str(path), "--signing-certificate", "c.pem", "--private-key", arn, *more]
    result = CliRunner().invoke(image, arguments)
    if result.exception is not None:
        raise result.exception
    return result


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_signing_with_the_labs_kms(cloud, environment, small, spec):
    kms = cloud.client("kms")
    arn = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    (environment / "c.pem").write_bytes(certificate_for(kms, arn))
    path = small()
    sign(path, arn)
    with open_image(path) as opened:
        verified = verify_signature(opened, measure_file(path), at=NOW)
    assert verified.certificate.subject.rfc4514_string() == "CN=a key in KMS"


def test_a_kms_that_says_no_or_nothing(cloud, environment, small):
    kms = cloud.client("kms")
    arn = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    (environment / "c.pem").write_bytes(certificate_for(kms, arn))
    path = small()
    before = path.read_bytes()
    kms.disable_key(KeyId=arn)
    with pytest.raises(Refused) as refused:
        sign(path, arn)
    assert refused.value.code == "DisabledException"
    with pytest.raises(CloudUnavailable):
        sign(path, arn, "--kms-endpoint", "https://127.0.0.1:1")
    assert path.read_bytes() == before
