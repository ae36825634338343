"""Known PCRs, expectations and their combinations, from text, nitro-cli's JSON and key policies."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from nitro_workflow.attestation import all_of, any_of, exactly, one_of_values, pcr3, pcr4, pcr8
from nitro_workflow.attestation.expectations import from_key_policy, from_measurements, parse_pcr
from nitro_workflow.errors import PolicyError, UsageError

POLICIES = Path(__file__).parents[1] / "vectors" / "policies"
A, B, C = (bytes([byte]) * 48 for byte in (1, 2, 3))
DOCUMENT = {0: A, 1: B, 2: C, 3: bytes(48)}
ROLE = "arn:aws:iam::111122223333:role/ParentInstance"


def test_formulas_of_the_run_time_pcrs() -> None:
    assert pcr3(ROLE) == hashlib.sha384(bytes(48) + ROLE.encode()).digest()
    assert pcr4("i-0a1b").hex() == hashlib.sha384(bytes(48) + b"i-0a1b").hexdigest()
    inner = hashlib.sha384(b"der").digest()
    assert pcr8(b"der") == hashlib.sha384(bytes(48) + inner).digest()


@pytest.mark.parametrize(
    "arn",
    ["", "ParentInstance", "arn:aws:iam::1:instance-profile/x", "arn:aws:sts::1:assumed-role/x/y"],
)
def test_what_is_no_role_is_refused(arn: str) -> None:
    with pytest.raises(UsageError, match="PCR3"):
        pcr3(arn)


@pytest.mark.parametrize("instance", ["", "i-", "i-XYZ", "0a1b", "i-0A", "i-0a-enc1"])
def test_what_is_no_instance_is_refused(instance: str) -> None:
    with pytest.raises(UsageError, match="PCR4"):
        pcr4(instance)


def test_any_of_says_which_matched() -> None:
    rolling = any_of(exactly({0: B}, "old"), exactly({0: A, 2: C}, "new"))
    judgement = rolling.judge(DOCUMENT)
    assert (judgement.matched, judgement.label) == (True, "new")
    assert [row.matched for row in judgement.rows] == [True, True]


def test_any_of_shows_the_nearest_miss() -> None:
    rolling = any_of(exactly({0: B, 1: A, 2: A}, "far"), exactly({0: A, 1: B, 2: A}, "near"))
    judgement = rolling.judge(DOCUMENT)
    assert (judgement.matched, judgement.label) == (False, "far or near")
    assert [row.index for row in judgement.rows if not row.matched] == [2]


def test_all_of_names_what_missed() -> None:
    both = all_of(exactly({0: A}, "image"), exactly({3: pcr3(ROLE)}, "role"))
    judgement = both.judge(DOCUMENT)
    assert (judgement.matched, judgement.label) == (False, "role")
    assert all_of(exactly({0: A}, "image"), exactly({1: B}, "boot")).judge(DOCUMENT).label == (
        "image and boot"
    )


def test_combinations_nest_and_absent_pcrs_do_not_match() -> None:
    nested = all_of(any_of(exactly({0: B}, "x"), exactly({0: A}, "y")), exactly({1: B}, "z"))
    assert nested.judge(DOCUMENT).label == "y and z"
    assert not exactly({16: bytes(48)}, "PCR16").judge(DOCUMENT).matched
    assert one_of_values({0: [B, A], 1: [B]}, "list").judge(DOCUMENT).matched
    assert not exactly({0: A}, "tpm", kind="nitrotpm").judge(DOCUMENT, "enclave").matched


@pytest.mark.parametrize(
    "make",
    [
        any_of,
        all_of,
        lambda: exactly({}, "none"),
        lambda: one_of_values({0: []}, "none"),
        lambda: exactly({32: A}, "index"),
        lambda: exactly({0: b"short"}, "length"),
    ],
)
def test_empty_or_impossible_expectations_are_errors_not_successes(make: Any) -> None:
    with pytest.raises(UsageError):
        make()


@pytest.mark.parametrize(
    ("text", "index", "value"),
    [
        (f"0={A.hex()}", 0, A),
        (f"PCR16={B.hex().upper()}", 16, B),
        (f"pcr2 = {C.hex()}", 2, C),
        (f"3={ROLE}", 3, pcr3(ROLE)),
        ("4=i-0a1b", 4, pcr4("i-0a1b")),
        (f"PCR3:{ROLE}", 3, pcr3(ROLE)),
    ],
)
def test_pcrs_given_by_hand(text: str, index: int, value: bytes) -> None:
    assert parse_pcr(text).values == {index: (value,)}


@pytest.mark.parametrize(
    "text", ["", "0", "0=", "0=zz", f"32={A.hex()}", f"x={A.hex()}", "0=" + "0" * 95, "-1=00"]
)
def test_text_that_is_no_pcr(text: str) -> None:
    with pytest.raises(UsageError):
        parse_pcr(text)


def test_nitro_clis_json_with_and_without_wrapper() -> None:
    inner = {"HashAlgorithm": "Sha384 { ... }", "PCR0": A.hex(), "PCR1": B.hex(), "PCR2": C.hex()}
    for record in (inner, {"Measurements": inner, "EifVersion": 4}):
        assert from_measurements(record, "x.json").judge(DOCUMENT).matched
    for wrong in ({}, [], None, {"Measurements": 1}, {"Measurements": {"PCR0": "00"}}, {"PCR0": 1}):
        with pytest.raises(UsageError):
            from_measurements(wrong, "x.json")


def allow(*conditions: dict[str, Any], effect: str = "Allow") -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for condition in conditions:
        merged |= condition
    return {"Effect": effect, "Action": "kms:Decrypt", "Resource": "*", "Condition": merged}


def equals(key: str, *values: str, operator: str = "StringEqualsIgnoreCase") -> dict[str, Any]:
    return {operator: {f"kms:RecipientAttestation:{key}": list(values)}}


def judge(*statements: dict[str, Any], kind: Any = "enclave") -> bool:
    expectation = from_key_policy({"Statement": list(statements)}, "policy")
    return expectation.judge(DOCUMENT, kind).matched


def test_key_policies() -> None:
    assert judge(allow(equals("ImageSha384", A.hex())))
    assert judge(allow(equals("PCR0", B.hex(), A.hex().upper())))
    assert not judge(allow(equals("PCR0", B.hex())))
    assert judge(allow(equals("PCR0", B.hex())), allow(equals("PCR0", A.hex())))
    both = {"kms:RecipientAttestation:PCR0": A.hex(), "KMS:recipientattestation:pcr1": A.hex()}
    assert not judge(allow({"StringEqualsIgnoreCase": both}))
    assert judge(allow(equals("NitroTPMPCR0", A.hex())), kind="nitrotpm")
    assert not judge(allow(equals("NitroTPMPCR0", A.hex())))
    null = {"Null": {"kms:RecipientAttestation:PCR0": "true"}}
    assert judge(allow(equals("PCR0", A.hex())), allow(null, effect="Deny"))
    present = {"Null": {"kms:RecipientAttestation:PCR0": False}}
    assert judge(allow(equals("PCR0", A.hex()), present))
    deny = equals("PCR0", A.hex(), operator="StringNotEqualsIgnoreCase")
    assert judge(allow(deny, effect="Deny"))
    assert not judge(
        allow(equals("PCR0", A.hex())),
        allow(equals("PCR1", A.hex(), operator="StringNotEquals"), effect="Deny"),
    )


@pytest.mark.parametrize(
    "policy",
    [
        None,
        {},
        {"Statement": "x"},
        {"Statement": []},
        {"Statement": [allow()]},
        {"Statement": [allow(equals("PCR0", "00"))]},
        {"Statement": [allow({"Null": {"kms:RecipientAttestation:PCR0": "true"}})]},
        {"Statement": [allow(equals("PCR0", A.hex(), operator="StringLike"))]},
        {"Statement": [allow(equals("PCR0", "AB" * 48, operator="StringEquals"))]},
        {"Statement": [allow({"StringEquals": {"kms:RecipientAttestation:PCR0": 1}})]},
    ],
)
def test_policies_that_expect_no_pcrs_are_errors(policy: Any) -> None:
    with pytest.raises(PolicyError):
        from_key_policy(policy, "policy")


@pytest.mark.parametrize("path", sorted(POLICIES.glob("*.json")), ids=lambda path: path.name)
def test_published_policies_are_read_or_refused_by_name(path: Path) -> None:
    try:
        expectation = from_key_policy(json.loads(path.read_text()), path.name)
    except PolicyError as error:
        assert path.name in error.where  # noqa: PT017 - placeholders instead of values
    else:
        assert not expectation.judge(DOCUMENT).matched
