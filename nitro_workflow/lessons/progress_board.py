"""What runs now, told while it runs: to a live view, or below the cell until its output comes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from nitro_workflow.lab import Lab, StepProgress, find_step
from nitro_workflow.widgets import duration, tag

__all__ = ["followed", "told_below_the_cell"]

TICK_SECONDS: Final = 1.0

Tell = Callable[[StepProgress, str], None]
"""``tell(progress, words)``: the step that runs, and what it says of itself."""


@contextlib.contextmanager
def followed(lab: Lab, tell: Tell) -> Iterator[None]:
    """Have a lab tell of each step that begins and ends, and of what it says meanwhile."""
    heard = [StepProgress("", "done")]
    bench, said_before, told_before = lab.bench, lab.bench.say, lab.progress

    def progress(now: StepProgress) -> None:
        heard[0] = now
        tell(now, "")

    def say(words: str) -> None:
        said_before(words)
        tell(heard[0], words)

    lab.progress, bench.say = progress, say
    try:
        yield
    finally:
        lab.progress, bench.say = told_before, said_before


@contextlib.contextmanager
def told_below_the_cell(lab: Lab, doing: str = "Working") -> Iterator[None]:
    """Show below the cell which step runs, since when and what it does; nothing stays of it.

    ``doing`` is said while no step runs.

    Without effect where there is no notebook.
    """
    board = _Board.of_this_notebook(doing)
    if board is None:
        yield
        return
    with followed(lab, board.hear), board:
        yield


class _Board:
    """One output of a cell that is rewritten each second, and emptied at the end."""

    def __init__(self, display: Any, doing: str) -> None:
        self._display = display
        self._doing = doing
        self._handle: Any = None
        self._now = StepProgress("", "done")
        self._words = ""
        self._begun = time.monotonic()
        self._done: list[str] = []
        self._ended = threading.Event()
        self._drawing = threading.Lock()

    @classmethod
    def of_this_notebook(cls, doing: str) -> _Board | None:
        """Return a board of the notebook whose kernel this is; None where it is none."""
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            return None
        shell = get_ipython()
        return cls(display, doing) if shell is not None and hasattr(shell, "kernel") else None

    def __enter__(self) -> None:
        # Empty at first: what is compared with a committed output has nothing of it.
        self._handle = self._display({}, raw=True, display_id=True)
        threading.Thread(target=self._tick, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        with self._drawing:
            self._ended.set()
            self._handle.update({}, raw=True)

    def hear(self, now: StepProgress, words: str) -> None:
        """Take what the lab tells."""
        if now.step != self._now.step or now.state != self._now.state:
            self._begun, self._words = time.monotonic(), ""
        if now.state == "done" and now.step:
            self._done.append(f"{now.step} {duration(now.seconds)}")
        self._now, self._words = now, words or self._words

    def _tick(self) -> None:
        while not self._ended.wait(TICK_SECONDS):
            with self._drawing:
                if not self._ended.is_set():
                    self._handle.update(self._bundle(), raw=True)

    def _bundle(self) -> dict[str, str]:
        running = self._now.state == "running"
        took = f"{time.monotonic() - self._begun:.0f} s"
        doing = "Running " if running else self._doing
        line = (
            f"{self._now.step} {find_step(self._now.step).title}: {took}"
            if running
            else f": {took}"
        )
        done = f"done: {', '.join(self._done)}" if self._done else ""
        html = tag(
            "p",
            tag("b", doing),
            line,
            tag("br") if self._words else None,
            self._words,
            tag("br") if done else None,
            done,
        )
        return {
            "text/plain": "\n".join(filter(None, (f"{doing}{line}", self._words, done))),
            "text/html": html,
        }
