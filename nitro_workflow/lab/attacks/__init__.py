"""The attacks: what each party might try, and what stops it. Every one is really tried.

An attack has one of three outcomes: *refused*, *useless* (answered, and nothing won), *detected*
(the owner sees it before they rely on it). One that succeeds is an error: a hole in the lab.

>>> from nitro_workflow.lab.attacks import ATTACKS
>>> ATTACKS["replayed-request"].party
'whoever has the instance role'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nitro_workflow.cloud import cloud_errors
from nitro_workflow.errors import UsageError
from nitro_workflow.lab.attacks.attack import Attack, AttackOutcome
from nitro_workflow.lab.attacks.by_administrator import ADMINISTRATOR
from nitro_workflow.lab.attacks.by_parent import PARENT
from nitro_workflow.lab.attacks.by_role_thief import (
    INSTANCE,
    fresh_document,
    instance_session,
    taken_credentials,
)
from nitro_workflow.lab.attacks.with_enclaves import ENCLAVES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab.engine import Lab

__all__ = [
    "ATTACKS",
    "Attack",
    "AttackOutcome",
    "fresh_document",
    "instance_session",
    "taken_credentials",
    "try_attack",
]

ATTACKS: Final[Mapping[str, Attack]] = {
    attack.name: attack for attack in (*ADMINISTRATOR, *INSTANCE, *ENCLAVES, *PARENT)
}


def try_attack(lab: Lab, name: str) -> AttackOutcome:
    """Try one attack, after the steps it rests on; leaves the lab as it was.

    Raises `UsageError` for an unknown name, `UntrustedAnswer` when the attack succeeds.
    """
    attack = ATTACKS.get(name)
    if attack is None:
        raise UsageError(
            f"no attack {name!r}",
            expected=", ".join(ATTACKS),
            where="attack",
            next="name one of these",
        )
    lab.up()
    if attack.needs:
        lab.ensure(attack.needs)
    with lab.bench.folder.lock(f"attack {name}"), cloud_errors(f"attack {name}"):
        stopped = attack.attempt(lab.bench)
    return AttackOutcome(
        name=name,
        title=attack.title,
        party=attack.party,
        outcome=stopped.outcome,
        by=stopped.by,
        reason=stopped.reason,
        next=stopped.next,
        code=stopped.code,
        explanation=stopped.explanation,
        why=stopped.why,
    )
