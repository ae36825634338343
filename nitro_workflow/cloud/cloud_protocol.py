"""What the workflow needs of a cloud: the `Cloud` protocol, which steps and views know alone.

`LocalCloud` and `AwsCloud` are its members. What a member must keep to: a session can reach that
cloud and nothing else, names are the lab's own, and what a party may not do is refused by the
cloud.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import boto3

    from nitro_workflow.attestation import Verifier

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
    """What the workflow's things are called in this cloud.

    ``roles``: party → name of its role, behind its path. ``given``: what is there already and is
    neither made nor removed: see `AwsSettings`.
    """

    data_bucket: str
    images_bucket: str
    data_alias: str
    results_alias: str
    instance_profile: str
    machine_image: str
    roles: Mapping[str, str]
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trust:
    """``root_der``: the root of attestation documents, DER. ``ca_pem``: the CA set of KMS, PEM."""

    root_der: bytes
    ca_pem: str

    @classmethod
    def aws(cls) -> Trust:
        """Return AWS's: the Nitro root G1 and the roots of Amazon Trust Services. A constant.

        Raises `CertificateError` where an installed file is not the one whose digest is pinned.
        """
        from nitro_workflow.attestation import aws_root
        from nitro_workflow.cloud.aws.amazon_trust import amazon_roots_pem

        return cls(aws_root(), amazon_roots_pem())

    @property
    def is_aws(self) -> bool:
        """Tell whether the root is AWS's own."""
        from nitro_workflow.attestation import aws_root

        return self.root_der == aws_root()

    def verifier(self) -> Verifier:
        """Return what believes the documents of this root, and no others."""
        from nitro_workflow.attestation import Verifier

        return Verifier.aws() if self.is_aws else Verifier.local(self.root_der)

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
    """How long to wait for something to come, and how often to look; both in seconds."""

    seconds: float
    pause: float


class Cloud(Protocol):
    """A cloud with the workflow's services: KMS, S3, IAM, STS, EC2 and CloudTrail."""

    @property
    def kind(self) -> str:
        """Return ``local``, ``aws``, or what a stand-in of the tests calls itself."""

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
    def tags(self) -> Mapping[str, str]:
        """Return the tags of everything that is made here; {} for none."""

    @property
    def kms_host(self) -> str:
        """Return the DNS name of KMS: measured with the image."""

    @property
    def url(self) -> str:
        """Return where KMS answers this machine; raises `CloudUnavailable`."""

    @property
    def trail(self) -> Patience:
        """Return how long a step waits for a record of CloudTrail."""

    @property
    def explains(self) -> bool:
        """Tell whether its records come at once, with reasons, documents' and envelopes' digests.

        Where not, a step takes what the enclave says, says that it does, and is confirmed later.
        """

    @property
    def public(self) -> bool:
        """Tell whether the internet reaches it: then buckets are shut, and take TLS only."""

    @property
    def settling(self) -> Patience:
        """Return how long a new role or policy may take to be known everywhere."""

    def up(self) -> None:
        """Have the cloud answer; raises `CloudUnavailable`."""

    def trust(self) -> Trust:
        """Return what is to be trusted of this cloud; raises `LabError` before its first start."""

    def further_permissions(self, party: str) -> Sequence[Mapping[str, Any]]:
        """Return the statements that a party needs here beyond the workflow's own."""

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
