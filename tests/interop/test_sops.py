"""sops (secrets in files, their key under KMS) against the local cloud, told of it by `cloud env`."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.cloud.conftest import COMPUTE, DATA, RunningCloud, allow, policy
from tests.interop.peers import Unbuilt, fetched, peer
from tests.interop.test_s3_clients import environment

pytestmark = [pytest.mark.interop, pytest.mark.heavy]

SECRET = "password: hunter2\n"
Sops = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def lab_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    running = RunningCloud(tmp_path_factory.mktemp("sops") / "the lab")
    running.lab.mkdir()
    running.start()
    yield running
    running.stop(signal.SIGKILL)


@pytest.fixture
def sops(require: Callable[[str, bool, str], None], tmp_path: Path) -> Sops:
    require("interop", shutil.which("go") is not None, "the Go tool chain (1.24 or later)")
    try:
        with peer(Path(__file__).parent / "sops") as (folder, stale):
            if stale:
                package = "github.com/getsops/sops/v3/cmd/sops"
                fetched("go", "build", "-mod=readonly", "-o", "program", package, cwd=folder)
            program = str(folder / "program")
    except Unbuilt as unbuilt:
        require("interop", False, f"the Go module proxy: {unbuilt}")

    def run(given: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *words], env=dict(given), cwd=tmp_path, capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip

    return run


def test_a_file_is_sealed_opened_and_kept_from_others(
    lab_cloud: RunningCloud, sops: Sops, tmp_path: Path
) -> None:
    owner = environment(lab_cloud, "go", tmp_path)
    other = environment(lab_cloud, "go", tmp_path, "--account", COMPUTE)
    rule = policy(allow("kms:*", Principal={"AWS": f"arn:aws:iam::{DATA}:root"}))
    key = lab_cloud.client("kms").create_key(Policy=rule)["KeyMetadata"]["Arn"]
    (tmp_path / "plain.yaml").write_text(SECRET)
    context = ("--encryption-context", "dataset:records")
    sealed = sops(owner, "encrypt", "--kms", key, *context, "plain.yaml")
    assert sealed.returncode == 0, sealed.stderr
    assert "hunter2" not in sealed.stdout
    (tmp_path / "sealed.yaml").write_text(sealed.stdout)
    assert sops(owner, "decrypt", "sealed.yaml").stdout == SECRET
    refused = sops(other, "decrypt", "sealed.yaml")
    assert refused.returncode != 0
    assert "AccessDeniedException" in refused.stderr
    text = sealed.stdout.replace("dataset: records", "dataset: others")
    (tmp_path / "moved.yaml").write_text(text)
    assert "InvalidCiphertextException" in sops(owner, "decrypt", "moved.yaml").stderr
    assert lab_cloud.events(DATA, EventName="Decrypt", ResourceName=key)
