"""One lab: its folder, its processes, its parties, and the running of steps.

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
from nitro_workflow.errors import LabError, NitroWorkflowError, UsageError
from nitro_workflow.lab.evidence.trace import note_request, now
from nitro_workflow.lab.lab_folder import LabFolder
from nitro_workflow.lab.parties import Parties, bucket_name
from nitro_workflow.lab.party_policies import identity_policy
from nitro_workflow.lab.processes.background import Processes
from nitro_workflow.lab.steps.step import StepResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from nitro_workflow.host import Host
    from nitro_workflow.lab.evidence.enclave_job import Job
    from nitro_workflow.lab.steps.step import Step

__all__ = ["DEFAULT_SIZE", "Lab"]

DEFAULT_SIZE: Final = 16 * 1024 * 1024
"""Bytes of the generated data set, unless ``--size`` says otherwise."""
DEFAULT_SEED: Final = 2024


class Lab:
    """A walk-through of the workflow in one folder.

    >>> lab = Lab.open()                                  # doctest: +SKIP
    >>> lab.run("P1").evidence["key_arn"]                 # doctest: +SKIP
    'arn:aws:kms:us-east-1:111122223333:key/…'
    """

    def __init__(self, folder: LabFolder, say: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self.path: Path = folder.path
        self.say = say or (lambda _: None)
        self.processes = Processes(folder, self._tell)
        self.parties = Parties(self.processes, self._observe)
        self.memory: dict[str, Any] = {}
        """What must never be on disk: the plaintext data key of P2, the private key for results."""
        self.step = ""
        self.last_exit_code = 0
        self._seen: dict[str, float] = {}

    @classmethod
    def open(
        cls,
        folder: Path | str | None = None,
        *,
        say: Callable[[str], None] | None = None,
        size: int = 0,
    ) -> Lab:
        """Open or make the lab in ``folder`` (default: ``NITRO_WORKFLOW_LAB``, else one a user).

        ``size`` is of the data set, in bytes; a changed one makes the steps from P3 on run again.
        Raises `LabError` for a folder that is not, or not wholly, a lab's.
        """
        opened = cls(LabFolder.open(folder), say)
        if size:
            opened.folder.change_settings(size=size)
        return opened

    def _tell(self, text: str) -> None:
        self.say(text)

    @property
    def runtime(self) -> Path:
        """Return the folder of the lab's sockets."""
        return self.processes.runtime

    @property
    def size(self) -> int:
        """Return the size of the data set, in bytes."""
        return int(self.folder.settings().get("size", DEFAULT_SIZE))

    @property
    def seed(self) -> int:
        """Return the seed of the data set: the same seed gives the same customers."""
        return int(self.folder.settings().get("seed", DEFAULT_SEED))

    # -- steps -------------------------------------------------------------------------------------

    def run(self, number: str) -> StepResult:
        """Run one step, after those before it that are missing or no longer hold.

        Raises the package's error that ended it; the record of the last good run is kept.
        """
        step = find_step(number)
        with self.folder.lock(f"step {number}"):
            self.up()
            caught_up = self._catch_up(step)
            return replace(self._run_one(step), caught_up=caught_up)

    def ensure(self, number: str) -> bool:
        """Run one step only where its record is missing or no longer holds; True if it was run."""
        step = find_step(number)
        with self.folder.lock(f"step {number}"):
            self.up()
            if self.current(step):
                return False
        self.run(number)
        return True

    def walk(self) -> Iterator[StepResult]:
        """Run the 17 steps in order; a failed one is yielded with its error and ends the walk."""
        from nitro_workflow.lab.steps import STEPS

        for step in STEPS:
            begun = time.monotonic()
            try:
                with self.folder.lock(f"step {step.number}"):
                    self.up()
                    self._catch_up(step)
                    result = self._run_one(step)
            except NitroWorkflowError as error:
                self.last_exit_code = error.exit_code
                yield _failed(step, begun, error)
                return
            yield result

    def result(self, number: str) -> StepResult | None:
        """Return the record of the step's last good run, whatever process ran it."""
        record = self.folder.record(number)
        try:
            return None if record is None else StepResult.from_record(record)
        except (KeyError, TypeError, ValueError):
            return None  # written by another version, or by hand: the step can be run again

    def produced(self, number: str, name: str) -> Any:
        """Return one thing that an earlier step produced; raises `LabError` when it has not."""
        result = self.result(number)
        if result is None or name not in result.produced:
            raise LabError(
                f"{number} has left no {name}",
                expected=f"the record of step {number}",
                where=f"steps/{number}.json",
                next=f"run step {number}",
            )
        return result.produced[name]

    def current(self, step: Step) -> bool:
        """Tell whether the step's record exists, rests on its needs' records, and still holds."""
        record = self.folder.record(step.number)
        if record is None or not self.rests(step):
            return False
        looked = self._seen.get(step.number)
        if step.holds is None or (looked and time.monotonic() < looked + step.holds_for):
            return True
        running, self.step = self.step, ""  # looking is no part of the workflow: not in the trace
        try:
            holds = step.holds(self, record["produced"])
        except (NitroWorkflowError, KeyError, TypeError, ValueError):
            return False
        finally:
            self.step = running
        if holds:
            self._seen[step.number] = time.monotonic()
        return holds

    def rests(self, step: Step) -> bool:
        """Tell, from the records alone, whether the step rests on its needs' records of now."""
        record = self.folder.record(step.number)
        if record is None or record.get("based_on") != self._based_on(step):
            return False
        return all(self.rests(find_step(need)) for need in step.needs)

    def _catch_up(self, step: Step) -> tuple[str, ...]:
        """Run what is missing or no longer holds, in the table's order, then what memory lacks."""
        done: list[str] = []
        for need in _all_needs(step):
            if not self.current(need):
                done += self._from_memory(need)
                self._again(need, f"{step.number} needs it")
                done.append(need.number)
        return (*done, *self._from_memory(step))

    def _from_memory(self, step: Step) -> list[str]:
        makers = [maker for name, maker in step.memory.items() if name not in self.memory]
        for maker in makers:
            self._again(find_step(maker), f"{step.number} needs what is kept in memory only")
        return makers

    def _again(self, step: Step, why: str) -> None:
        again = "again" if self.folder.record(step.number) else "first"
        self.say(f"Running {step.number} {again} ({step.title}): {why}")
        self._run_one(step)

    def _run_one(self, step: Step) -> StepResult:
        self.step = step.number
        self._seen.pop(step.number, None)
        at, begun = now(), time.monotonic()
        with cloud_errors(step.number), _step_in_errors(step.number):
            outcome = step.function(self)
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
        )
        self.folder.keep(step.number, {**result.to_record(), "based_on": self._based_on(step)})
        self._seen[step.number] = time.monotonic()
        self.step = ""
        return result

    def _based_on(self, step: Step) -> dict[str, str]:
        settings = self.folder.settings() if step.number == "P3" else {}
        return {
            **({"settings": _digest(settings)} if settings else {}),
            **{
                need: _digest((self.folder.record(need) or {}).get("produced"))
                for need in step.needs
            },
        }

    # -- what later views need ---------------------------------------------------------------------

    def image_path(self) -> Path:
        """Return where the developer's image is (step P6)."""
        from nitro_workflow.lab.steps.p5_p7_image import image_of

        return image_of(self)

    def ciphertext_path(self) -> Path:
        """Return where the Encryption SDK's message is (step P3)."""
        from nitro_workflow.lab.steps.p3_p4_data import SDK_FILE

        return self.path / "owner" / SDK_FILE

    def identity_policies(self, party: str) -> tuple[dict[str, Any], ...]:
        """Return the identity policies of a party's role, as JSON values."""
        return (identity_policy(party, bucket_name()),)

    def host(self) -> Host:
        """Return what runs this lab's enclaves: nitro-cli's operations."""
        from nitro_workflow.lab.steps.p8_launch import host_of

        return host_of(self)

    def jobs(self) -> Mapping[str, Job]:
        """Return the jobs that the last D2 handed to the enclave, by form; empty before it."""
        from nitro_workflow.lab.steps.d1_d2_delivery import jobs_of

        return jobs_of(self)

    def document(self) -> bytes:
        """Return the attestation document of the last job (D3), as the enclave sent it."""
        from nitro_workflow.lab.steps.d3_d9_decryption import document_of

        self.ensure("D3")
        return document_of(self)

    # -- processes ---------------------------------------------------------------------------------

    def up(self) -> None:
        """Start or adopt the background processes; make the roles where the cloud lacks them."""
        self.processes.up()
        with cloud_errors("the lab's roles"):
            self.parties.ensure()

    def down(self) -> list[str]:
        """Stop the background processes; returns the names of those that ran."""
        return self.processes.down()

    def trust_root(self) -> tuple[str, str]:
        """Return the name and the SHA-256 (hex) of the root that the local cloud trusts."""
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes

        path = self.path / "hypervisor" / "root.pem"
        try:
            root = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError) as error:
            raise LabError(
                f"no certificate there: {error}",
                expected="the root of the lab's hypervisor",
                where="hypervisor/root.pem",
                next="`nitro-workflow down`, then run the step again",
            ) from error
        name = root.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
        return str(name), root.fingerprint(hashes.SHA256()).hex()

    def trust_root_der(self) -> bytes:
        """Return the lab's root certificate, DER: what a verifier of the lab pins."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        pem = (self.path / "hypervisor" / "root.pem").read_bytes()
        return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)

    def _observe(self, party: str, event_name: str, request: Any) -> None:
        if self.step:
            note_request(self.path / "logs" / "trace.jsonl", self.step, party, event_name, request)


def find_step(number: str) -> Step:
    """Return the step of that number; raises `UsageError` for another text."""
    from nitro_workflow.lab.steps import STEPS

    for step in STEPS:
        if step.number == number.upper():
            return step
    raise UsageError(
        f"no step {number!r}",
        expected=", ".join(step.number for step in STEPS),
        where="step",
        next="name one of the 17",
    )


def _all_needs(step: Step) -> list[Step]:
    """Return every step that this one rests on, in the table's order."""
    from nitro_workflow.lab.steps import STEPS

    wanted: set[str] = set()
    waiting = list(step.needs)
    while waiting:
        number = waiting.pop()
        if number not in wanted:
            wanted.add(number)
            waiting += find_step(number).needs
    return [one for one in STEPS if one.number in wanted]


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
