"""The whole way: attested client, TLS over a stand-in for vsock, the cloud as its own process."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from nitro_workflow.attestation import HypervisorPki
from nitro_workflow.enclave import NsmAttester, attested, over_vsock
from nitro_workflow.errors import UntrustedAnswer
from tests.cloud.conftest import DATA, LOADER, RunningCloud, allow

HOST = "kms.us-east-1.nitro-lab.internal"
INSTANCE = "i-0123456789abcdef0"


class Loopback:
    """A vsock whose other end is the cloud's port."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self, cid: int, port: int, timeout: float) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)


class Nsm:
    """The hypervisor's side, with PCR0 as it is told."""

    def __init__(self, pki: HypervisorPki, pcr0: bytes) -> None:
        self.pcr0 = pcr0
        self.issuer = pki.instance(INSTANCE, datetime.now(UTC) - timedelta(seconds=2))

    def attest(self, **fields: Any) -> bytes:
        return self.issuer.issue(
            module_id=f"{INSTANCE}-enc0123456789abcdef",
            pcrs={0: self.pcr0, 1: bytes(48), 2: bytes(48)},
            now=datetime.now(UTC),
            **fields,
        )


@pytest.fixture
def pki(own_cloud: RunningCloud) -> HypervisorPki:
    made = HypervisorPki.create(datetime.now(UTC) - timedelta(seconds=5))
    path = own_cloud.lab / "hypervisor" / "root.pem"
    path.parent.mkdir()
    root = x509.load_der_x509_certificate(made.root_der)
    path.write_bytes(root.public_bytes(Encoding.PEM))
    own_cloud.start()
    return made


def inside(cloud: RunningCloud, credentials: dict[str, str], nsm: Nsm, ca: bytes = b"") -> Any:
    session = botocore.session.Session()
    session.register_component("data_loader", LOADER)
    client = session.create_client(
        "kms",
        region_name="us-east-1",
        endpoint_url=f"https://{HOST}",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["SessionToken"],
    )
    over_vsock(
        client,
        ca_pem=ca or Path(cloud.ca).read_bytes(),
        host=HOST,
        transport=Loopback(cloud.port),
    )
    return attested(client, NsmAttester.one_key_pair_per_run(nsm))


def test_a_role_decrypts_inside_its_enclave_and_nowhere_else(own_cloud, pki):
    pcr0 = os.urandom(48)
    owner = own_cloud.client("kms")
    condition = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:ImageSha384": pcr0.hex()}}
    key = owner.create_key()["KeyMetadata"]["Arn"]
    role = own_cloud.role("Inside", [allow("kms:Decrypt", resource=key, Condition=condition)])
    data_key = owner.generate_data_key(KeyId=key, KeySpec="AES_256")
    blob = data_key["CiphertextBlob"]

    client = inside(own_cloud, role, Nsm(pki, pcr0))
    assert client.decrypt(CiphertextBlob=blob, KeyId=key)["Plaintext"] == data_key["Plaintext"]
    with ThreadPoolExecutor(8) as pool:
        opened = pool.map(lambda _: client.decrypt(CiphertextBlob=blob)["Plaintext"], range(64))
        assert set(opened) == {data_key["Plaintext"]}

    for refused in (
        inside(own_cloud, role, Nsm(pki, os.urandom(48))),
        own_cloud.client("kms", role),
    ):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            refused.decrypt(CiphertextBlob=blob, KeyId=key)

    other = RunningCloud(own_cloud.lab.parent / "other")
    other.lab.mkdir()
    other.start()
    try:
        # The parent's own "KMS": another cloud, with a certificate for the same name.
        stranger = inside(other, role, Nsm(pki, pcr0), Path(own_cloud.ca).read_bytes())
        with pytest.raises(UntrustedAnswer, match="certificate that does not hold"):
            stranger.decrypt(CiphertextBlob=blob, KeyId=key)
    finally:
        other.stop()

    event = own_cloud.events(DATA, EventName="Decrypt")
    assert {entry.get("errorCode") for entry in event} == {None, "AccessDeniedException"}
