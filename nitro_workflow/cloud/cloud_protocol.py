"""What the workflow needs of a cloud: the `Cloud` protocol, which steps and views know alone.

`LocalCloud` is its first member. What a member must keep to: a session can reach that cloud and
nothing else, names are the lab's own, and what a party may not do is refused by the cloud.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import boto3

__all__ = ["Accounts", "Cloud", "Names", "Observe", "Patience", "Trust"]

Observe = Callable[[str, str, Any], None]
"""``observe(party, event_name, request)`` sees each request before it is sent."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The two accounts' ids: ``data`` has key and bucket, ``compute`` has instance and images."""

    data: str
    compute: str


@dataclass(frozen=True, slots=True)
class Names:
    """What the workflow's things are called in this cloud."""

    data_bucket: str
    images_bucket: str
    data_alias: str
    results_alias: str
    instance_profile: str
    machine_image: str


@dataclass(frozen=True, slots=True)
class Trust:
    """``root_der``: the root of attestation documents, DER. ``ca_pem``: the CA set of KMS, PEM."""

    root_der: bytes
    ca_pem: str

    @property
    def root_sha256(self) -> str:
        """Return the root's fingerprint in hex."""
        return hashlib.sha256(self.root_der).hexdigest()

    @property
    def root_name(self) -> str:
        """Return the root's common name."""
        from cryptography import x509

        root = x509.load_der_x509_certificate(self.root_der)
        return str(root.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a record of the trail, and how often to look; both in seconds."""

    seconds: float
    pause: float


class Cloud(Protocol):
    """A cloud with the workflow's services: KMS, S3, IAM, STS, EC2 and CloudTrail."""

    @property
    def accounts(self) -> Accounts:
        """Return the two accounts."""

    @property
    def region(self) -> str:
        """Return the region's name."""

    @property
    def names(self) -> Names:
        """Return what the workflow's things are called here."""

    @property
    def kms_host(self) -> str:
        """Return the DNS name of KMS: measured with the image."""

    @property
    def url(self) -> str:
        """Return where KMS answers this machine; raises `CloudUnavailable`."""

    @property
    def trail(self) -> Patience:
        """Return how long a record of CloudTrail may take to come."""

    def up(self) -> None:
        """Have the cloud answer; raises `CloudUnavailable`."""

    def trust(self) -> Trust:
        """Return what is to be trusted of this cloud; raises `LabError` before its first start."""

    def operator(self, account: str) -> boto3.Session:
        """Return the session of the person at the keyboard, who sets the roles up."""

    def operator_arn(self, account: str) -> str:
        """Return the principal that `operator` acts as."""

    def session(
        self, account: str, role_arn: str, *, party: str, observe: Observe | None = None
    ) -> boto3.Session:
        """Return a session of a role that the account's operator assumed, renewed by itself."""

    def session_with(self, keys: Mapping[str, str], *, party: str) -> boto3.Session:
        """Return a session with keys from elsewhere, as a thief has it."""

    def with_document_age(self, seconds: int) -> AbstractContextManager[Cloud]:
        """Return a cloud on a copy of this one's state that takes only younger documents."""
