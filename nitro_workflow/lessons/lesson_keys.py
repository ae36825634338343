"""What lessons on key policies work with: the five cases, the doors of a key, KMS's own reason."""

from __future__ import annotations

from typing import Any

from nitro_workflow.errors import PolicyError
from nitro_workflow.lab import Workbench, newest_decision
from nitro_workflow.lessons import worlds
from nitro_workflow.lessons.five_policies import KeyCase, find_case
from nitro_workflow.lessons.key_doors import Doors, doors_card, find_doors
from nitro_workflow.lessons.key_rights import find_rights, rights_card
from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.widgets import Head, PlainModel, View, make_policy, sentence

__all__ = ["case_of", "doors_of", "doors_view", "reason_view", "rights_view"]


def case_of(bench: Workbench, name: str) -> KeyCase:
    """Return one of the five policies, with this lab's roles and the image's PCRs."""
    callers = worlds.callers_of(bench)
    roles = {
        "owner": callers["DataOwner"],
        "instance": callers["ParentInstance"],
        "root": callers["account root"],
        "backup": callers["Backup"],
    }
    return find_case(name, roles, worlds.image_pcrs(bench))


def doors_of(bench: Workbench, key: object) -> Doors:
    """Return the doors of a key: one of the five by name or as it is, or any policy."""
    case = case_of(bench, key) if isinstance(key, str) else key
    pcrs, callers = worlds.image_pcrs(bench), worlds.callers_of(bench)
    if isinstance(case, KeyCase):
        return find_doors(case.document(), pcrs, callers, case.grants)
    return find_doors(case, pcrs, callers)


def doors_view(bench: Workbench, key: Any) -> View | Verdict:
    """Return the table of a key's doors; a verdict for what is no policy."""
    try:
        doors = doors_of(bench, key)
    except PolicyError as error:
        return _no_policy(error)
    title = f"Who may decrypt with {key if isinstance(key, str) else 'this key'}"
    return View(doors_card(doors, title))


def rights_view(bench: Workbench, policy: object) -> View | Verdict:
    """Return the table of who may do what; a verdict for what is no policy."""
    try:
        return View(rights_card(find_rights(policy, worlds.callers_of(bench))))
    except PolicyError as error:
        return _no_policy(error)


def _no_policy(error: PolicyError) -> Verdict:
    return Verdict.wrong(f"This is no policy: {error.found}.", f"Next: {error.next}.")


def reason_view(bench: Workbench, operation: str) -> View:
    """Return why the newest request for an operation came out as it did, by the lab's record."""
    record = newest_decision(bench, operation)
    title = f"The newest {operation}, by this lab's own record: AWS keeps none like it"
    if "decision" in record:
        return View(make_policy(record, title=title))
    why = sentence(str(record["summary"]))
    if record["refused"]:
        return View(PlainModel(Head(title, "Refused", "bad", why)))
    return View(PlainModel(Head(title, "Answered", "good", why)))
