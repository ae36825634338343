"""A running cloud, in its own process, for the tests of this room."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.loaders import Loader

from nitro_workflow.cloud import serving_pid
from nitro_workflow.cloud.local.assemble import open_services
from nitro_workflow.cloud.local.call import Settings
from nitro_workflow.cloud.local.dispatch import Dispatcher

SERVE = (sys.executable, "-m", "nitro_workflow.cloud.local.serve")
LOADER = Loader()
DATA, COMPUTE, SERVICE = "111122223333", "444455556666", "ec2.amazonaws.com"


class RunningCloud:
    """The server process of one lab folder; `client` makes boto3 clients that are closed at the end."""

    def __init__(self, lab: Path) -> None:
        self.lab = lab
        self.process: subprocess.Popen[bytes] | None = None
        self._clients = ExitStack()

    def start(self, *options: str, environment: dict[str, str] | None = None) -> None:
        log = (self.lab / "cloud.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [*SERVE, "--lab", str(self.lab), "--json-log", *options],
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        self.wait()

    def wait(self, seconds: float = 60) -> None:
        """Wait until the process has said that it is ready."""
        until = time.perf_counter() + seconds
        assert self.process is not None
        while serving_pid(self.lab) != self.process.pid:
            assert self.process.poll() is None, self.log
            assert time.perf_counter() < until, "the cloud did not start: " + self.log
            time.sleep(0.01)

    def stop(self, number: int = signal.SIGTERM) -> int:
        self._clients.close()
        if self.process is None:
            return 0
        self.process.send_signal(number)
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> str:
        return (self.lab / "cloud.log").read_text()

    @property
    def endpoint(self) -> str:
        return json.loads((self.lab / "cloud" / "endpoint.json").read_text())["endpoint"]

    @property
    def port(self) -> int:
        return int(self.endpoint.rpartition(":")[2])

    @property
    def ca(self) -> str:
        return str(self.lab / "cloud" / "ca.pem")

    @property
    def keys(self) -> dict[str, dict[str, str]]:
        return json.loads((self.lab / "cloud" / "credentials.json").read_text())

    def session(self, who: str | dict[str, str]) -> Any:
        if isinstance(who, str):
            key = self.keys[who]
            pair = (key["access_key_id"], key["secret_access_key"], None)
        else:
            pair = (who["AccessKeyId"], who["SecretAccessKey"], who.get("SessionToken"))
        inner = botocore.session.Session()
        inner.register_component("data_loader", LOADER)  # a model is read once, not once a client
        return boto3.Session(*pair, region_name="us-east-1", botocore_session=inner)

    def client(self, service: str, who: str | dict[str, str] = DATA, **config: Any) -> Any:
        client = self.session(who).client(
            service,
            endpoint_url=self.endpoint,
            verify=self.ca,
            config=Config(signature_version="s3v4", retries={"max_attempts": 1}, **config),
        )
        self._clients.callback(client.close)
        return client

    def role(
        self, name: str, statements: Sequence[Any], *, account: str = DATA, trust: Any = None
    ) -> dict[str, str]:
        """Make (or change) a role with one policy; return credentials of a session ``test``."""
        iam = self.client("iam", account)
        trusted = trust or {"AWS": f"arn:aws:iam::{account}:root"}
        document = policy({"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"})
        try:
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        except iam.exceptions.EntityAlreadyExistsException:
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=document)
        if statements:
            document = policy(*statements)
            iam.put_role_policy(RoleName=name, PolicyName="main", PolicyDocument=document)
        who = SERVICE if trusted == {"Service": SERVICE} else account
        sts = self.client("sts", who)
        arn = f"arn:aws:iam::{account}:role/{name}"
        return sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]

    def events(self, account: str = DATA, **attributes: str) -> list[dict[str, Any]]:
        wanted = [{"AttributeKey": k, "AttributeValue": v} for k, v in attributes.items()]
        found = self.client("cloudtrail", account).lookup_events(LookupAttributes=wanted)
        return [json.loads(event["CloudTrailEvent"]) for event in found["Events"]]


def policy(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(*actions: str, resource: Any = "*", **further: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **further}


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    """One cloud for all tests that do not break it."""
    running = RunningCloud(tmp_path_factory.mktemp("cloud"))
    running.start()
    yield running
    assert running.stop() == 0


@pytest.fixture
def s3(cloud: RunningCloud) -> Any:
    """S3 as the data account's operator."""
    return cloud.client("s3")


@pytest.fixture
def bucket(s3: Any) -> str:
    """A bucket of the test's own."""
    name = f"bucket-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def own_cloud(tmp_path: Path) -> Iterator[RunningCloud]:
    """A cloud that a test may kill; it is not started yet."""
    running = RunningCloud(tmp_path)
    yield running
    running.stop(signal.SIGKILL)


@pytest.fixture
def dispatcher(tmp_path: Path) -> Iterator[Dispatcher]:
    """The cloud without sockets; its clock can be replaced by `dataclasses.replace`."""
    services = open_services(Settings(tmp_path))
    yield Dispatcher(services)
    services.events.close()
    services.store.close()


@pytest.fixture
def refused() -> Callable[..., Any]:
    """Return the error of a call that must be refused with this code."""
    from botocore.exceptions import ClientError

    def check(code: str, call: Callable[..., Any], **params: Any) -> Any:
        with pytest.raises(ClientError) as caught:
            call(**params)
        error = caught.value.response
        assert error["Error"]["Code"] == code, error["Error"]
        return error

    return check
