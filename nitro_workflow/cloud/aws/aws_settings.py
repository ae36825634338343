"""What a lab on AWS was told when it was made: the region, whose credentials, what is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from nitro_workflow.cloud.aws.amazon_reach import checked_region
from nitro_workflow.errors import LabError, UsageError

__all__ = ["GIVEN", "AwsSettings"]

_ROLE: Final = re.compile(r"arn:aws:iam::\d{12}:role/([\w+=,.@/-]{1,512})", re.ASCII)

GIVEN: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "key": (
        re.compile(r"arn:aws:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]{1,64}"),
        "the ARN of a KMS key",
    ),
    "bucket": (re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "a bucket's name"),
    "role-owner": (_ROLE, "the ARN of a role"),
    "role-developer": (_ROLE, "the ARN of a role"),
    "role-administrator": (_ROLE, "the ARN of a role"),
    "role-instance": (_ROLE, "the ARN of a role"),
    "instance": (re.compile(r"i-[0-9a-f]{8,17}"), "an instance's id"),
}
"""What a company's rules may provide: name of the option → its form, and that in words."""


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """A lab's place in AWS.

    ``data_profile`` and ``compute_profile`` name profiles of the operator; "" is the SDK's own
    chain (environment, SSO, instance). ``data_account`` and ``compute_account`` are what those were
    when the lab was agreed to: another one is refused later. ``given``: see `GIVEN`. What is given
    is neither made nor removed. ``instance_type``: "" lets the pre-flight choose.
    ``stop_after_minutes``: the instance ends itself then.

    >>> AwsSettings("eu-central-1").to_json()["region"]
    'eu-central-1'
    """

    region: str
    data_profile: str = ""
    compute_profile: str = ""
    data_account: str = ""
    compute_account: str = ""
    instance_type: str = ""
    subnet: str = ""
    stop_after_minutes: int = 120
    given: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_region(self.region)
        for name, value in self.given.items():
            _check_given(name, value)
        if not 10 <= self.stop_after_minutes <= 7 * 24 * 60:
            raise UsageError(
                f"{self.stop_after_minutes} minutes",
                expected="from 10 minutes to a week",
                where="--stop-after",
                next="say for how long the instance may run at most",
            )

    @property
    def one_account(self) -> bool:
        """Tell whether both profiles lead to one account: then an IAM administrator rules all."""
        return bool(self.data_account) and self.data_account == self.compute_account

    def given_role(self, party: str) -> str:
        """Return path and name of a given role; "" where the lab makes it."""
        found = _ROLE.fullmatch(self.given.get(f"role-{party}", ""))
        return found[1] if found else ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name, as they stand in ``lab.json``."""
        return {**asdict(self), "given": dict(self.given)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AwsSettings:
        """Return the settings of `to_json`; raises `LabError` or `UsageError` for others."""
        names = {one.name for one in fields(cls)}
        if not set(values) <= names or "region" not in values:
            raise LabError(
                "settings of AWS that this version does not know",
                expected=", ".join(sorted(names)),
                where="lab.json",
                next="make a new lab with --lab, after `nitro-workflow aws teardown` of this one",
            )
        return cls(**values)


def _check_given(name: str, value: str) -> None:
    known = GIVEN.get(name)
    if known is None or not known[0].fullmatch(value):
        raise UsageError(
            f"{value!r}",
            expected=known[1] if known else ", ".join(f"--{one}" for one in GIVEN),
            where=f"--{name}",
            next="give what your company's rules provide, or leave the option out",
        )
