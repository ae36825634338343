"""KMS clients whose calls carry a document of the PCRs that a test wants: no enclave is needed."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud import DATA_ACCOUNT, REGION, Connection
from nitro_workflow.enclave import NsmAttester, attested

if TYPE_CHECKING:
    from nitro_workflow.testing.document_maker import DocumentMaker

__all__ = ["AttestedKms"]


class AttestedKms:
    """Makes boto3 KMS clients that are attested, for one cloud and one root of documents.

    What is real: the document and its signature, KMS's check of it, the key policy's decision, the
    envelope and its opening. What is not: an enclave; the private key is in the test's process.
    """

    def __init__(self, cloud: Connection, documents: DocumentMaker) -> None:
        self._cloud = cloud
        self._documents = documents
        self._clients = ExitStack()

    def __call__(
        self,
        *,
        pcrs: Mapping[int, bytes | str] | None = None,
        debug: bool = False,
        session: Any = None,
        account: str = DATA_ACCOUNT,
        region: str = REGION,
    ) -> Any:
        """Return a client; ``pcrs`` and ``debug`` as `DocumentMaker` takes them.

        ``session``: the boto3 session of who calls, such as an assumed role's; by default the
        operator of ``account``. Raises `UsageError` for an account that the cloud does not have.
        """
        who = session or self._cloud.session(account)
        client = who.client("kms", region_name=region)
        self._clients.callback(client.close)
        nsm = _Documents(self._documents, dict(pcrs) if pcrs is not None else None, debug)
        return attested(client, NsmAttester.one_key_pair_per_run(nsm))

    def close(self) -> None:
        """Close every client that was made."""
        self._clients.close()


class _Documents:
    """Plays the NSM of an enclave with given PCRs."""

    def __init__(
        self, documents: DocumentMaker, pcrs: Mapping[int, bytes | str] | None, debug: bool
    ) -> None:
        self._documents, self._pcrs, self._debug = documents, pcrs, debug

    def attest(
        self,
        *,
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
    ) -> bytes:
        return self._documents(
            pcrs=self._pcrs,
            debug=self._debug,
            public_key=public_key,
            user_data=user_data,
            nonce=nonce,
        )
