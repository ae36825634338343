"""Parsed policies, remembered by the length of their texts: what a policy says is read once.

Only what is kept is remembered, never what somebody merely sent: a text in a request is read by
`check_policy`, once the request is allowed, and forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

from nitro_workflow.cloud.local import budgets

if TYPE_CHECKING:
    from nitro_workflow.policy import Policy

__all__ = ["PolicyCache", "check_policy", "parse_cached"]


class PolicyCache:
    """The last policies that were asked for, up to so many characters of text in all.

    >>> cache = PolicyCache(300)
    >>> text = '{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", ' + (
    ...     '"Resource": "*"}}')
    >>> cache.parse(text, "identity") is cache.parse(text, "identity")
    True
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], Policy] = OrderedDict()
        self._size = 0

    def parse(self, text: str, kind: str) -> Policy:
        """Return the parsed policy.

        Raises `PolicyError`: the text is not a policy of that kind.
        """
        key = (text, kind)
        with self._lock:
            known = self._known.get(key)
            if known is not None:
                self._known.move_to_end(key)
                return known
        policy = check_policy(text, kind)
        with self._lock:
            # Another thread may have been faster: all of them get the same object.
            first = self._known.setdefault(key, policy)
            if first is policy:
                self._size += len(text)
                while self._size > self._most:
                    (oldest, _), _ = self._known.popitem(last=False)
                    self._size -= len(oldest)
        return first


def check_policy(text: str, kind: str) -> Policy:
    """Return a policy that somebody sends, parsed and not remembered.

    Raises `PolicyError`: the text is not a policy of that kind.
    """
    from nitro_workflow.policy import parse_policy

    return parse_policy(text, kind=kind)  # type: ignore[arg-type]  # a str of KINDS


_cache = PolicyCache(budgets.POLICY_CHARACTERS)


def parse_cached(text: str, kind: str) -> Policy:
    """Return a policy that this cloud keeps, parsed; errors as `PolicyCache.parse`."""
    return _cache.parse(text, kind)
