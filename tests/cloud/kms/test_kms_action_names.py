"""The policy room's list of KMS actions, held against AWS's own model of the service."""

from __future__ import annotations

from nitro_workflow.cloud.local.protocol.models import load_model
from nitro_workflow.policy.reach.kms_actions import KMS_ACTIONS


def test_every_operation_is_an_action_and_the_rest_is_named():
    operations = {f"kms:{name}" for name in load_model("kms").operation_names}
    assert operations - KMS_ACTIONS == {"kms:ReEncrypt"}
    assert KMS_ACTIONS - operations == {
        "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:SynchronizeMultiRegionKey",
    }  # fmt: skip
