"""The constraints that botocore's model states: required, lengths, ranges, enumerations, patterns.

The texts are those of AWS's services ("1 validation error detected: Value … at 'keyId' failed to
satisfy constraint: …"): a client that shows them shows the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from nitro_workflow.cloud.local.call import ServiceFault

__all__ = ["check_constraints"]

_MAX_PROBLEMS = 20  # named in one answer; a list of thousands may have as many
_CODES = {
    "json": "ValidationException",
    "query": "ValidationError",
    "ec2": "InvalidParameterValue",
    "rest-xml": "InvalidArgument",
}


def check_constraints(shape: Any, params: dict[str, Any], protocol: str) -> None:
    """Check `params` against the input shape.

    Raises `ServiceFault`: with every violation in one message, as AWS answers.
    """
    problems = list(islice(_structure(shape, params, ""), _MAX_PROBLEMS))
    if not problems:
        return
    count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected: "
    raise ServiceFault(_CODES[protocol], count + "; ".join(problems))


def _structure(shape: Any, value: dict[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield _problem(None, _join(path, name), "Member must not be null")
    for name, item in value.items():
        yield from _check(shape.members[name], item, _join(path, name))


def _check(shape: Any, value: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "structure":
        yield from _structure(shape, value, path)
        return
    if kind == "list":
        for number, item in enumerate(value, 1):
            yield from _check(shape.member, item, f"{path}.{number}.member")
    if kind == "map":
        for key, item in value.items():
            yield from _check(shape.key, key, f"{path}.key")
            yield from _check(shape.value, item, f"{path}.{key[:64]}.member")
    too_long = list(_size(shape, value, path))
    yield from too_long
    # A pattern may take its time with a text of any length.
    if kind == "string" and not too_long:
        yield from _text(shape, value, path)


def _size(shape: Any, value: Any, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is None and high is None:
        return
    if isinstance(value, str | bytes | list | dict):
        size, what = len(value), "length "
    elif isinstance(value, int | float) and not isinstance(value, bool):
        size, what = int(value), "value "
    else:
        return
    if low is not None and size < low:
        yield _problem(value, path, f"Member must have {what}greater than or equal to {low}")
    if high is not None and size > high:
        yield _problem(value, path, f"Member must have {what}less than or equal to {high}")


def _text(shape: Any, value: str, path: str) -> Iterator[str]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield _problem(value, path, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    pattern = shape.metadata.get("pattern")
    if pattern and (compiled := _compiled(pattern)) and not compiled.fullmatch(value):
        yield _problem(value, path, f"Member must satisfy regular expression pattern: {pattern}")


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    # The patterns are Java's: \p{…} and possessive quantifiers are unknown here, and not checked.
    # Java's \w, \d and \s are ASCII.
    try:
        return re.compile(pattern, re.DOTALL | re.ASCII)
    except re.error:
        return None


def _join(path: str, name: str) -> str:
    lower = name[0].lower() + name[1:]
    return f"{path}.{lower}" if path else lower


def _problem(value: Any, path: str, constraint: str) -> str:
    # Values are echoed only where they are short text: a blob may be a secret.
    shown = "null" if value is None else f"'{value[:256]}'" if isinstance(value, str) else "''"
    return f"Value {shown} at '{path}' failed to satisfy constraint: {constraint}"
