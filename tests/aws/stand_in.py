"""AWS played by the lab's own cloud: for tests only, put in by them, never by an option.

`StandInCloud` is `AwsCloud` with another reach and another trust. It goes to a local cloud on
loopback and nowhere else, believes that cloud's hypervisor, and calls itself a stand-in, which every
record says. It shares our reading of AWS: what passes here was not run on AWS.

    with stand_in(tmp_path) as at:              # in this process
        lab = Lab.open(tmp_path / "lab", cloud="aws", aws=at.settings)

A kernel gets it by ``kernel/sitecustomize.py``, on its PYTHONPATH.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

from nitro_workflow.atomic import write_atomic
from nitro_workflow.cloud import (
    COMPUTE_ACCOUNT,
    DATA_ACCOUNT,
    AwsCloud,
    AwsSettings,
    Connection,
    Endpoint,
    LocalCloud,
    Patience,
    Trust,
)
from nitro_workflow.cloud.aws.aws_sessions import session_of_keys
from nitro_workflow.errors import HostError, UntrustedAnswer
from nitro_workflow.image import BootParts
from nitro_workflow.lab import LabFolder
from nitro_workflow.lab.processes import Processes
from nitro_workflow.lab.processes.runtime_place import make_runtime

PUT_IN = "nitro_workflow.lab.aws.aws_pair.AwsCloud"
"""The one name that is replaced."""

REGION = "us-east-1"


@dataclass(frozen=True)
class StandInReach:
    """The local cloud of a folder, on loopback; whatever is AWS's is refused."""

    folder: Path

    def arguments(self, service: str, region: str) -> dict[str, Any]:
        at = Endpoint.of(self.folder)
        return {"verify": at.ca, "endpoint_url": at.url, "region_name": region}

    def check(self, url: str) -> None:
        host = urlsplit(url).hostname or ""
        if host != "127.0.0.1":
            raise UntrustedAnswer(f"a stand-in's request to {host}", expected="loopback")


class StandInTrust(Trust):
    """The trust of a stand-in: it can never be AWS's."""

    @classmethod
    def aws(cls) -> Trust:
        raise AssertionError("a stand-in has no trust of AWS's")


class StandInCloud(AwsCloud):
    """AWS as the lab's own cloud plays it, from ``folder`` (set by `stand_in`)."""

    kind = "stand-in"
    settling = Patience(seconds=2.0, pause=0.05)
    folder: Path

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._reach = StandInReach(self.folder)

    @property
    def kms_host(self) -> str:
        return LocalCloud.kms_host

    @property
    def url(self) -> str:
        return Endpoint.of(self.folder).url

    def trust(self) -> Trust:
        local = LocalCloud(self.folder).trust()
        return StandInTrust(local.root_der, local.ca_pem)

    def _new_operator(self, profile: str) -> Any:
        """Return the operator's session; the profile's name is the account's id."""
        key = Connection.of(self.folder).key(profile)
        return session_of_keys(self._reach, self.region, key, party="operator")


READY_SECONDS = 60.0
REPOSITORY = Path(__file__).resolve().parents[2]


class StandInProcesses(Processes):
    """The stand-in's processes: the lab's own cloud, and AWS's side of EC2, SSM and Nitro."""

    _aws: subprocess.Popen[bytes] | None = None

    def _up_hypervisor(self) -> None:
        if self._aws is not None and self._aws.poll() is None:
            return
        runtime = make_runtime(self.folder)
        (runtime / "hypervisor.sock").unlink(missing_ok=True)
        application = REPOSITORY / "enclave_image" / "parent" / "__main__.py"
        with (self.folder.path / "logs" / "hypervisor.log").open("ab") as log:
            self._aws = subprocess.Popen(
                [sys.executable, "-m", "tests.aws.stand_in_hypervisor",
                 "--lab", self.folder.path, "--runtime", runtime, "--application", application],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=REPOSITORY,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        deadline = time.monotonic() + READY_SECONDS
        while not self._hypervisor_answers():
            if self._aws.poll() is not None or time.monotonic() > deadline:
                raise HostError(self._log("hypervisor"), where="stand-in")
            time.sleep(0.02)

    def down(self, **given: Any) -> list[str]:
        if self._aws is not None:
            self._aws.terminate()
            self._aws.wait(60)
        return super().down(**given)


@dataclass(frozen=True)
class StandIn:
    """A running stand-in: how a lab is opened with it, and a look behind it."""

    folder: Path
    settings: AwsSettings

    def client(self, service: str, account: str) -> Any:
        """Return a client of that account's operator, for a test that looks or meddles."""
        return Connection.of(self.folder).session(account).client(service, region_name=REGION)

    def order(self, **faults: Any) -> None:
        """Order what goes wrong on AWS's side from now on; nothing for none (`played_aws`)."""
        write_atomic(self.folder / "faults", json.dumps(faults).encode())

    def cloud(self, identity: str) -> AwsCloud:
        """Return the cloud as a lab of that id has it."""
        return _class_at(self.folder)(self.settings, identity)


def put_in(folder: Path) -> None:
    """Put the stand-in that runs in ``folder`` in AWS's place, for the rest of this process."""
    from nitro_workflow.lab.aws import aws_pair

    aws_pair.AwsCloud = _class_at(folder)  # type: ignore[misc]


def _boot_parts(folder: Path) -> Path:
    """Write the package's own stand-ins under the names of AWS's blobs."""
    parts = BootParts.stand_in()
    kernel = {"x86_64": "bzImage", "aarch64": "Image"}[parts.architecture]
    head = f"#\n# Linux/{parts.architecture} 0.0.0-stand-in Kernel Configuration\n#\n"
    folder.mkdir(exist_ok=True)
    for name, data in {
        kernel: parts.kernel, f"{kernel}.config": head.encode(), "cmdline": parts.command_line,
        "init": parts.init, "nsm.ko": parts.nsm_module,
    }.items():  # fmt: skip
        (folder / name).write_bytes(data)
    return folder


def _class_at(folder: Path) -> type[StandInCloud]:
    return type("StandInCloud", (StandInCloud,), {"folder": folder})


@contextlib.contextmanager
def running(folder: Path, *, two_accounts: bool = True) -> Iterator[StandIn]:
    """Run a local cloud in ``folder``, in nobody's place yet."""
    processes = StandInProcesses(LabFolder.open(folder))
    compute = COMPUTE_ACCOUNT if two_accounts else DATA_ACCOUNT
    settings = AwsSettings(REGION, data_profile=DATA_ACCOUNT, compute_profile=compute)
    processes.up()
    try:
        yield StandIn(folder, settings)
    finally:
        processes.down()


@contextlib.contextmanager
def in_place(at: StandIn) -> Iterator[None]:
    """Put a running stand-in in AWS's place, for this process and block."""
    blobs = {"NITRO_CLI_BLOBS": str(_boot_parts(at.folder / "blobs"))}
    with mock.patch(PUT_IN, _class_at(at.folder)), mock.patch.dict(os.environ, blobs):
        yield


@contextlib.contextmanager
def stand_in(folder: Path, *, two_accounts: bool = True) -> Iterator[StandIn]:
    """Run a local cloud in ``folder`` and put it in AWS's place, for this process and block."""
    with running(folder, two_accounts=two_accounts) as at, in_place(at):
        yield at
