"""Fixtures for tests of other people's enclaves, policies and verifiers (pytest's ``pytest11``).

Installed with ``pip install 'nitro-workflow[test]'``; nothing is imported until a test asks.

- ``attestation_document``: makes real documents under a root of this session, good and bad ones.
- ``nitro_cloud``: a running local cloud (KMS, S3, IAM, STS), as a `Connection`.
- ``nitro_lab``: a `Lab` of this session; its steps run when they are asked for.

::

    def test_my_verifier_refuses_debug(attestation_document):
        document = attestation_document(debug=True)
        with pytest.raises(VerificationError):
            attestation_document.verifier.verify(document, at=datetime.now(UTC), …)

`nitro_cloud` needs the extras ``[cloud]``, `nitro_lab` ``[cloud,enclave]`` too, to walk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from nitro_workflow.attestation import HypervisorPki, Verifier
    from nitro_workflow.cloud import Connection
    from nitro_workflow.lab import Lab

__all__ = ["DocumentMaker", "attestation_document", "nitro_cloud", "nitro_lab"]

INSTANCE = "i-0123456789abcdef0"
PCRS = {0: b"\x01" * 48, 1: b"\x02" * 48, 2: b"\x03" * 48}
SMALL_DATA = 200_000
"""Bytes of the lab's data set: a walk of seconds."""


class DocumentMaker:
    """Makes attestation documents as a hypervisor does, under a root of its own.

    ``root``: the root certificate (DER) for other verifiers. ``verifier``: ours, of that root.
    """

    def __init__(self, pki: HypervisorPki) -> None:
        self._pki = pki

    @property
    def root(self) -> bytes:
        """Return the root certificate, DER."""
        return self._pki.root_der

    @property
    def verifier(self) -> Verifier:
        """Return a `Verifier` of this root."""
        from nitro_workflow.attestation import Verifier

        return Verifier.local(self.root)

    def __call__(
        self,
        *,
        pcrs: Mapping[int, bytes] | None = None,
        debug: bool = False,
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
        at: datetime | None = None,
    ) -> bytes:
        """Return a signed document (COSE_Sign1). ``pcrs``: index → 48 bytes, three by default.

        ``debug``: PCR0 to PCR2 all zero, as an enclave in debug mode has them. ``at``: the time it
        says; now by default. Raises `UsageError` for what breaks a limit of the format.
        """
        from datetime import UTC, datetime

        now = at or datetime.now(UTC)
        values = {**(PCRS if pcrs is None else pcrs)}
        values |= dict.fromkeys(PCRS, bytes(48)) if debug else {}
        return self._pki.instance(INSTANCE, now).issue(
            module_id=f"{INSTANCE}-enc0123456789abcdef",
            pcrs=values,
            public_key=public_key,
            user_data=user_data,
            nonce=nonce,
            now=now,
        )


@pytest.fixture(scope="session")
def attestation_document() -> DocumentMaker:
    """Return what makes attestation documents under a root of this session."""
    from datetime import UTC, datetime, timedelta

    from nitro_workflow.attestation import HypervisorPki

    # A year back: a test may ask for an old document.
    return DocumentMaker(HypervisorPki.create(datetime.now(UTC) - timedelta(days=365)))


@pytest.fixture(scope="session")
def nitro_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Yield this session's lab, in a folder of its own; its processes end with the session."""
    from nitro_workflow.lab import Lab

    lab = Lab.open(tmp_path_factory.mktemp("nitro") / "lab", size=SMALL_DATA)
    yield lab
    lab.down()


@pytest.fixture(scope="session")
def nitro_cloud(nitro_lab: Lab) -> Connection:
    """Return how to reach this session's cloud; `Connection.session` makes boto3 sessions."""
    from nitro_workflow.cloud import Connection

    nitro_lab.up()
    return Connection.of(nitro_lab.path)
