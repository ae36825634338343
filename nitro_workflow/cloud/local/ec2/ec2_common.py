"""What EC2's handlers share: asking the gate, DryRun, filters, pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.protocol import PageTokens

__all__ = [
    "Shape",
    "allow",
    "arn",
    "described",
    "filtered",
    "named",
    "plain",
    "stop_if_dry_run",
]

Shape = Mapping[str, Any]
_PAGE = 1000  # EC2: the most of MaxResults
_MOST_VALUES = 200  # EC2: FilterLimitExceeded, "Client error codes"
_LEAST = 5  # EC2: the least of MaxResults


def arn(call: Call, kind: str, name: str) -> str:
    """Return the ARN of one of the caller's resources in the call's region."""
    return f"arn:aws:ec2:{call.region}:{call.caller.account}:{kind}/{name}"


def allow(
    services: Services, call: Call, resource: str = "*", context: Mapping[str, Any] | None = None
) -> None:
    """Ask the gate for the call's own action."""
    services.gate.authorize(
        call,
        f"ec2:{call.operation}",
        resource,
        resource_account=call.caller.account,
        context={"ec2:Region": call.region, **(context or {})},
    )


def stop_if_dry_run(call: Call) -> None:
    """Answer DryRun: the caller may, and nothing is done.

    Raises `ServiceFault`: DryRunOperation.
    """
    if call.params.get("DryRun"):
        text = "Request would have succeeded, but DryRun flag is set."
        raise ServiceFault("DryRunOperation", text, 412)


def described(
    services: Services,
    call: Call,
    member: str,
    items: Sequence[Shape],
    filters: Mapping[str, Callable[[Shape], Sequence[str]]],
) -> dict[str, Any]:
    """Return one page of a Describe operation, once the caller may ask."""
    allow(services, call)
    stop_if_dry_run(call)
    found = filtered(call, items, filters)
    if "MaxResults" not in call.params and "NextToken" not in call.params:
        return {member: found}
    size = call.params.get("MaxResults", _PAGE)
    if not _LEAST <= size <= _PAGE:
        text = f"Value ({size}) for parameter maxResults is invalid: {_LEAST} to {_PAGE}."
        raise ServiceFault("InvalidParameterValue", text)
    tokens = PageTokens(call.operation, "InvalidParameterValue", "The token is not valid.")
    start = tokens.read_position(call.params.get("NextToken"))
    page: dict[str, Any] = {member: found[start : start + size]}
    if start + size < len(found):
        page["NextToken"] = tokens.write(start + size)
    return page


def filtered(
    call: Call,
    items: Sequence[Shape],
    filters: Mapping[str, Callable[[Shape], Sequence[str]]],
) -> list[Shape]:
    """Return the items that fit every filter of the call; a filter's values are alternatives.

    Raises `ServiceFault`: InvalidParameterValue, for a filter that is not done;
    FilterLimitExceeded.
    """
    conditions = call.params.get("Filters", ())
    if sum(len(condition.get("Values", ())) for condition in conditions) > _MOST_VALUES:
        text = f"The maximum number of filter values of one call is {_MOST_VALUES}."
        raise ServiceFault("FilterLimitExceeded", text)
    for condition in conditions:
        name, wanted = condition.get("Name", ""), condition.get("Values", ())
        find = filters.get(name) or _tag_filter(name)
        if find is None:
            text = f"The filter '{name}' is invalid; here are {', '.join(sorted(filters))}."
            raise ServiceFault("InvalidParameterValue", text)
        fits = _matches_any(wanted)
        items = [item for item in items if fits(find(item))]
    return list(items)


def _matches_any(patterns: Sequence[str]) -> Callable[[Sequence[str]], bool]:
    """Return whether one of some values fits one of the patterns (EC2, "Filter your resources").

    Their ``*`` and ``?`` are those of policies. (`fnmatch` remembers 32,768 patterns that somebody
    sent, compiled, of any length.)
    """
    from nitro_workflow.policy import Glob

    globs = [Glob.written(text) for text in patterns]
    return lambda values: any(glob.matches(value) for value in values for glob in globs)


def _tag_filter(name: str) -> Callable[[Shape], Sequence[str]] | None:
    if name == "tag-key":
        return lambda item: [tag["Key"] for tag in item.get("Tags", ())]
    if not name.startswith("tag:"):
        return None
    key = name.removeprefix("tag:")
    return lambda item: [t["Value"] for t in item.get("Tags", ()) if t["Key"] == key]


def named(items: Sequence[Shape], wanted: Sequence[str], member: str, code: str) -> list[Shape]:
    """Return those that the call names, or all; naming what is not there is an error."""
    missing = [name for name in wanted if name not in {item[member] for item in items}]
    if missing:
        raise ServiceFault(code, f"'{missing[0]}' does not exist")
    return [item for item in items if not wanted or item[member] in wanted]


def plain(*members: str) -> dict[str, Callable[[Shape], Sequence[str]]]:
    """Return filters that are named as a member is, with dashes."""
    return {_dashed(name): partial(_member, name) for name in members}


def _member(name: str, item: Shape) -> Sequence[str]:
    return [str(item[name])]


def _dashed(name: str) -> str:
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).removeprefix("-")
