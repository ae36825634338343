"""EC2, SSM and S3 as host `ec2` calls them, answered in this process: a small play of its own calls.

Clients are botocore's own, so that every request is held against AWS's models; the answers are
these. Commands are carried out by the program that runs on an instance, beside a recorded nitro-cli.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from nitro_workflow.cloud import AwsCloud, AwsSettings
from nitro_workflow.host import Ec2Host, InstancePlace, NitroCliHost, ParentPrograms
from nitro_workflow.host.ec2 import on_instance
from nitro_workflow.host.ec2.instance_launches import InstanceLaunches
from nitro_workflow.host.ec2.instance_places import ANSWER

IDENTITY = "0011223344556677"
ROLE = "arn:aws:iam::444455556666:role/ParentInstance"
SETTINGS = AwsSettings(
    "eu-central-1",
    data_account="111122223333",
    compute_account="444455556666",
    given={"role-instance": ROLE},
)
PLACE = InstancePlace("c5a.xlarge", "/aws/service/ami/x", ("subnet-0a", "subnet-0b"))


class Refusal(Exception):
    """What the played service answers in place of an answer."""

    def __init__(self, code: str, message: str = "no", status: int = 400) -> None:
        super().__init__(code)
        self.code, self.message, self.status = code, message, status


class PlayedAws:
    """State and calls: ``calls`` holds (party, operation, parameters) in order."""

    def __init__(self, instance_id: str, requests: Callable[[PlayedAws], Any]) -> None:
        self.instance_id = instance_id
        self.state = "running"
        self.online = True
        self.marker: dict[str, str] = {"state": "ready", "step": "ready", "reason": ""}
        self.log = "== ready"
        self.objects: dict[str, bytes] = {}
        self.groups: list[dict[str, Any]] = []
        self.calls: list[tuple[str, str, dict[str, Any]]] = []
        self.said: dict[str, dict[str, Any]] = {}
        self.fails: dict[str, list[Exception | dict[str, Any]]] = {}
        """Operation → what it answers instead, one call after the other."""
        self.requests = requests(self)
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, party: str, service: str) -> Any:
        key = (party, service)
        if key not in self._clients:
            self._clients[key] = self._made(party, service)
        return self._clients[key]

    def named(self, operation: str) -> list[dict[str, Any]]:
        return [given for _, name, given in self.calls if name == operation]

    def _made(self, party: str, service: str) -> Any:
        client = boto3.Session(
            aws_access_key_id="AKIDPLAYED",
            aws_secret_access_key="played",
            region_name="eu-central-1",
        ).client(service)
        events, seen = client.meta.events, {}
        events.register("provide-client-params", lambda params, **_: seen.update(now=dict(params)))
        events.register("before-call", lambda model, **_: self._answer(party, model.name, seen))
        return client

    def _answer(self, party: str, operation: str, seen: dict[str, Any]) -> Any:
        given = seen["now"]
        self.calls.append((party, operation, given))
        waiting = self.fails.get(operation)
        try:
            answer = waiting.pop(0) if waiting else getattr(self, f"_{operation}")(**given)
            if isinstance(answer, Exception):
                raise answer
            status, body = 200, answer
        except Refusal as refusal:
            status = refusal.status
            body = {"Error": {"Code": refusal.code, "Message": refusal.message}}
        body.setdefault("ResponseMetadata", {"HTTPStatusCode": status, "HTTPHeaders": {}})
        return _Response(status), body

    # -- EC2 ---------------------------------------------------------------------------------------

    def _DescribeInstances(self, **given: Any) -> dict[str, Any]:  # noqa: N802
        if self.instance_id not in given.get("InstanceIds", [self.instance_id]):
            raise Refusal("InvalidInstanceID.NotFound")
        record = {
            "InstanceId": self.instance_id,
            "State": {"Name": self.state},
            "StateReason": {"Message": "Server.SpotInstanceTermination"},
        }
        return {"Reservations": [{"Instances": [record]}]}

    def _DescribeSubnets(self, **given: Any) -> dict[str, Any]:  # noqa: N802
        return {"Subnets": [{"SubnetId": given["SubnetIds"][0], "VpcId": "vpc-0"}]}

    def _DescribeSecurityGroups(self, **_: Any) -> dict[str, Any]:  # noqa: N802
        return {"SecurityGroups": self.groups}

    def _CreateSecurityGroup(self, **_: Any) -> dict[str, Any]:  # noqa: N802
        self.groups.append({"GroupId": "sg-0", "IpPermissions": []})
        return {"GroupId": "sg-0"}

    # -- SSM ---------------------------------------------------------------------------------------

    def _GetParameter(self, **given: Any) -> dict[str, Any]:  # noqa: N802
        return {"Parameter": {"Name": given["Name"], "Value": "ami-0123"}}

    def _DescribeInstanceInformation(self, **_: Any) -> dict[str, Any]:  # noqa: N802
        found = [{"InstanceId": self.instance_id, "PingStatus": "Online"}]
        return {"InstanceInformationList": found if self.online else []}

    def _SendCommand(self, **given: Any) -> dict[str, Any]:  # noqa: N802
        if given["InstanceIds"] != [self.instance_id]:
            raise Refusal("InvalidInstanceId")
        (line,) = given["Parameters"]["commands"]
        command = f"{len(self.said):036}"
        output = self._carried_out(line)
        self.said[command] = {"Status": "Success", "StandardOutputContent": output[:24_000]}
        return {"Command": {"CommandId": command}}

    def _carried_out(self, line: str) -> str:
        if not line.startswith(ANSWER):
            return f"{json.dumps(self.marker)}\n{self.log}"
        request = json.loads(base64.b64decode(line.split()[1]))
        text = json.dumps(self.requests.answer(request))
        if len(text) <= on_instance.LONGEST:
            return text
        self.objects[request["answer"]] = text.encode()
        digest = hashlib.sha256(text.encode()).hexdigest()
        return json.dumps(
            {"stored": {"key": request["answer"], "bytes": len(text), "sha256": digest}}
        )

    def _GetCommandInvocation(self, **given: Any) -> dict[str, Any]:  # noqa: N802
        return dict(self.said[given["CommandId"]])

    def _CancelCommand(self, **_: Any) -> dict[str, Any]:  # noqa: N802
        return {}

    # -- S3 ----------------------------------------------------------------------------------------

    def _CreateBucket(self, **_: Any) -> dict[str, Any]:  # noqa: N802
        return {}

    _PutPublicAccessBlock = _PutBucketTagging = _PutBucketPolicy = _CreateBucket

    def _HeadObject(self, **given: Any) -> dict[str, Any]:  # noqa: N802
        if given["Key"] not in self.objects:
            raise Refusal("404", status=404)
        return {"ContentLength": len(self.objects[given["Key"]])}

    def _PutObject(self, **given: Any) -> dict[str, Any]:  # noqa: N802
        given["Body"].seek(0)
        self.objects[given["Key"]] = given["Body"].read()
        return {}

    def _GetObject(self, **given: Any) -> dict[str, Any]:  # noqa: N802
        return {"Body": io.BytesIO(self.objects[given["Key"]])}


class _Response:
    def __init__(self, status: int) -> None:
        self.status_code = status


def requests_on(host: NitroCliHost, folder: Path) -> Callable[[PlayedAws], Any]:
    """Return what makes an instance's program of that nitro-cli, with its files in ``folder``."""

    def made(aws: PlayedAws) -> Any:
        def fetch(place: Any, path: Path) -> None:
            path.write_bytes(aws.objects[place["key"]])

        launches = InstanceLaunches(host, folder / "launches", folder / "images", fetch)
        return on_instance.Requests(host, folder, launches)

    return made


def ec2_host(aws: PlayedAws, folder: Path, settings: AwsSettings = SETTINGS) -> Ec2Host:
    """Return the host of a lab in ``folder``, whose AWS is played."""
    application = Path(__file__).parents[2] / "enclave_image"
    return Ec2Host(
        AwsCloud(settings, IDENTITY),
        client=aws.client,
        place=lambda: PLACE,
        folder=folder,
        parent=ParentPrograms(application / "parent" / "__main__.py", (application,)),
        memory_mib=1024,
        cpus=2,
        say=lambda _: None,
    )
