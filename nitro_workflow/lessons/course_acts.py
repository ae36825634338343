"""What a learner does in a lesson: predict, make, ask, be refused, be checked."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from nitro_workflow.errors import PolicyError, UsageError
from nitro_workflow.lab import Lab, Party, instance_session
from nitro_workflow.lessons import lesson_keys, worlds
from nitro_workflow.lessons.checking import CheckDesk, LessonChecks
from nitro_workflow.lessons.checks import find_checks
from nitro_workflow.lessons.five_policies import KeyCase
from nitro_workflow.lessons.glossary import Word, find_word
from nitro_workflow.lessons.kept_answers import KeptAnswers
from nitro_workflow.lessons.lesson_errors import in_a_lesson
from nitro_workflow.lessons.party_session import PartySession
from nitro_workflow.lessons.practice_reader import PracticeReader, open_reader
from nitro_workflow.lessons.refusals import Caught, refusal_shown
from nitro_workflow.lessons.unfinished import unfinished
from nitro_workflow.lessons.verdict import Verdict
from nitro_workflow.widgets import Question, View, make_policy

__all__ = ["CourseActs"]

_KEPT = "Kept: you may change it until it is marked."
_CLOSED = "Marked: what you said stays. lesson.reset() starts the lesson over."


class CourseActs:
    """The part of a `Lesson` that the learner acts with."""

    lab: Lab
    number: str

    def _begin(self) -> None:
        self._kept = KeptAnswers(self.lab.path, self.number)
        self._checks: LessonChecks = find_checks(self.number)(self.lab)
        self._asked: dict[str, tuple[str, ...]] = {}

    # -- predictions -------------------------------------------------------------------------------

    @in_a_lesson
    def predict(self, name: str, text: str, options: Sequence[str] | None = None) -> Question:
        """Ask before the cell that decides; what is answered is kept in the lab's folder.

        Without options the answer is one line of free text.
        """
        self._asked[name] = tuple(options or ())
        marked = self._kept.marked(name)
        answer = self._kept.answer(name)

        def keep(said: str) -> str:
            return self._keep(name, said)

        said = _CLOSED if marked else _KEPT if answer else ""
        return Question(text, self._asked[name], keep, answer, said, marked)

    @in_a_lesson
    def answer(self, name: str, answer: int | str) -> str:
        """Answer a prediction by code: the option's number, from 1, or the words.

        Raises `UsageError` for an option that there is not, or before the question was asked.
        """
        options = self._asked.get(name)
        if options is None:
            raise UsageError(
                f"no question {name!r} was asked",
                expected=", ".join(self._asked) or "a question",
                where="lesson.answer",
                next="run the cell with lesson.predict first",
            )
        said = options[answer - 1] if isinstance(answer, int) and options else str(answer)
        if options and (said not in options or answer == 0):
            raise UsageError(
                f"the answer {answer!r}",
                expected=f"1 to {len(options)}, or the option's words",
                where="lesson.answer",
                next="look at the question again",
            )
        return self._keep(name, said)

    @in_a_lesson
    def mark(self, name: str) -> Verdict:
        """Say to a prediction whether it came true, and why. It cannot be changed afterwards.

        Raises `UsageError` for a prediction that the lesson does not know.
        """
        return self.check.mark(name)

    def _keep(self, name: str, said: str) -> str:
        if self._kept.marked(name):
            return _CLOSED
        self._kept.predict(name, said)
        return _KEPT

    # -- what the learner makes --------------------------------------------------------------------

    @property
    def check(self) -> CheckDesk:
        """The checks of this lesson, each called with what the learner made."""
        return CheckDesk(self._checks, self._kept)

    @in_a_lesson
    def use(self, made: Any, name: str) -> Any:
        """Return what the learner made; where it is not finished, a finished one, and say so.

        Raises `UsageError` for a name that the lesson knows no stand-in of.
        """
        stand_in = self._checks.stand_ins.get(name)
        if stand_in is None:
            raise UsageError(
                f"no stand-in for {name!r}",
                expected=", ".join(self._checks.stand_ins) or "none: this lesson has none",
                where="lesson.use",
                next="name what an exercise of this lesson makes",
            )
        if not unfinished(made) and stand_in.usable(self.lab, made):
            return made
        why = "is not finished" if unfinished(made) else "cannot be used here"
        print(f"{name} {why}: a finished {stand_in.what} stands in.")
        return stand_in.make(self.lab)

    @in_a_lesson
    def explain(
        self,
        policy: Any,
        document: str = "ours",
        principal: str = "ParentInstance",
        action: str = "kms:Decrypt",
    ) -> View | Verdict:
        """Show how a policy, or one statement of it, decides, with expected and found.

        ``document`` is one of `worlds.DOCUMENTS`, ``principal`` one of `worlds.callers_of`, or an
        ARN. Raises `UsageError` for other names; what is no policy is told as a verdict.
        """
        if unfinished(policy):
            return Verdict.unanswered("The statement is not finished.")
        who = worlds.callers_of(self.lab.bench).get(principal, principal)
        if document not in worlds.DOCUMENTS or not who.startswith("arn:"):
            raise UsageError(
                f"document {document!r} of {principal!r}",
                expected=f"{', '.join(worlds.DOCUMENTS)}; "
                f"{', '.join(worlds.callers_of(self.lab.bench))}",
                where="lesson.explain",
                next="name one of each",
            )
        bench = self.lab.bench
        none = document == "none"  # before P6 there is no image, and no document is a question, too
        shown = {} if none else worlds.document_of_world(worlds.image_pcrs(bench), document)
        try:
            found = worlds.ask_policy(policy, who, shown, action=action)
        except PolicyError as error:
            return Verdict.wrong(f"This is no policy: {error.found}.", f"Next: {error.next}.")
        return View(make_policy(found.to_json()))

    @in_a_lesson
    def reason(self, operation: str = "Decrypt") -> View:
        """Show why the newest request for an operation of KMS, or STS, came out as it did.

        AWS tells no such thing, and what the lab itself asks of STS is passed over.
        Raises `UntrustedAnswer` where none was recorded.
        """
        return lesson_keys.reason_view(self.lab.bench, operation)

    @in_a_lesson
    def policy(self, name: str) -> KeyCase:
        """Return one of the five key policies of lesson 06. Raises `UsageError` for another."""
        return lesson_keys.case_of(self.lab.bench, name)

    @in_a_lesson
    def doors(self, key: Any) -> View | Verdict:
        """Show who may decrypt with a key: every caller with every document.

        ``key`` is a policy, or the name of one of the five, once it has been judged.
        """
        if isinstance(key, str) and not self._kept.notes("answers").get(key):
            return Verdict.unanswered(f"Judge {key} first: the cell with check.answers keeps it.")
        return lesson_keys.doors_view(self.lab.bench, key)

    @in_a_lesson
    def rights(self, policy: Any) -> View | Verdict:
        """Show who may do what with a key by its policy, where their own IAM policies say yes."""
        if unfinished(policy):
            return Verdict.unanswered("The policy is not finished.")
        return lesson_keys.rights_view(self.lab.bench, policy)

    @in_a_lesson
    def image_pcrs(self) -> dict[str, str]:
        """Return PCR0, PCR1 and PCR2 of the image that P6 built: 96 lower-case hex digits each."""
        return worlds.image_pcrs(self.lab.bench)

    @in_a_lesson
    def key_arn(self) -> str:
        """Return the ARN of the workflow's own KMS key, which P1 made."""
        return str(self.lab.bench.produced("P1", "key_arn"))

    @in_a_lesson
    def bucket(self) -> str:
        """Return the name of the owner's bucket, which P4 fills. Raises `LabError` before P4."""
        return str(self.lab.bench.produced("P4", "bucket"))

    @in_a_lesson
    def practice_reader(self) -> PracticeReader:
        """Return a role of the other account that may read, so far as both accounts let it."""
        return open_reader(self.lab)

    @in_a_lesson
    def refusal(self) -> contextlib.AbstractContextManager[Caught]:
        """Show how the call in the block is refused; say so where it is answered.

        ``with lesson.refusal() as caught:`` keeps the refusal for a check.
        """
        return refusal_shown()

    @in_a_lesson
    def word(self, term: str) -> Word:
        """Explain a word of the course. Raises `UsageError` for one that is not in the glossary."""
        return find_word(term)

    # -- the parties -------------------------------------------------------------------------------

    @property
    def owner(self) -> PartySession:
        """The data owner's session: ``lesson.owner.client("kms")``."""
        return self._session("owner")

    @property
    def developer(self) -> PartySession:
        """The application developer's session."""
        return self._session("developer")

    @property
    def administrator(self) -> PartySession:
        """The parent administrator's session."""
        return self._session("administrator")

    @property
    def instance(self) -> PartySession:
        """A session with the instance role's credentials, as any program on the instance has it."""
        return self._session("instance")

    @in_a_lesson
    def arn(self, party: str) -> str:
        """Return the ARN of a party's role. Raises `UsageError` for another word."""
        return self._party(party).role_arn

    def _party(self, name: str) -> Party:
        parties = {party.name: party for party in self.lab.bench.parties.all()}
        if name not in parties:
            raise UsageError(
                f"no party {name!r}",
                expected=", ".join(parties),
                where="lesson",
                next="name one of these",
            )
        return parties[name]

    def _session(self, name: str) -> PartySession:
        party = self._party(name)

        @in_a_lesson
        def find() -> Any:
            if name == "instance":
                return instance_session(self.lab.bench)
            return self.lab.bench.parties.session(name)

        return PartySession(name, party.title, party.role_arn, find)
