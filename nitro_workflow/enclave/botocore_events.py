"""Where botocore's handlers are registered, for everything that makes or is a client."""

from __future__ import annotations

from typing import Any


def events_of(target: Any) -> Any:
    """Return what has botocore's ``register`` and ``unregister``.

    A client's own emitter; for a boto3 or botocore session the one that its later clients copy.
    """
    if hasattr(target, "meta"):
        return target.meta.events
    return target.events if hasattr(target, "events") else target
