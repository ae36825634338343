"""A lab is opened with a pair of cloud and host; nothing in it knows which ones they are."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from nitro_workflow.cloud import LocalCloud
from nitro_workflow.lab import Lab, LabFolder, LocalPair

PACKAGE = Path(__file__).parents[2] / "nitro_workflow"
MEMBERS = {"LocalCloud", "LocalPair", "SandboxHost", "Endpoint", "Connection", "isolated_session"}
INSIDE = [
    path
    for place in ("lab/steps", "lab/evidence", "lab/attacks", "lessons")
    for path in sorted((PACKAGE / place).glob("*.py"))
]


@pytest.mark.parametrize("path", INSIDE, ids=lambda path: path.stem)
def test_steps_evidence_attacks_and_lessons_know_no_member(path: Path) -> None:
    tree = ast.parse(path.read_bytes())
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert not imported & MEMBERS
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not named & {"runtime", "processes", "endpoint"}, "what only a local pair has"


class OtherNames(LocalPair):
    """The local pair, whose cloud calls everything something else."""

    def __init__(self, folder: LabFolder) -> None:
        super().__init__(folder)
        self.cloud.names = replace(
            LocalCloud.names,
            data_alias="alias/other",
            results_alias="alias/other-results",
            data_bucket="other-bucket",
            instance_profile="OtherProfile",
        )


def test_what_things_are_called_is_the_clouds_to_say(tmp_path: Path) -> None:
    folder = LabFolder.open(tmp_path / "lab")
    folder.change_settings(size=20_000)
    lab = Lab(folder, OtherNames(folder), lambda _: None)
    try:
        assert lab.run("P1").evidence["alias"] == "alias/other"
        assert lab.run("P4").evidence["bucket"] == "other-bucket"
        policy = lab.bench.policies.identity_policy("instance")
        assert "other-bucket" in str(policy)
        iam = lab.bench.parties.operator(lab.bench.cloud.accounts.compute).client("iam")
        found = iam.get_instance_profile(InstanceProfileName="OtherProfile")
        assert found["InstanceProfile"]["Roles"][0]["RoleName"] == "ParentInstance"
    finally:
        lab.down()
