"""What a script with the AWS CLI does against the local cloud: each subcommand is one step.

It prints one JSON object. The endpoint, the CA and the credentials come from the environment, as
``nitro-workflow cloud env --for cli`` prints them. Run by the interpreter that has ``aws`` beside it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

AWS = str(Path(sys.executable).parent / "aws")
CONTEXT = "dataset=records"
REFUSED = re.compile(r"An error occurred \((\w+)\) when calling the \w+ operation: (.*)", re.DOTALL)


class Failed(Exception):
    """What `aws` said on stderr."""


def aws(*words: str) -> str:
    done = subprocess.run([AWS, *words], capture_output=True, text=True)
    if done.returncode:
        raise Failed(done.stderr.strip())
    return done.stdout


def ask(*words: str) -> dict[str, Any]:
    return json.loads(aws(*words, "--output", "json"))


def who() -> dict[str, Any]:
    return {"arn": ask("sts", "get-caller-identity")["Arn"]}


def create(policy_file: str, secret: str) -> dict[str, Any]:
    """Make a key with the policy of a file and encrypt a secret under it."""
    key = ask("kms", "create-key", "--policy", f"file://{policy_file}")["KeyMetadata"]["Arn"]
    with tempfile.NamedTemporaryFile() as plain:
        plain.write(secret.encode())
        plain.flush()
        given = ("--key-id", key, "--plaintext", f"fileb://{plain.name}")
        sealed = ask("kms", "encrypt", *given, "--encryption-context", CONTEXT)
    return {"key": key, "ciphertext": sealed["CiphertextBlob"]}


def decrypt(ciphertext_file: str, document_file: str) -> dict[str, Any]:
    """Open a ciphertext: for the recipient of a document, or ("-") in clear."""
    given = ["--ciphertext-blob", f"fileb://{ciphertext_file}", "--encryption-context", CONTEXT]
    if document_file != "-":
        document = f"AttestationDocument@=fileb://{document_file}"
        given += ["--recipient", f"KeyEncryptionAlgorithm=RSAES_OAEP_SHA_256,{document}"]
    out = ask("kms", "decrypt", *given)
    return {"plaintext": out.get("Plaintext"), "envelope": out.get("CiphertextForRecipient")}


def store(bucket: str) -> dict[str, Any]:
    """Put an object (the transfer manager sends it in parts), read it and list it."""
    body = b"0123456789abcdef" * 600_000
    where = f"s3://{bucket}/a b/ü+x"
    with tempfile.TemporaryDirectory() as folder:
        put, got = Path(folder) / "put", Path(folder) / "got"
        put.write_bytes(body)
        aws("s3", "mb", f"s3://{bucket}")
        aws("s3", "cp", str(put), where)
        aws("s3", "cp", where, str(got))
        same = got.read_bytes() == body
    listed = ask("s3api", "list-objects-v2", "--bucket", bucket)
    return {"same": same, "key": listed["Contents"][0]["Key"]}


def main(step: str, *given: str) -> int:
    try:
        answer = {"who": who, "create": create, "decrypt": decrypt, "store": store}[step](*given)
    except Failed as failed:
        if refused := REFUSED.search(str(failed)):
            answer = {"code": refused[1], "message": refused[2]}
        else:
            answer = {"error": str(failed)}
    print(json.dumps(answer))
    return 1 if {"code", "error"} & answer.keys() else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
