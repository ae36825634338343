"""P1–P8 as rows of the table: from the key to the running enclave."""

from __future__ import annotations

from typing import Final

from nitro_workflow.lab.steps import p1_p2_keys, p3_p4_data, p5_p7_image, p8_launch
from nitro_workflow.lab.steps.step import Step

__all__ = ["PREPARATION"]

LOOK_SECONDS: Final = 3.0
"""How long the answer of the cloud, or a digest of the image, counts before it is asked again."""

PREPARATION: Final = (
    Step(
        "P1",
        "data owner",
        "Create the KMS key and its policy",
        p1_p2_keys.create_key,
        produces=("key_arn", "results_key_arn"),
        evidence=("key_arn", "alias", "statements"),
        holds=p1_p2_keys.key_holds,
        holds_for=LOOK_SECONDS,
    ),
    Step(
        "P2",
        "data owner",
        "Generate a data key: refused, policy edited, allowed",
        p1_p2_keys.make_data_key,
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
        p3_p4_data.encrypt,
        needs=("P1", "P2"),
        produces=("sdk_sha256",),
        evidence=(
            "ciphertext bytes=encryption_sdk/ciphertext_bytes",
            "message sha256=encryption_sdk/sha256",
            "by hand sha256=envelope/sha256",
            "encryption_context",
        ),
        memory={"data_key": "P2"},
        holds=p3_p4_data.ciphertext_holds,
    ),
    Step(
        "P4",
        "data owner",
        "Upload ciphertext and encrypted data key",
        p3_p4_data.upload,
        needs=("P3",),
        produces=("bucket", "objects"),
        evidence=(
            "bucket",
            "message version=objects/customers.csv.esdk/version_id",
            "by hand version=objects/customers.csv.envelope/version_id",
            "data key version=objects/data-key.encrypted/version_id",
        ),
    ),
    Step(
        "P5",
        "owner and developer",
        "Inspect both applications",
        p5_p7_image.inspect,
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
        holds=p5_p7_image.inspection_holds,
    ),
    Step(
        "P6",
        "developer, then owner",
        "Build the enclave image; the owner measures it",
        p5_p7_image.build,
        needs=("P5",),
        produces=("pcrs", "image_sha256"),
        evidence=("image_bytes", "image_sha256", "owner_measurements", "same_as_inspected"),
        holds=p5_p7_image.build_holds,
        holds_for=LOOK_SECONDS,
    ),
    Step(
        "P7",
        "data owner",
        "Put the PCRs into the key policy",
        p5_p7_image.fence_key,
        needs=("P6",),
        produces=("pcrs",),
        evidence=("pcrs/PCR0", "pcrs/PCR3", "encryption_context"),
        holds=p5_p7_image.fence_holds,
        holds_for=LOOK_SECONDS,
    ),
    Step(
        "P8",
        "parent administrator",
        "Launch the instance, boot the enclave",
        p8_launch.launch,
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
        holds=p8_launch.launch_holds,
    ),
)
