"""P3 and P4: the data owner encrypts the records in both forms, and uploads them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from enclave_image import ENVELOPE_MAX_BYTES, ENVELOPE_OVERHEAD
from nitro_workflow.atomic import atomic_file
from nitro_workflow.cloud import make_bucket, shut_bucket
from nitro_workflow.errors import InputError, LabError, UntrustedAnswer
from nitro_workflow.lab.settling import POLICY_NAMES_NOBODY, settled
from nitro_workflow.lab.step_result import Outcome
from nitro_workflow.lab.steps.p1_p2_keys import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import BinaryIO

    from enclave_image.owner import SealedData
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["ciphertext_holds", "ciphertext_path", "encrypt", "upload"]

SDK_FILE: Final = "customers.csv.esdk"
ENVELOPE_FILE: Final = "customers.csv.envelope"
KEY_FILE: Final = "data-key.encrypted"
PREFIX: Final = "customers/1"
"""Of the objects in the bucket: data set and version, as in the encryption context."""


# -- P3 --------------------------------------------------------------------------------------------


def ciphertext_path(bench: Workbench) -> Path:
    """Return where the Encryption SDK's message is."""
    return bench.path / "owner" / SDK_FILE


def encrypt(bench: Workbench) -> Outcome:
    """Encrypt the records twice: with the AWS Encryption SDK, and by hand with the key of P2.

    The owner's own file is read to its end first. More than one tag may stand for is encrypted
    with the Encryption SDK only. IAM: kms:GenerateDataKey (the keyring makes its own data key).
    """
    size = _size(bench)
    message = _message(bench)
    if message.plaintext_bytes != size:
        raise _changed(message.plaintext_bytes, size)
    envelope = _envelope(bench, size)
    evidence = {
        "basis": "observed by the data owner",
        "plaintext_bytes": size,
        "encryption_sdk": message.to_json(),
        "encryption_context": dict(CONTEXT),
        "plaintext_on_disk": "never: the records stream from their source",
    }
    produces = {"sdk_bytes": message.ciphertext_bytes, "sdk_sha256": message.sha256}
    if envelope is None:
        note = f"one tag stands for {ENVELOPE_MAX_BYTES:,} bytes at most: no form by hand was made"
        return Outcome(evidence, produces, (note,))
    evidence["envelope"] = envelope.to_json()
    produces |= {
        "envelope_bytes": envelope.ciphertext_bytes,
        "envelope_sha256": envelope.sha256,
    }
    return Outcome(evidence, produces)


def _size(bench: Workbench) -> int:
    """Return how many bytes there are to encrypt; the owner's own file is checked for it."""
    own = bench.own_records
    try:
        return bench.application.size_of(own, size=bench.size)
    except InputError:
        if own is not None:
            bench.folder.change_settings(csv=None)  # or the next walk would meet it again
        raise


def _changed(found: int, expected: int) -> LabError:
    return LabError(
        f"{found:,} bytes of records",
        expected=f"the {expected:,} bytes that were read before",
        where="P3",
        next="the file changed meanwhile: run step P3 again when nothing writes to it any more",
    )


def _message(bench: Workbench) -> SealedData:
    """Encrypt with the Encryption SDK, which asks KMS for a data key of its own."""
    from enclave_image.owner import encrypt_message

    kms = bench.parties.session("owner").client("kms")
    key = bench.produced("P1", "key_arn")
    return _seal(
        bench,
        SDK_FILE,
        lambda source, sink: encrypt_message(
            source, sink, kms=kms, key_arn=key, encryption_context=CONTEXT
        ),
    )


def _envelope(bench: Workbench, size: int) -> SealedData | None:
    """Encrypt by hand with the data key of P2, which leaves this process's memory with it."""
    from enclave_image.owner import encrypt_envelope

    # One nonce, one object: the same key is never used again.
    data_key = bench.memory.pop("data_key")
    if size + ENVELOPE_OVERHEAD > ENVELOPE_MAX_BYTES:
        data_key[:] = bytes(len(data_key))
        (bench.path / "owner" / ENVELOPE_FILE).unlink(missing_ok=True)
        return None
    return _seal(
        bench,
        ENVELOPE_FILE,
        lambda source, sink: encrypt_envelope(
            source, sink, data_key=data_key, encryption_context=CONTEXT
        ),
    )


def ciphertext_holds(bench: Workbench, produced: Mapping[str, Any]) -> bool:
    """Tell whether the ciphertexts are still there with the lengths that were recorded."""
    owner = bench.path / "owner"
    return all(
        (owner / name).exists() and (owner / name).stat().st_size == produced[f"{form}_bytes"]
        for form, name in _made(produced).items()
    )


def _made_by_p3(bench: Workbench) -> dict[str, str]:
    result = bench.result("P3")
    return _made(result.produced if result else {})


def _made(produced: Mapping[str, Any]) -> dict[str, str]:
    """Return the files that P3 made, by form."""
    files = {"sdk": SDK_FILE, "envelope": ENVELOPE_FILE}
    return {form: name for form, name in files.items() if f"{form}_bytes" in produced}


def _seal(
    bench: Workbench, name: str, encrypt_to: Callable[[Any, BinaryIO], SealedData]
) -> SealedData:
    """Encrypt the records into one file of the owner's, whole or not at all."""
    target = bench.path / "owner" / name
    with (
        _records(bench) as source,
        atomic_file(target, mode=0o600, durable=True, failure=LabError) as descriptor,
        os.fdopen(descriptor, "wb", closefd=False) as sink,
    ):
        return encrypt_to(source, sink)


def _records(bench: Workbench) -> Any:
    """Return the records as a stream: the owner's own file, else the application's."""
    return bench.application.records(bench.own_records, seed=bench.seed, size=bench.size)


# -- P4 --------------------------------------------------------------------------------------------


def upload(bench: Workbench) -> Outcome:
    """Put what P3 made, and the encrypted data key of the second form, into the owner's bucket.

    A bucket that is given is used as it is. IAM: s3:CreateBucket, s3:PutBucketVersioning,
    s3:PutBucketPolicy, s3:PutObject.
    """
    _require_unchanged(bench)
    s3 = bench.parties.session("owner").client("s3")
    bucket, policy = bench.cloud.names.data_bucket, bench.policies.bucket_policy()
    given = "bucket" in bench.cloud.names.given
    if not given:
        _ensure_bucket(bench, s3, bucket, policy)
    names = list(_made_by_p3(bench).values())
    if ENVELOPE_FILE in names:
        names.append(KEY_FILE)
    put = {name: _put(s3, bucket, bench.path / "owner" / name) for name in names}
    evidence = {
        "basis": "observed by the data owner",
        "bucket": bucket,
        "objects": put,
        "versioning": "Enabled",
        "bucket_policy": policy,
    }
    note = "the bucket was given: its own policy must let the instance's role get the objects"
    return Outcome(evidence, {"bucket": bucket, "objects": put}, (note,) if given else ())


def _require_unchanged(bench: Workbench) -> None:
    """Refuse to upload what is not what P3 wrote."""
    for form, name in _made_by_p3(bench).items():
        found = _sha256(bench.path / "owner" / name)
        recorded = bench.produced("P3", f"{form}_sha256")
        if found != recorded:
            raise LabError(
                f"{name} of SHA-256 {found}",
                expected=f"{recorded}, as step P3 wrote it",
                where="P4",
                next="run step P3 again: it encrypts again",
            )


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise LabError(
            f"{error.strerror}: {path.name}",
            expected="the file that step P3 wrote",
            where="P4",
            next="run step P3 again: it encrypts again",
        ) from error


def _ensure_bucket(bench: Workbench, s3: Any, bucket: str, policy: Mapping[str, Any]) -> None:
    make_bucket(s3, bucket, bench.cloud.region)
    if bench.cloud.public:
        shut_bucket(s3, bucket, bench.cloud.tags)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    settled(
        bench,
        "A new role",
        lambda: s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy)),
        POLICY_NAMES_NOBODY,
    )


def _put(s3: Any, bucket: str, path: Path) -> dict[str, Any]:
    """Stream one file up; raises `UntrustedAnswer` where the cloud kept no version of it."""
    key = f"{PREFIX}/{path.name}"
    digest = _sha256(path)
    with path.open("rb") as body:
        answer = s3.put_object(Bucket=bucket, Key=key, Body=body)
    version = answer.get("VersionId", "")
    if not version:
        raise UntrustedAnswer(
            f"no version id for {key}",
            expected="a versioned bucket",
            where="P4",
            next="run step P4 again: it turns versioning on; do so in a bucket that is given",
        )
    return {"key": key, "bytes": path.stat().st_size, "sha256": digest, "version_id": version}
