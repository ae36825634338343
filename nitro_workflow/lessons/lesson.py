"""One lesson: an open lab, and what the notebook shows of it, one short call each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nitro_workflow.errors import UsageError
from nitro_workflow.lab import ROLES, STEPS, Lab, find_step, image_of, try_attack
from nitro_workflow.lessons import cards, lesson_views, walk_views
from nitro_workflow.lessons.lesson_errors import in_a_lesson
from nitro_workflow.lessons.progress_board import told_below_the_cell
from nitro_workflow.lessons.questions import QUESTIONS
from nitro_workflow.widgets import (
    SHOWN_BYTES,
    Cell,
    Listing,
    Model,
    Question,
    Table,
    TableRow,
    View,
    Views,
    difference,
    inspect,
    json_listing,
    make_bytes,
    make_pcrs,
    pcr_answers,
)

__all__ = ["LESSONS", "Lesson", "open_lesson"]

LESSONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "00": ("The parties and the lab", ()),
    "01": ("The key", ("P1",)),
    "02": ("Data key and encryption", ("P2", "P3")),
    "03": ("Storage", ("P4",)),
    "04": ("The enclave image", ("P5", "P6")),
    "05": ("PCRs into the key policy", ("P7",)),
    "06": ("Launch", ("P8",)),
    "07": ("Attested decryption", tuple(f"D{number}" for number in range(1, 10))),
}
"""Number → title and the steps that the lesson runs."""


@in_a_lesson
def open_lesson(number: str) -> Lesson:
    """Open the lab for a lesson and run what stands before it and is missing.

    Raises `UsageError` for a number that is not a lesson's, and what a step raises.
    """
    if number not in LESSONS:
        raise UsageError(
            f"no lesson {number!r}",
            expected=", ".join(LESSONS),
            where="open_lesson",
            next="name one of them, as the notebooks do",
        )
    lab = Lab.open()
    lab.up()
    steps = LESSONS[number][1]
    before = [step.number for step in STEPS[: _first(steps)]]
    with told_below_the_cell(lab):
        caught_up = [number for number in before if lab.ensure(number)]
    return Lesson(lab, number, tuple(caught_up))


def _first(steps: Sequence[str]) -> int:
    numbers = [step.number for step in STEPS]
    return numbers.index(steps[0]) if steps else 0


class Lesson:
    """What one notebook shows: every method returns a view, none holds logic."""

    def __init__(self, lab: Lab, number: str, caught_up: tuple[str, ...]) -> None:
        self.lab = lab
        self.number = number
        self.caught_up = caught_up

    @in_a_lesson
    def __repr__(self) -> str:
        title, steps = LESSONS[self.number]
        trust = self.lab.bench.cloud.trust()
        notices = [line for notice in self.lab.notices for line in notice.splitlines()]
        before = f"ran first: {', '.join(self.caught_up)}" if self.caught_up else "all done"
        return "\n".join(
            [
                f"Lesson {self.number}: {title}",
                f"Trust root: this lab's, {trust.root_name}; not AWS's",
                f"  SHA-256 {trust.root_sha256}",
                f"Steps here: {', '.join(steps)}; those before: {before}"
                if steps
                else "Steps here: none yet",
                *notices,
            ]
        )

    # -- the workflow ------------------------------------------------------------------------------

    @in_a_lesson
    def run(self, step: str) -> View:
        """Run one step and show its evidence. Raises what the step raises."""
        with told_below_the_cell(self.lab):
            run = self.lab.run(step)
        return walk_views.step_view(self.lab, run, self._model_of)

    @in_a_lesson
    def reset(self, begin: str = "P1", *, yes: bool = False) -> View:
        """Begin the lab anew, or go back to a step. Asks first: without ``yes`` nothing happens.

        Raises `UsageError` for what is no step.
        """
        number = find_step(begin).number
        what = "all that the lab holds" if number == "P1" else f"the records from {number} on"
        if not yes:
            call = f'lesson.reset("{number}", yes=True)'
            return View(cards.reset_card("Start over?", what, f"if you are sure: {call}"))
        self.lab.reset(number)
        return View(cards.reset_card("Started over", what, "run this notebook from its first cell"))

    @in_a_lesson
    def steps(self) -> View:
        """Show the 17 steps, which are done, and which belong to this lesson."""
        return walk_views.workflow_view(self.lab, LESSONS[self.number][1])

    @in_a_lesson
    def attack(self, name: str) -> View:
        """Try an attack and show how it ended: refused, useless or detected."""
        return View(cards.attack_card(try_attack(self.lab, name)))

    @in_a_lesson
    def ask(self, name: str) -> Question:
        """Ask before the cell that decides. Raises `UsageError` for an unknown name."""
        if name not in QUESTIONS:
            raise UsageError(
                f"no question {name!r}",
                expected=", ".join(QUESTIONS),
                where="lesson.ask",
                next="name one of them",
            )
        return QUESTIONS[name]

    @in_a_lesson
    def open(self, name: str) -> View | Views:
        """Open bytes of the lab in their inspector: `document`, `message`, `image`, `receipt`.

        Raises `UsageError` for another name.
        """
        thing = walk_views.openable(self.lab.bench, name)
        return inspect(thing, root=self.lab.bench.cloud.trust().root_der, at="document")

    def _model_of(self, name: str) -> Model:
        """Return the model of some bytes, as the card of a step shows it."""
        view = self.open(name)
        model: Model = view.model if isinstance(view, View) else view[0].model
        if model.kind in walk_views.SHOWN_IN_CARDS:
            return model
        data, total = walk_views.beginning(self.lab.bench, name, SHOWN_BYTES)
        hint = f'lesson.open("{name}") shows all of it'
        return make_bytes(data, name=name, guesses=(hint,), total=total)

    # -- what there is to see ----------------------------------------------------------------------

    @in_a_lesson
    def parties(self) -> View:
        """Show the four roles: what each may do, and what only the cloud's answer keeps it from."""
        account = self.lab.bench.policies.account
        rows = [
            TableRow(
                role,
                tuple(
                    map(
                        Cell, (account(party), lesson_views.MAY[party], lesson_views.MAY_NOT[party])
                    )
                ),
            )
            for party, role in ROLES.items()
        ]
        return View(Table("Four roles in two accounts", ("account", "may", "may not"), tuple(rows)))

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
    def difference(self, step: str) -> Listing:
        """Show how a step changed the key policy."""
        return difference(
            lesson_views.evidence(self.lab.bench, step)["difference"], title=f"What {step} changed"
        )

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
    def pcrs(self) -> View:
        """Show the PCRs of document, image and key policy side by side."""
        columns = lesson_views.pcr_columns(self.lab.bench)
        model = make_pcrs(columns, image=image_of(self.lab.bench))
        return View(model, answers=pcr_answers(columns))

    @in_a_lesson
    def trace(self) -> View:
        """Show who sent what to whom for the last job, and who could read it."""
        return View(walk_views.trace(self.lab.bench))

    @in_a_lesson
    def result(self) -> View:
        """Show the opened result: aggregates, small groups suppressed."""
        return View(walk_views.result(self.lab.bench))
