"""Calls as they would be typed: valid Python, a valid command line, nothing that breaks out."""

from __future__ import annotations

import ast
import json
import shlex
import subprocess

import botocore.session
import pytest
from botocore import xform_name
from hypothesis import given, settings
from hypothesis import strategies as st

from nitro_workflow.widgets.inspectors.call_text import (
    answer_text,
    boto3_text,
    cli_text,
    function_text,
    nitro_cli_text,
    request_text,
)

KEY = "arn:aws:kms:us-east-1:111122223333:key/8b9b1f0c-6f43-4d44-9d80-8c3b5f6a1f11"
BLOB = {"bytes": 112, "sha256": "ab" * 32}
DECRYPT = {
    "KeyId": KEY,
    "CiphertextBlob": BLOB,
    "EncryptionContext": {"dataset": "customers"},
    "Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": {"bytes": 4331, "sha256": "cd" * 32}},
}  # fmt: skip


def test_a_decrypt_as_boto3_takes_it():
    text = boto3_text("kms", "Decrypt", DECRYPT)
    (call,) = ast.parse(text).body
    assert {word.arg for word in call.value.keywords} == set(DECRYPT)
    assert f"# ciphertext_blob: 112 bytes, SHA-256 {'ab' * 32}" in text
    assert "CiphertextBlob=ciphertext_blob," in text
    assert '"AttestationDocument": attestation_document,' in text


def test_a_decrypt_as_the_cli_takes_it():
    text = cli_text("kms", "Decrypt", DECRYPT, "us-east-1")
    words = shlex.split(text)
    assert words[:3] == ["aws", "kms", "decrypt"]
    assert words[words.index("--ciphertext-blob") + 1] == "fileb://ciphertext-blob.bin"
    assert json.loads(words[words.index("--encryption-context") + 1]) == {"dataset": "customers"}
    recipient = words[words.index("--recipient") + 1]
    assert recipient == "KeyEncryptionAlgorithm=RSAES_OAEP_SHA_256,AttestationDocument=$(base64 -w0 attestation-document.bin)"  # fmt: skip


def test_a_policy_is_written_as_json_and_stays_the_same():
    policy = json.dumps({"Statement": [{"Effect": "Allow", "Ok": True, "None": None}] * 3})
    text = boto3_text("kms", "PutKeyPolicy", {"Policy": policy})
    (call,) = ast.parse(text).body
    assert eval(ast.unparse(call.value.keywords[0].value), {"json": json}) == policy
    words = shlex.split(cli_text("kms", "PutKeyPolicy", {"Policy": policy}, "us-east-1"))
    assert words[words.index("--policy") + 1] == policy


def test_what_the_cli_has_another_way_for():
    launch = cli_text("ec2", "RunInstances", {"MinCount": 1, "MaxCount": 1, "DryRun": False}, "r")
    assert "--count 1" in launch
    assert "--no-dry-run" in launch
    get = cli_text("s3", "GetObject", {"Bucket": "b", "Key": "a/b c.csv"}, "r")
    assert shlex.split(get)[:3] == ["aws", "s3api", "get-object"]
    assert shlex.split(get)[-1] == "b c.csv"
    put = cli_text("s3", "PutObject", {"Body": {"bytes": 9, "file": "x.esdk"}}, "r")
    assert put.endswith("--body x.esdk")


@pytest.mark.parametrize("service", ["kms", "s3", "ec2", "sts", "cloudtrail"])
def test_operations_are_called_what_botocore_calls_them(service):
    model = botocore.session.Session().get_service_model(service)
    for name in model.operation_names:
        assert boto3_text(service, name, {}) == f"{service}.{xform_name(name)}()"


def test_nitro_cli_and_functions():
    asked = {
        "eif_path": "a b.eif",
        "memory_mib": 512,
        "cpu_count": 2,
        "debug_mode": True,
        "instance_id": "i-1",
    }
    lines = nitro_cli_text("run-enclave", asked).splitlines()
    assert lines[0] == "# on instance i-1"
    assert shlex.split(lines[1]) == ["nitro-cli", "run-enclave", "--eif-path", "a b.eif", "--memory", "512", "--cpu-count", "2", "--debug-mode"]  # fmt: skip
    text = function_text("nitro_workflow.image", "measure_file", {"path": "x.eif"})
    compile(text, "call", "exec")
    assert text == (
        'from nitro_workflow.image import measure_file\n\nmeasure_file(\n    path="x.eif",\n)'
    )
    told = function_text("enclave_image.packing", "build_rootfs", {"config": BLOB})
    assert "\nbuild_rootfs(\n" in told


def test_secrets_stay_cut_in_each_form():
    secret = {"Plaintext": {"bytes": 32, "secret": True}}
    assert "secret cut: 32 bytes" in answer_text({"status": 200, "body": secret})
    assert "# plaintext: secret cut: 32 bytes" in boto3_text("kms", "Encrypt", secret)
    assert "fileb://plaintext.bin" in cli_text("kms", "Encrypt", secret, "r")


def test_a_request_reads_as_http():
    text = request_text({"method": "POST", "path": "/", "headers": {"Host": "h"}, "body": DECRYPT})
    assert text.startswith("POST / HTTP/1.1\nHost: h\n\n{")
    assert json.loads(text.partition("\n\n")[2])["CiphertextBlob"].startswith("<112 bytes")
    assert request_text({"bytes": 1234}).endswith("<1,234 bytes>")


NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8
) | st.sampled_from(["Key", "a b", "$(x)", "`x`", "'", '"', "\n", "#"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | NAMES | st.just(BLOB) | st.just({"bytes": 1, "file": "';x"}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(NAMES, VALUES, max_size=4), NAMES)
def test_no_value_breaks_out_of_the_python(parameters, operation):
    (call,) = ast.parse(boto3_text("kms", "Decrypt", parameters)).body
    names = {word.arg or ast.literal_eval(word.value.keys[0]) for word in call.value.keywords}
    assert names == set(parameters)
    assert all(isinstance(word.value, ast.expr) for word in call.value.keywords)
    ast.parse(boto3_text("kms", operation, {}))


SHELL = """PATH=
aws() { printf '%s\\0' "$@"; }
base64() { printf B64; }
"""


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_no_value_breaks_out_of_the_command(parameters):
    """Hold with a real shell: one command is run, aws, and each option is one word of it."""
    text = cli_text("kms", "Decrypt", parameters, "us-east-1")
    done = subprocess.run(["/bin/bash", "-c", SHELL + text], capture_output=True, check=False)
    assert done.returncode == 0
    assert done.stderr == b""
    words = done.stdout.split(b"\0")[:-1]
    assert words[:4] == [b"kms", b"decrypt", b"--region", b"us-east-1"]
    assert len(words) <= 4 + 2 * len(parameters)
