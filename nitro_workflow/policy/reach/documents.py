"""The attestation documents of the questions, as what each register may be.

A document that KMS accepts is genuine: an enclave's has PCR0 to PCR15 (0, 1, 2 image, 3 role,
4 instance, 8 signer), and 16 to 31 where the enclave locked them; a NitroTPM's has PCR0 to PCR23.
Who may choose the image may also choose the role, the instance and the signer among those there
are, so only the image is held apart:

- *another image* has a PCR0 that the policy does not name, not PCR1 and PCR2 of what it names
  together, and is not in debug mode. What is named is every measurement that an Allow compares for
  equality or a Deny for inequality. A NitroTPM's image is its PCR4.
- *debug*: PCR0, PCR1 and PCR2 are zeros; the others are as they would be
  (docs/reference/formats.md, Debug mode).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from nitro_workflow.policy.decide import ATTESTATION_PREFIX
from nitro_workflow.policy.language import Statement, parse_key
from nitro_workflow.policy.reach.request_space import Space, register_name
from nitro_workflow.policy.reach.value_classes import ZEROS, is_register, text_parts

__all__ = [
    "DocumentClass",
    "any_enclave",
    "debug_enclaves",
    "named_documents",
    "named_registers",
    "no_document",
    "other_images",
    "pinned_document",
]

PCR = f"{ATTESTATION_PREFIX}pcr"
TPM = f"{ATTESTATION_PREFIX}nitrotpmpcr"
_SHOWN = {"": "kms:RecipientAttestation:PCR", "tpm": "kms:RecipientAttestation:NitroTPMPCR"}
Accepts = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class DocumentClass:
    """The documents of one kind: ``masks`` maps the registers of a space to what they may be.

    ``apart`` are pairs of registers that must not both be what is named. ``base`` are the
    registers of an example, as KMS's condition keys.
    """

    masks: Mapping[str, int]
    apart: tuple[Mapping[str, int], ...] = ()
    base: Mapping[str, str] | None = None


def named_registers(space: Space) -> dict[str, frozenset[str]]:
    """Return the measurements that the policy names, by register."""
    found: dict[str, set[str]] = {}
    statements = space.policies.resource.statements if space.policies.resource else ()
    for statement in statements:
        for key, value in _named(statement):
            found.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in found.items()}


def _named(statement: Statement) -> Iterator[tuple[str, str]]:
    for condition in statement.conditions:
        operator = condition.operator
        if parse_key(condition.key) is None or operator.base.negated is statement.allow:
            continue
        exact, folded, _ = text_parts([condition])
        for text in (*exact, *map(str.lower, folded)):
            if is_register(text) and text != ZEROS:
                yield register_name(condition.key), text


def _registers(space: Space) -> Iterator[tuple[str, bool, int]]:
    for key in space.keys:
        register = parse_key(key)
        if register is not None:
            yield key, register.nitrotpm, register.index
        elif key.startswith(ATTESTATION_PREFIX):
            yield key, False, 99


def no_document(space: Space) -> DocumentClass:
    """Return the class of requests that carry no document."""
    return DocumentClass({key: 1 for key, _, _ in _registers(space)})


def _enclave(
    space: Space, accepts: Mapping[int, Accepts], base: Mapping[int, str]
) -> DocumentClass:
    masks: dict[str, int] = {}
    for key, nitrotpm, index in _registers(space):
        if nitrotpm or index > 31:
            masks[key] = 1
        else:
            wanted = accepts.get(index, lambda _value: True)
            masks[key] = space.mask(key, wanted, absent=index > 15)
    shown = {f"{_SHOWN['']}{index}": value for index, value in base.items()}
    return DocumentClass(masks, base=shown)


def _nitrotpm(space: Space, accepts: Mapping[int, Accepts]) -> DocumentClass:
    masks: dict[str, int] = {}
    for key, nitrotpm, index in _registers(space):
        wanted = accepts.get(index, lambda _value: True)
        masks[key] = space.mask(key, wanted) if nitrotpm and index <= 23 else 1
    base = {f"{_SHOWN['tpm']}{index}": f"{0xD0 + index:02x}" * 48 for index in (4, 7, 12)}
    return DocumentClass(masks, base=base)


_EXAMPLE = {index: f"{0xA0 + index:02x}" * 48 for index in (0, 1, 2, 3, 4, 8)}


def _nonzero(value: str) -> bool:
    return value != ZEROS


def any_enclave(space: Space, pinned: Mapping[int, str]) -> DocumentClass:
    """Return the documents of an enclave with these registers."""
    accepts = {index: value.__eq__ for index, value in pinned.items()}
    return _enclave(space, accepts, {**_EXAMPLE, **pinned})


def pinned_document(space: Space, held: Mapping[str, str]) -> DocumentClass:
    """Return the documents with these registers, given as condition keys of one kind."""
    registers = [(key, value) for name, value in held.items() if (key := parse_key(name))]
    pinned = {register.index: value for register, value in registers}
    if any(register.nitrotpm for register, _ in registers):
        accepts = {index: value.__eq__ for index, value in pinned.items()}
        found = _nitrotpm(space, accepts)
        return DocumentClass(found.masks, base={**(found.base or {}), **held})
    return any_enclave(space, pinned)


def debug_enclaves(space: Space, pinned: Mapping[int, str] | None = None) -> DocumentClass:
    """Return the documents of enclaves in debug mode, with these registers beside the zeros."""
    return any_enclave(space, {**(pinned or {}), **dict.fromkeys((0, 1, 2), ZEROS)})


def other_images(space: Space, *, signers: bool = True) -> tuple[DocumentClass, ...]:
    """Return the documents of images that the policy does not name: enclaves' and NitroTPMs'.

    Without ``signers`` they are signed by nobody whom the policy names.
    """
    named = named_registers(space)

    def outside(key: str) -> Accepts:
        return lambda value: value not in named.get(key, frozenset())

    image = outside(f"{PCR}0")
    accepts: dict[int, Accepts] = {0: lambda v: _nonzero(v) and image(v), 1: _nonzero, 2: _nonzero}
    if not signers:
        accepts[8] = outside(f"{PCR}8")
    enclaves = _enclave(space, accepts, _EXAMPLE)
    keys = [f"{PCR}{index}" for index in (1, 2)]
    if all(key in space.keys and key in named for key in keys):
        apart = {key: space.mask(key, outside(key)) for key in keys}
        enclaves = DocumentClass(enclaves.masks, (apart,), enclaves.base)
    loose = {4: outside(f"{TPM}4")} | ({} if signers else {7: outside(f"{TPM}7")})
    return (enclaves, _nitrotpm(space, loose))


def named_documents(space: Space) -> tuple[DocumentClass, ...]:
    """Return the documents of images that the policy names, where it names any."""
    named = named_registers(space)
    image = named.get(f"{PCR}0")
    accepts: dict[int, Accepts] = dict.fromkeys((0, 1, 2), _nonzero)
    if image:
        accepts[0] = image.__contains__
    boot = named.get(f"{TPM}4")
    return (
        _enclave(space, accepts, _EXAMPLE),
        _nitrotpm(space, {4: boot.__contains__} if boot else {}),
    )
