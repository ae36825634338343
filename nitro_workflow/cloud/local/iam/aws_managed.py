"""The AWS-managed policies that are there by name: those that set-up scripts attach.

Their documents are AWS's, as moto 5.2.5 (Apache-2.0) copied them from an account; a test compares.
The list is short on purpose: a policy of thousands of actions of services that are not here says
nothing. What is missing is refused by name.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

__all__ = ["AWS_PREFIX", "aws_managed", "aws_managed_sql"]

AWS_PREFIX = "arn:aws:iam::aws:policy/"
_CREATED = "2015-02-06T18:39:46+00:00"  # when AWS made AdministratorAccess and its first sisters
_ID_LETTERS = 17


@cache
def aws_managed() -> dict[str, Any]:
    """Return name → AWS's own version and the document.

    >>> sorted(aws_managed())[0]
    'AWSKeyManagementServicePowerUser'
    """
    text = files(__package__).joinpath("aws_managed.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


@cache
def aws_managed_sql() -> str:
    """Return the statements that keep their rows as they are shipped."""
    return "".join(_insert(name, policy) for name, policy in aws_managed().items())


def _insert(name: str, policy: dict[str, Any]) -> str:
    letters = base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:_ID_LETTERS]
    values = (
        AWS_PREFIX + name, "aws", name, "/", f"ANPA{letters}", _CREATED,
        json.dumps(policy["Document"]), "",
    )  # fmt: skip
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return (
        f"INSERT INTO managed_policies VALUES ({quoted}) "  # noqa: S608 - our own constants
        "ON CONFLICT (arn) DO UPDATE SET document = excluded.document;\n"
    )
