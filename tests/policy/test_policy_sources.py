"""Key policies as other tools hand them out, and an image beside them."""

from __future__ import annotations

import json

import pytest
from policy_help import ACCOUNT, ROLE, ROOT, allow, to

from nitro_workflow.errors import PolicyError
from nitro_workflow.policy import analyse, ask_image, find_policies, parse_policy

GOOD = "ab" * 48


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def inside(**pcrs):
    values = {f"kms:RecipientAttestation:{name}": value for name, value in pcrs.items()}
    condition = {"StringEqualsIgnoreCase": values}
    return to(ROLE, allow("kms:Decrypt", Sid="Inside", Condition=condition))


PINNED, DEPLOYED = inside(PCR0=GOOD), inside(PCR0=GOOD, PCR3="cd" * 48)
ADMIN = to(f"arn:aws:iam::{ACCOUNT}:role/Owner", allow("kms:PutKeyPolicy"))
OPEN = document({"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"})
CLOSED = document(ADMIN, DEPLOYED)
TEMPLATE = {
    "Parameters": {"Pcr0": {"Type": "String"}},
    "Resources": {
        "Open": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document({
            "Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Principal": {"AWS": {"Fn::Join": ["", [
                "arn:", {"Ref": "AWS::Partition"}, ":iam::", {"Ref": "AWS::AccountId"}, ":root"]]}},
            })}},
        "Closed": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": document(
            {"Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": "*",
             "Principal": {"AWS": {"Fn::Sub": "arn:aws:iam::${AWS::AccountId}:role/Owner"}}},
            {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*", "Sid": {"Ref": "AWS::NoValue"},
             "Principal": {"AWS": {"Fn::GetAtt": ["Role", "Arn"]}},
             "Condition": {"StringEqualsIgnoreCase": {
                 "kms:RecipientAttestation:PCR0": {"Ref": "Pcr0"}}}},
            )}},
        "Default": {"Type": "AWS::KMS::Key", "Properties": {}},
        "Bucket": {"Type": "AWS::S3::Bucket"},
    },
}  # fmt: skip
PLAN = {
    "format_version": "1.2",
    "planned_values": {"root_module": {
        "resources": [{"address": "aws_kms_key.open", "type": "aws_kms_key",
                       "values": {"policy": json.dumps(OPEN)}},
                      {"address": "aws_s3_bucket.b", "type": "aws_s3_bucket", "values": {}}],
        "child_modules": [{"resources": [
            {"address": "module.m.aws_kms_key_policy.closed", "type": "aws_kms_key_policy",
             "values": {"policy": json.dumps(CLOSED)}}]}],
    }},
    "resource_changes": [],
}  # fmt: skip


def answers(source):
    found = find_policies(json.dumps(source).encode(), where="file")
    return {s.resource: analyse(parse_policy(s.policy)).without_attestation for s in found}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (OPEN, {"": "path"}),
        ({"Policy": json.dumps(CLOSED), "PolicyName": "default"}, {"": "none"}),
        (TEMPLATE, {"Open": "path", "Closed": "none", "Default": "path"}),
        (PLAN, {"aws_kms_key.open": "path", "module.m.aws_kms_key_policy.closed": "none"}),
        ({"values": PLAN["planned_values"]},
         {"aws_kms_key.open": "path", "module.m.aws_kms_key_policy.closed": "none"}),
    ],
)  # fmt: skip
def test_every_source(source, expected):
    assert answers(source) == expected


def test_what_a_condition_compares_is_made_up_too():
    """An account that is not known yet is somebody's: the way through it is there."""
    statement = to("*", allow("kms:Decrypt", Condition={
        "StringEquals": {"aws:PrincipalAccount": {"Ref": "Partner"}}}))  # fmt: skip
    template = {"Resources": {"K": {"Type": "AWS::KMS::Key",
                                    "Properties": {"KeyPolicy": document(statement)}}}}  # fmt: skip
    assert answers(template) == {"K": "path"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_any_encoding(run, files, encoding, tmp_path):
    path = tmp_path / "p.json"
    path.write_bytes(json.dumps(CLOSED, indent=2).encode(encoding))
    run("check", path)
    path.write_bytes(json.dumps({"Policy": json.dumps(OPEN)}).encode(encoding))
    run("check", path, code=1)
    run("who-can-decrypt", path, code=1)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"[1]", "list"),
        (b'"text"', "str"),
        (b'{"Resources": {}}', "no KMS key"),
        (b'{"Resources": {"K": {"Type": "AWS::S3::Bucket"}}}', "no KMS key"),
        (b'{"planned_values": {}}', "no KMS key"),
        (b'{"planned_values": {"root_module": {"resources": 5, "child_modules": "x"}}}', "no KMS key"),
        (b'{"Resources": {"K": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": 5}}}}', "int"),
        (b'{"values": {"resources": [{"type": "aws_kms_key", "values": {"policy": [1]}}]}}', "list"),
        (b"\xff\xfe\x00\xd8", "bytes that are not UTF-16"),
        (json.dumps({"planned_values": {"root_module": {"resources": [
            {"address": "k", "type": "aws_kms_key", "values": {}}]}},
            "resource_changes": [{"address": "k", "change": {"after_unknown": {"policy": True}}}]
        }).encode(), "known after apply only"),
    ],
)  # fmt: skip
def test_what_is_no_source(source, says):
    with pytest.raises(PolicyError) as caught:
        find_policies(source, where="file")
    assert says in str(caught.value)


def test_a_template_without_end_is_refused():
    deep = "x"
    for _ in range(60):
        deep = {"Fn::Join": ["", [deep]]}
    source = {"Resources": {"K": {"Type": "AWS::KMS::Key", "Properties": {"KeyPolicy": deep}}}}
    with pytest.raises(PolicyError):
        find_policies(json.dumps(source).encode(), where="file")


def test_many_files_one_object_a_key(run, files):
    template, plain = files("t", TEMPLATE), files("p", CLOSED)
    for command in ("check", "who-can-decrypt"):
        out, _ = run(command, template, plain, "--json", code=1)
        records = [json.loads(line) for line in out.splitlines()]
        assert [(r["file"], r.get("resource")) for r in records] == [
            (str(template), "Open"), (str(template), "Closed"), (str(template), "Default"),
            (str(plain), None),
        ]  # fmt: skip
        for record in records:
            assert {"without_attestation", "any_image", "debug", "witnesses", "unknown", "assumes",
                    "who_can_decrypt", "who_can_change_that", "findings"} <= record.keys()  # fmt: skip
    asked = files("r", {"principal": ROLE, "action": "kms:Decrypt", "resource": "*"})
    _, err = run("explain", "--request", asked, "--key-policy", template, code=2)
    assert "3 key policies" in err


def test_does_this_image_pass(run, files):
    key = files("k", document(ADMIN, PINNED))
    right = files("right", {"Measurements": {"PCR0": GOOD, "PCR1": "cd" * 48, "PCR2": "de" * 48}})
    other = files("other", {"PCR0": "ef" * 48})
    out, _ = run("who-can-decrypt", key, "--pcrs", right)
    assert "This image gets the plaintext.\nIts debug twin does not." in out
    out, _ = run("check", key, "--pcrs", other, "--json", code=1)
    image = json.loads(out)["image"]
    assert (image["passes"], image["debug_twin"], image["witness"]) == ("none", "none", None)
    signer = files("s", document(ADMIN, to(ROLE, allow("kms:Decrypt", Condition={
        "StringEquals": {"kms:RecipientAttestation:PCR8": GOOD}}))))  # fmt: skip
    signed = files(
        "signed", {"PCR0": "ef" * 48, "PCR1": "cd" * 48, "PCR2": "de" * 48, "PCR8": GOOD}
    )
    out, _ = run("check", signer, "--pcrs", signed, "--json", code=1)
    assert (json.loads(out)["image"]["passes"], json.loads(out)["image"]["debug_twin"]) == (
        "path", "path",
    )  # fmt: skip
    out, _ = run("check", signer, "--pcrs", right, "--json", code=1)
    assert json.loads(out)["image"]["passes"] == "none"  # it is not signed
    run("check", key, "--pcrs", right, "--image", right, code=2)


def test_does_this_document_pass(run, files, vectors):
    manifest = json.loads((vectors / "attestation" / "manifest.json").read_text())
    rows = manifest["documents"] if isinstance(manifest, dict) else manifest
    for name in (row["file"] for row in rows):
        path = vectors / "attestation" / name
        out, _ = run(
            "check", files("k", document(ADMIN, PINNED)), "--document", path, "--json", code=1
        )
        assert json.loads(out)["image"]["passes"] == "none"
        break


def test_a_document_of_the_other_kind_never_passes():
    policy = parse_policy(document(ADMIN, PINNED))
    assert ask_image(policy, {"NitroTPMPCR4": GOOD}).passes == "none"
    assert ask_image(policy, {"PCR0": GOOD}).passes == "path"
    assert ask_image(policy, {"PCR0": GOOD.upper()}).witness.holds
    for wrong in ({"PCR0": "ab"}, {"PCR99": GOOD}, {"digest": GOOD}):
        with pytest.raises(PolicyError):
            ask_image(policy, wrong)


def test_hostile_text_never_reaches_the_terminal(run, files):
    evil = "\x1b]0;owned\x07\u202e\u2066\x9b\x7f\u2028"
    statement = {**PINNED, "Sid": evil, "Principal": {"AWS": [ROLE, evil]},
                 "Condition": {"StringEquals": {"aws:PrincipalTag/" + evil: evil, evil: [evil]}}}  # fmt: skip
    path = files("evil", document(ADMIN, statement))
    asked = files("r", {"principal": f"arn:aws:iam::{ACCOUNT}:user/{evil}", "action": "kms:Decrypt",
                        "resource": evil, "context": {evil: evil}})  # fmt: skip
    grants = files("g", {"Grants": [{"GranteePrincipal": ROLE, "Operations": ["Decrypt"],
                                     "Name": evil}]})  # fmt: skip
    for arguments in (
        ("check", path), ("who-can-decrypt", path, "--grants", grants),
        ("explain", "--request", asked, "--key-policy", path, "--grants", grants),
        ("diff", path, files("good", CLOSED)),
    ):  # fmt: skip
        for form in ((), ("--json",)):
            out, err = run(*arguments, *form, code=1)
            assert not {c for c in evil if not c.isprintable()} & set(out + err)
            assert "owned" in out
