"""A practice key for lessons: one owner, three images, and real calls from their enclaves."""

from __future__ import annotations

import contextlib
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.lab.failures.failure_lab import FailureLab, open_failure_lab
from nitro_workflow.lab.failures.practice_enclaves import Launch
from nitro_workflow.lab.failures.practice_images import SIGNED, TODAY
from nitro_workflow.lab.failures.practice_policy import allow, deny, key_policy
from nitro_workflow.lab.failures.set_up import Client, SetUp
from nitro_workflow.lab.lab_folder import save

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab.engine import Lab
    from nitro_workflow.lab.failures.client_attempt import Attempt
    from nitro_workflow.lab.failures.failure_case import FailureCase

__all__ = ["PracticeKey", "open_practice_key"]

NAME: Final = "living"


class PracticeKey:
    """The key, the enclaves that ask for it, and its owner's policies.

    ``images``: file name → PCR name → 96 hex digits.
    """

    def __init__(self, rooms: FailureLab, case: FailureCase) -> None:
        self._rooms = rooms
        self._case = case
        self.images: Mapping[str, Mapping[str, str]] = case.facts.pcrs

    def __repr__(self) -> str:
        return f"practice key {self.arn}\n  images: {', '.join(self.images)}"

    @property
    def arn(self) -> str:
        """Return the key's ARN."""
        return self._case.key

    @property
    def data_key(self) -> bytes:
        """Return a data key of it, encrypted."""
        return self._case.data_key

    def policy(self, *images: str) -> dict[str, Any]:
        """Return a policy that lets these images in, and denies Decrypt to whatever else asks."""
        values = [self.images[image]["PCR0"] for image in images]
        pcr0: Any = values if len(values) > 1 else values[0]
        role = self._case.facts.arns["instance"]
        fences = [allow(role, {"PCR0": pcr0}), deny({"PCR0": pcr0})]
        return key_policy(self._case.facts.arns["owner"], fences)

    def put(self, policy: Mapping[str, Any]) -> None:
        """Put a policy, as the owner. Raises botocore's ``ClientError`` where KMS refuses it."""
        self._case.put_policy(policy)

    def ask(self, image: str = TODAY, **client: Any) -> Attempt:
        """Have an enclave with the image ask for the data key; what came back is returned.

        ``client``: fields of its program that are to be other than right.
        """
        set_up = replace(self._case.set_up, launch=Launch(image), client=Client(**client))
        return self._case.look_call(set_up)

    def times(self, *, clock_minutes: int) -> dict[str, str]:
        """Return what an enclave whose clock is off can see: its clock, its document's time.

        ISO 8601, in UTC. The document's time is the hypervisor's.
        """
        from nitro_workflow.attestation import parse_document

        set_up = replace(self._case.set_up, client=Client(clock_minutes=clock_minutes))
        attempt = self._case.look_call(set_up)
        signed = re.sub(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", r"\1-\2-\3T\4:\5:\6+00:00",
                        str(attempt.sent["date"]))  # fmt: skip
        document = parse_document(attempt.document).timestamp.isoformat(timespec="seconds")
        return {"clock": signed, "document": document, "answer": attempt.code}

    def signing_certificate(self) -> bytes:
        """Return the certificate that the signed image carries, DER."""
        from cryptography.hazmat.primitives.serialization import Encoding

        from nitro_workflow.image import measure_image, open_image, verify_signature

        with open_image(self._case.images.path(SIGNED)) as image:
            signature = verify_signature(image, measure_image(image), at=datetime.now(UTC))
        return signature.certificate.public_bytes(Encoding.DER)

    def close(self) -> None:
        """End the enclaves; the key stays."""
        self._rooms.close()


def open_practice_key(lab: Lab) -> PracticeKey:
    """Return a new practice key of a lab; the one before is scheduled for deletion.

    Raises what a step raises: P8 is done, or is run now.
    """
    rooms = open_failure_lab(lab)
    record = lab.path / "owner" / "practice-key.arn"
    if record.exists():
        _leave(lab, record.read_text())
    case = rooms.case_of(NAME, SetUp("", "", lambda _: [], mended_by=("policy",)))
    save(record, case.take_new_key().encode())
    opened = PracticeKey(rooms, case)
    opened.put(opened.policy(TODAY))
    return opened


def _leave(lab: Lab, key: str) -> None:
    """Schedule a key's deletion; one that is gone, or on its way, is left as it is."""
    from botocore.exceptions import ClientError

    with contextlib.suppress(ClientError):
        kms = lab.bench.parties.session("owner").client("kms")
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
