"""Key policies that said "none" or "no findings" once, each with the right answer."""

from __future__ import annotations

import json

import pytest
from policy_help import ACCOUNT, OTHER, ROOT, allow, deny, to

from nitro_workflow.policy import Grant, analyse, evaluate, parse_policy_leniently

PARENT = f"arn:aws:iam::{ACCOUNT}:role/Parent"
OWNER = f"arn:aws:iam::{ACCOUNT}:role/Owner"
P = "kms:RecipientAttestation:"
GOOD, KERNEL, APP, SIGNER, ZERO = "ab" * 48, "bc" * 48, "cd" * 48, "de" * 48, "0" * 96
ADMIN = to(OWNER, allow(["kms:PutKeyPolicy", "kms:GetKeyPolicy"]))
PLAINTEXT = ["kms:Decrypt", "kms:ReEncryptFrom"]


def opens(condition=None, *, who=PARENT, action="kms:Decrypt"):
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    statement["Principal"] = who if isinstance(who, dict) else {"AWS": who}
    return statement | ({"Condition": condition} if condition else {})


def shuts(condition=None, *, who="*", action=None):
    statement = to(who, deny(action or PLAINTEXT))
    return statement | ({"Condition": condition} if condition else {})


def pcrs(**values):
    return {P + name: value for name, value in values.items()}


PINNED = opens({"StringEquals": pcrs(PCR0=GOOD)})
GRANT = (Grant(PARENT, ("Decrypt",), "g1"),)
# name: statements, grants, the three answers, a finding that must be there
CASES = {
    "good": ([PINNED, shuts({"StringNotEquals": pcrs(PCR0=GOOD)})], (), "none none none", ""),
    "a grant beside a Deny of other networks": (
        [PINNED, shuts({"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}})], GRANT,
        "path path path", "grant_to_plaintext"),
    "a grant beside a Deny of other endpoints": (
        [PINNED, shuts({"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})], GRANT,
        "path path path", "grant_to_plaintext"),
    "a grant beside a Deny of other services": (
        [PINNED, shuts({"StringNotEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}})],
        GRANT, "path path path", "grant_to_plaintext"),
    "a grant to whom a NotPrincipal excepts": (
        [PINNED, {**deny("kms:Decrypt"), "NotPrincipal": {"AWS": [
            f"arn:aws:sts::{ACCOUNT}:assumed-role/Parent/i-1", PARENT]}}], GRANT,
        "path path path", "grant_to_plaintext"),
    "a grant beside a Deny of one session": (
        [PINNED, shuts({"StringEquals": {"aws:userid": "AROAX:witness"}})], GRANT,
        "path path path", "grant_to_plaintext"),
    "a grant to an account beside a Deny of its root": (
        [PINNED, shuts({"ArnLike": {"aws:PrincipalArn": ROOT}})],
        (Grant(ROOT, ("Decrypt",), "g1"),), "path path path", "grant_to_plaintext"),
    "a measurement that the caller's tag gives": (
        [opens({"StringEquals": pcrs(PCR0="${aws:PrincipalTag/pcr}")})], (),
        "none path path", "debug_allowed"),
    "a measurement that the caller's session gives": (
        [opens({"StringEquals": pcrs(PCR0=[GOOD, "${aws:SourceIdentity}"])})], (),
        "none path path", "image_not_pinned"),
    "a measurement that the request gives": (
        [opens({"StringEquals": pcrs(PCR0="${kms:EncryptionContext:pcr}")})], (),
        "none path path", "image_not_pinned"),
    "a measurement with a default": (
        [opens({"StringEquals": pcrs(PCR0=f"${{aws:PrincipalTag/pcr, '{GOOD}'}}")})], (),
        "none path path", "image_not_pinned"),
    "a fence around what the caller's tag gives": (
        [opens(), shuts({"StringNotEquals": pcrs(PCR0="${aws:PrincipalTag/pcr}")})], (),
        "none unknown unknown", "not_a_measurement"),
    "a grant behind the fence": (
        [PINNED, shuts({"StringNotEquals": pcrs(PCR0=GOOD)})], GRANT, "none none none", ""),
    "presence by Null": (
        [opens({"Null": pcrs(PCR0="false")})], (), "none path path", "image_not_pinned"),
    "presence by *": (
        [opens({"StringLike": pcrs(PCR0="*")})], (), "none path path", "image_not_pinned"),
    "presence by question marks": (
        [opens({"StringLike": pcrs(ImageSha384="?" * 96)})], (), "none path path",
        "image_not_pinned"),
    "anything but zeros": (
        [opens({"StringNotEquals": pcrs(PCR0=ZERO), "Null": pcrs(PCR0="false")})], (),
        "none path none", "image_not_pinned"),
    "anything but zeros, of a list": (
        [opens({"ForAnyValue:StringNotEquals": pcrs(PCR0=ZERO)})], (), "none path none",
        "image_not_pinned"),
    "a part of a measurement": (
        [opens({"StringLike": pcrs(PCR0="a*")})], (), "none path none", "partial_value"),
    "a Deny of the absent only": (
        [opens(), shuts({"Null": pcrs(PCR0="true")})], (), "none path path", "image_not_pinned"),
    "a Deny by the role only": (
        [opens(), shuts({"StringNotEquals": pcrs(PCR3=GOOD)})], (), "none path path",
        "image_not_pinned"),
    "a Deny by the kernel only": (
        [opens(), shuts({"StringNotEquals": pcrs(PCR1=KERNEL)})], (), "none path none",
        "image_not_pinned"),
    "a Deny that zeros pass": (
        [opens(), shuts({"StringNotEquals": pcrs(PCR0=[GOOD, ZERO])})], (), "none none path",
        "debug_allowed"),
    "a Deny whose keys are ANDed": (
        [opens(), shuts({"StringNotEquals": pcrs(PCR0=GOOD, PCR1=KERNEL)})], (), "none path none",
        "deny_keys_anded"),
    "a Deny of two keys, one of them signed": (
        [opens(), shuts({"StringNotEquals": pcrs(PCR0=GOOD, PCR8=SIGNER)})], (), "none path path",
        "deny_keys_anded"),
    "kernel and application, each with a Deny": (
        [opens(), shuts({"StringNotEquals": pcrs(PCR1=KERNEL)}),
         shuts({"StringNotEquals": pcrs(PCR2=APP)})], (), "none none none", ""),
    "kernel and application together": (
        [opens({"StringEquals": pcrs(PCR1=KERNEL, PCR2=APP)})], (), "none none none", ""),
    "the signer only": (
        [opens({"StringEquals": pcrs(PCR8=SIGNER)})], (), "none path path", "same_signer"),
    "shared secrets for everybody": (
        [PINNED, opens(who="*", action="kms:DeriveSharedSecret")], (), "path path path",
        "unattested_derivesharedsecret"),
    "data keys for everybody": (
        [PINNED, opens(who="*", action="kms:GenerateDataKey")], (), "none none none",
        "data_key_in_clear"),
    "two accounts to be filled in": (
        [opens(who="arn:aws:iam::<DATA_ACCOUNT>:role/Decryptor"),
         shuts({"StringNotEquals": pcrs(PCR0=GOOD)}, who="arn:aws:iam::<OTHER>:role/Decryptor")],
        (), "path path path", "unattested_decrypt"),
    "two roles to be filled in": (
        [opens(who="<ROLE>"), shuts({"StringNotEquals": pcrs(PCR0=GOOD)}, who="{{ROLE}}")], (),
        "path path path", "unattested_decrypt"),
    "a role to be filled in beside one of its name": (
        [opens(who="<Decryptor>"), shuts({"StringNotEquals": pcrs(PCR0=GOOD)},
                                         who=f"arn:aws:iam::{ACCOUNT}:role/Decryptor")], (),
        "path path path", "unattested_decrypt"),
    "a Kelvin sign for a k": (
        [PINNED, opens(action="\u212ams:Decrypt")], (), "none none none", ""),
    "every service": (
        [PINNED, opens(who={"Service": "*"})], (),
        "unknown unknown unknown", "unreadable_principal"),
    "every provider": ([opens(who={"Federated": "*"})], (), "unknown unknown unknown", ""),
    "a canonical user": (
        [opens(who={"CanonicalUser": "abc"})], (), "unknown unknown unknown", ""),
    "IfExists in an Allow": (
        [opens({"StringEqualsIfExists": pcrs(PCR0=GOOD)})], (), "path path none",
        "absence_satisfies"),
    "everybody, in the image": (
        [opens({"StringEquals": pcrs(PCR0=GOOD)}, who="*")], (), "none none none",
        "other_accounts"),
    "another key": (
        [PINNED, {**opens(), "Resource": f"arn:aws:kms:us-east-1:{OTHER}:key/1234"},
         {**ADMIN, "Resource": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/5678"},
         {**ADMIN, "Resource": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/5678"}],
        (), "none none none", "resource_not_the_key"),
    "conditions that exclude each other": (
        [PINNED, opens({"StringEquals": {"aws:PrincipalOrgID": "o-1"},
                        "Null": {"aws:PrincipalOrgID": "true"}})], (), "none none none",
        "never_matches"),
    "a malformed ARN": (
        [PINNED, opens(who="arn:aws:iam::11112222333:role/R")], (), "none none none",
        "unreadable_principal"),
    "a measurement with a space": (
        [opens({"StringEqualsIgnoreCase": pcrs(PCR0=GOOD + " ")})], (), "none none none",
        "not_a_measurement"),
    "a measurement in groups": (
        [opens({"StringEqualsIgnoreCase": pcrs(PCR0=" ".join(["abababab"] * 12))})], (),
        "none none none", "not_a_measurement"),
    "a NotResource": (
        [{"Effect": "Allow", "Principal": {"AWS": PARENT}, "Action": "kms:Decrypt",
          "NotResource": f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/x"}], (), "path path path",
        "unattested_decrypt"),
    "a Deny of another resource": (
        [opens(), shuts() | {"Resource": f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/x"}], (),
        "path path path", "resource_not_the_key"),
    "NitroTPM by its boot": (
        [opens({"StringEquals": pcrs(NitroTPMPCR4=GOOD)})], (), "none none none", ""),
    "NitroTPM by secure boot only": (
        [opens({"StringEquals": pcrs(NitroTPMPCR7=GOOD)})], (), "none path none", "same_signer"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    statements, grants, answers, code = CASES[name]
    policy = parse_policy_leniently({"Version": "2012-10-17", "Statement": [ADMIN, *statements]})
    analysis = analyse(policy, grants=grants)
    assert " ".join(analysis.answers.values()) == answers
    codes = [finding.code for finding in analysis.findings]
    # no_recipient: the Denies here are of ReEncryptFrom too, which carries no document.
    assert code in codes if code else not set(codes) - {"deployment_not_pinned", "no_recipient"}
    for witnesses in analysis.witnesses.values():
        for witness in witnesses:
            assert evaluate(witness.request, witness.policies).allowed
    for finding in analysis.findings:
        assert finding.witness.holds
    json.dumps(analysis.to_json())


def test_a_fence_alone_is_listed_with_a_document():
    """AWS's samples allow Decrypt to a role and deny it where PCR0 is another."""
    statements = [ADMIN, opens(), shuts({"StringNotEqualsIgnoreCase": pcrs(ImageSha384=GOOD)})]
    analysis = analyse(
        parse_policy_leniently({"Version": "2012-10-17", "Statement": statements}), grants=()
    )
    (way, _) = analysis.ways if len(analysis.ways) == 2 else (*analysis.ways, None)
    assert way.effect == "allowed"
    assert way.attested
    assert way.witness.request.context.values["kms:recipientattestation:pcr0"] == (GOOD,)


def test_whom_only_a_debug_enclave_serves_is_not_called_denied():
    analysis = analyse(parse_policy_leniently(
        {"Version": "2012-10-17",
         "Statement": [ADMIN, opens({"StringEquals": pcrs(PCR0=ZERO)})]}))  # fmt: skip
    (way,) = [way for way in analysis.ways if way.action == "kms:Decrypt"]
    assert (analysis.to_json()["debug"], way.effect) == ("path", "allowed")


def test_the_key_is_taken_from_what_the_policy_says():
    only = to(f"arn:aws:iam::{OTHER}:role/Owner", allow("kms:GetKeyPolicy"))
    analysis = analyse(parse_policy_leniently({"Version": "2012-10-17", "Statement": [only]}))
    (finding,) = [f for f in analysis.findings if f.code == "lock_out"]
    assert finding.witness.request.principal.arn == f"arn:aws:iam::{OTHER}:root"
