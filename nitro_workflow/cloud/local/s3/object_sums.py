"""Checksums of objects: what an upload said it would use, and what its parts make together.

A checksum is FULL_OBJECT (of the object's bytes) or COMPOSITE (the digest of the parts' digests,
``…-N``). Source: Amazon S3 User Guide, "Checking object integrity in Amazon S3", "Full object and
composite checksum types".
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.cloud.local.call import ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.protocol import (
    CHECKSUM_ALGORITHMS,
    checksum_member,
    combine_checksums,
    encode_checksum,
    new_checksum,
)
from nitro_workflow.cloud.local.s3.object_files import digests
from nitro_workflow.cloud.local.s3.object_rows import KeptPart

__all__ = ["COMPOSITE", "FULL", "SumPlan", "require_algorithm", "stated_sums", "sum_members"]

COMPOSITE, FULL = "COMPOSITE", "FULL_OBJECT"
_MEMBERS = {checksum_member(algorithm): algorithm for algorithm in CHECKSUM_ALGORITHMS}
_NO_SUMS = ("ChecksumAlgorithm", "ChecksumMode", "ChecksumType")
# Of CRC64NVME there is no composite; of the SHA family no full one, which parts do not give.
_ONLY = {"CRC64NVME": FULL, "SHA1": COMPOSITE, "SHA256": COMPOSITE}


def sum_members(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that say an object's checksum, from its stored headers."""
    sums = headers.get("Checksums") or {}
    return {**sums, "ChecksumType": headers.get("ChecksumType", FULL)} if sums else {}


def stated_sums(members: Mapping[str, Any]) -> dict[str, str]:
    """Return the checksums that a structure states: algorithm → value.

    Raises `ServiceFault`: InvalidRequest, for one that would not be compared.
    """
    for name in members:
        if name.startswith("Checksum") and name not in (*_MEMBERS, *_NO_SUMS):
            require_algorithm(name.removeprefix("Checksum"))
    return {_MEMBERS[name]: str(value) for name, value in members.items() if name in _MEMBERS}


@dataclass(frozen=True, slots=True)
class SumPlan:
    """The checksum that an upload in parts will have: the one it `stated`, or S3's own."""

    algorithm: str = "CRC64NVME"
    kind: str = FULL
    stated: bool = False

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> SumPlan:
        """Read ChecksumAlgorithm and ChecksumType, of a request or as an upload's row keeps them.

        Raises `ServiceFault`: InvalidRequest, for a pair that there is not.
        """
        algorithm, kind = params.get("ChecksumAlgorithm", ""), params.get("ChecksumType", "")
        if not algorithm:
            if kind:
                text = "The x-amz-checksum-type header needs the x-amz-checksum-algorithm header."
                raise ServiceFault("InvalidRequest", text)
            return cls()
        require_algorithm(algorithm)
        only = _ONLY.get(algorithm)
        if kind and only and kind != only:
            text = (
                f"The {kind} checksum type cannot be used with the {algorithm.lower()} checksum "
                "algorithm."
            )
            raise ServiceFault("InvalidRequest", text)
        return cls(algorithm, kind or only or COMPOSITE, stated=True)

    @property
    def member(self) -> str:
        """The member of the model that carries this checksum."""
        return checksum_member(self.algorithm)

    def to_members(self) -> dict[str, str]:
        """Return the members of S3's answers, which are also what the upload's row keeps."""
        if not self.stated:
            return {}
        return {"ChecksumAlgorithm": self.algorithm, "ChecksumType": self.kind}

    def require(self, algorithm: str) -> None:
        """Refuse another checksum than the one that the upload stated.

        Raises `ServiceFault`: InvalidRequest.
        """
        if self.stated and algorithm != self.algorithm:
            text = (
                "Checksum Type mismatch occurred, expected checksum Type: "
                f"{self.algorithm.lower()}, actual checksum Type: {algorithm.lower()}"
            )
            raise ServiceFault("InvalidRequest", text)

    def require_of_parts(self, parts: Sequence[Mapping[str, Any]]) -> None:
        """Refuse a completion that does not say the checksums which make the composite one.

        Raises `ServiceFault`: InvalidRequest.
        """
        if not self.stated or self.kind != COMPOSITE:
            return
        for part in parts:
            if self.member not in part:
                text = (
                    f"The upload was created using a {self.algorithm.lower()} checksum. The "
                    "complete request must include the checksum for each part. It was missing for "
                    f"part {part['PartNumber']} in the request."
                )
                raise ServiceFault("InvalidRequest", text)

    def part_sums(self, services: Services, file: str, known: Mapping[str, str]) -> dict[str, str]:
        """Return the checksums to keep of a part: what is known of it, and this plan's."""
        if self.member in known:
            return dict(known)
        computed = digests(services, file, [self.algorithm])[1][0]
        return {**known, self.member: encode_checksum(computed)}

    def of_parts(self, parts: Sequence[KeptPart]) -> dict[str, Any]:
        """Return the object's checksum as its headers keep it; none where a part has none."""
        if not all(self.member in part.sums for part in parts):
            return {}  # parts that an earlier version of this cloud took
        values = [base64.b64decode(part.sums[self.member]) for part in parts]
        if self.kind == COMPOSITE:
            digest = new_checksum(self.algorithm)
            digest.update(b"".join(values))
            text = f"{encode_checksum(digest.digest())}-{len(parts)}"
        else:
            text = encode_checksum(self._combined(values, parts))
        return {"Checksums": {self.member: text}, "ChecksumType": self.kind}

    def _combined(self, values: Sequence[bytes], parts: Sequence[KeptPart]) -> bytes:
        whole = values[0]
        for value, part in zip(values[1:], parts[1:], strict=True):
            whole = combine_checksums(self.algorithm, whole, value, part.size)
        return whole


def require_algorithm(algorithm: str) -> None:
    """Refuse an algorithm that this cloud has not.

    Raises `ServiceFault`: InvalidRequest.
    """
    if algorithm not in CHECKSUM_ALGORITHMS:
        known = ", ".join(CHECKSUM_ALGORITHMS)
        text = f"The checksum algorithm {algorithm} is not done; this cloud has {known}."
        raise ServiceFault("InvalidRequest", text)
