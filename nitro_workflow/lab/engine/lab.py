"""The engine of one lab: it runs steps, in order, again, out of order, from wherever.

A step can be run again, out of order, and from another notebook, kernel or terminal. What it needs
is run first where it is missing or no longer true, and the result says so.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import cloud_errors
from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.lab.engine.disk_errors import disk_errors
from nitro_workflow.lab.engine.pair_choice import choose_pair, open_pair
from nitro_workflow.lab.engine.trust_notice import notice_trust_root
from nitro_workflow.lab.evidence.trace import note_request, now
from nitro_workflow.lab.lab_folder import LabFolder
from nitro_workflow.lab.step_result import StepProgress, StepResult
from nitro_workflow.lab.steps import STEPS, all_needs, find_step
from nitro_workflow.lab.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from nitro_workflow.cloud import AwsSettings
    from nitro_workflow.lab.pair import Pair
    from nitro_workflow.lab.steps import Step

__all__ = ["Lab"]

FAR_SECONDS: Final = 10.0
"""For which a look counts on AWS, where it is a command of SSM: as long as a step or two."""


class Lab:
    """A walk-through of the workflow in one folder, with one pair of cloud and host.

    ``bench`` is what the steps work with, and what the functions beside them take that show
    something of the lab.

    ::

        lab = Lab.open()
        lab.run("P1").evidence["key_arn"]  # 'arn:aws:kms:us-east-1:111122223333:key/…'
    """

    def __init__(self, folder: LabFolder, pair: Pair, say: Callable[[str], None]) -> None:
        self.pair = pair
        self.notices: list[str] = []
        """What was said that a notebook should show, too: a trust root that changed."""
        self.progress: Callable[[StepProgress], None] | None = None
        """Hears of each step that begins, and of how it ended."""
        self._running = ""
        self._seen: dict[str, float] = {}
        self.bench = self._new_bench(folder, say)

    def _new_bench(self, folder: LabFolder, say: Callable[[str], None]) -> Workbench:
        bench = Workbench(folder, self.pair, say)
        bench.parties.observe = self._observe
        return bench

    @classmethod
    def open(
        cls,
        folder: Path | str | None = None,
        *,
        say: Callable[[str], None] | None = None,
        size: int = 0,
        host: str = "",
        cloud: str = "",
        aws: AwsSettings | None = None,
        make: bool = True,
    ) -> Lab:
        """Open or make the lab in ``folder`` (default: ``NITRO_WORKFLOW_LAB``, else one a user).

        ``size`` is of the data set, in bytes; a changed one makes the steps from P3 on run again.
        ``host``: what runs enclaves, ``sandbox`` or ``qemu`` (default: ``NITRO_WORKFLOW_HOST``,
        else what the lab had); another one makes the steps from P6 on run again.
        ``cloud``: ``local``, or ``aws`` with its settings and the hosts ``ec2`` and ``nitro_cli``;
        chosen when the lab is made. Raises `UsageError` for what is no pair of cloud and host.
        Raises `LabError` for a folder that is not, or not wholly, a lab's; without ``make`` for
        one that is not there, too.
        """
        opened = LabFolder.open(folder, make=make)
        tell = say or (lambda _: None)
        if size:
            opened.change_settings(size=size)
        choose_pair(opened, cloud=cloud, host=host, aws=aws)
        return cls(opened, open_pair(opened, tell), tell)

    @property
    def path(self) -> Path:
        """Return the lab's folder."""
        return self.bench.path

    @property
    def host(self) -> str:
        """Return what runs this lab's enclaves: ``sandbox``, ``qemu``, or a host on AWS."""
        return str(self.bench.folder.settings().get("host") or "sandbox")

    # -- steps -------------------------------------------------------------------------------------

    def run(self, number: str) -> StepResult:
        """Run one step, after those before it that are missing or no longer hold.

        Raises the package's error that ended it; the record of the last good run is kept.
        """
        step = find_step(number)
        with self.bench.folder.lock(f"step {number}"):
            self.up()
            caught_up = self._catch_up(step)
            return replace(self._run_one(step), caught_up=caught_up)

    def ensure(self, number: str) -> bool:
        """Run one step only where its record is missing or no longer holds; True if it was run."""
        step = find_step(number)
        with self.bench.folder.lock(f"step {number}"):
            self.up()
            if self.current(step):
                return False
        self.run(number)
        return True

    def walk(self, begin: str = "P1") -> Iterator[StepResult]:
        """Run the steps in order, from ``begin`` on; a failed one is yielded and ends the walk."""
        for step in STEPS[STEPS.index(find_step(begin)) :]:
            result = self.attempt(step.number)
            yield result
            if result.error is not None:
                return

    def attempt(self, number: str) -> StepResult:
        """Run one step as `run` does; return the error that ended it in its result."""
        step, begun = find_step(number), time.monotonic()
        try:
            return self.run(number)
        except NitroWorkflowError as error:
            return _failed(step, begun, error)

    def current(self, step: Step) -> bool:
        """Tell whether the step's record exists, rests on its needs' records, and still holds."""
        record = self.bench.folder.record(step.number)
        if record is None or not self.rests(step):
            return False
        looked = self._seen.get(step.number)
        counts = max(step.holds_for, FAR_SECONDS if self.bench.cloud.public else 0.0)
        if step.holds is None or (looked and time.monotonic() < looked + counts):
            return True
        # Looking is no part of the workflow, and not in the trace.
        running, self._running = self._running, ""
        try:
            holds = step.holds(self.bench, record["produced"])
        except (NitroWorkflowError, KeyError, TypeError, ValueError):
            return False
        finally:
            self._running = running
        if holds:
            self._seen[step.number] = time.monotonic()
        return holds

    def rests(self, step: Step) -> bool:
        """Tell, from the records alone, whether the step rests on its needs' records of now."""
        record = self.bench.folder.record(step.number)
        if record is None or record.get("based_on") != self._based_on(step):
            return False
        return all(self.rests(find_step(need)) for need in step.needs)

    def _catch_up(self, step: Step) -> tuple[str, ...]:
        """Run what is missing or no longer holds, in the table's order, then what memory lacks."""
        done: list[str] = []
        for need in all_needs(step):
            if not self.current(need):
                done += self._from_memory(need)
                self._again(need, f"{step.number} needs it")
                done.append(need.number)
        return (*done, *self._from_memory(step))

    def _from_memory(self, step: Step) -> list[str]:
        makers = [maker for name, maker in step.memory.items() if name not in self.bench.memory]
        for maker in makers:
            self._again(find_step(maker), f"{step.number} needs what is kept in memory only")
        return makers

    def _again(self, step: Step, why: str) -> None:
        again = "again" if self.bench.folder.record(step.number) else "first"
        self.bench.say(f"Running {step.number} {again} ({step.title}): {why}")
        self._run_one(step)

    def _run_one(self, step: Step) -> StepResult:
        self._running = step.number
        self._seen.pop(step.number, None)
        self.bench.calls.begin()
        self._tell(StepProgress(step.number, "running"))
        at, begun, state = now(), time.monotonic(), "failed"
        try:
            with disk_errors(step.number), cloud_errors(step.number), _step_in_errors(step.number):
                outcome = step.function(self.bench)
            state = "done"
        finally:
            self._running = ""
            self._tell(StepProgress(step.number, state, time.monotonic() - begun))
        result = StepResult(
            step=step.number,
            party=step.party,
            title=step.title,
            status="done",
            seconds=round(time.monotonic() - begun, 3),
            evidence=dict(outcome.evidence),
            notes=outcome.notes,
            produced=dict(outcome.produces),
            at=at,
            calls=self.bench.calls.taken(),
        )
        # Whose word a record is: a stand-in of the tests is not AWS.
        kind = self.bench.cloud.kind
        mark = {} if kind == "local" else {"cloud": kind}
        record = {**result.to_record(), **mark, "based_on": self._based_on(step)}
        self.bench.folder.keep(step.number, record)
        self._seen[step.number] = time.monotonic()
        return result

    def _tell(self, progress: StepProgress) -> None:
        if self.progress is not None:
            self.progress(progress)

    def _based_on(self, step: Step) -> dict[str, str]:
        settings = self._settings_of(step)
        return {
            **({"settings": _digest(settings)} if settings else {}),
            **{
                need: _digest((self.bench.folder.record(need) or {}).get("produced"))
                for need in step.needs
            },
        }

    def _settings_of(self, step: Step) -> dict[str, Any]:
        """Return the settings that the step reads: the data's are P3's, the host is P6's."""
        settings = self.bench.folder.settings()
        host = settings.pop("host", "sandbox")
        for name in ("cloud", "aws", "agreed"):  # a lab's own for as long as it is
            settings.pop(name, None)
        if step.number == "P6" and host != "sandbox":
            return {"host": host}
        return settings if step.number == "P3" else {}

    # -- processes ---------------------------------------------------------------------------------

    def up(self) -> None:
        """Start or adopt the background processes; make the roles where the cloud lacks them."""
        with disk_errors("starting the lab"):
            self.pair.up()
            with cloud_errors("the lab's roles"):
                self.bench.parties.ensure()
            if notice := notice_trust_root(self.bench):
                self.notices.append(notice)
                self.bench.say(notice)

    def down(self) -> list[str]:
        """Stop the background processes; returns the names of those that ran."""
        return self.pair.down()

    def reset(self, begin: str = "P1") -> None:
        """Start over: from the first step with nothing left, or from ``begin`` on.

        From P1 the processes end and the folder is emptied: keys, data, images, records, settings.
        From a later step its record and those after it are dropped; the next run makes them again.
        """
        step = find_step(begin)
        with self.bench.folder.lock("starting over"), disk_errors("starting over"):
            if step is STEPS[0]:
                self.pair.down()
                self.bench.folder.clear()
            for later in STEPS[STEPS.index(step) :]:
                self.bench.folder.forget(later.number)
            self.bench = self._new_bench(self.bench.folder, self.bench.say)
            self._seen.clear()

    def _observe(self, party: str, event_name: str, request: Any) -> None:
        if self._running:
            file = self.bench.path / "logs" / "trace.jsonl"
            note_request(file, self._running, party, event_name, request)


@contextlib.contextmanager
def _step_in_errors(number: str) -> Iterator[None]:
    """Name the step in an error that does not say where it arose."""
    try:
        yield
    except NitroWorkflowError as error:
        error.where = error.where or number
        raise


def _failed(step: Step, begun: float, error: NitroWorkflowError) -> StepResult:
    evidence: Mapping[str, Any] = {}
    explanation = getattr(error, "explanation", "")
    if explanation:
        evidence = {"explanation": explanation}
    return StepResult(
        step=step.number,
        party=step.party,
        title=step.title,
        status="failed",
        seconds=round(time.monotonic() - begun, 3),
        evidence=evidence,
        error=error.to_json(),
        at=now(),
    )


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
