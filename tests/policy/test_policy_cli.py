"""`nitro-workflow policy`, as a user or a pipeline calls it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from policy_help import ACCOUNT, FOREIGN, KEY, OBJECT, OTHER, ROLE, SESSION, USER, allow, deny, to

GOOD = "ab" * 48


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


PINNED = to(ROLE, allow("kms:Decrypt", Sid="Inside", Condition={
    "StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": GOOD}}))  # fmt: skip
DEPLOYED = to(ROLE, allow("kms:Decrypt", Sid="Inside", Condition={
    "StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": GOOD,
                               "kms:RecipientAttestation:PCR3": "cd" * 48}}))  # fmt: skip
ADMIN = to(f"arn:aws:iam::{ACCOUNT}:role/Owner", allow("kms:PutKeyPolicy"))


def request(principal=USER, action="s3:GetObject", resource=OBJECT, **others):
    return {"principal": principal, "action": action, "resource": resource, **others}


def test_every_kind_of_policy_is_taken(run, files):
    identity, bucket = files("i", document(allow("s3:*"))), files("b", document(to("*", allow())))
    boundary, session = files("p", document(allow("s3:*"))), files("s", document(allow("s3:Put*")))
    asked = files(
        "r", request(FOREIGN, resource_account=ACCOUNT, context={"aws:SourceIp": ["1.2.3.4"]})
    )
    common = ("explain", "--request", asked, "--json", "--resource-policy", bucket)
    out, _ = run(*common, "--identity-policy", identity, "--boundary", boundary)
    assert json.loads(out)["decision"] == "allowed"
    out, _ = run(*common, "--identity-policy", identity, "--session-policy", session, code=1)
    assert json.loads(out)["decision"] == "implicitDeny"
    refuse = files("d", document(deny("s3:Get*")))
    out, _ = run(*common, "--identity-policy", identity, "--identity-policy", refuse, code=1)
    answer = json.loads(out)
    assert answer["decision"] == "explicitDeny"
    assert answer["deciding"][0]["policy"] == str(refuse)


def test_many_requests_one_a_line(run, files):
    lines = "\n".join(json.dumps(request(who)) for who in (USER, "anonymous", SESSION)) + "\n"
    bucket = files("b", document(to("*", allow()), to(SESSION, deny())))
    out, _ = run("explain", "--request", files("r", lines), "--resource-policy", bucket, "--json",
                 code=1)  # fmt: skip
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["decision"] for answer in answers] == ["allowed", "allowed", "explicitDeny"]


def test_a_key_policy_and_grants(run, files):
    key = files("k", document(PINNED))
    asked = files("r", request(SESSION, "kms:Decrypt", KEY))
    out, _ = run("explain", "--request", asked, "--key-policy", key, code=1)
    assert "the request carried no attestation document, so it has no PCR0" in out
    grants = files("g", {"Grants": [{"GranteePrincipal": ROLE, "Operations": ["Decrypt"]}]})
    out, _ = run("explain", "--request", asked, "--key-policy", key, "--grants", grants, "--json")
    assert json.loads(out)["deciding"][0]["grantee"] == ROLE


def test_a_trust_policy(run, files):
    trust = files("t", document({"Effect": "Allow", "Principal": {"AWS": OTHER},
                                 "Action": "sts:AssumeRole"}))  # fmt: skip
    asked = files("r", request(FOREIGN, "sts:AssumeRole", ROLE))
    identity = files("i", document(allow()))
    run("explain", "--request", asked, "--resource-policy", trust, "--identity-policy", identity)
    run("explain", "--request", asked, "--resource-policy", trust, code=1)


def test_the_pcrs_of_a_document(run, files, vectors: Path):
    path = min((vectors / "attestation").glob("*.bin"))
    asked = files("r", request(SESSION, "kms:Decrypt", KEY, context={
        "kms:RecipientAttestation:PCR0": "not this", "aws:SourceIp": "203.0.113.7"}))  # fmt: skip
    key = files("k", document(PINNED))
    out, _ = run("explain", "--request", asked, "--key-policy", key, "--document", path, code=1)
    assert "PCR0 " in out
    assert "not this" not in out
    assert "our reading of the policies, not KMS's reason" in out
    out, _ = run("explain", "--request", asked, "--key-policy", key, "--document", path, "--json",
                 code=1)  # fmt: skip
    assert json.loads(out)["reading"].startswith("our reading")


def test_a_cloudtrail_record(run, files):
    record = {
        "eventSource": "kms.amazonaws.com", "eventName": "Decrypt",
        "userIdentity": {"arn": SESSION}, "resources": [{"ARN": KEY}],
        "additionalEventData": {"recipient": {"attestationDocumentEnclaveImageDigest": "q6ur" * 16}},
    }  # fmt: skip
    key = files("k", document(PINNED))
    out, _ = run("explain", "--cloudtrail", files("c", record), "--key-policy", key, "--json")
    answer = json.loads(out)
    assert (answer["decision"], answer["basis"]) == ("allowed", "what-if")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ((), 2, "either --request or --cloudtrail"),
        (("--request", "{r}", "--cloudtrail", "{r}"), 2, "two questions"),
        (
            ("--request", "{r}", "--key-policy", "{k}", "--resource-policy", "{k}"),
            2,
            "more than one",
        ),
        (("--request", "nowhere"), 3, "No such file or directory"),
        (("--request", "{k}"), 3, "the member 'Version'"),
        (("--request", "{bad}"), 3, "line 1, column"),
        (("--request", "{r}", "--key-policy", "{bad}"), 3, "line 1, column"),
        (("--request", "{r}", "--key-policy", "{unknown}"), 3, "did you mean StringEquals?"),
        pytest.param(
            ("--request", "{r}", "--key-arn", "alias/x"),
            2,
            "arn:aws:kms:REGION",
            marks=pytest.mark.extras,
        ),
    ],
)
def test_errors_and_their_exit_codes(run, files, arguments, code, says):
    unknown = to("*", allow(Condition={"StringEqual": {"a": "b"}}))
    paths = {
        "r": files("r", request(SESSION, "kms:Decrypt", KEY)), "k": files("k", document(PINNED)),
        "bad": files("bad", "{nothing"), "unknown": files("u", document(unknown)),
    }  # fmt: skip
    given = [text.format(**paths) for text in arguments]
    _, err = run("explain", *given, code=code)
    assert says in err


def test_a_policy_that_aws_would_not_save_is_evaluated_and_named(run, files):
    asked = files("r", request())
    loose = files("i", document({**allow(), "Principal": "*"}))
    out, _ = run("explain", "--request", asked, "--identity-policy", loose, "--json")
    assert "Principal in an identity policy" in json.loads(out)["warnings"][0]
    out, _ = run("explain", "--request", asked, "--identity-policy", loose)
    assert "AWS would not save this policy" in out


def test_check(run, files):
    good, loose = (
        files("good", document(ADMIN, DEPLOYED)),
        files("loose", document(ADMIN, to(ROLE, allow("kms:*")))),
    )
    out, _ = run("check", good)
    assert "No findings." in out
    out, _ = run("check", good, loose, "--json", code=1)
    first, second = map(json.loads, out.splitlines())
    assert first["findings"] == []
    assert second["findings"][0]["severity"] == "critical"
    assert (first["without_attestation"], first["any_image"], first["debug"]) == ("none",) * 3
    assert second["witnesses"]["without_attestation"][0]["decision"] == "allowed"
    run("check", files("bad", document({**allow(), "Effect": "allow"})), code=3)
    run("check", "--kind", "identity", files("i", document(allow())))
    run("check", "--kind", "identity", good, code=3)


def test_who_can_decrypt(run, files):
    out, _ = run("who-can-decrypt", files("good", document(ADMIN, PINNED)))
    assert out.startswith("No path to the plaintext without attestation.")
    out, _ = run(
        "who-can-decrypt", files("bad", document(ADMIN, to("*", allow("kms:*")))), "--json", code=1
    )
    assert json.loads(out)["without_attestation"] == "path"
    run("who-can-decrypt", code=2)


def test_what_a_pipeline_stops_for(run, files):
    signer = files("s", document(ADMIN, to(ROLE, allow("kms:Decrypt", Condition={
        "StringEquals": {"kms:RecipientAttestation:PCR8": GOOD}}))))  # fmt: skip
    medium = files("m", document(to(f"arn:aws:iam::{ACCOUNT}:root", allow("kms:Put*")), DEPLOYED))
    for command in ("check", "who-can-decrypt"):
        run(command, signer, code=1)
        run(command, signer, "--fail-on", "nothing")
        run(command, signer, "--fail-on", "unknown")
        run(command, signer, "--fail-on", "unknown", "--fail-on", "path", code=1)
        run(command, medium)
        run(command, medium, "--fail-on", "medium", code=1)
        run(command, medium, "--fail-on", "sometimes", code=2)


def test_a_pipeline_stops_for_an_image_that_does_not_pass(run, files):
    key = files("k", document(ADMIN, PINNED))
    right, other = files("right", {"PCR0": GOOD}), files("other", {"PCR0": "ef" * 48})
    for command in ("check", "who-can-decrypt"):
        run(command, key)
        run(command, key, "--pcrs", right)
        out, _ = run(command, key, "--pcrs", other, code=1)
        assert "No path with a document of another image." in out
        assert "This image does not get the plaintext." in out
        run(command, key, "--pcrs", other, "--fail-on", "image", code=1)
        run(command, key, "--pcrs", other, "--fail-on", "path", "--fail-on", "high")
        run(command, key, "--pcrs", other, "--fail-on", "nothing")
    admits_none = files("n", document(ADMIN))
    run("check", key, admits_none, "--pcrs", right, code=1)
    run("check", admits_none, key, "--pcrs", right, code=1)


def test_a_pipeline_stops_for_an_image_that_nobody_can_be_sure_of(run, files):
    older = {"NumericLessThan": {"aws:PrincipalTag/a": "5"}}
    image = {"StringEquals": {"kms:RecipientAttestation:PCR0": GOOD}}
    key = files("k", document(
        ADMIN, to(ROLE, allow("kms:Decrypt", Condition=older | image)),
        to("*", deny("kms:Decrypt", Condition={"StringLike": {"aws:PrincipalTag/a": "*"}})),
    ))  # fmt: skip
    asked = ("check", key, "--pcrs", files("p", {"PCR0": GOOD}), "--json")
    out, _ = run(*asked, "--fail-on", "image", code=1)
    assert json.loads(out)["image"]["passes"] == "unknown"
    run(*asked, "--fail-on", "path")


def test_an_image_is_asked_of_key_policies_alone(run, files):
    policy = files("i", {"Version": "2012-10-17", "Statement": allow("s3:GetObject")})
    run("check", policy, "--kind", "identity")
    _, err = run(
        "check", policy, "--kind", "identity", "--pcrs", files("p", {"PCR0": GOOD}), code=2
    )
    assert "--kind key" in err


def test_author_and_diff(run, files):
    pcrs = files("pcrs", {"Measurements": {"HashAlgorithm": "Sha384 { ... }", "PCR0": GOOD}})
    base = ("author", "--owner", f"arn:aws:iam::{ACCOUNT}:role/Owner", "--role", ROLE)
    out, _ = run(*base, "--pcrs", pcrs, "--context", "dataset=a")
    written = files("w", out)
    run("check", written)
    new = files("pcrs2", {"PCR0": "cd" * 48})
    out, _ = run(
        "author", "--policy", written, "--role", ROLE, "--pcrs", pcrs, "--pcrs", new, "--json"
    )
    both = files("both", out)
    out, _ = run("diff", written, both, code=1)
    assert "DecryptInsideTheEnclave2" in out
    assert "none → none" in out
    run("diff", both, both)
    loose = files("loose", document(ADMIN, to("*", allow("kms:*"))))
    out, _ = run("diff", both, loose, "--json", code=1)
    assert json.loads(out)["without_attestation"] == {"old": "none", "new": "path"}
    run(*base, code=3)
    run(*base, "--pcrs", pcrs, "--context", "nothing", code=2)


class Kms:
    """Stands for boto3's client."""

    def __init__(self, policy, grants):
        self.policy, self.grants = policy, grants

    def get_key_policy(self, KeyId, PolicyName):  # noqa: N803 - as botocore names them
        from botocore.exceptions import ClientError

        if self.policy is None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetKeyPolicy")
        return {"Policy": json.dumps(self.policy)}

    def get_paginator(self, name):
        from botocore.exceptions import ClientError

        if self.grants is None:
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, name)
        return self

    def paginate(self, KeyId):  # noqa: N803
        return [{"Grants": self.grants}]


@pytest.mark.extras
def test_the_policy_of_a_key_is_fetched(run, files, monkeypatch):
    asked = files("r", request(SESSION, "kms:Decrypt", KEY))
    grant = {"GranteePrincipal": ROLE, "Operations": ["Decrypt"], "GrantId": "g"}

    def client(policy, grants):
        monkeypatch.setattr("boto3.client", lambda service, **options: Kms(policy, grants))

    client(document(ADMIN, PINNED), [grant])
    out, _ = run("explain", "--request", asked, "--key-arn", KEY, "--json")
    assert json.loads(out)["deciding"][0]["grant"] == "g"
    out, _ = run("who-can-decrypt", "--key-arn", KEY, code=1)
    assert "grant_to_plaintext" in out
    client(document(ADMIN, PINNED), None)
    out, _ = run("who-can-decrypt", "--key-arn", KEY, "--json", code=1)
    answer = json.loads(out)
    assert answer["without_attestation"] == "unknown"
    assert answer["unknown"][0]["reason"] == "the key's grants could not be listed"
    assert answer["assumes"] == []
    _, err = run("explain", "--request", asked, "--key-arn", KEY, code=1)
    assert "grants could not be listed" in err
    client(None, None)
    _, err = run("explain", "--request", asked, "--key-arn", KEY, code=4)
    assert "kms:GetKeyPolicy" in err
    assert "AccessDeniedException" in err


def test_the_script_itself():
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", "from nitro_workflow.cli import main; main()", "policy", "--help"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    for name in ("check", "explain", "who-can-decrypt", "author", "diff"):
        assert name in done.stdout


@pytest.mark.parametrize("name", ["--owner", "--role"])
def test_author_takes_arns_only(run, files, name):
    pcrs = files("p", {"Measurements": {"PCR0": "ab" * 48}})
    given = {"--owner": f"arn:aws:iam::{ACCOUNT}:role/Owner", "--role": ROLE} | {name: "x"}
    _, err = run(
        "author", "--pcrs", pcrs, *(word for pair in given.items() for word in pair), code=2
    )
    assert f"{name} x" in err
    assert "arn:aws:iam::ACCOUNT:role/NAME" in err


def test_author_takes_a_context_that_is_text_only(run, files):
    pcrs = files("p", {"Measurements": {"PCR0": GOOD}})
    base = ("author", "--owner", f"arn:aws:iam::{ACCOUNT}:role/Owner", "--role", ROLE)
    for context in ("a=\udcff", "\udcff=a"):
        _, err = run(*base, "--pcrs", pcrs, "--context", context, code=3)
        assert "not UTF-8" in err
        assert "--context" in err


def test_a_proof_says_what_it_is_one_of(run, files):
    out, _ = run("check", files("k", document(ADMIN, DEPLOYED)))
    assert "“constants of one kind”: conditions compare keys with constants" in out
