"""Which application walks: the one of this package, or one that a folder declares.

A step asks its application, and knows no other thing of it: what the records are, what is measured,
how the root filesystem is laid out, what the answer says. `CustomerSums` is the default; a folder
with an ``application.toml`` takes its place by giving the same.

>>> CustomerSums().name
'nitro-workflow-application'
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from enclave_image.configuration import Program, Query

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import rsa

    from enclave_image.owner import ExpectedReceipt
    from enclave_image.packing import RootfsReport
    from enclave_image.packing.root_filesystem import Progress
    from nitro_workflow.attestation import VerifiedAttestation, Verifier

__all__ = ["Application", "CustomerSums", "OpenedWork"]

MEMORY_MIB = 512
"""Of an enclave: an image of 80 MB unpacked, and a process of 150 MB at most."""


class OpenedWork:
    """What the owner reads in the end: ``answer`` as JSON, and the receipt's document."""

    __slots__ = ("answer", "attestation")

    def __init__(self, answer: Mapping[str, Any], attestation: VerifiedAttestation) -> None:
        self.answer = dict(answer)
        self.attestation = attestation


class Application(Protocol):
    """What the steps of a walk ask of an application."""

    @property
    def name(self) -> str:
        """Return the image's name."""

    @property
    def version(self) -> str:
        """Return the image's version."""

    @property
    def memory_mib(self) -> int:
        """Return the enclave's memory, in MiB."""

    @property
    def work(self) -> Query | Program:
        """Return what it does, as it is measured."""

    @property
    def threshold(self) -> int:
        """Return how many must stand behind anything that is told."""

    def fingerprint(self) -> str:
        """Return a digest of what the developer wrote; "" for what this package brings."""

    def records(self, own: Path | None, *, seed: int, size: int) -> BinaryIO:
        """Open the owner's records: their own file, else the application's sample.

        ``size`` in bytes and ``seed`` are of records that are generated. Raises `LabError`.
        """

    def size_of(self, own: Path | None, *, size: int) -> int:
        """Return the records' size in bytes; raises `DatasetError` for what would be refused."""

    def lay_out(
        self, target: Path, *, config: bytes, progress: Progress | None = None
    ) -> RootfsReport:
        """Write the root filesystem into ``target``; raises `ImageError`."""

    def open(
        self,
        result: bytes,
        receipt: bytes,
        expected: ExpectedReceipt,
        *,
        verifier: Verifier,
        at: datetime,
        private_key: rsa.RSAPrivateKey,
    ) -> OpenedWork:
        """Verify the receipt and open the result; raises `ReceiptRefused`."""


class CustomerSums:
    """The application of this package: counts and sums of customer records by region."""

    name = "nitro-workflow-application"
    version = "1"
    memory_mib = MEMORY_MIB

    @property
    def work(self) -> Query:
        """Return the query."""
        from enclave_image.owner import QUERY

        return Query(tuple(QUERY["columns"]), QUERY["group_by"], QUERY["measures"])

    @property
    def threshold(self) -> int:
        """Return the least customers of a group that is told."""
        from enclave_image.owner import DEFAULT_THRESHOLD

        return DEFAULT_THRESHOLD

    def fingerprint(self) -> str:
        """Return "": the package's version says what it is."""
        return ""

    def records(self, own: Path | None, *, seed: int, size: int) -> BinaryIO:
        """Open the owner's CSV, else generated customers."""
        import io

        from enclave_image.owner import CustomerRecords, open_records

        if own is not None:
            return open_records(own)
        return io.BufferedReader(CustomerRecords(seed=seed, size=size))

    def size_of(self, own: Path | None, *, size: int) -> int:
        """Hold the owner's CSV against the query, to its end; what is generated is right."""
        from enclave_image.owner import check_records, open_records

        if own is None:
            return size
        with open_records(own) as source:
            return check_records(source, self.work).size

    def lay_out(
        self, target: Path, *, config: bytes, progress: Progress | None = None
    ) -> RootfsReport:
        """Pack this Python, the job server and what it loads."""
        from enclave_image.packing import build_rootfs

        return build_rootfs(target, config=config, progress=progress)

    def open(
        self,
        result: bytes,
        receipt: bytes,
        expected: ExpectedReceipt,
        *,
        verifier: Verifier,
        at: datetime,
        private_key: rsa.RSAPrivateKey,
    ) -> OpenedWork:
        """Open the sums."""
        from enclave_image.owner import open_result

        opened = open_result(
            result, receipt, expected, verifier=verifier, at=at, private_key=private_key
        )
        answer = {
            "rows": opened.rows,
            "threshold": opened.threshold,
            "groups": [dict(group) for group in opened.groups],
            "suppressed": opened.suppressed,
        }
        return OpenedWork(answer, opened.attestation)
