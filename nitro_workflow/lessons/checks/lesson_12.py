"""Lesson 12: a document verified by hand, a pile judged, a channel bound, promises told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final

from nitro_workflow.attestation import STEPS, Verifier
from nitro_workflow.lessons.checking import LessonChecks, StandIn
from nitro_workflow.lessons.checks import document_evidence as evidence
from nitro_workflow.lessons.checks import finished_verifier as finished
from nitro_workflow.lessons.checks import near_misses
from nitro_workflow.lessons.checks.channel_cases import channel_cases
from nitro_workflow.lessons.checks.steps_by_hand import (
    Case,
    ask,
    link_cases,
    signature_cases,
    signed_bytes,
    works,
)
from nitro_workflow.lessons.document_pile import open_pile
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["Checks", "pile_verdicts"]


@cache
def _links() -> tuple[Case, ...]:
    return tuple(link_cases())


@cache
def _signatures() -> tuple[Case, ...]:
    return tuple(signature_cases())


@cache
def _channels() -> tuple[Case, ...]:
    return tuple(channel_cases())


def pile_verdicts() -> Mapping[str, str]:
    """Return name → ``good``, or the first check by which the engine refuses the document."""
    pile = open_pile()
    verifier = Verifier.with_root(pile.root)
    reports = {
        name: verifier.explain(document, at=pile.at, expected=pile.expected)
        for name, document in pile.documents.items()
    }
    return {name: "good" if one.accepted else one.failed[0] for name, one in reports.items()}


PROMISES: Final[Mapping[str, tuple[bool, str]]] = {
    "a program with this PCR0 was started": (True, "that is what PCR0 measures"),
    "that program has no bug": (False, "a digest does not read code: somebody must"),
    "that program put the key into public_key": (True, "only the enclave itself can ask its NSM"),
    "it is still running": (False, "the document is about one moment: the timestamp's"),
    "the data it was fed is honest": (False, "whatever comes in by vsock comes from the parent"),
    "the parent will deliver its answers": (False, "the parent can cut the line at any time"),
}
"""Claim → whether a verified document promises it, and why."""


class Checks(LessonChecks):
    """Checks of lesson 12."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "bundle-root": Truth(
            "not yet: anybody can make such a chain",
            "the bundle comes with the document, from whoever sent it; the root must be known "
            "from elsewhere",
            found=evidence.mock_root,
        ),
        "one-byte": Truth(
            "the signature",
            "the bytes are still good CBOR, and the certificates stand elsewhere in the payload",
            found=evidence.one_byte,
        ),
        "debug-authentic": Truth(
            "nothing: only PCR0 tells",
            "the hypervisor signs for debug enclaves too, and writes zeros for what it measured",
            found=evidence.debug_document,
        ),
        "hour-old": Truth(
            "no check of authenticity",
            "a leaf lives three hours; that it is old matters to you, not to the signature",
            found=evidence.an_hour_ago,
        ),
        "middle": Truth(
            "no: all that the document says is true",
            "it is the enclave's, it is new, and nothing compared it with the key that was used",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "parts": StandIn(
            "array of four",
            make=lambda _: finished.parts(),
            usable=lambda _, made: made == finished.parts(),
        ),
        "fields": StandIn(
            "map",
            make=lambda _: finished.fields(),
            usable=lambda _, made: made == finished.fields(),
        ),
        "issued": StandIn(
            "function", make=lambda _: finished.issued, usable=lambda _, made: works(made, _links())
        ),
        "to_be_signed": StandIn(
            "function",
            make=lambda _: finished.to_be_signed,
            usable=lambda _, made: isinstance(ask(made, (b"", b"")).value, bytes),
        ),
        "holds": StandIn(
            "function",
            make=lambda _: finished.holds,
            usable=lambda _, made: works(made, _signatures()),
        ),
        "believe": StandIn(
            "function",
            make=lambda _: finished.believe,
            usable=lambda _, made: works(made, _channels()),
        ),
    }

    def opened(self, parts: Any, fields: Any) -> Verdict:
        """Compare with what the bytes of the log's document are."""
        if parts != finished.parts():
            return Verdict.wrong(
                "parts is not the document's array of four.", near_misses.why_parts(parts)
            )
        if fields != finished.fields():
            return Verdict.wrong(
                "fields is not the document's map.", near_misses.why_fields(fields)
            )
        return Verdict.right("Four parts, and nine fields in the third.")

    def issued(self, issued: Any) -> Verdict:
        """Ask the function about links that hold and links that do not."""
        if not callable(issued):
            return Verdict.wrong("It is to be a function of two certificates: below, above.")
        if fault := _fault(issued, _links()):
            return Verdict.wrong(
                *fault, "verify_directly_issued_by compares the name and checks the signature."
            )
        return Verdict.right(f"Tried with {len(_links())} links, good and broken.")

    def signature(self, to_be_signed: Any, holds: Any) -> Verdict:
        """Compare what is signed, then ask the function about signatures, good and broken."""
        if not (callable(to_be_signed) and callable(holds)):
            return Verdict.wrong("Both are to be functions.", "Begin each with def or lambda.")
        parts = finished.parts()
        made = ask(to_be_signed, (parts[0], parts[2]))
        if made.value != signed_bytes(parts):
            return Verdict.wrong(
                "to_be_signed gives other bytes.", near_misses.why_signed(made, parts)
            )
        if fault := _fault(holds, _signatures()):
            return Verdict.wrong(
                *fault, "DER out of r and s, 48 bytes each; ECDSA with SHA-384; False for "
                "InvalidSignature.",
            )  # fmt: skip
        return Verdict.right("One genuine document holds; three that were meddled with do not.")

    def judged(self, judged: Any) -> Verdict:
        """Compare with what the engine says of each document."""
        true = pile_verdicts()
        said = {name: str(judged[name]).strip().lower() for name in true}
        known = {"good", *(step.id for step in STEPS)}
        if odd := [word for word in said.values() if word not in known]:
            return Verdict.wrong(f"“{odd[0]}” is no check.", f"One of: {', '.join(sorted(known))}.")
        kept = {name: "right" if said[name] == true[name] else "wrong" for name in true}
        wrong = [name for name, outcome in kept.items() if outcome == "wrong"]
        if wrong:
            return Verdict.wrong(*_why_pile(wrong[0], said[wrong[0]], true), f"Still to look at: "
                                 f"{', '.join(wrong)}.").with_notes(kept)  # fmt: skip
        return Verdict.right("Five to take, three to refuse, each for its reason.").with_notes(kept)

    def believe(self, believe: Any) -> Verdict:
        """Ask the function about those who may stand at the other end."""
        if not callable(believe):
            return Verdict.wrong("It is to be a function: verified, nonce, channel_key.")
        if fault := _fault(believe, _channels()):
            return Verdict.wrong(
                *fault, "Two whole comparisons: document.nonce, and document.public_key."
            )
        return Verdict.right(f"Tried with {len(_channels())} ends: as ChannelVerifier says.")

    def promised(self, promised: Any) -> Verdict:
        """Compare with what a verified document says."""
        for claim, (true, why) in PROMISES.items():
            if bool(promised[claim]) != true:
                yes = "It does promise" if true else "It does not promise"
                return Verdict.wrong(f"{yes} that {claim}: {why}.")
        return Verdict.right("Two of six: which program, and what that program said.")


def _fault(function: Callable[..., Any], cases: Sequence[Case]) -> tuple[str, ...]:
    """Return what the first case shows that a function judges wrongly; () for none."""
    for case in cases:
        said = ask(function, case.arguments)
        if said.raised:
            return (f"Tried with {case.told}: it raised {said.raised}.", "It is to say False.")
        if not said.is_answer:
            kind = type(said.value).__name__
            return (f"Tried with {case.told}: it returned {kind}.", "True or False is asked for.")
        if said.value != case.holds:
            wanted = "refused" if case.holds else "taken"
            return (f"Tried with {case.told}: it is {wanted}.",)
    return ()


def _why_pile(name: str, said: str, true: Mapping[str, str]) -> tuple[str, str]:
    if said == "good":
        return f"{name}: you say good. It is not.", "Compare whole values, with ==."
    if true[name] == "good":
        odd = f"{name}: you say {said}. That check holds."
        return odd, "Odd is not bad: does a rule forbid it, or is it only unusual?"
    return f"{name}: it is bad, but {said} is not why.", "Which of your steps fails for it?"
