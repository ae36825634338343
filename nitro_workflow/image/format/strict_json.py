"""JSON as serde_json takes it: UTF-8, no NaN, no lone surrogates, not too deep.

Python's own reader also takes UTF-16, ``NaN`` and halves of surrogate pairs: what AWS's reader
refuses would pass, and could not be printed.
"""

from __future__ import annotations

import json
from typing import Any, Final

MAX_DEPTH: Final = 127  # of arrays and objects in each other, serde_json's limit


def parse_json(data: bytes) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """Return the value, keys that its outermost object repeats, and keys that inner ones repeat.

    Raises `ValueError`.
    """
    repeated: list[tuple[str, ...]] = [()]

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts: dict[str, int] = {}
        for key, _ in pairs:
            counts[key] = counts.get(key, 0) + 1
        # The outermost object is the last to be complete.
        repeated.append(tuple(key for key, count in counts.items() if count > 1))
        return dict(pairs)

    try:
        value = json.loads(data.decode(), object_pairs_hook=collect, parse_constant=_refuse)
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    _check_depth(value)
    outer = repeated[-1] if isinstance(value, dict) else ()
    inner = repeated[:-1] if isinstance(value, dict) else repeated
    return value, outer, tuple(sorted({key for keys in inner for key in keys}))


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inner = [item for item in level if isinstance(item, dict | list)]
        level = [
            child for item in inner for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return
    raise ValueError(f"more than {MAX_DEPTH} levels")
