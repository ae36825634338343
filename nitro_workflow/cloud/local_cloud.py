"""The local cloud as the workflow sees it: a member of the `Cloud` protocol."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud.accounts import COMPUTE_ACCOUNT, DATA_ACCOUNT, REGION
from nitro_workflow.cloud.cloud_protocol import Accounts, Cloud, Names, Observe, Patience, Trust
from nitro_workflow.cloud.endpoint import Endpoint, read_cloud_file, serving_pid
from nitro_workflow.cloud.isolated_sessions import isolated_environment, isolated_session
from nitro_workflow.errors import CloudUnavailable, LabError

if TYPE_CHECKING:
    import boto3

__all__ = ["LocalCloud"]

OPERATOR: Final = "operator"
SESSION_NAME: Final = "nitro-workflow"
READY_SECONDS: Final = 60.0  # it answers within 2 s on an idle laptop
# What is of the running one alone; a body on its way in may be gone before it is copied.
LEFT_OUT: Final = ("objects", "incoming", "endpoint.json", "lock", "state.sqlite3*")


class LocalCloud:
    """The cloud of one lab folder.

    ``endpoint`` answers where it is and raises `CloudUnavailable` where it does not run; ``start``
    has it run.

    >>> LocalCloud(Path("lab")).names.data_bucket
    'nitro-workflow-data-111122223333'
    """

    accounts = Accounts(DATA_ACCOUNT, COMPUTE_ACCOUNT)
    region = REGION
    names = Names(
        data_bucket=f"nitro-workflow-data-{DATA_ACCOUNT}",
        # In the lab the image is handed over as a file; on AWS it lies in this bucket.
        images_bucket=f"nitro-workflow-images-{COMPUTE_ACCOUNT}",
        data_alias="alias/nitro-workflow-data",
        results_alias="alias/nitro-workflow-results",
        instance_profile="ParentInstance",
        machine_image="ami-0123456789abcdef0",  # this cloud has none: a record only
        roles={
            "owner": "DataOwner",
            "developer": "ApplicationDeveloper",
            "administrator": "ParentAdministrator",
            "instance": "ParentInstance",
        },
    )
    kind = "local"
    tags: Mapping[str, str] = MappingProxyType({})
    explains = True
    public = False  # on loopback
    settling = Patience(seconds=0.0, pause=0.0)  # what is put is so for the next request
    kms_host = f"kms.{REGION}.nitro-lab.internal"
    trail = Patience(seconds=5.0, pause=0.05)  # its records are written within 50 ms

    def __init__(
        self,
        lab: Path,
        *,
        endpoint: Callable[[], Endpoint] | None = None,
        start: Callable[[], None] | None = None,
    ) -> None:
        self._lab = lab
        self._endpoint = endpoint or (lambda: Endpoint.of(lab))
        self._start = start or self._endpoint

    @property
    def url(self) -> str:
        """Return its URL on loopback; raises `CloudUnavailable`."""
        return self._endpoint().url

    def up(self) -> None:
        """Have it answer; raises `CloudUnavailable`."""
        self._start()

    def trust(self) -> Trust:
        """Return the root of the lab's hypervisor, and the cloud's CA; raises `LabError`."""
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding

        try:
            pem = (self._lab / "hypervisor" / "root.pem").read_bytes()
            root = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
            return Trust(root, (self._lab / "cloud" / "ca.pem").read_text())
        except (OSError, ValueError) as error:
            raise LabError(
                f"no certificate there: {error}",
                expected="the root of the lab's hypervisor, and the CA of its cloud",
                where="hypervisor/root.pem, cloud/ca.pem",
                next="`nitro-workflow down`, then run the step again",
            ) from error

    # -- sessions ----------------------------------------------------------------------------------

    def further_permissions(self, party: str) -> Sequence[Mapping[str, Any]]:
        """Return none: nothing here stands between a party and its instance."""
        return ()

    def operator(self, account: str) -> boto3.Session:
        """Return the operator's session; raises `LabError` where its keys are gone."""
        keys = read_cloud_file(self._lab / "cloud" / "credentials.json").get(account)
        if not keys:
            raise LabError(
                f"no credentials for account {account}",
                expected="the keys that the cloud made at its first start",
                where="cloud/credentials.json",
                next="`nitro-workflow down`, then name a new folder with --lab",
            )
        return isolated_session(self._endpoint, keys, party=OPERATOR)

    def operator_arn(self, account: str) -> str:
        """Return the ARN of the account's seeded user."""
        return f"arn:aws:iam::{account}:user/{OPERATOR}"

    def session(
        self, account: str, role_arn: str, *, party: str, observe: Observe | None = None
    ) -> boto3.Session:
        """Return a session of the role, renewed before its credentials end."""
        sts = self.operator(account).client("sts")

        def refresh() -> dict[str, str]:
            answer = sts.assume_role(RoleArn=role_arn, RoleSessionName=SESSION_NAME)
            keys = answer["Credentials"]
            return {
                "access_key": keys["AccessKeyId"],
                "secret_key": keys["SecretAccessKey"],
                "token": keys["SessionToken"],
                "expiry_time": keys["Expiration"].isoformat(),
            }

        return isolated_session(self._endpoint, refresh, party=party, observe=observe)

    def session_with(self, keys: Mapping[str, str], *, party: str) -> boto3.Session:
        """Return a session with keys from elsewhere."""
        return isolated_session(self._endpoint, keys, party=party)

    # -- a second one ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def with_document_age(self, seconds: int) -> Iterator[Cloud]:
        """Run another cloud on a copy of keys, roles and policies, for one block.

        Should this process be killed, the lab finds both again: the copy lies in its folder, and
        the other cloud carries its identity.
        """
        with tempfile.TemporaryDirectory(prefix=".second-cloud-", dir=self._lab) as name:
            folder = Path(name)
            self._copy_state(folder)
            identity = read_cloud_file(self._lab / "lab.json").get("id", "")
            command = [sys.executable, "-P", "-X", f"nitro_workflow_lab={identity}"]
            command += ["-m", "nitro_workflow.cloud.local.serve", "--lab", name]
            command += ["--attestation-max-age", str(seconds)]
            with (folder / "cloud.log").open("wb") as log:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=isolated_environment(),
                )
            try:
                _until_ready(folder, process)
                yield LocalCloud(folder)
            finally:
                process.terminate()
                process.wait(READY_SECONDS)

    def _copy_state(self, target: Path) -> None:
        ignore = shutil.ignore_patterns(*LEFT_OUT)
        shutil.copytree(self._lab / "cloud", target / "cloud", ignore=ignore)
        sockets = shutil.ignore_patterns("*.sock")
        shutil.copytree(self._lab / "hypervisor", target / "hypervisor", ignore=sockets)
        source = sqlite3.connect(self._lab / "cloud" / "state.sqlite3")
        copied = sqlite3.connect(target / "cloud" / "state.sqlite3")
        with contextlib.closing(source), contextlib.closing(copied):
            source.backup(copied)


def _until_ready(folder: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while serving_pid(folder) != process.pid:
        if process.poll() is not None or time.monotonic() > deadline:
            raise CloudUnavailable(
                (folder / "cloud.log").read_text(errors="replace")[-300:] or "it did not start",
                expected="a second cloud",
                where="second cloud",
                next="run the attack again",
            )
        time.sleep(0.02)
