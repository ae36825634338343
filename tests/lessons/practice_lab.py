"""A lab with an image and roles and nothing else: what checks of policies look at."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

PCRS = {"PCR0": "a1" * 48, "PCR1": "b2" * 48, "PCR2": "c3" * 48}
ARNS = {
    "owner": "arn:aws:iam::111122223333:role/DataOwner",
    "administrator": "arn:aws:iam::444455556666:role/ParentAdministrator",
    "instance": "arn:aws:iam::444455556666:role/ParentInstance",
}


def practice_lab(**evidence: Any) -> Any:
    """Return a lab whose P6 measured `PCRS`; more evidence by step."""
    known = {"P6": {"measurements": PCRS}, **evidence}
    return SimpleNamespace(
        bench=SimpleNamespace(
            result=lambda step: SimpleNamespace(evidence=known[step]) if step in known else None,
            policies=SimpleNamespace(
                role_arn=ARNS.__getitem__,
                role_name=lambda party: ARNS[party].rpartition("/")[2],
            ),
            cloud=SimpleNamespace(accounts=SimpleNamespace(data="111122223333")),
        )
    )
