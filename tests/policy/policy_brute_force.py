"""Random key policies, and requests to put to them one by one: nothing here is the analysis's."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from nitro_workflow.policy import (
    Grant,
    Policies,
    Policy,
    Principal,
    Request,
    RequestContext,
    parse_policy,
)
from nitro_workflow.policy.language.operators import BASE_OPERATORS

HERE, THERE = "111122223333", "444455556666"
KEY = f"arn:aws:kms:us-east-1:{HERE}:key/1"
PREFIX = "kms:RecipientAttestation:"
ZERO, NAMED, MORE, OTHER = "0" * 96, "ab" * 48, "cd" * 48, "5e" * 48  # no policy names OTHER
ROLE, USER = f"arn:aws:iam::{HERE}:role/R", f"arn:aws:iam::{HERE}:user/u"
NAMES = [
    "*", HERE, THERE, f"arn:aws:iam::{HERE}:root", ROLE, f"arn:aws:iam::{THERE}:role/R", USER,
    f"arn:aws:sts::{HERE}:assumed-role/R/s",
]  # fmt: skip
CALLERS = [
    f"arn:aws:iam::{HERE}:root", USER, f"arn:aws:iam::{THERE}:user/u",
    f"arn:aws:sts::{HERE}:assumed-role/R/s", f"arn:aws:sts::{HERE}:assumed-role/R/other",
    f"arn:aws:sts::{THERE}:assumed-role/R/s", f"arn:aws:sts::{HERE}:assumed-role/Q/s",
    "arn:aws:iam::999999999999:user/x", f"arn:aws:sts::{HERE}:federated-user/u",
    "ec2.amazonaws.com", "anonymous",
]  # fmt: skip
ACTIONS = ["kms:Decrypt", "kms:ReEncryptFrom", "kms:DeriveSharedSecret"]
PATTERNS = [*ACTIONS, "kms:*", "kms:De*", "kms:ReEncrypt*", "*", "s3:*", "kms:CreateGrant"]
REGISTERS = ["PCR0", "ImageSha384", "PCR1", "PCR2", "PCR3", "PCR8", "PCR16", "NitroTPMPCR4",
             "NitroTPMPCR7"]  # fmt: skip
# key → (operators' families, values a policy compares with, values a request has)
KEYS: dict[str, tuple[tuple[str, ...], list[str], list[str]]] = {
    **{PREFIX + name: (("String",), [NAMED, MORE, ZERO, NAMED.upper(), "*", "a*", "?" * 96, "x"], [])
       for name in REGISTERS},
    "kms:EncryptionContext:dataset": (("String",), ["a", "b*", "A", ""], ["a", "A", "b", "bc", "c"]),
    "kms:ViaService": (("String",), ["s3", "s*", "?3"], ["s3", "s4", "t3", "ec2"]),
    "aws:SourceIp": (("IpAddress",), ["203.0.113.0/24", "203.0.113.7", "10.0.0.0/8", "::/0"],
                     ["203.0.113.7", "203.0.113.8", "10.1.2.3", "192.0.2.9", "2001:db8::1"]),
    "aws:PrincipalArn": (("Arn", "String"), [ROLE, f"arn:aws:iam::{HERE}:role/*", USER,
                                             "arn:aws:iam::*:user/*", "*"], []),
    "aws:PrincipalAccount": (("String",), [HERE, THERE, "1111*", "*"], []),
    "aws:PrincipalTag/team": (("String",), ["red", "Red", "re*"], ["red", "RED", "green", "read"]),
    "aws:CurrentTime": (("Date",), ["2026-01-01", "2027-01-01T00:00:00Z"],
                        ["2025-05-05", "2026-01-01T00:00:00Z", "2026-06-01", "2030-01-01"]),
    "aws:MultiFactorAuthAge": (("Numeric",), ["10", "20"], ["5", "10", "15.0", "20", "99"]),
    "aws:SecureTransport": (("Bool",), ["true", "false"], ["true", "false", "TRUE"]),
    "aws:CalledVia": (("String",), ["a", "b"], ["a", "b", "c"]),
}  # fmt: skip
ANY_VALUE = ["${aws:PrincipalTag/team}", "10", "true", "2026-01-01", ROLE, "203.0.113.0/24", "q=="]


@st.composite
def _block(draw: Any, *, inside: bool) -> dict[str, Any]:
    """Draw conditions; ``inside`` the fragment each key has operators of its own kind only."""
    block: dict[str, dict[str, Any]] = {}
    for key in draw(st.lists(st.sampled_from(list(KEYS)), max_size=3, unique=True)):
        families, operands, _ = KEYS[key]
        entries = [e for e in BASE_OPERATORS.values() if e.family in families or not inside]
        names = [p + e.name + s for e in entries for s in ("", "", "IfExists")
                 for p in ("", "", "", "ForAllValues:", "ForAnyValue:")]  # fmt: skip
        name = draw(st.sampled_from([*names, *["Null"] * (len(names) // 6 + 1)]))
        values = ["true", "false"] if name == "Null" else operands + ([] if inside else ANY_VALUE)
        listed = st.lists(st.sampled_from(values), min_size=1, max_size=2)
        block.setdefault(name, {})[key] = draw(listed)
    return block


@st.composite
def _statement(draw: Any, *, inside: bool) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": draw(st.sampled_from(["Allow", "Deny", "Allow"]))}
    action = draw(st.sampled_from(["Action"] * 6 + ["NotAction"]))
    statement[action] = draw(st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2))
    resource = draw(st.sampled_from(["Resource"] * 9 + ["NotResource"]))
    statement[resource] = draw(st.sampled_from(["*", "*", "*", KEY, KEY + "2", "arn:aws:kms:*"]))
    name = draw(st.sampled_from(["Principal"] * 7 + ["NotPrincipal"]))
    names = draw(st.lists(st.sampled_from([*NAMES, "*", ROLE]), min_size=1, max_size=2))
    service = draw(st.sampled_from([False] * 4 + [True]))
    statement[name] = {"AWS": names} | ({"Service": "ec2.amazonaws.com"} if service else {})
    block = draw(_block(inside=inside))
    return {**statement, "Condition": block} if block else statement


def key_policies(*, inside: bool) -> st.SearchStrategy[Policy]:
    """Return a strategy for key policies, of the fragment or of the whole language."""
    listed = st.lists(_statement(inside=inside), min_size=1, max_size=4)
    return listed.map(lambda s: parse_policy({"Version": "2012-10-17", "Statement": s}))


grants = st.lists(
    st.builds(
        Grant,
        st.sampled_from([ROLE, USER, f"arn:aws:iam::{HERE}:root", "ec2.amazonaws.com"]),
        st.sampled_from([("Decrypt",), ("ReEncryptFrom",), ("DeriveSharedSecret", "Decrypt")]),
        equals=st.sampled_from([None, None, {"dataset": "a"}]),
        subset=st.sampled_from([None, None, {"dataset": "a"}]),
    ),
    max_size=1,
)


def documents(source: random.Random) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (question, registers) for each kind of document, the free registers at random."""
    yield "without_attestation", {}
    free = [NAMED, MORE, OTHER, ZERO]
    rest = {f"PCR{index}": source.choice(free) for index in (3, 4, 8)}
    rest |= {"PCR16": source.choice(free)} if source.random() < 0.5 else {}
    image = [(NAMED, OTHER), (OTHER, MORE), (OTHER, OTHER)]
    for first, second in image:
        registers = {"PCR0": OTHER, "ImageSha384": OTHER, "PCR1": first, "PCR2": second, **rest}
        yield "any_image", _keys(registers)
    yield "debug", _keys(dict.fromkeys(("PCR0", "ImageSha384", "PCR1", "PCR2"), ZERO) | rest)
    tpm = {f"NitroTPMPCR{index}": source.choice(free) for index in (7, 12)}
    yield "any_image", _keys({"NitroTPMPCR4": OTHER, **tpm})


def _keys(registers: dict[str, str]) -> dict[str, str]:
    return {PREFIX + name: value for name, value in registers.items()}


def requests(seed: int, contexts: int) -> Iterator[tuple[str, Request]]:
    """Yield (question, request): every caller, action and kind of document, in random contexts."""
    source = random.Random(seed)
    free = [key for key, (_, _, values) in KEYS.items() if values]
    for _ in range(contexts):
        context: dict[str, Any] = {
            key: source.choice(KEYS[key][2])
            if source.random() < 0.8
            else source.choices(KEYS[key][2], k=source.randrange(3))
            for key in source.sample(free, source.randrange(len(free) + 1))
        }
        for question, registers in documents(source):
            actions = ACTIONS if not registers else ["kms:Decrypt", "kms:DeriveSharedSecret"]
            for caller, action in itertools.product(CALLERS, actions):
                asked = RequestContext.what_if({**context, **registers})
                yield question, Request(Principal.parse(caller), action, KEY, context=asked)


def set_of(policy: Policy, listed: list[Grant]) -> Policies:
    """Return the policy and its grants, where everybody's own policies allow everything."""
    everything = {"Version": "2012-10-17",
                  "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}  # fmt: skip
    return Policies(policy, (parse_policy(everything, kind="identity"),), grants=tuple(listed))


# ------------------------------------------- the same policies without hypothesis, for long runs


def random_policy(source: random.Random, *, inside: bool) -> Policy:
    """Return a policy like those of `key_policies`."""
    listed = [_random_statement(source, inside=inside) for _ in range(source.randrange(1, 5))]
    return parse_policy({"Version": "2012-10-17", "Statement": listed})


def random_grants(source: random.Random) -> list[Grant]:
    """Return no grant or one."""
    if source.random() < 0.6:
        return []
    constraint = source.choice([None, None, {"dataset": "a"}])
    grantee = source.choice([ROLE, USER, f"arn:aws:iam::{HERE}:root", "ec2.amazonaws.com"])
    operations = source.choice([("Decrypt",), ("ReEncryptFrom",), ("DeriveSharedSecret",)])
    return [Grant(grantee, operations, equals=constraint)]


def _random_statement(source: random.Random, *, inside: bool) -> dict[str, Any]:
    names = [source.choice([*NAMES, "*", ROLE]) for _ in range(source.choice([1, 1, 2]))]
    service = {"Service": "ec2.amazonaws.com"} if source.random() < 0.2 else {}
    return {
        "Effect": source.choice(["Allow", "Deny", "Allow"]),
        source.choice(["Action"] * 6 + ["NotAction"]): source.choices(PATTERNS, k=2),
        source.choice(["Resource"] * 9 + ["NotResource"]): source.choice(
            ["*", "*", "*", KEY, KEY + "2", "arn:aws:kms:*"]
        ),
        source.choice(["Principal"] * 7 + ["NotPrincipal"]): {"AWS": names} | service,
        "Condition": _random_block(source, inside=inside),
    }


def _random_block(source: random.Random, *, inside: bool) -> dict[str, Any]:
    block: dict[str, dict[str, Any]] = {}
    for key in source.sample(list(KEYS), source.randrange(4)):
        families, operands, _ = KEYS[key]
        entries = [e for e in BASE_OPERATORS.values() if e.family in families or not inside]
        name = "Null"
        if source.random() < 0.85:
            prefix = source.choice(["", "", "", "ForAllValues:", "ForAnyValue:"])
            suffix = source.choice(["", "", "IfExists"])
            name = prefix + source.choice(entries).name + suffix
        values = ["true", "false"] if name == "Null" else operands + ([] if inside else ANY_VALUE)
        block.setdefault(name, {})[key] = source.choices(values, k=source.choice([1, 1, 2]))
    return block
