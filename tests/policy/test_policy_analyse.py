"""The analysis: verdicts, findings and the requests that show them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from policy_help import ACCOUNT, KEY, OTHER, ROLE, ROOT, SESSION, USER, allow, deny, policy, to

from nitro_workflow.policy import Grant, analyse, author, evaluate, parse_policy, render_analysis

GOOD = {index: f"{index:x}c" * 48 for index in (0, 1, 2, 3, 4, 8)}
ZERO = "0" * 96
OWNER = f"arn:aws:iam::{ACCOUNT}:role/Owner"
ADMIN = to(OWNER, allow("kms:PutKeyPolicy"))
FENCES = (
    to("*", deny("kms:Decrypt", Condition={
        "StringNotEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": GOOD[0]}})),
    to("*", deny(["kms:ReEncryptFrom", "kms:CreateGrant", "kms:DeriveSharedSecret"])),
)  # fmt: skip
LOOSE = "deployment_not_pinned"  # what is said where neither role nor instance is pinned


def inside(pcrs, operator="StringEqualsIgnoreCase", action="kms:Decrypt", prefix="PCR", who=ROLE):
    condition = {f"kms:RecipientAttestation:{prefix}{i}": value for i, value in pcrs.items()}
    return to(who, allow(action, Condition={operator: condition}))


def key_policy(*statements):
    return policy(*statements, kind="resource")


def codes(analysis):
    return [finding.code for finding in analysis.findings]


def check(analysis):
    """Every finding's request is decided as claimed, and so is every open way's."""
    for finding in analysis.findings:
        witness = finding.witness
        assert witness.holds, finding.code
        assert evaluate(witness.request, witness.policies).effect == witness.effect
        assert finding.fix
        assert finding.to_json()["operator"] == finding.operator
        assert finding.severity in ("critical", "high", "medium", "low")
    for question, answer in analysis.answers.items():
        found = analysis.witnesses[question]
        assert (answer == "path") == bool(found)
        for witness in found:
            assert witness.holds
            assert witness.effect == "allowed"
            assert witness.request.context.attested == (question != "without_attestation")
    for way in (*analysis.ways, *analysis.changers):
        if way.witness:
            assert way.witness.holds
            assert way.witness.request.context.attested == way.attested
            assert way.witness.effect == "allowed"
    json.dumps(analysis.to_json())
    assert render_analysis(analysis)


FINDINGS = [
    # code, verdict, statements
    ("unattested_decrypt", "path", [to(ROLE, allow("kms:Decrypt"))]),
    ("unattested_decrypt", "path", [to(ROOT, allow("kms:*"))]),
    ("unattested_decrypt", "path", [to("*", allow("kms:Decrypt", Condition={
        "StringEquals": {"kms:CallerAccount": ACCOUNT}}))]),
    ("unattested_decrypt", "path", [to("*", allow("kms:*", Condition={
        "ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{OTHER}:role/team-*"}}))]),
    ("unattested_decrypt", "path", [to(ROLE, allow("kms:Dec*", Condition={
        "StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": "300"},
        "DateLessThan": {"aws:CurrentTime": "2030-01-01"},
        "IpAddress": {"aws:SourceIp": "203.0.113.0/24"},
        "Bool": {"aws:SecureTransport": "true"},
        "ForAnyValue:StringLike": {"kms:EncryptionContextKeys": "data*"},
        "Null": {"kms:EncryptionContext:dataset": "false"}}))]),
    ("unattested_decrypt", "path", [inside({0: GOOD[0]}), to(USER, allow("kms:Decrypt")),
                                    to(ROLE, deny("kms:Decrypt"))]),
    ("unattested_decrypt", "path", [{**allow("kms:Decrypt"), "NotPrincipal": {"AWS": USER}}]),
    ("unattested_decrypt", "path",
     [{**to(ROLE, allow()), "NotAction": ["kms:Put*"], "Action": None}]),
    ("unattested_decrypt", "path", [to(ROLE, allow("kms:Decrypt", Condition={
        "StringEquals": {"kms:viaservice": "s3", "KMS:ViaService": "s3"},
        "StringLike": {"kms:ViaService": "s*"}}))]),
    ("unattested_reencryptfrom", "path", [to(ROLE, allow("kms:ReEncrypt*"))]),
    ("absence_satisfies", "path", [inside({0: GOOD[0]}, "StringEqualsIfExists")]),
    ("absence_satisfies", "path", [inside({0: ZERO}, "StringNotEquals")]),
    ("absence_satisfies", "path", [inside({0: GOOD[0]}, "ForAllValues:StringEquals")]),
    ("absence_satisfies", "path", [inside({0: "true"}, "Null")]),
    ("absence_satisfies", "none", [inside({0: GOOD[0]}, "StringEqualsIfExists"), *FENCES]),
    ("debug_allowed", "none", [inside({0: ZERO})]),
    ("debug_allowed", "none", [inside({0: [GOOD[0], ZERO]})]),
    ("debug_allowed", "none", [inside({0: ZERO}), *FENCES]),
    ("image_not_pinned", "none", [inside({1: GOOD[1]})]),
    ("image_not_pinned", "none", [inside({2: GOOD[2]})]),
    ("image_not_pinned", "none", [inside({3: GOOD[3], 4: GOOD[4]})]),
    ("upper_case", "none", [inside({0: GOOD[0].upper()}, "StringEquals")]),
    ("not_a_measurement", "none", [inside({0: GOOD[0][:64]})]),
    ("not_a_measurement", "none", [inside({0: "x" * 96})]),
    ("mixed_documents", "none", [{**inside({0: GOOD[0]}), "Condition": {"StringEquals": {
        "kms:RecipientAttestation:PCR0": GOOD[0],
        "kms:RecipientAttestation:NitroTPMPCR4": GOOD[4]}}}]),
    ("no_recipient", "none", [inside({0: GOOD[0]}, action=["kms:Decrypt", "kms:Encrypt"])]),
    ("no_recipient", "none", [inside({0: GOOD[0]}), to("*", deny("kms:ReEncryptFrom", Condition={
        "StringNotEquals": {"kms:RecipientAttestation:PCR0": GOOD[0]}}))]),
    ("unknown_key", "none", [to(ROLE, allow("kms:Decrypt", Condition={
        "StringEquals": {"kms:RecipientAttestation:PCR99": GOOD[0]}}))]),
    ("unknown_key", "none", [inside({0: GOOD[0]}), to(ROLE, allow("kms:Encrypt", Condition={
        "StringEquals": {"kms:ViaServices": "x"}}))]),
    ("grant_creation", "none", [inside({0: GOOD[0]}), to(USER, allow("kms:CreateGrant"))]),
    ("key_replication", "none", [inside({0: GOOD[0]}), to(USER, allow("kms:ReplicateKey")), *FENCES]),
    ("delegates_to_iam", "none", [to(ROOT, allow("kms:Put*")), inside({0: GOOD[0]})]),
    ("delegates_to_iam", "path", [to(OTHER, allow("kms:*"))]),
    ("unreadable_principal", "none", [inside({0: GOOD[0]}, who=f"arn:aws:iam::{ACCOUNT}:role/*")]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "verdict", "statements"), FINDINGS, ids=[f"{r[0]}-{n}" for n, r in enumerate(FINDINGS)]
)
def test_findings(code, verdict, statements):
    cleaned = [{k: v for k, v in s.items() if v is not None} for s in statements]
    analysis = analyse(key_policy(ADMIN, *cleaned))
    assert code in codes(analysis)
    assert analysis.without_attestation == verdict
    check(analysis)


@pytest.mark.parametrize(
    ("code", "condition"),
    [
        ("unknown_key", {"StringEquals": {"kms:RecipientAttestation:PCR99": GOOD[0]}}),
        ("upper_case", {"StringEquals": {"kms:RecipientAttestation:PCR0": GOOD[0].upper()}}),
        ("not_a_measurement", {"StringEquals": {"kms:RecipientAttestation:PCR0": "abc"}}),
        ("partial_value", {"StringEquals": {"kms:RecipientAttestation:PCR0": GOOD[0][:9] + "*"}}),
        ("never_matches", {"StringEquals": {"aws:PrincipalOrgID": "o-1"},
                           "Null": {"aws:PrincipalOrgID": "true"}}),
    ],
)  # fmt: skip
def test_a_cause_is_one_finding(code, condition):
    statement = to(ROLE, allow("kms:Decrypt", Condition=condition))
    analysis = analyse(key_policy(ADMIN, inside({0: GOOD[0], 3: GOOD[3]}), statement))
    assert [found for found in codes(analysis) if found != "deployment_not_pinned"] == [code]


def test_two_causes_in_one_statement_are_two_findings():
    condition = {
        "StringEquals": {"kms:ViaServices": "x", "aws:PrincipalOrgID": "o-1"},
        "Null": {"aws:PrincipalOrgID": "true"},
    }
    statement = to(ROLE, allow("kms:Decrypt", Condition=condition))
    found = codes(analyse(key_policy(ADMIN, inside({0: GOOD[0], 3: GOOD[3]}), statement)))
    assert "unknown_key" in found


PAIR = "kms:GenerateDataKeyPair"
INSIDE_ONLY = {"Null": {"kms:RecipientAttestation:PCR0": "false"}}


@pytest.mark.parametrize(
    ("statements", "severities"),
    [
        # KMS answers PrivateKeyPlaintext, unless the request carries a document.
        ([to(USER, allow(PAIR))], ["low"]),
        ([to(USER, allow(PAIR + "WithoutPlaintext"))], []),
        ([to(USER, allow(PAIR, Condition=INSIDE_ONLY))], []),
        ([to(USER, allow(PAIR)), to("*", deny(PAIR))], []),
        # Who makes data keys of both kinds is the owner, who encrypts their own.
        ([to(USER, allow([PAIR, "kms:GenerateDataKey"]))], []),
        ([to(USER, allow(PAIR)), to(USER, allow("kms:GenerateDataKey"))], []),
        ([to(USER, allow(PAIR)), to(ROLE, allow("kms:GenerateDataKey"))], ["low", "medium"]),
        ([to(ROLE, allow(PAIR))], ["medium"]),
        ([to("*", allow(PAIR))], ["high"]),
    ],
)
def test_a_pairs_private_key_in_clear(statements, severities):
    analysis = analyse(key_policy(ADMIN, inside({0: GOOD[0], 3: GOOD[3]}), *statements))
    found = [one for one in analysis.findings if one.code == "data_key_in_clear"]
    assert sorted(one.severity for one in found) == severities
    check(analysis)


@pytest.mark.parametrize(
    "statements",
    [
        [inside({0: GOOD[0], 3: GOOD[3]}), *FENCES],
        [inside({0: [GOOD[0], GOOD[1]], 4: GOOD[4]}), *FENCES],
        [inside({1: GOOD[1], 2: GOOD[2], 3: GOOD[3]})],
        [inside({4: GOOD[0], 12: GOOD[1]}, prefix="NitroTPMPCR")],
    ],
)
def test_what_is_right_has_no_findings(statements):
    analysis = analyse(key_policy(ADMIN, *statements))
    assert codes(analysis) == []
    assert set(analysis.answers.values()) == {"none"}
    check(analysis)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        (inside({8: GOOD[8], 3: GOOD[3]}), "same_signer"),
        (inside({7: GOOD[0]}, prefix="NitroTPMPCR"), "same_signer"),
        (inside({12: GOOD[0]}, prefix="NitroTPMPCR"), "image_not_pinned"),
        (inside({3: GOOD[3]}), "image_not_pinned"),
    ],
)
def test_where_only_a_signer_a_role_or_a_kernel_is_named_any_image_decrypts(statement, code):
    analysis = analyse(key_policy(ADMIN, statement))
    assert (analysis.without_attestation, analysis.any_image) == ("none", "path")
    assert code in codes(analysis)
    check(analysis)


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        ([{**allow("kms:Decrypt"), "Principal": {"CanonicalUser": "79a5"}}],
         "the canonical user 79a5"),
        ([to(ROLE, allow("kms:Decrypt")), to("*", deny("kms:Decrypt", Condition={
            "StringNotEquals": {"aws:PrincipalTag/a": "${aws:PrincipalTag/b}"}}))],
         "the policy variable ${aws:principaltag/b} under StringNotEquals"),
        ([to(ROLE, allow("kms:Decrypt", Condition={"NumericLessThan": {"aws:PrincipalTag/a": "5"}})),
          to("*", deny("kms:Decrypt", Condition={"StringLike": {"aws:PrincipalTag/a": "*"}}))],
         "operators of different kinds on aws:PrincipalTag/a"),
    ],
)  # fmt: skip
def test_outside_the_fragment_the_answer_is_unknown(statements, reason):
    analysis = analyse(key_policy(ADMIN, *statements))
    assert analysis.without_attestation == "unknown"
    assert reason in [entry.reason for entry in analysis.unknown]
    assert reason in render_analysis(analysis)
    assert f"outside the fragment “{analysis.fragment}”" in render_analysis(analysis)
    check(analysis)


@pytest.mark.parametrize(
    "statements",
    [
        [to(ROLE, allow("kms:Decrypt", Condition={
            "StringEquals": {"aws:PrincipalTag/a": "${aws:PrincipalTag/b}"}}))],
        [to(ROLE, allow("kms:Decrypt")),
         {**deny("kms:Decrypt"), "NotPrincipal": {"AWS": [ROLE, ROOT]}}],
        [to(ROLE, allow("kms:Decrypt", Condition={"Bool": {"aws:SecureTransport": "${a:b}"}}))],
    ],
)  # fmt: skip
def test_what_is_found_outside_the_fragment_is_a_path_all_the_same(statements):
    analysis = analyse(key_policy(ADMIN, *statements))
    assert analysis.without_attestation == "path"
    check(analysis)


def test_what_is_opaque_does_not_matter_behind_a_fence():
    opaque = to(ROLE, allow("kms:Decrypt", Condition={
        "StringEquals": {"aws:PrincipalTag/a": "${aws:PrincipalTag/b}"}}))  # fmt: skip
    analysis = analyse(key_policy(ADMIN, opaque, *FENCES))
    assert set(analysis.answers.values()) == {"none"}


@pytest.mark.parametrize(
    "fence",
    [
        to("*", deny(["kms:Decrypt", "kms:ReEncryptFrom", "kms:DeriveSharedSecret"])),
        to("*", deny("kms:*", Condition={"Null": {"kms:RecipientAttestation:PCR0": "true"}})),
        to(ROLE, deny(["kms:De*", "kms:ReEncryptFrom"])),
        to([USER, ROLE], deny("kms:*", Condition={
            "StringNotEquals": {"kms:RecipientAttestation:PCR0": GOOD[0]}})),
        {**to("*", deny()), "NotAction": "kms:PutKeyPolicy", "Action": None},
    ],
)  # fmt: skip
def test_a_deny_can_close_what_an_allow_opens(fence):
    fence = {key: value for key, value in fence.items() if value is not None}
    analysis = analyse(key_policy(ADMIN, to(ROLE, allow("kms:*")), fence))
    assert analysis.without_attestation == "none"
    check(analysis)


def test_a_deny_for_somebody_else_closes_nothing():
    fence = to(USER, deny("kms:*"))
    analysis = analyse(key_policy(ADMIN, to(ROLE, allow("kms:*")), fence))
    assert analysis.without_attestation == "path"


def test_grants_are_paths():
    attested = key_policy(ADMIN, inside({0: GOOD[0]}))
    grant = Grant(ROLE, ("Decrypt",), "id", equals={"dataset": "a"})
    analysis = analyse(attested, grants=[grant])
    assert analysis.without_attestation == "path"
    assert codes(analysis) == ["grant_to_plaintext", LOOSE]
    check(analysis)
    assert analyse(attested, grants=[]).assumes == ()
    assert analyse(attested).assumes == ("the key has no grants",)
    fenced = analyse(key_policy(ADMIN, inside({0: GOOD[0]}), *FENCES), grants=[grant])
    assert fenced.without_attestation == "none"
    harmless = Grant(ROLE, ("Encrypt", "GenerateDataKey"))
    assert analyse(attested, grants=[harmless]).without_attestation == "none"


def test_a_grant_is_useless_behind_the_fence():
    creating = to(USER, allow("kms:CreateGrant"))
    assert "grant_creation" in codes(analyse(key_policy(ADMIN, creating)))
    fenced = key_policy(ADMIN, creating, FENCES[0], to("*", deny("kms:ReEncryptFrom")))
    assert "grant_creation" not in codes(analyse(fenced))


def test_nobody_may_change_the_policy():
    assert codes(analyse(key_policy(inside({0: GOOD[0]})))) == ["lock_out", LOOSE]
    never = analyse(key_policy(ADMIN, inside({0: GOOD[0]}), to("*", deny("kms:PutKeyPolicy"))))
    assert codes(never) == ["lock_out", LOOSE]
    assert never.findings[0].statement.index == 2
    check(never)


def test_no_document_reaches_what_has_no_recipient():
    analysis = analyse(key_policy(ADMIN, inside({0: GOOD[0]}, action="kms:*")))
    ways = {way.action: way for way in (*analysis.ways, *analysis.changers) if way.attested}
    assert ways["kms:Decrypt"].witness
    for action in ("kms:ReEncryptFrom", "kms:PutKeyPolicy", "kms:CreateGrant"):
        assert ways[action].witness is None
        assert "cannot carry a document" in ways[action].effect
    assert analysis.without_attestation == "none"


def test_who_and_under_which_pcrs():
    analysis = analyse(
        key_policy(ADMIN, inside({0: GOOD[0], 3: GOOD[3]}), to(ROOT, allow("kms:Dec*")))
    )
    attested, delegated = analysis.ways
    assert attested.principals == (ROLE,)
    assert attested.attested
    assert {(str(c.operator), c.key, c.values) for c in attested.conditions} == {
        ("StringEqualsIgnoreCase", "kms:RecipientAttestation:PCR0", (GOOD[0],)),
        ("StringEqualsIgnoreCase", "kms:RecipientAttestation:PCR3", (GOOD[3],)),
    }
    assert delegated.delegates
    assert delegated.witness.request.principal.account == ACCOUNT
    assert [way.action for way in analysis.changers] == ["kms:PutKeyPolicy"]


def test_the_policy_of_the_walk():
    """It is the policy this package writes: three times no path, and nothing to report."""
    instance = f"arn:aws:iam::{OTHER}:role/ParentInstance"
    start = author.allow_data_keys(author.initial_key_policy(OWNER), OWNER)
    measured = [{f"PCR{i}": value for i, value in GOOD.items()}]
    text = author.attestation_policy(start, instance, measured, encryption_context={"dataset": "a"})
    analysis = analyse(parse_policy(text))
    assert set(analysis.answers.values()) == {"none"}
    assert analysis.assumes == ()  # the Deny holds against grants too
    assert codes(analysis) == []
    assert [way.principals for way in analysis.ways if way.witness] == [(instance,)]
    assert [(way.action, way.principals) for way in analysis.changers] == [
        ("kms:PutKeyPolicy", (OWNER,))
    ]
    check(analysis)


SAMPLES = {
    # The administrator's kms:Create* holds CreateGrant, so he can give himself Decrypt; nothing
    # forbids Decrypt without a document.
    "blockchain_wallet.json": ("none", ["grant_creation", LOOSE]),
    "mpc_wallet.json": ("none", ["grant_creation", LOOSE]),
    # The administrator's kms:* holds Decrypt itself: the attestation condition fences nobody.
    "eks_wallet.json": (
        "path",
        [
            "unattested_decrypt",
            "unattested_reencryptfrom",
            "grant_creation",
            "key_replication",
            LOOSE,
        ],
    ),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples(vectors: Path, name):
    verdict, expected = SAMPLES[name]
    analysis = analyse(parse_policy((vectors / "policies" / name).read_bytes(), name=name))
    assert analysis.without_attestation == verdict
    assert codes(analysis) == expected
    assert analysis.assumes[-1] == "the key has no grants"
    assert any("is filled in" in text for text in analysis.assumes)
    check(analysis)


@pytest.mark.parametrize(
    ("principal", "value", "way"),
    [
        ("<ROLE_ARN>", "<PCR0>", f"arn:aws:iam::{ACCOUNT}:role/ROLE-ARN"),
        (
            "arn:aws:iam::<account>:role/Enclave",
            "{{ pcr0 }}",
            f"arn:aws:iam::{ACCOUNT}:role/Enclave",
        ),
        (
            "arn:aws:iam::ACCOUNT_ID:role/Enclave",
            "PCR0_VALUE",
            f"arn:aws:iam::{ACCOUNT}:role/Enclave",
        ),
        ("arn:aws:iam::${AWS::AccountId}:user/u", "${PCR0}", f"arn:aws:iam::{ACCOUNT}:user/u"),
        ("arn:aws:iam::${Account}:root", "your-pcr0-here", f"arn:aws:iam::{ACCOUNT}:root"),
    ],
)
def test_templates_of_any_make(principal, value, way):
    analysis = analyse(key_policy(ADMIN, inside({0: value}, who=principal)))
    assert [(w.principals, w.effect) for w in analysis.ways] == [((way,), "allowed")]
    assert codes(analysis) == [LOOSE]
    assert len(analysis.assumes) == 3
    check(analysis)


def test_a_nitrotpm_document_has_no_enclave_keys():
    policy = key_policy(ADMIN, inside({4: GOOD[4], 12: GOOD[0]}, prefix="NitroTPMPCR"))
    (way,) = analyse(policy).ways
    attested = [k for k in way.witness.request.context.values if "recipientattestation" in k]
    assert attested
    assert all("nitrotpm" in key for key in attested)
    # Behind a Deny that asks for an enclave's PCR0 such a statement opens nothing.
    fenced = key_policy(ADMIN, inside({4: GOOD[4]}, prefix="NitroTPMPCR"), *FENCES)
    assert [w.witness for w in analyse(fenced).ways] == [None]


def test_two_hundred_statements():
    statements = [
        to(f"arn:aws:iam::{ACCOUNT}:role/R{n}", allow("kms:Decrypt", Sid=f"S{n}", Condition={
            "StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": GOOD[0]}}))
        for n in range(199)
    ]  # fmt: skip
    analysis = analyse(key_policy(ADMIN, *statements), key_arn=KEY)
    assert len(analysis.ways) == 199
    assert analysis.without_attestation == "none"
    assert SESSION.split(":")[4] == ACCOUNT


def test_long_lists_are_no_burden():
    def seconds(count):
        values = [f"value-{n}" for n in range(count)]
        condition = {
            "StringLike": {"aws:PrincipalTag/a": values},
            "StringNotLike": {"aws:SourceVpc": values},
        }
        begin = time.process_time()
        analysis = analyse(key_policy(ADMIN, to(ROLE, allow("kms:*", Condition=condition))))
        assert analysis.without_attestation == "path"
        return time.process_time() - begin

    # Five times as long a list; the square of it would be 25 times, on whatever machine.
    assert seconds(20_000) < 15 * seconds(4_000)


def test_the_search_has_an_end():
    """A policy that resists the search is answered in bounded time, and not with "none"."""
    # More pigeons than holes: every choice has to be tried before one knows that none is right.
    pigeons, holes = range(11), [f"h{n}" for n in range(10)]
    single = {f"aws:PrincipalTag/p{a}-{h}": "*" for a in pigeons for h in holes}
    shuts = [to("*", deny("kms:*", Condition={"StringNotEquals": {
        f"aws:PrincipalTag/p{a}-{h}": "in" for h in holes}})) for a in pigeons]  # fmt: skip
    shuts += [
        to("*", deny("kms:*", Condition={"StringEquals": {
            f"aws:PrincipalTag/p{a}-{h}": "in", f"aws:PrincipalTag/p{b}-{h}": "in"}}))
        for h in holes for a in pigeons for b in pigeons if a < b
    ]  # fmt: skip
    opens = to(ROLE, allow("kms:*", Condition={"StringLike": single}))
    analysis = analyse(key_policy(opens, *shuts))
    assert set(analysis.answers.values()) == {"unknown"}
    assert "its budget of" in analysis.unknown[0].reason
    assert "lock_out" not in codes(analysis)
