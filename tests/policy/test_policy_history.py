"""CloudTrail looked back upon, and AWS's own word about a denial.

No AWS can be reached from here: the answers of iam-toolbox are made after botocore's model of it,
and botocore's Stubber checks them against that model.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_help import ACCOUNT, KEY, ROLE, SESSION, allow, to

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy import find_policies, look_back, parse_authorization, parse_policy

GOOD, OTHER, ZERO = "ab" * 48, "cd" * 48, "0" * 96
PINNED = {"Version": "2012-10-17", "Statement": [to(ROLE, allow("kms:Decrypt", Condition={
    "StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": GOOD}}, Sid="Inside"))]}  # fmt: skip


def b64(digits):
    return base64.b64encode(bytes.fromhex(digits)).decode()


def event(image=None, operation="Decrypt", time="2026-11-01T00:00:00Z", **others):
    recipient = {"attestationDocumentEnclaveImageDigest": b64(image)} if image else {}
    extra = {"additionalEventData": {"recipient": recipient}} if image else {}
    return {
        "eventSource": "kms.amazonaws.com", "eventName": operation, "eventTime": time,
        "userIdentity": {"arn": SESSION}, "resources": [{"ARN": KEY}], **extra, **others,
    }  # fmt: skip


LOG = {"Records": [
    event(GOOD), event(GOOD, time="2026-11-03T00:00:00Z"), event(OTHER), event(ZERO), event(),
    event(OTHER, errorCode="AccessDenied"), event(operation="ReEncrypt", resources=[{"ARN": KEY}] * 2),
    event(operation="Encrypt"), {"eventSource": "s3.amazonaws.com", "eventName": "GetObject"},
    {"eventSource": "kms.amazonaws.com", "eventName": "Decrypt", "eventID": "e-1"},
]}  # fmt: skip


def test_who_decrypted_and_how():
    found = look_back([LOG], parse_policy(PINNED))
    seen = {(e.action, e.document, e.image): e for e in found.decryptions}
    right = seen["kms:Decrypt", "enclave", GOOD]
    assert (right.principal, right.allowed, right.denied, right.named) == (ROLE, 2, 0, True)
    assert (right.first, right.last) == ("2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z")
    assert not right.worrying
    stranger = seen["kms:Decrypt", "enclave", OTHER]
    assert (stranger.allowed, stranger.denied, stranger.named, stranger.worrying) == (
        1,
        1,
        False,
        True,
    )
    assert seen["kms:Decrypt", "enclave", ZERO].debug
    assert seen["kms:Decrypt", "none", ""].worrying
    assert seen["kms:ReEncryptFrom", "none", ""].worrying
    assert ("kms:Encrypt", "none", "") not in seen
    assert found.records == 10
    assert found.unreadable[0].startswith("e-1: ")


def test_without_a_policy_nothing_is_said_of_names():
    found = look_back([{"Records": [event(OTHER)]}])
    assert found.decryptions[0].named is None
    assert not found.decryptions[0].worrying


def test_an_image_named_by_its_halves_is_named():
    statement = to(ROLE, allow("kms:Decrypt", Condition={"StringEquals": {
        "kms:RecipientAttestation:PCR1": GOOD, "kms:RecipientAttestation:PCR2": OTHER}}))  # fmt: skip
    recipient = {"attestationDocumentEnclaveImageDigest": b64("ef" * 48),
                 "attestationDocumentEnclavePCR1": b64(GOOD),
                 "attestationDocumentEnclavePCR2": b64(OTHER)}  # fmt: skip
    record = event(additionalEventData={"recipient": recipient})
    policy = parse_policy({"Version": "2012-10-17", "Statement": [statement]})
    assert look_back([record], policy).decryptions[0].named is True


def test_the_command(run, files, tmp_path):
    log, key = files("log", LOG), files("key", PINNED)
    out, _ = run("history", log, "--key-policy", key, code=1)
    assert "in DEBUG MODE" in out
    assert "which the policy does not name" in out
    assert "without a document" in out
    packed = tmp_path / "log.json.gz"
    packed.write_bytes(gzip.compress(json.dumps({"Records": [event(GOOD)]}).encode()))
    out, _ = run("history", packed, "--key-policy", key, "--json")
    (entry,) = json.loads(out)["decryptions"]
    assert (entry["image"], entry["named"], entry["worrying"]) == (GOOD, True, False)
    packed.write_bytes(gzip.compress(b"{}" * 100)[:-9])
    run("history", packed, code=3)
    run("history", files("x", "[]"), code=3)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8)
    | st.sampled_from(["Decrypt", "kms.amazonaws.com", KEY, SESSION, "kms:Decrypt", "AWS::KMS::Key"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["Records", "Events", "CloudTrailEvent", "eventSource", "eventName",
                         "userIdentity", "arn", "resources", "ARN", "additionalEventData",
                         "recipient", "attestationDocumentEnclavePCR0", "requestContext",
                         "evaluations", "action", "resource", "context", "aws:PrincipalArn",
                         "checks", "matchedPolicies", "matchedStatements", "policies",
                         "Resources", "Type", "Properties", "KeyPolicy", "Ref", "Fn::Sub", "Fn::Join",
                         "planned_values", "root_module", "child_modules", "type", "values",
                         "policy", "Policy", "resource_changes", "change", "after_unknown"]),
        inner, max_size=4),
    max_leaves=14,
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(json_values)
def test_any_value_is_read_or_refused(value):
    for read in (
        lambda: look_back([value]),
        lambda: parse_authorization(value),
        lambda: find_policies(json.dumps(value).encode(), where="file"),
    ):
        with contextlib.suppress(PolicyError):
            read()


@pytest.mark.parametrize("value", [[], "x", {"Records": []}, {"CloudTrailEvent": "{"}])
def test_what_is_no_record_is_refused(value):
    with pytest.raises(PolicyError):
        look_back([value])


def test_records_within_records_come_to_an_end():
    value = event()
    for _ in range(40):
        value = (
            {"CloudTrailEvent": json.dumps(value)}
            if len(str(value)) < 9999
            else {"Records": [value]}
        )
    with pytest.raises(PolicyError):
        look_back([value])


def test_hostile_records_are_printed_as_text(run, files):
    evil = "\x1b[2J\u202e"
    record = event(GOOD, eventTime=evil, userIdentity={"arn": f"{SESSION}{evil}"})
    out, err = run("history", files("log", record))
    assert not set("\x1b\u202e") & set(out + err)


# ------------------------------------------------------------------------- authorization details

ANSWER = {
    "requestContext": {"aws:PrincipalArn": ROLE, "aws:userid": "AROAEXAMPLEEXAMPLE12:session",
                       "aws:SourceIp": "203.0.113.7"},
    "evaluations": [{
        "action": "kms:Decrypt", "resource": KEY, "evaluatedEffect": "IMPLICIT_DENY",
        "context": {"kms:RecipientAttestation:PCR0": OTHER, "kms:EncryptionContextKeys": ["a"]},
        "checks": [{"checkType": "PRINCIPAL", "evaluatedEffect": "ALLOW", "matchedPolicies": [
            {"uri": "policy-1", "matchedStatements": [{"sid": "All", "evaluatedEffect": "ALLOW"}]}]}],
    }],
    "policies": [{"type": "RESOURCE_BASED_POLICY", "uri": "policy-2"},
                 {"type": "IDENTITY_BASED_POLICY", "uri": "policy-1", "inline": True}],
}  # fmt: skip


def test_a_saved_answer_is_joined_with_our_reading(run, files):
    key, identity = files("k", PINNED), files("i", {"Version": "2012-10-17", "Statement": allow()})
    common = ("explain", "--authorization", files("a", ANSWER), "--key-policy", key,
              "--identity-policy", identity)  # fmt: skip
    out, _ = run(*common, code=1)
    assert "PCR0 differs: the image that runs is not the one the policy names" in out
    assert "Nearest statement" in out
    assert "AWS says: IMPLICIT_DENY" in out
    assert "ALLOW “All” of policy-1" in out
    out, _ = run(*common, "--json", code=1)
    record = json.loads(out)
    assert record["principal"] == SESSION
    assert record["authorization"]["matched"] == [
        {"policy": "policy-1", "sid": "All", "effect": "ALLOW"}
    ]
    run(*common, "--request", files("r", {}), code=2)


@pytest.mark.extras
def test_an_id_is_asked_about_and_the_policy_fetched(run, monkeypatch):
    import boto3
    from botocore.stub import Stubber

    client = boto3.client("iam-toolbox", region_name="us-east-1", aws_access_key_id="a",
                          aws_secret_access_key="b")  # fmt: skip
    first = {**ANSWER, "evaluations": [], "nextToken": "more"}
    second = {**ANSWER, "policies": []}
    with Stubber(client) as stub:  # it checks question and answer against botocore's model
        stub.add_response("get_request_authorization_details", first, {"authorizationId": "abc1"})
        stub.add_response("get_request_authorization_details", second,
                          {"authorizationId": "abc1", "nextToken": "more"})  # fmt: skip
        stub.add_response("get_request_authorization_policy", {"policyDocument": PINNED},
                          {"authorizationId": "abc1", "policyUri": "policy-2"})  # fmt: skip
        monkeypatch.setattr("boto3.client", lambda name: client)
        out, _ = run("explain", "--authorization-id", "abc1", code=1)
        assert "PCR0 differs" in out
        stub.add_client_error("get_request_authorization_details", "ResourceNotFoundException")
        _, err = run("explain", "--authorization-id", "abc2", code=4)
        assert "--authorization FILE" in err


@pytest.mark.parametrize(
    "value",
    [
        [], {}, {"evaluations": []}, {"evaluations": [{}]},
        {"evaluations": [{"action": "kms:Decrypt", "resource": KEY}], "requestContext": {}},
        {"evaluations": ["x"], "requestContext": {"aws:PrincipalArn": "nobody"}},
        {"evaluations": [{"action": "kms:Decrypt", "resource": KEY}],
         "requestContext": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:nothing/x"}},
    ],
)  # fmt: skip
def test_what_is_no_answer_is_refused(value):
    with pytest.raises(PolicyError):
        parse_authorization(value)
