"""Lesson 07: what is true of its predictions, and how what a learner made is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from nitro_workflow.host import least_launch
from nitro_workflow.lab import Lab, image_of
from nitro_workflow.lessons import worlds
from nitro_workflow.lessons.checking import LessonChecks, StandIn
from nitro_workflow.lessons.checks.tried_launch import Tried, try_line
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.widgets import sentence

__all__ = ["Checks"]

MIB: Final = 1 << 20
BROKEN: Final = ("memory", "cid", "path")
"""The launch errors that the notebook shows, by what is wrong in them."""

DEBUG: Final = {
    ("describe-enclaves", "PCR0"): "image",
    ("document", "PCR0"): "zeros",
    ("document", "PCR3"): "role",
    ("document", "PCR4"): "instance",
}


def _line(lab: Lab) -> str:
    least, cpus = least_launch(image_of(lab.bench))
    path = image_of(lab.bench).name
    return f"nitro-cli run-enclave --eif-path {path} --memory {least} --cpu-count {cpus}"


def _starts(lab: Lab, made: Any) -> bool:
    line = isinstance(made, str) and made.startswith("nitro-cli run-enclave ")
    return line and try_line(lab, made).flags == "NONE"


def _next_cid(lab: Lab) -> str:
    used = sorted(int(one["EnclaveCID"]) for one in lab.bench.host.describe_enclaves())
    return f"Running now: CIDs {', '.join(map(str, used))}."


class Checks(LessonChecks):
    """Checks of lesson 07."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "too-little": Truth(
            "it is refused before anything starts",
            "nitro-cli compares the memory with the file's size: at least four times the EIF",
            found=lambda lab: f"Tried now: {try_line(lab, _too_little(lab)).told}",
        ),
        "same-image": Truth(
            "it gets another CID: the hypervisor takes a free one",
            "a CID is the address of one enclave, not of an image",
            found=_next_cid,
        ),
        "debug-pcrs": Truth(
            "zeros for PCR0, PCR1 and PCR2",
            "in debug mode the hypervisor shows zeros for what measures the image, and the real "
            "values for the role (PCR3) and the instance (PCR4)",
        ),
        "root-and-memory": Truth(
            "no: the enclave's processes are not in its namespace",
            "on AWS the enclave is another virtual machine; here it is out of the parent's sight",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "memory": StandIn(
            "amount",
            make=lambda lab: least_launch(image_of(lab.bench))[0],
            usable=lambda lab, made: (
                isinstance(made, int) and made >= least_launch(image_of(lab.bench))[0]
            ),
        ),
        "launch": StandIn("line", make=_line, usable=_starts),
    }

    def memory(self, memory: Any) -> Verdict:
        """Look at the least memory that run-enclave takes for the image."""
        size = image_of(self.lab.bench).stat().st_size
        least = least_launch(image_of(self.lab.bench))[0]
        if memory == least:
            return Verdict.right(
                f"{least} MiB: {-(-size // MIB)} MiB of image, rounded up, times four. Kernel and "
                "ramdisks are unpacked in the enclave's own memory."
            )
        if not isinstance(memory, int):
            return Verdict.wrong("A whole number of MiB is asked for.", "-(-a // b) rounds up.")
        if memory in (4 * size // MIB, -(-4 * size // MIB)):
            return Verdict.wrong("Round the image up to whole MiB first, then take four times it.")
        if memory in (4 * -(-size // 10**6), 4 * size // 10**6):
            return Verdict.wrong("A MiB has 1024 × 1024 bytes.")
        if memory < least:
            return Verdict.wrong("Too little: run-enclave refuses that.", "Four times the image.")
        return Verdict.wrong("That starts, but it is more than the least.")

    def launch(self, launch: Any) -> Verdict:
        """Look at a launch line: it is run, and what it started is ended again."""
        if not isinstance(launch, str):
            return Verdict.wrong("A line is a text, in quotes.")
        done = try_line(self.lab, launch)
        if not done.started:
            return _not_started(done)
        if done.flags != "NONE":
            return Verdict.wrong(
                "It starts, in debug mode: the parent reads its console, and its PCR0 is zeros.",
                "Leave --debug-mode and --attach-console out.",
            )
        return Verdict.right(
            f"It started: CID {done.started['EnclaveCID']}, {done.started['MemoryMiB']} MiB, "
            f"{done.started['NumberOfCPUs']} CPUs, no flags. It was ended again."
        )

    def repaired(self, repaired: Any) -> Verdict:
        """Look at three mended launch lines: each is run, and ended again."""
        missing = [name for name in BROKEN if name not in repaired]
        if missing:
            return Verdict.unanswered(f"Still to fill in: {', '.join(missing)}.")
        for name in BROKEN:
            done = try_line(self.lab, str(repaired[name]))
            if not done.started:
                return Verdict.wrong(f"{name}: it still does not start.", done.told)
            if done.flags != "NONE":
                return Verdict.wrong(f"{name}: it starts, but in debug mode.")
        return Verdict.right("All three start. Each was ended again.")

    def debug(self, debug: Any) -> Verdict:
        """Look at what is said to be shown of a debug enclave, and where."""
        missing = [" ".join(key) for key in DEBUG if key not in debug]
        if missing:
            return Verdict.unanswered(f"Still to fill in: {', '.join(missing)}.")
        why = {
            ("describe-enclaves", "PCR0"): "describe-enclaves computes it from the file: it shows "
            "the image's, debug or not. That is no attestation.",
            ("document", "PCR0"): "The document is what counts, and there it is 96 zeros.",
            ("document", "PCR3"): "PCR3 measures the role of the parent: debug mode keeps it.",
            ("document", "PCR4"): "PCR4 measures the instance's id: debug mode keeps it.",
        }
        for key, true in DEBUG.items():
            if str(debug[key]).strip().lower() != true:
                return Verdict.wrong(f"{' '.join(key)}: not “{debug[key]}”.", why[key])
        return Verdict.right(
            "All four. “All PCRs are zero” is wrong, and so is “describe-enclaves says it is ours”."
        )

    def trusted(self, trusted: Any) -> Verdict:
        """Look at the PCR0 values of a policy: the engine is asked with six documents."""
        values = [trusted] if isinstance(trusted, str) else list(trusted)
        key = "kms:RecipientAttestation:PCR0"
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringEqualsIgnoreCase": {key: values}},
        }
        caller = worlds.callers_of(self.lab.bench)["ParentInstance"]
        pcrs = worlds.image_pcrs(self.lab.bench)
        let_in = {
            name
            for name in worlds.DOCUMENTS
            if worlds.ask_policy(
                statement, caller, worlds.document_of_world(pcrs, name)
            ).decision.effect
            == "allowed"
        }
        if "debug" in let_in:
            return Verdict.wrong(
                "Any debug enclave gets in, whatever image runs in it: all show the same zeros.",
                "Which value stands for no image at all?",
            )
        if "ours" not in let_in:
            return Verdict.wrong("Your own image stays out.", "Its PCR0 belongs in the list.")
        if let_in != {"ours"}:
            others = ", ".join(sorted(let_in - {"ours"}))
            return Verdict.wrong(f"Others get in, too: {others}.")
        return Verdict.right("Only your image, and only without debug mode.")


def _too_little(lab: Lab) -> str:
    return f"nitro-cli run-enclave --eif-path {image_of(lab.bench).name} --memory 64 --cpu-count 2"


def _not_started(done: Tried) -> Verdict:
    hints = {
        "E03": "3 is the parent's own CID: leave --enclave-cid out.",
        "E19": "The image lies beside you: application.eif.",
        "E26": "At least four times the image: see your memory above.",
        "E29": "CPUs are given in whole cores: an even number here.",
    }
    if done.code:
        hint = [hints[done.code]] if done.code in hints else []
        return Verdict.wrong(f"nitro-cli refused it with {done.code}.", sentence(done.told), *hint)
    return Verdict.wrong(
        f"nitro-cli did not understand the line (exit status {done.status}): {done.told}",
        "run-enclave needs --eif-path, --memory and --cpu-count.",
    )
