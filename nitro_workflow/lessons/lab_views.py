"""What a lesson shows of the lab and of the workflow's steps: one call, one view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from enclave_image import exchange_of
from nitro_workflow.lab import Lab, image_of, jobs_of
from nitro_workflow.lessons import lesson_views, walk_views, wire_view
from nitro_workflow.lessons.asked_enclave import AskedEnclave, ask_enclave, end_others
from nitro_workflow.lessons.lesson_errors import in_a_lesson
from nitro_workflow.lessons.nitro_cli_line import Said, run_line
from nitro_workflow.lessons.practice_row import SealedRow, seal_row
from nitro_workflow.widgets import (
    Head,
    Listing,
    PlainModel,
    View,
    json_listing,
    make_changes,
    make_pcrs,
    pcr_answers,
)

__all__ = ["LabViews"]


class LabViews:
    """The part of a `Lesson` that shows what is there. Every method returns a view."""

    lab: Lab

    @in_a_lesson
    def parties(self) -> View:
        """Show the four roles: what each may do, and what only the cloud's answer keeps it from."""
        account = self.lab.bench.policies.account
        rows = (
            (role, account(party), lesson_views.MAY[party], lesson_views.MAY_NOT[party])
            for party, role in self.lab.bench.cloud.names.roles.items()
        )
        head = Head("The lab's parties", "Four roles in two accounts", "neutral")
        return View(
            PlainModel(head, columns=("role", "account", "may", "may not"), rows=tuple(rows))
        )

    @in_a_lesson
    def key_policy(self) -> Listing:
        """Show the key policy as it stands in the cloud."""
        policy = lesson_views.key_policy(self.lab.bench)
        return json_listing(policy, title="The key policy, as KMS has it now")

    @in_a_lesson
    def bucket_policy(self) -> Listing:
        """Show the bucket policy that P4 put."""
        policy = lesson_views.evidence(self.lab.bench, "P4")["bucket_policy"]
        return json_listing(policy, title="The bucket policy")

    @in_a_lesson
    def difference(self, step: str) -> View:
        """Show how a step changed the key policy, line by line."""
        changed = lesson_views.evidence(self.lab.bench, step)["difference"]
        return View(make_changes(changed, what=f"The key policy, before and after {step}"))

    @in_a_lesson
    def who_can_decrypt(self) -> View:
        """Show every path to the plaintext that the key policy leaves."""
        return View(lesson_views.who_can_decrypt(self.lab.bench))

    @in_a_lesson
    def what_if(self, **pcrs: str) -> View:
        """Show the decision for the instance's Decrypt, with values to change.

        ``pcrs`` are other values than the policy's, by name: ``PCR0="0" * 96``.
        """
        edits = {f"kms:RecipientAttestation:{name}": value for name, value in pcrs.items()}
        return self._inquiry(edits)

    def _inquiry(self, edits: Mapping[str, str]) -> View:
        asked = lesson_views.what_if(self.lab.bench)
        return View(asked.model(edits, {} if edits else None), answers={"decide": asked.answer})

    @in_a_lesson
    def message(self) -> View:
        """Show the header of the Encryption SDK's message."""
        return View(walk_views.message(self.lab.bench))

    @in_a_lesson
    def measured_configuration(self) -> Listing:
        """Show what the enclave is told to trust; it is part of the image."""
        return json_listing(lesson_views.measured(self.lab.bench), title="Measured configuration")

    @in_a_lesson
    def image(self) -> View:
        """Show the layout of the enclave image."""
        return lesson_views.image(self.lab.bench)

    @in_a_lesson
    def origins(self) -> View:
        """Show where the files inside the image come from."""
        return View(lesson_views.origins(self.lab.bench))

    @in_a_lesson
    def changed_image(self) -> View:
        """Show what one flipped bit does to the PCRs."""
        return View(lesson_views.changed_image(self.lab.bench))

    @in_a_lesson
    def truncated_image(self) -> View:
        """Show how a truncated image is refused."""
        return View(lesson_views.truncated_image(self.lab.bench))

    @in_a_lesson
    def measurements(self) -> View:
        """Show the PCRs as the developer's build and the owner's own reading give them."""
        return View(lesson_views.measurements(self.lab.bench))

    @in_a_lesson
    def enclaves(self) -> View:
        """Show the running enclaves: their PCRs, flags, jobs; launch and end them there."""
        return walk_views.enclave_view(self.lab.bench)

    @in_a_lesson
    def document(self) -> View:
        """Show the enclave's attestation document with every check."""
        self.lab.ensure("D3")
        return lesson_views.document(self.lab.bench)

    @in_a_lesson
    def chain(self) -> View:
        """Show the document's certificates, root first, at the document's own time."""
        self.lab.ensure("D3")
        return lesson_views.chain(self.lab.bench)

    @in_a_lesson
    def decision(self) -> View:
        """Show KMS's decision of D4 with its reason, from the cloud's own record."""
        return View(lesson_views.decision(self.lab.bench))

    @in_a_lesson
    def log(self) -> View:
        """Show what the cloud decided for the owner's account, newest first, record by record."""
        return lesson_views.log(self.lab.bench)

    @in_a_lesson
    def pcrs(self) -> View:
        """Show the PCRs of document, image and key policy side by side."""
        columns = lesson_views.pcr_columns(self.lab.bench)
        model = make_pcrs(columns, image=image_of(self.lab.bench))
        return View(model, answers=pcr_answers(columns))

    @in_a_lesson
    def nitro_cli(self, line: str) -> Said:
        """Run a line for nitro-cli on the lab's parent instance; what it refuses is told.

        Raises `UsageError` for a line of another program.
        """
        return run_line(self.lab, line)

    @in_a_lesson
    def ask_enclave(self, name: str) -> AskedEnclave:
        """Hand the data to a running enclave: its document, and how KMS took it.

        Raises `UsageError` for an enclave that does not run.
        """
        return ask_enclave(self.lab, name)

    @in_a_lesson
    def end_others(self) -> list[str]:
        """End every enclave but the workflow's own; return their names."""
        return end_others(self.lab)

    @in_a_lesson
    def wire(self) -> View:
        """Show the TLS records that the parent carried for the last job."""
        return View(wire_view.wire_table(self.lab.bench))

    @in_a_lesson
    def exchange(self) -> dict[str, str]:
        """Return what was told of the exchange with KMS: the receipt states it, too."""
        return exchange_of(jobs_of(self.lab.bench)["encryption-sdk"].ended().get("evidence") or {})

    @in_a_lesson
    def sealed_row(self, public_key: Any) -> SealedRow:
        """Return a row of made-up customers whose data key is sealed to your RSA public key."""
        return seal_row(self.lab, public_key)

    @in_a_lesson
    def trace(self) -> View:
        """Show who sent what to whom for the last job, and who could read it."""
        return View(walk_views.trace(self.lab.bench))

    @in_a_lesson
    def result(self) -> View:
        """Show the opened result: aggregates, small groups suppressed."""
        return View(walk_views.result(self.lab.bench))
