"""Choosing a class for every key so that one Allow applies and no Deny does.

A Deny does not apply when one of its keys is outside the Deny's set: each Deny is a choice between
its keys. What leaves one choice only is taken at once; the rest is tried, one by one. There are
finitely many choices, so the search ends with a request or with the proof that there is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nitro_workflow.policy.reach.budget import Budget

__all__ = ["solve"]

Domains = dict[str, int]  # key → classes that are left, as bits
Choice = Mapping[str, int]  # key → classes that break one Deny


def solve(domains: Domains, choices: Sequence[Choice], budget: Budget) -> dict[str, int] | None:
    """Return the index of one class a key, or None where no choice breaks every Deny.

    Raises `OutOfBudget`.
    """
    budget.spend(4 + len(choices))
    if not all(domains.values()):
        return None
    open_choices = _narrow(domains, choices, budget)
    if open_choices is None:
        return None
    if not open_choices:
        return {key: (left & -left).bit_length() - 1 for key, left in domains.items()}
    first, *rest = sorted(open_choices, key=len)
    for key, breaking in first.items():
        if domains[key] & breaking:
            narrower = domains | {key: domains[key] & breaking}
            found = solve(narrower, rest, budget)
            if found is not None:
                return found
    return None


def _narrow(domains: Domains, choices: Sequence[Choice], budget: Budget) -> list[Choice] | None:
    """Take what leaves one way only, until nothing does; None where a Deny cannot be broken."""
    pending = list(choices)
    while True:
        left: list[Choice] = []
        changed = False
        for choice in pending:
            budget.spend(len(choice))
            ways = [key for key, breaking in choice.items() if domains[key] & breaking]
            if not ways:
                return None
            if any(not domains[key] & ~choice[key] for key in ways):
                continue  # broken, whatever is chosen
            if len(ways) == 1:
                domains[ways[0]] &= choice[ways[0]]
                changed = True
            else:
                left.append(choice)
        pending = left
        if not changed:
            return pending
