"""One lesson: an open lab, and what a notebook does with it, one short call each."""

from __future__ import annotations

from nitro_workflow.errors import UsageError
from nitro_workflow.lab import Lab, find_step, try_attack
from nitro_workflow.lessons import cards, lab_bytes, walk_views
from nitro_workflow.lessons.attacks_in_turn import try_in_turn
from nitro_workflow.lessons.course_acts import CourseActs
from nitro_workflow.lessons.course_progress import answers_in, forget_answers
from nitro_workflow.lessons.lab_views import LabViews
from nitro_workflow.lessons.learner_files import LearnerFiles
from nitro_workflow.lessons.lesson_errors import in_a_lesson
from nitro_workflow.lessons.lesson_state import state_lines
from nitro_workflow.lessons.lesson_table import LESSONS
from nitro_workflow.lessons.progress_board import told_below_the_cell
from nitro_workflow.widgets import SHOWN_BYTES, Model, View, Views, inspect, make_bytes

__all__ = ["Lesson", "open_lesson"]


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
    with told_below_the_cell(lab, "Opening the lab"):
        lab.up()
        caught_up = [step for step in LESSONS[number].before if lab.ensure(step)]
    return Lesson(lab, number, tuple(caught_up))


class Lesson(LabViews, LearnerFiles, CourseActs):
    """What one notebook calls. What it finds stands in ``lab``; it holds no logic of its own."""

    def __init__(self, lab: Lab, number: str, caught_up: tuple[str, ...]) -> None:
        self.lab = lab
        self.number = number
        self.plan = LESSONS[number]
        self.caught_up = caught_up
        self._begin()

    @in_a_lesson
    def __repr__(self) -> str:
        trust = self.lab.bench.cloud.trust()
        return "\n".join(
            [
                f"Lesson {self.number}: {self.plan.title}",
                f"Trust root: this lab's, {trust.root_name}; not AWS's",
                f"  SHA-256 {trust.root_sha256}",
                *state_lines(self.lab, self.plan, self.caught_up),
                *(line for notice in self.lab.notices for line in notice.splitlines()),
            ]
        )

    @in_a_lesson
    def run(self, step: str) -> View:
        """Run one step and show its evidence. Raises what the step raises."""
        with told_below_the_cell(self.lab):
            run = self.lab.run(step)
        return walk_views.step_view(self.lab, run, self._model_of)

    @in_a_lesson
    def reset(self, begin: str = "", *, yes: bool = False) -> View:
        """Start this lesson over, or go back to a step; without ``yes`` it only asks.

        The lesson's own steps are dropped, with all after them, and what was answered in it.
        Raises `UsageError` for what is no step.
        """
        first = begin or next(iter(self.plan.steps), "")
        number = find_step(first).number if first else ""
        records = "all that the lab holds" if number == "P1" else f"the records from {number} on"
        what = f"{records if number else 'no step'}, and {answers_in(self.number)}"
        if not yes:
            call = f"lesson.reset({f'{begin!r}, ' if begin else ''}yes=True)"
            return View(cards.reset_card("Start over?", what, f"if you are sure: {call}"))
        if number:
            self.lab.reset(number)
        forget_answers(self.lab.path, self.number)
        return View(cards.reset_card("Started over", what, "run this notebook from its first cell"))

    @in_a_lesson
    def steps(self) -> View:
        """Show the 17 steps, which are done, and which belong to this lesson."""
        return walk_views.workflow_view(self.lab, self.plan.steps)

    @in_a_lesson
    def attack(self, name: str) -> View:
        """Try an attack and show how it ended: refused, useless or detected."""
        return View(cards.attack_card(try_attack(self.lab, name)))

    @in_a_lesson
    def attacks(self, *names: str) -> View:
        """Try attacks one after another and show how each ended; without names, list them all.

        Raises `UsageError` for a name that is not in the list, before any is tried.
        """
        if not names:
            return View(cards.attack_list())
        return View(cards.attack_table(try_in_turn(self.lab, names)))

    @in_a_lesson
    def open(self, name: str) -> View | Views:
        """Open bytes of the lab in their inspector: `document`, `envelope`, `message`, `receipt`.

        Raises `UsageError` for another name.
        """
        if name == "envelope":  # whose key it is sealed to is known here
            return View(walk_views.envelope(self.lab.bench))
        thing = lab_bytes.openable(self.lab.bench, name)
        return inspect(thing, root=self.lab.bench.cloud.trust().root_der, at="document")

    @in_a_lesson
    def bytes(self, name: str) -> bytes:
        """Return bytes of the lab as they are, under the names that `open` takes.

        Raises `UsageError` for another name.
        """
        return lab_bytes.whole(self.lab.bench, name)

    def _model_of(self, name: str) -> Model:
        """Return the model of some bytes, as the card of a step shows it."""
        view = self.open(name)
        model: Model = view.model if isinstance(view, View) else view[0].model
        if model.kind in walk_views.SHOWN_IN_CARDS:
            return model
        data, total = lab_bytes.beginning(self.lab.bench, name, SHOWN_BYTES)
        hint = f'lesson.open("{name}") shows all of it'
        return make_bytes(data, name=name, guesses=(hint,), total=total)
