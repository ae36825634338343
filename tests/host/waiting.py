"""What a test waits for, by looking: the limit only ends one that would hang."""

import time
from collections.abc import Callable

SECONDS = 60


def wait_for(condition: Callable[[], object]) -> None:
    """Return once ``condition()`` holds; fails after `SECONDS`."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
