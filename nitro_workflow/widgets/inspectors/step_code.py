"""Where the code of each step is: what did the work, beside the function that gathers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["CODE"]

CODE: Final[Mapping[str, tuple[str, ...]]] = {
    "P1": ("nitro_workflow.policy.author:initial_key_policy",),
    "P2": ("nitro_workflow.policy.author:allow_data_keys",),
    "P3": (
        "enclave_image.owner.data_encryption:encrypt_message",
        "enclave_image.owner.data_encryption:encrypt_envelope",
    ),
    "P4": (),
    "P5": ("enclave_image.packing.root_filesystem:build_rootfs",),
    "P6": (
        "nitro_workflow.image.build.builder:build_image",
        "nitro_workflow.image.inspect.measure:measure_file",
    ),
    "P7": ("nitro_workflow.policy.author:attestation_policy",),
    "P8": ("nitro_workflow.host.control.machine:Hypervisor.run_enclave",),
    "D1": ("enclave_image.parent.instance_role:InstanceRole.fetch",),
    "D2": ("enclave_image.parent.parent_application:ParentApplication._hand_over",),
    "D3": (
        "enclave_image.inside.run_key:RunKey.document",
        "nitro_workflow.enclave.attested_clients:attested_session",
    ),
    "D4": (
        "nitro_workflow.attestation.verify:Verifier.verify",
        "nitro_workflow.policy.decide.evaluate:evaluate",
    ),
    "D5": ("nitro_workflow.cms.sealing:seal_envelope",),
    "D6": ("nitro_workflow.vsock.proxy:Proxy",),
    "D7": ("nitro_workflow.cms.opening:open_envelope",),
    "D8": ("enclave_image.inside.message_opening:open_stream",),
    "D9": (
        "enclave_image.inside.query:Aggregator.finish",
        "enclave_image.inside.sealed_result:seal_result",
        "enclave_image.owner.receipt:open_result",
    ),
}
"""Step → ``module:function``; every one is there, or a test fails."""
