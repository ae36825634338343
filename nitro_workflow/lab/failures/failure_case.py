"""One broken set-up, made for real: its key, its symptom, what can be asked of it, its repair."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import error_code
from nitro_workflow.errors import LabError
from nitro_workflow.lab.evidence import decision_lookup
from nitro_workflow.lab.failures.practice_policy import key_policy
from nitro_workflow.lab.failures.set_up import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab.failures.client_attempt import Attempt, CallMaker
    from nitro_workflow.lab.failures.practice_enclaves import PracticeEnclaves
    from nitro_workflow.lab.failures.practice_images import PracticeImages
    from nitro_workflow.lab.failures.set_up import Facts, SetUp
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["FailureCase"]

_ALIAS: Final = "alias/nitro-workflow-practice-"


class FailureCase:
    """A set-up under a number. ``name`` is that number or letter; the alias of its key ends so."""

    def __init__(
        self,
        bench: Workbench,
        name: str,
        set_up: SetUp,
        *,
        facts: Facts,
        images: PracticeImages,
        enclaves: PracticeEnclaves,
        calls: CallMaker,
    ) -> None:
        self.bench = bench
        self.name = name
        self.set_up = set_up
        self.facts = facts
        self.images = images
        self.enclaves = enclaves
        self.calls = calls
        self._blob = b""
        self._key = ""
        self._attempt: Attempt | None = None

    def __repr__(self) -> str:
        return f"Case {self.name}"

    @property
    def key(self) -> str:
        """Return the ARN of the practice key; it is made at the first question."""
        if not self._key:
            self._key = self._ensure_key()
        return self._key

    @property
    def last(self) -> Attempt:
        """Return the newest attempt. Raises `LabError` before the first."""
        if self._attempt is None:
            raise LabError(
                f"case {self.name} has not been opened",
                expected="a symptom, then evidence",
                where=f"case {self.name}",
                next="run the cell that shows its symptom",
            )
        return self._attempt

    # -- the set-up --------------------------------------------------------------------------------

    def open(self) -> Attempt:
        """Set up from the beginning, and make the call: the symptom."""
        self.put_policy(self.broken_policy())
        return self.try_call(self.set_up)

    def try_call(self, set_up: SetUp) -> Attempt:
        """Make the call as a set-up of this case has it, and keep what came back."""
        self._attempt = self.calls.call(set_up, self.key, self._data_key())
        return self._attempt

    def look_call(self, set_up: SetUp) -> Attempt:
        """Make a call beside the case: what came back is not kept."""
        return self.calls.call(set_up, self.key, self._data_key())

    def broken_policy(self) -> dict[str, Any]:
        """Return the policy that the case begins with."""
        return key_policy(self.facts.arns["owner"], self.set_up.policy(self.facts))

    def put_policy(self, policy: Mapping[str, Any]) -> None:
        """Put a key policy. Raises botocore's ``ClientError`` where KMS refuses it."""
        self._kms().put_key_policy(KeyId=self.key, Policy=json.dumps(policy))

    def policy(self) -> dict[str, Any]:
        """Return the key policy as KMS has it."""
        return dict(json.loads(self._kms().get_key_policy(KeyId=self.key)["Policy"]))

    def record(self) -> Mapping[str, Any]:
        """Return the cloud's own record of the newest call, with its reason."""
        attempt = self.last
        if attempt.record:
            return attempt.record
        return decision_lookup.find_event(
            self.bench, "Decrypt", lambda it: it.get("requestID") == attempt.request_id
        )

    def take_new_key(self) -> str:
        """Make a key that has no alias, for this case from now on; return its ARN."""
        self._key, self._blob = self._new_key(), b""
        return self._key

    @property
    def data_key(self) -> bytes:
        """Return the encrypted data key, as the owner keeps it."""
        return self._data_key()

    # -- its key -----------------------------------------------------------------------------------

    def _kms(self) -> Any:
        return self.bench.parties.session("owner").client("kms")

    def _ensure_key(self) -> str:
        """Return the key of this case's alias, or a new one; one that is on its way out stays so.

        The owner may make aliases, and not move them: a key in such a one's place has none.
        """
        from botocore.exceptions import ClientError

        kms, alias = self._kms(), f"{_ALIAS}{self.name.lower()}"
        try:
            found = kms.describe_key(KeyId=alias)["KeyMetadata"]
        except ClientError as error:
            if error_code(error) != "NotFoundException":
                raise
            made = self._new_key()
            kms.create_alias(AliasName=alias, TargetKeyId=made)
            return made
        return str(found["Arn"]) if found["KeyState"] == "Enabled" else self._new_key()

    def _new_key(self) -> str:
        policy = json.dumps(key_policy(self.facts.arns["owner"], []))
        made = self._kms().create_key(Policy=policy, Description=f"failure lab, case {self.name}")
        return str(made["KeyMetadata"]["Arn"])

    def _data_key(self) -> bytes:
        """Return a data key that the owner made of this key, encrypted."""
        if not self._blob:
            made = self._kms().generate_data_key_without_plaintext(
                KeyId=self.key, KeySpec="AES_256", EncryptionContext=dict(CONTEXT)
            )
            self._blob = bytes(made["CiphertextBlob"])
        return self._blob

    def with_client(self, **changes: Any) -> SetUp:
        """Return this case's set-up with another client."""
        return replace(self.set_up, client=replace(self.set_up.client, **changes))
