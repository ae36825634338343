"""What every part of the local cloud shares: the call, who makes it, and how it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from nitro_workflow.cloud.accounts import REGION

__all__ = [
    "ANONYMOUS",
    "MAX_AGE_S",
    "BodyFile",
    "Call",
    "Caller",
    "Decided",
    "LongAnswer",
    "ServiceFault",
    "Settings",
    "Trail",
    "refuse_members",
]

MAX_AGE_S = 300  # seconds; see Settings


@dataclass(frozen=True, slots=True)
class Settings:
    """What the cloud is told at its start; `lab` is the folder that holds everything it keeps.

    `attestation_max_age_s`: AWS does not publish its limit (often quoted: five minutes); this is
    the lab's own, a labelled setting and not a fact about AWS.
    """

    lab: Path
    region: str = REGION
    attestation_max_age_s: int = MAX_AGE_S

    @property
    def folder(self) -> Path:
        """The folder of the cloud's own state, below the lab's folder."""
        return self.lab / "cloud"

    @property
    def nitro_root(self) -> Path:
        """Where the hypervisor publishes the attestation root that this cloud trusts (PEM)."""
        return self.lab / "hypervisor" / "root.pem"


@dataclass(frozen=True, slots=True)
class Caller:
    """The authenticated principal of one call.

    `kind` is ``user``, ``role`` (an assumed role's session), ``service`` (AWS's own side),
    ``anonymous``, or ``unproven``: somebody who names an access key and has not signed with it.
    `arn` is what CloudTrail shows (``arn:aws:sts::…:assumed-role/R/session`` for a session, the
    service's DNS name for a service). `entity_arn` is the IAM user or role that holds the identity
    policies (empty otherwise). `session_policy` is the JSON text given to AssumeRole.
    """

    account: str
    arn: str
    kind: str
    principal_id: str
    name: str = ""
    entity_arn: str = ""
    session_name: str = ""
    session_policy: str = ""
    access_key_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_service(self) -> bool:
        """Whether this is AWS's own side (``ec2.amazonaws.com``), which no role can become."""
        return self.kind == "service"


ANONYMOUS = Caller(account="anonymous", arn="anonymous", kind="anonymous", principal_id="anonymous")


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision: what was decided by which statements, and how to say why at length.

    `explain` is asked behind the answer, since it takes longer than the decision.
    """

    record: Mapping[str, Any]
    explain: Callable[[], Mapping[str, Any]] = dict


@dataclass(slots=True)
class Trail:
    """What a call leaves for its decision record; filled by the gate and by handlers.

    `omitted` bytes of a refused call's body were let go: the record does not show its parameters.
    """

    decisions: list[Decided] = field(default_factory=list)
    resources: list[dict[str, str]] = field(default_factory=list)
    recipient: dict[str, str] = field(default_factory=dict)
    omitted: int = 0
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BodyFile:
    """A streamed request body in a temporary file: moved away by the handler, or deleted.

    `size` in bytes; `md5` is the raw digest. `checksum` is the base64 of `algorithm` (``CRC32``,
    ``CRC64NVME`` …): the one that the client stated and the server verified, or, where `stated` is
    false, the one that S3 computes by itself.
    """

    path: Path
    size: int
    md5: bytes
    algorithm: str
    checksum: str
    stated: bool

    @property
    def checksums(self) -> Mapping[str, str]:
        """The checksum as a member of the model's shapes: ``{"ChecksumCRC32": "base64…"}``."""
        return {f"Checksum{self.algorithm}": self.checksum}


@dataclass(frozen=True, slots=True)
class Call:
    """One authenticated, parsed API call. `params` has the members of botocore's input shape.

    `region` is the one that the caller signed for; without a signature, the cloud's default.
    `presigned` says that the signature stands in the query.
    `if_range` is HTTP's header of that name, which no model knows.
    `on_loop` says that all others wait for the answer: one that takes long raises `LongAnswer`.
    """

    service: str
    operation: str
    params: Mapping[str, Any]
    caller: Caller
    request_id: str
    now: datetime
    source_ip: str
    region: str
    body: BodyFile | None = None
    secure: bool = True
    user_agent: str = ""
    presigned: bool = False
    if_range: str = ""
    on_loop: bool = False
    trail: Trail = field(default_factory=Trail)


class LongAnswer(Exception):
    """The answer takes longer than the event loop may wait: a thread is to make it, from the start.

    Raised before anything is done or recorded.
    """


class ServiceFault(Exception):
    """A refusal in the service's own words, serialised in its protocol's error shape.

    It is the wire's error and not one of `errors`: the client's SDK raises it as ``ClientError``.
    `members` are further members of the error's shape (``{"BucketName": "…"}``); `headers` go with
    the answer of S3 (names in lower case).
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        status: int = 400,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})
        self.headers = dict(headers or {})
        super().__init__(code, message, status)

    def alone(self) -> ServiceFault:
        """Return the fault without the frames it came through: they hold the request's body.

        Its answer and its record need none of them, and with a frame that holds the fault they are
        a circle, which would stay until the next collection.
        """
        self.__traceback__ = self.__context__ = self.__cause__ = None
        return self


def refuse_members(call: Call, *members: str) -> None:
    """Refuse what would be passed over.

    Raises `ServiceFault`: UnsupportedOperationException.
    """
    for member in members:
        if call.params.get(member):
            text = f"This local cloud does not do {call.operation} with {member}."
            raise ServiceFault("UnsupportedOperationException", text, 501)
