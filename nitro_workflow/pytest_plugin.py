"""Fixtures for tests of other people's enclaves, policies and verifiers (pytest's ``pytest11``).

Installed with ``pip install 'nitro-workflow[test]'``; nothing is imported until a test asks.

| fixture | what it gives | needs |
| --- | --- | --- |
| ``attestation_document`` | makes real documents under a root of this session, good and bad | |
| ``nitro_cloud`` | a local cloud (KMS, S3, IAM, STS) that believes them | ``[cloud]`` |
| ``attested_kms`` | KMS clients of that cloud, with a document of any PCRs | ``[cloud]`` |
| ``nitro_enclave`` | starts images, with a parent and a cloud of their own | ``[cloud,enclave]`` |
| ``nitro_lab`` | a `Lab` of this session; its steps run when they are asked for | the same |

The last two run enclaves: Linux, with user namespaces.

::

    def test_only_my_image_decrypts(attested_kms, nitro_cloud):
        …make a key with your policy in nitro_cloud…
        attested_kms(pcrs={0: MY_PCR0}).decrypt(CiphertextBlob=blob, KeyId=key)
        with pytest.raises(ClientError, match="AccessDenied"):
            attested_kms(pcrs={0: "00" * 48}).decrypt(CiphertextBlob=blob, KeyId=key)

docs/your-ci.md shows a whole suite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nitro_workflow.cloud import Connection
    from nitro_workflow.lab import Lab
    from nitro_workflow.testing import AttestedKms, DocumentMaker, EnclaveRunner

__all__ = ["attestation_document", "attested_kms", "nitro_cloud", "nitro_enclave", "nitro_lab"]

SMALL_DATA = 200_000
"""Bytes of the lab's data set: a walk of seconds."""


@pytest.fixture(scope="session")
def attestation_document() -> DocumentMaker:
    """Return what makes attestation documents: ``attestation_document(pcrs=…, debug=…)``."""
    from datetime import UTC, datetime

    from nitro_workflow.testing import DocumentMaker

    return DocumentMaker.new(datetime.now(UTC))


@pytest.fixture(scope="session")
def nitro_cloud(
    tmp_path_factory: pytest.TempPathFactory, attestation_document: DocumentMaker
) -> Iterator[Connection]:
    """Yield how to reach this session's cloud; `Connection.session` makes boto3 sessions."""
    from nitro_workflow.testing import served_cloud

    folder = tmp_path_factory.mktemp("nitro-cloud")
    with served_cloud(folder, attestation_document.root) as connection:
        yield connection


@pytest.fixture
def attested_kms(
    nitro_cloud: Connection, attestation_document: DocumentMaker
) -> Iterator[AttestedKms]:
    """Yield what makes attested KMS clients: ``attested_kms(pcrs=…, debug=…, session=…)``."""
    from nitro_workflow.testing import AttestedKms

    made = AttestedKms(nitro_cloud, attestation_document)
    yield made
    made.close()


@pytest.fixture(scope="session")
def nitro_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Yield this session's lab, in a folder of its own; its processes end with the session."""
    from nitro_workflow.lab import Lab

    lab = Lab.open(tmp_path_factory.mktemp("nitro") / "lab", size=SMALL_DATA)
    yield lab
    lab.down()


@pytest.fixture
def nitro_enclave(nitro_lab: Lab) -> Iterator[EnclaveRunner]:
    """Yield what starts images: ``nitro_enclave(image)``; they end with the test.

    They run on the lab's instance, whose cloud is ``nitro_enclave.cloud``: it believes this
    hypervisor's documents, and no others.
    """
    from nitro_workflow.testing import EnclaveRunner

    runner = EnclaveRunner(nitro_lab.path)
    yield runner
    runner.close()
