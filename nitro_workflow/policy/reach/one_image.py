"""Whether this image passes, and whether its debug twin would.

The registers that are known are held, the others are what they may be: an EIF says nothing of the
role and the instance that will start it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy.decide import Grant, Policies
from nitro_workflow.policy.language import Policy, fill_placeholders, parse_key
from nitro_workflow.policy.reach.budget import Budget, OutOfBudget
from nitro_workflow.policy.reach.documents import DocumentClass, debug_enclaves, pinned_document
from nitro_workflow.policy.reach.request_space import build_space, register_name
from nitro_workflow.policy.reach.search import NONE, Outcome, Search
from nitro_workflow.policy.reach.the_key import infer_key
from nitro_workflow.policy.reach.value_classes import ZEROS, is_register
from nitro_workflow.policy.reach.witness import Witness

__all__ = ["ImageAnswer", "ask_image"]

Verdict = Literal["none", "path", "unknown"]
ATTESTED = ("kms:Decrypt", "kms:DeriveSharedSecret")


@dataclass(frozen=True, slots=True)
class ImageAnswer:
    """Whether a request with this image's document can be allowed, and from its debug twin.

    ``registers`` are the condition keys that were held; a NitroTPM has no debug twin (`none`).
    """

    registers: Mapping[str, str]
    passes: Verdict
    debug_twin: Verdict
    witness: Witness | None
    debug_witness: Witness | None
    unknown: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the record; ``registers`` are what was held."""
        return {
            "registers": dict(self.registers),
            "passes": self.passes,
            "debug_twin": self.debug_twin,
            "witness": self.witness.to_json() if self.witness else None,
            "debug_witness": self.debug_witness.to_json() if self.debug_witness else None,
            "unknown": list(self.unknown),
        }


def ask_image(
    policy: Policy,
    registers: Mapping[str, str],
    *,
    grants: Sequence[Grant] = (),
    key_arn: str | None = None,
) -> ImageAnswer:
    """Ask about one image; ``registers`` are condition keys, or ``PCR0``, with hexadecimal values.

    An image whose PCR0 to PCR2 are known and whose PCR8 is not is unsigned. Raises `PolicyError`
    for a register that is none.
    """
    arn = key_arn or infer_key(policy)[0]
    policy, _ = fill_placeholders(policy, arn)
    held = _held(registers)
    nitrotpm = all((key := parse_key(name)) and key.nitrotpm for name in held)
    budget = Budget()
    policies = Policies(policy, grants=tuple(grants))
    known = {register_name(name): value for name, value in held.items()}
    try:
        extra = {key: [value, ZEROS] for key, value in known.items()}
        search = Search(build_space(policies, arn, budget, extra=extra), budget)
        passes = _ask(search, pinned_document(search.space, held))
        rest = {
            key.index: value
            for name, value in held.items()
            if (key := parse_key(name)) is not None and not key.nitrotpm
        }
        twin = NONE if nitrotpm else _ask(search, debug_enclaves(search.space, rest))
    except OutOfBudget:
        passes = twin = Outcome(reasons=(budget.reason,))
    return ImageAnswer(
        held, _verdict(passes), _verdict(twin), passes.witness, twin.witness,
        tuple(dict.fromkeys((*passes.reasons, *twin.reasons))),
    )  # fmt: skip


def _held(registers: Mapping[str, str]) -> dict[str, str]:
    prefix = "kms:RecipientAttestation:"
    held: dict[str, str] = {}
    for name, value in registers.items():
        key = name if name.lower().startswith(prefix.lower()) else f"{prefix}{name}"
        register, text = parse_key(key), value.lower()
        if register is None or not register.in_range or not is_register(text):
            raise PolicyError(
                f"{name} = {value[:100]}", expected="PCR<n> and 96 hexadecimal digits",
                where="registers",
            )  # fmt: skip
        kind = "NitroTPM" if register.nitrotpm else ""
        held[f"{prefix}{kind}PCR{register.index}"] = text
    if {f"{prefix}PCR{n}" for n in (0, 1, 2)} <= held.keys():
        held.setdefault(f"{prefix}PCR8", ZEROS)
    return held


def _ask(search: Search, document: DocumentClass) -> Outcome:
    outcomes = [search.find(action, document) for action in ATTESTED]
    found = [outcome for outcome in outcomes if outcome.witness is not None]
    unproved = [outcome for outcome in outcomes if not outcome.proved]
    return next(iter((*found, *unproved)), NONE)


def _verdict(outcome: Outcome) -> Verdict:
    if outcome.witness is not None:
        return "path"
    return "unknown" if outcome.reasons else "none"
