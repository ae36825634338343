"""The failure lab: each symptom is as its table says, its fix mends it, wrong fixes do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nitro_workflow.errors import LabError, UsageError
from nitro_workflow.lab import Lab, StepResult
from nitro_workflow.lab.failures import MISSING_DENIALS, SET_UPS, FailureLab, open_failure_lab
from nitro_workflow.lab.failures.case_repairs import Repair, try_closing, try_repair
from nitro_workflow.lab.failures.evidence_commands import EVIDENCE, RECORD, gather_evidence
from nitro_workflow.lab.failures.failure_case import FailureCase

KEY = "kms:RecipientAttestation:PCR0"
EXPLICIT = "with an explicit deny in a resource-based policy"
IMPLICIT = "because no resource-based policy allows the kms:Decrypt action"
NOW, BEFORE = "practice.eif", "practice-before.eif"

SYMPTOMS = {
    "rebuilt-image": (400, "AccessDeniedException", EXPLICIT),
    "debug-mode": (400, "AccessDeniedException", EXPLICIT),
    "unsigned-image": (400, "AccessDeniedException", IMPLICIT),
    "wrong-role": (400, "AccessDeniedException", IMPLICIT),
    "capitals": (400, "AccessDeniedException", IMPLICIT),
    "no-recipient": (400, "AccessDeniedException", EXPLICIT),
    "ifexists-deny": (400, "AccessDeniedException", EXPLICIT),
    "stale-document": (400, "ValidationException", "document in Recipient is not valid"),
    "skewed-clock": (400, "InvalidSignatureException", "Signature expired"),
    "wrong-context": (400, "AccessDeniedException", IMPLICIT),
    "swapped-envelope": (200, "EnvelopeError", "sealed to the key"),
    "two-denys": (400, "AccessDeniedException", EXPLICIT),
}

Edit = Callable[[list[dict[str, Any]], FailureCase], None]


@pytest.fixture(scope="module")
def failures(lab: Lab, walked: dict[str, StepResult]) -> Iterator[FailureLab]:
    opened = open_failure_lab(lab)
    yield opened
    opened.close()


def opened(failures: FailureLab, cause: str) -> FailureCase:
    case = failures.case(f"test-{cause}", cause)
    case.open()
    return case


def policy(case: FailureCase, edit: Edit) -> dict[str, Any]:
    text = case.policy()
    edit(text["Statement"], case)
    return text


def values(case: FailureCase, *images: str) -> list[str]:
    return [case.facts.pcrs[image]["PCR0"] for image in images]


def _everywhere(statements: list[dict[str, Any]], wanted: Any) -> None:
    for statement in statements:
        for keys in statement.get("Condition", {}).values():
            if KEY in keys:
                keys[KEY] = wanted


def _both(statements: list[dict[str, Any]], case: FailureCase) -> None:
    _everywhere(statements, values(case, BEFORE, NOW))


def _one_deny(statements: list[dict[str, Any]], case: FailureCase) -> None:
    del statements[4]
    statements[3]["Condition"] = {"StringNotEqualsIgnoreCase": {KEY: values(case, BEFORE, NOW)}}


def _without_deny(statements: list[dict[str, Any]], case: FailureCase) -> None:
    statements[:] = [one for one in statements if one["Effect"] == "Allow"]


def _lower(statements: list[dict[str, Any]], case: FailureCase) -> None:
    statements[1]["Condition"]["StringEquals"][KEY] = values(case, NOW)[0]


def _owner_outside(statements: list[dict[str, Any]], case: FailureCase) -> None:
    statements[3]["Condition"] = {
        "StringNotEqualsIgnoreCase": {KEY: values(case, NOW)[0]},
        "ArnNotEquals": {"aws:PrincipalArn": case.facts.arns["owner"]},
    }


def _no_signature(statements: list[dict[str, Any]], case: FailureCase) -> None:
    del statements[1]["Condition"]["StringEqualsIgnoreCase"]["kms:RecipientAttestation:PCR8"]


def _zeros(statements: list[dict[str, Any]], case: FailureCase) -> None:
    _everywhere(statements, [*values(case, NOW), "0" * 96])


def _administrator(statements: list[dict[str, Any]], case: FailureCase) -> None:
    statements[1]["Principal"]["AWS"] = case.facts.arns["administrator"]


FIXES: dict[str, tuple[Any, ...]] = {
    "rebuilt-image": (_both, {"launch": {"eif_path": BEFORE}}),
    "debug-mode": ({"launch": {"debug_mode": False}},),
    "unsigned-image": ({"launch": {"eif_path": "practice-signed.eif"}}, _no_signature),
    "wrong-role": ({"client": {"credentials": "instance"}},),
    "capitals": (_lower,),
    "no-recipient": ({"client": {"attested": True}},),
    "ifexists-deny": (_owner_outside, {"client": {"runs_in": "enclave"}}),
    "stale-document": ({"client": {"document": "each request"}},),
    "skewed-clock": ({"client": {"clock_minutes": 0}},),
    "wrong-context": ({"request": {"EncryptionContext": {"dataset": "practice", "version": "1"}}},),
    "swapped-envelope": ({"client": {"opens_with": "document's key"}},),
    "two-denys": (_one_deny,),
}

WRONG_FIXES: dict[str, tuple[Any, str, str]] = {
    "rebuilt-image": (_without_deny, "refused", "AccessDeniedException"),
    "debug-mode": (_zeros, "elsewhere", "the policy was right"),
    "unsigned-image": ({"client": {"document": "each request"}}, "refused", IMPLICIT),
    "wrong-role": (_administrator, "refused", "no identity-based policy allows"),
    "capitals": ({"launch": {"eif_path": "practice-signed.eif"}}, "refused", IMPLICIT),
    "no-recipient": (_without_deny, "refused", IMPLICIT),
    "ifexists-deny": (_without_deny, "open", "a caller without a document"),
    "stale-document": ({"client": {"opens_with": "document's key"}}, "refused", "Validation"),
    "skewed-clock": ({"client": {"document": "each request"}}, "refused", "Signature expired"),
    "wrong-context": ({"request": {"EncryptionContext": {}}}, "refused", IMPLICIT),
    "swapped-envelope": ({"client": {"attested": False}}, "refused", EXPLICIT),
    "two-denys": (_without_deny, "open", "a caller without a document"),
}


def change(case: FailureCase, fix: Any) -> Any:
    return {"policy": policy(case, fix)} if callable(fix) else fix


def test_the_tables_name_every_set_up():
    assert SET_UPS.keys() == SYMPTOMS.keys() == FIXES.keys() == WRONG_FIXES.keys()


@pytest.mark.parametrize("cause", SYMPTOMS)
def test_the_symptom_is_as_the_table_says_and_every_fix_mends_it(failures, cause):
    for fix in FIXES[cause]:
        case = opened(failures, cause)
        status, code, words = SYMPTOMS[cause]
        assert (case.last.status, case.last.code) == (status, code)
        assert words in case.last.message
        assert not case.last.has_key
        assert try_repair(case, change(case, fix)).result == "mended", fix
        assert case.last.opened_bytes == 32 or case.last.clear_bytes == 32


@pytest.mark.parametrize("cause", WRONG_FIXES)
def test_a_wrong_fix_does_not_mend_it_and_is_taken_back(failures, cause):
    case = opened(failures, cause)
    fix, result, words = WRONG_FIXES[cause]
    repair = try_repair(case, change(case, fix))
    assert repair.result == result, repair
    assert words in repair.words
    assert case.policy() == case.broken_policy()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("policy", "Not a change"),
        ({}, "0 changes at once"),
        ({"policy": {}, "launch": {}}, "2 changes at once"),
        ({"policy": {}}, "policy without a dict"),
        ({"policy": {"Version": "2012-10-17"}}, "KMS does not take this policy"),
        ({"policy": {"Statement": {1, 2}}}, "not JSON serializable"),
        ({"launch": {"debug_mode": "no"}}, "Not a launch"),
        ({"launch": {"eif_path": "/etc/passwd"}}, "Not a launch"),
        ({"launch": {"eif_path": ["practice.eif"]}}, "Not a launch"),
        ({"request": {"KeyId": "other"}}, "Not this request's to change"),
        ({"request": {"EncryptionContext": {"version": 1}}}, "Not this request's to change"),
        ({"client": {"attested": True, "document": "kept"}}, "2 settings at once"),
        ({"client": {"speed": 2}}, "no setting 'speed'"),
        ({"client": {"document": "sometimes"}}, "document 'sometimes'"),
        ({"client": {"document": ["kept"]}}, "document ['kept']"),
    ],
)
def test_what_is_no_single_change_is_said_and_nothing_raises(failures, change, words):
    case = opened(failures, "capitals")
    repair = try_repair(case, change)
    assert repair.result in ("unusable", "refused")
    assert words in repair.words
    assert case.policy() == case.broken_policy()


@pytest.mark.parametrize("letter", MISSING_DENIALS)
def test_a_missing_denial_is_answered_until_the_policy_is_closed(failures, letter):
    case = opened(failures, letter)
    assert (case.last.status, case.last.code, case.last.has_key) == (200, "", True)
    assert bool(case.last.clear_bytes) == (letter == "A")
    still = try_closing(case, case.policy())
    assert still.result == "open"
    closed = {"StringNotEqualsIgnoreCase": {KEY: values(case, case.set_up.promised.eif_path)[0]}}
    text = case.policy()
    deny = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*"}
    text["Statement"] = [*text["Statement"][:2], {**deny, "Condition": closed}]
    assert try_closing(case, text) == Repair("mended", try_closing(case, text).words)
    nobody = {**text, "Statement": [text["Statement"][0]]}
    assert "so is the one that you promised" in try_closing(case, nobody).words
    assert try_closing(case, "no policy").result == "unusable"


def test_evidence_is_what_the_services_say(failures):
    case = opened(failures, "debug-mode")
    said = {name: gather_evidence(case, name) for name in EVIDENCE}
    assert said["nitro-cli describe-enclaves"]["Flags"] == "DEBUG_MODE"
    assert said["nitro-cli describe-enclaves"]["EnclaveName"].startswith("practice")
    ours = values(case, NOW)[0]
    assert said["nitro-cli describe-enclaves"]["Measurements"]["PCR0"] == ours
    assert said["nitro-cli describe-eif"]["Measurements"]["PCR0"] == ours
    assert said["nitro-cli describe-eif"]["IsSigned"] is False
    assert [one["path"] for one in said["image diff"]["files"]][-1].endswith("practice_program.py")
    assert said["kms get-key-policy"] == case.broken_policy()
    assert "assumed-role/ParentInstance/" in said["sts get-caller-identity"]["Arn"]
    assert set(said["attestation show"]["pcrs"]["PCR0"]) == {"0"}
    assert said["client request"]["Decrypt"]["CiphertextBlob"].endswith(" bytes")
    made = said["cloudtrail generate-data-key"]["requestParameters"]
    assert made["encryptionContext"] == {"dataset": "practice", "version": "1"}
    assert said[RECORD]["errorCode"] == "AccessDeniedException"
    assert "PCR0" in said[RECORD]["the lab's reason"]


def test_evidence_that_tells_the_others_apart(failures):
    late = opened(failures, "skewed-clock")
    clocks = gather_evidence(late, "date")
    assert clocks["enclave"] < clocks["parent"]
    assert "signature" in gather_evidence(late, RECORD)["events"]
    swapped = gather_evidence(opened(failures, "swapped-envelope"), "envelope show")
    assert swapped["recipient key identifier"] == swapped["SHA-256 of the document's public key"]
    key = "SHA-256 of the public key it is opened with"
    assert swapped["recipient key identifier"] != swapped[key]
    laptop = opened(failures, "ifexists-deny")
    for name in ("nitro-cli describe-enclaves", "nitro-cli describe-eif", "image diff"):
        assert "laptop" in str(gather_evidence(laptop, name))
    assert "assumed-role/DataOwner/" in gather_evidence(laptop, "sts get-caller-identity")["Arn"]
    assert gather_evidence(laptop, "attestation show") == {"document": "none was sent"}


def test_a_case_says_neither_its_cause_nor_a_key(failures, lab):
    case = failures.case("7", "stale-document")
    assert repr(case) == "Case 7"
    with pytest.raises(LabError, match="not been opened"):
        gather_evidence(case, "client request")
    with pytest.raises(UsageError, match="no evidence"):
        gather_evidence(case, "ask the author")


def test_the_workflows_own_key_is_left_alone(failures, lab, walked):
    case = opened(failures, "two-denys")
    assert case.key != lab.bench.produced("P1", "key_arn")
    assert failures.case("test-two-denys", "two-denys").key == case.key  # found again by its alias


def test_enclaves_are_shared_and_end_with_the_lab(lab, walked):
    before = {one["EnclaveID"] for one in lab.bench.host.describe_enclaves()}
    first = open_failure_lab(lab)
    opened(first, "capitals")
    opened(first, "wrong-context")
    more = {one["EnclaveID"] for one in lab.bench.host.describe_enclaves()} - before
    assert len(more) == 1
    second = open_failure_lab(lab)  # as after a kernel's end: it ends what the first left
    left = {one["EnclaveID"] for one in lab.bench.host.describe_enclaves()}
    assert not more & left
    second.close()
    first.close()
