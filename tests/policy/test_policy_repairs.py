"""The fix of every finding, applied and analysed again; and the walk's policy, bent bit by bit."""

from __future__ import annotations

import copy
from collections import Counter

import pytest
from policy_help import ACCOUNT
from test_policy_analyse import FINDINGS
from test_policy_analyse import GOOD as REGISTERS
from test_policy_cases import ADMIN, APP, CASES, GOOD, KERNEL, PARENT, SIGNER, P

from nitro_workflow.policy import (
    Policies,
    Principal,
    Request,
    RequestContext,
    analyse,
    author,
    evaluate,
    parse_policy,
    parse_policy_leniently,
)

KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"
ENCLAVE = {
    "PCR0": GOOD,
    "PCR1": KERNEL,
    "PCR2": APP,
    "PCR3": GOOD,
    "PCR4": "11" * 48,
    "PCR8": SIGNER,
}
NITROTPM = {"NitroTPMPCR4": GOOD, "NitroTPMPCR7": GOOD, "NitroTPMPCR12": GOOD}
OTHERS = {f"PCR{index}": value for index, value in REGISTERS.items()}


def read(*statements):
    return parse_policy_leniently({"Version": "2012-10-17", "Statement": list(statements)})


def legitimate(policy, registers):
    """Return whom the policy lets in with the right document: (caller, action, decision)."""
    found = set()
    for name in ("Parent", "Worker"):
        for action in ("kms:Decrypt", "kms:PutKeyPolicy"):
            values = {P + key: value for key, value in registers.items()}
            values |= {P + "ImageSha384": registers["PCR0"]} if "PCR0" in registers else {}
            caller = Principal.parse(f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/s")
            context = RequestContext.what_if(values if action == "kms:Decrypt" else {})
            request = Request(caller, action, KEY, context=context)
            if evaluate(request, Policies(policy)).allowed:
                found.add((name, action))
    return found


def count(analysis):
    return Counter(finding.code for finding in analysis.findings)


POLICIES = {
    **{name: ([ADMIN, *statements], grants, ENCLAVE, "PCR0")
       for name, (statements, grants, _, _) in CASES.items() if "NitroTPM" not in name},
    **{name: ([ADMIN, *statements], grants, NITROTPM, "NitroTPMPCR4")
       for name, (statements, grants, _, _) in CASES.items() if "NitroTPM" in name},
    **{f"{code}-{n}": ([ADMIN, *statements], (), OTHERS, "PCR0")
       for n, (code, _, statements) in enumerate(FINDINGS)},
}  # fmt: skip


@pytest.mark.parametrize("name", POLICIES)
def test_the_fix_mends_and_locks_nobody_out(name):
    statements, grants, registers, image = POLICIES[name]
    cleaned = [{k: v for k, v in s.items() if v is not None} for s in statements]
    policy = read(*cleaned)
    before = analyse(policy, grants=grants, key_arn=KEY)
    inside = legitimate(policy, registers)
    for finding in before.findings:
        if finding.repair is None or finding.statement is None:
            continue
        mended = read(*finding.repair(policy.to_json(), {image: registers[image]})["Statement"])
        after = analyse(mended, grants=grants, key_arn=KEY)
        assert count(after)[finding.code] < count(before)[finding.code], finding.code
        assert inside <= legitimate(mended, registers), finding.code


def test_every_finding_says_what_somebody_does():
    """One sentence about an attacker, or about who is refused: “whoever …”, “… gets the plaintext”."""
    words = ("whoever", "gets", "refuse", "applies", "satisfied", "denies")
    for name, (statements, grants, _, _) in POLICIES.items():
        cleaned = [{k: v for k, v in s.items() if v is not None} for s in statements]
        for finding in analyse(read(*cleaned), grants=grants, key_arn=KEY).findings:
            assert any(word in finding.detail.lower() for word in words), (name, finding.code)


# --------------------------------------------------------------------------------------- mutation

OWNER = f"arn:aws:iam::{ACCOUNT}:role/Owner"
WALK = author.attestation_policy(
    author.allow_data_keys(author.initial_key_policy(OWNER), OWNER), PARENT, [ENCLAVE],
    encryption_context={"dataset": "customers"},
)  # fmt: skip
# The walk's policy is fenced twice: a mutation matters more where one fence is missing.
ALLOW_ONLY = copy.deepcopy(WALK)
DENY_ONLY = copy.deepcopy(WALK)
ALLOW_ONLY["Statement"] = [s for s in WALK["Statement"] if s["Sid"] != "NoDecryptOutside"]
DENY_ONLY["Statement"][-2]["Condition"] = {
    "StringEquals": {"kms:EncryptionContext:dataset": "customers"}
}
OTHER, STRANGER = "5e" * 48, f"arn:aws:sts::{ACCOUNT}:assumed-role/Nobody/s"


def mutants(whole):
    """Yield a policy with one condition, value, effect or principal of it changed."""
    for index, statement in enumerate(whole["Statement"]):

        def changed(place=index, **elements):
            result = copy.deepcopy(whole)
            result["Statement"][place] |= elements
            return result

        yield "effect", changed(Effect="Deny" if statement["Effect"] == "Allow" else "Allow")
        for principal in ("*", {"AWS": OWNER}, {"AWS": PARENT}, {"AWS": STRANGER}):
            yield "principal", changed(Principal=principal)
        for action in ("kms:*", "kms:Decrypt", "kms:ReEncryptFrom", "kms:GenerateDataKey"):
            yield "action", changed(Action=action)
        gone = copy.deepcopy(whole)
        del gone["Statement"][index]
        yield "statement", gone
        for operator, keys in statement.get("Condition", {}).items():
            for key in keys:
                for value in (OTHER, "0" * 96, "*", GOOD.upper(), [GOOD, OTHER]):
                    result = changed()
                    result["Statement"][index]["Condition"][operator][key] = value
                    yield "value", result
                result = changed()
                block = result["Statement"][index]["Condition"]
                block[operator] = {k: v for k, v in block[operator].items() if k != key}
                if not block[operator]:
                    del block[operator]
                yield "condition", result
            for other in ("StringNotEquals", "StringLike", "StringEqualsIfExists", "Null",
                          "ForAllValues:StringEquals"):  # fmt: skip
                result = changed()
                block = result["Statement"][index]["Condition"]
                moved = block.pop(operator)
                block[other] = {**block.get(other, {}), **moved}
                yield "operator", result


def tried(policy):
    """Return the questions that the evaluator itself answers with a path, in many requests."""
    found = set()
    base = {P + name: value for name, value in ENCLAVE.items()}
    kernel = {**base, P + "PCR0": OTHER, P + "PCR2": OTHER}
    images = {
        "without_attestation": [{}],
        "any_image": [kernel, {**kernel, P + "PCR1": OTHER}, {**kernel, P + "PCR8": OTHER}],
        "debug": [{**base, **{P + f"PCR{n}": "0" * 96 for n in range(3)}}],
    }
    callers = [PARENT.replace("role/Parent", "user/x"), STRANGER,
               *(f"arn:aws:sts::{ACCOUNT}:assumed-role/{n}/s" for n in ("Parent", "Owner"))]  # fmt: skip
    for question, documents in images.items():
        actions = ["kms:Decrypt", "kms:DeriveSharedSecret"]
        actions += ["kms:ReEncryptFrom"] if question == "without_attestation" else []
        for registers in documents:
            if P + "PCR0" in registers:
                registers = {**registers, P + "ImageSha384": registers[P + "PCR0"]}
            for dataset in ("customers", "x", OTHER, "0" * 96, GOOD.upper(), GOOD, "*", None):
                context = dict(registers)
                context |= {"kms:EncryptionContext:dataset": dataset} if dataset else {}
                for caller in callers:
                    for action in actions:
                        request = Request(Principal.parse(caller), action, KEY,
                                          context=RequestContext.what_if(context))  # fmt: skip
                        if evaluate(request, Policies(policy)).allowed:
                            found.add(question)
    return found


@pytest.mark.parametrize(
    ("whole", "least"),
    [(WALK, 4), (ALLOW_ONLY, 8), (DENY_ONLY, 12)],
    ids=["both", "allow", "deny"],
)
def test_the_analysis_notices_every_mutation_that_matters(whole, least):
    assert set(analyse(parse_policy(whole), grants=()).answers.values()) == {"none"}
    mattered = Counter()
    for kind, document in mutants(whole):
        policy = parse_policy(document)
        paths = tried(policy)
        answers = analyse(policy, grants=(), key_arn=KEY).answers
        # Where the mutation names OTHER, that is no other image any more.
        expected = paths - ({"any_image"} if OTHER in str(document) else set())
        assert expected <= {q for q, answer in answers.items() if answer == "path"}, (
            kind,
            document,
        )
        mattered[kind] += bool(paths)
    assert sum(mattered.values()) >= least, mattered
