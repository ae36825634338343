"""EventBridge's event patterns, as far as an alarm on a key needs them.

A pattern names fields; each has a list of which one must be the event's value, or a dict for what
lies below. ``{"prefix": "…"}`` stands for every text that begins so. [src: EventBridge User Guide,
"Creating Amazon EventBridge event patterns"]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nitro_workflow.errors import InputError

__all__ = ["matches", "require_pattern"]


def matches(pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    """Tell whether an event has what a pattern asks for.

    >>> matches({"source": ["aws.kms"]}, {"source": "aws.kms", "detail": {}})
    True
    """
    return all(_field(wanted, event.get(name)) for name, wanted in pattern.items())


def _field(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and matches(wanted, value)
    return any(_one(one, value) for one in wanted)


def _one(wanted: Any, value: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(value, str) and value.startswith(str(wanted["prefix"]))
    return bool(wanted == value)


def require_pattern(pattern: Any, where: str = "pattern") -> None:
    """Raise `InputError` for what EventBridge would not take, or what is not looked at here."""
    if not isinstance(pattern, Mapping) or not pattern:
        raise _refused(where, "a dict that names fields")
    for name, wanted in pattern.items():
        place = f"{where}.{name}"
        if isinstance(wanted, Mapping):
            require_pattern(wanted, place)
        elif not isinstance(wanted, list) or not wanted:
            raise _refused(place, "a list of values: EventBridge takes no bare text")
        elif any(isinstance(one, Mapping) and set(one) != {"prefix"} for one in wanted):
            raise _refused(place, "values, or {'prefix': …}")


def _refused(where: str, expected: str) -> InputError:
    return InputError(
        "no event pattern", expected=expected, where=where, next=f"write {expected} at {where}"
    )
