"""P1–P8 as rows of the table: from the key to the running enclave."""

from __future__ import annotations

from typing import Final

from nitro_workflow.lab.steps import data, images, keys, launch
from nitro_workflow.lab.steps.record import Step

__all__ = ["PREPARATION"]

LOOK_SECONDS: Final = 3.0
"""How long a look at the cloud, or a digest of the image, is believed."""

PREPARATION: Final = (
    Step(
        "P1",
        "data owner",
        "Create the KMS key and its policy",
        keys.create_key,
        produces=("key_arn", "results_key_arn"),
        evidence=("key_arn", "alias", "statements"),
        holds=keys.key_holds,
        holds_for=LOOK_SECONDS,
    ),
    Step(
        "P2",
        "data owner",
        "Generate a data key: refused, policy edited, allowed",
        keys.make_data_key,
        needs=("P1",),
        produces=("encrypted_key_sha256",),
        evidence=(
            "refused first=refused_first/found",
            "plaintext_bytes",
            "encrypted_bytes",
            "kept",
        ),
    ),
    Step(
        "P3",
        "data owner",
        "Encrypt the records: Encryption SDK, and by hand",
        data.encrypt,
        needs=("P1", "P2"),
        produces=("sdk_sha256", "envelope_sha256"),
        evidence=(
            "ciphertext bytes=encryption_sdk/ciphertext_bytes",
            "message sha256=encryption_sdk/sha256",
            "envelope sha256=envelope/sha256",
            "encryption_context",
        ),
        memory={"data_key": "P2"},
        holds=data.ciphertext_holds,
    ),
    Step(
        "P4",
        "data owner",
        "Upload ciphertext and encrypted data key",
        data.upload,
        needs=("P3",),
        produces=("bucket", "objects"),
        evidence=(
            "bucket",
            "message version=objects/customers.csv.esdk/version_id",
            "envelope version=objects/customers.csv.envelope/version_id",
            "data key version=objects/data-key.encrypted/version_id",
        ),
    ),
    Step(
        "P5",
        "owner and developer",
        "Inspect both applications",
        images.inspect,
        needs=("P1",),
        produces=("config_sha256", "rootfs_sha256"),
        evidence=(
            "files",
            "rootfs_bytes",
            "entry_point",
            "vsock_ports",
            "trusts/kms_host",
            "trusts/threshold",
        ),
        holds=images.inspection_holds,
    ),
    Step(
        "P6",
        "developer, then owner",
        "Build the enclave image; the owner measures it",
        images.build,
        needs=("P5",),
        produces=("pcrs", "image_sha256"),
        evidence=("image_bytes", "image_sha256", "owner_measurements", "same_as_inspected"),
        holds=images.build_holds,
        holds_for=LOOK_SECONDS,
    ),
    Step(
        "P7",
        "data owner",
        "Put the PCRs into the key policy",
        images.fence_key,
        needs=("P6",),
        produces=("pcrs",),
        evidence=("pcrs/PCR0", "pcrs/PCR3", "encryption_context"),
        holds=images.fence_holds,
        holds_for=LOOK_SECONDS,
    ),
    Step(
        "P8",
        "parent administrator",
        "Launch the instance, boot the enclave",
        launch.launch,
        needs=("P6", "P7"),
        produces=("instance_id", "enclave_id", "enclave_cid"),
        evidence=(
            "instance_id",
            "instance_role",
            "enclave/EnclaveID",
            "enclave/EnclaveCID",
            "runs",
            "run_enclave_seconds",
        ),
        holds=launch.launch_holds,
    ),
)
