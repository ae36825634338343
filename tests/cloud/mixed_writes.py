"""Many clients write to a cloud that is killed in their middle; then every promise is checked.

Run alone for the long form::

    python -m tests.cloud.mixed_writes --writes 10000 --kills 20
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError

from tests.cloud.conftest import COMPUTE, RunningCloud, allow, policy

KINDS = ("put", "overwrite", "delete", "role", "policy", "key", "alias", "instance", "parts")


@dataclass
class Journal:
    """What the cloud acknowledged, and what it may or may not have done when it was killed."""

    objects: dict[str, bytes | None] = field(default_factory=dict)
    unsure: dict[str, set[bytes | None]] = field(default_factory=dict)
    policies: dict[str, str] = field(default_factory=dict)
    keys: list[str] = field(default_factory=list)
    aliases: dict[str, str] = field(default_factory=dict)
    instances: list[str] = field(default_factory=list)
    acknowledged: int = 0
    cut: int = 0


def body_of(token: str) -> bytes:
    return (token + "|").encode() * (1 + sum(token.encode()) * 37 % 2000)


class Writer(threading.Thread):
    """One client; it stops at the first call that is not answered."""

    def __init__(self, cloud: RunningCloud, name: str, stop: threading.Event, seed: int) -> None:
        super().__init__(name=name)
        self.journal, self._stop_now, self._random = Journal(), stop, random.Random(seed)
        names = ("s3", "iam", "kms", "ec2")
        self._s3, self._iam, self._kms, self._ec2 = (cloud.client(n, COMPUTE) for n in names)
        self._number = 0
        self.error: BaseException | None = None

    def run(self) -> None:
        while not self._stop_now.is_set():
            kind = self._random.choice(KINDS)
            self._number += 1
            try:
                getattr(self, kind)(f"{self.name}-{self._number}")
                self.journal.acknowledged += 1
            except BotoCoreError:
                self.journal.cut += 1
                return
            except Exception as error:  # noqa: BLE001 - raised by `run`, in the test's own thread
                self.error = error  # an answer, but not the one expected
                return

    def _write(self, key: str, after: bytes | None, call: Callable[[], Any]) -> None:
        before = self.journal.objects.get(key)
        self.journal.unsure[key] = {before, after}
        call()
        self.journal.objects[key] = after
        del self.journal.unsure[key]

    def put(self, token: str) -> None:
        body = body_of(token)
        put = self._s3.put_object
        self._write(token, body, lambda: put(Bucket="mixed", Key=token, Body=body))

    def overwrite(self, token: str) -> None:
        key, body = f"{self.name}-same", body_of(token)
        put = self._s3.put_object
        self._write(key, body, lambda: put(Bucket="mixed", Key=key, Body=body))

    def delete(self, _token: str) -> None:
        held = [key for key, body in self.journal.objects.items() if body is not None]
        if held:
            key = self._random.choice(held)
            self._write(key, None, lambda: self._s3.delete_object(Bucket="mixed", Key=key))

    def parts(self, token: str) -> None:
        body, where = body_of(token), {"Bucket": "mixed", "Key": token}
        where["UploadId"] = self._s3.create_multipart_upload(**where)["UploadId"]
        tag = self._s3.upload_part(**where, PartNumber=1, Body=body)["ETag"]
        chosen = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
        complete = self._s3.complete_multipart_upload
        self._write(token, body, lambda: complete(**where, MultipartUpload=chosen))

    def role(self, token: str) -> None:
        trust = policy(
            {"Effect": "Allow", "Principal": {"AWS": COMPUTE}, "Action": "sts:AssumeRole"}
        )
        self._iam.create_role(RoleName=token, AssumeRolePolicyDocument=trust)
        document = policy(allow(f"s3:{token}"))
        self._iam.put_role_policy(RoleName=token, PolicyName="p", PolicyDocument=document)
        self.journal.policies[token] = document

    def policy(self, token: str) -> None:
        if self.journal.policies:
            role = self._random.choice(list(self.journal.policies))
            document = policy(allow(f"s3:{token}"))
            # Until it is answered either text may be there: only an answered one is checked.
            self.journal.policies.pop(role)
            self._iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document)
            self.journal.policies[role] = document

    def key(self, token: str) -> None:
        key = self._kms.create_key(Description=token)["KeyMetadata"]["KeyId"]
        self.journal.keys.append(key)

    def alias(self, token: str) -> None:
        if self.journal.keys:
            key = self._random.choice(self.journal.keys)
            self._kms.create_alias(AliasName=f"alias/{token}", TargetKeyId=key)
            self.journal.aliases[f"alias/{token}"] = key

    def instance(self, token: str) -> None:
        made = self._ec2.run_instances(
            ImageId="ami-0", InstanceType="m5.xlarge", MinCount=1, MaxCount=1, ClientToken=token
        )
        self.journal.instances.append(made["Instances"][0]["InstanceId"])


def check(cloud: RunningCloud, journal: Journal) -> int:
    """Hold a journal against the restarted cloud; return how many promises were checked."""
    s3, iam, kms, ec2 = (cloud.client(n, COMPUTE) for n in ("s3", "iam", "kms", "ec2"))
    for key, body in journal.objects.items():
        allowed = journal.unsure.get(key, {body})
        assert read(s3, key) in allowed, f"{key} is not what was acknowledged"
    for key, allowed in journal.unsure.items():
        assert read(s3, key) in allowed, f"{key} is half-written"
    for role, document in journal.policies.items():
        found = iam.get_role_policy(RoleName=role, PolicyName="p")["PolicyDocument"]
        assert found == json.loads(document)
    for key in journal.keys:
        kms.describe_key(KeyId=key)
        sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == b"x"
    for alias, key in journal.aliases.items():
        assert kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"] == key
    known = {
        i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]
    }
    assert set(journal.instances) <= known
    held = (journal.objects, journal.policies, journal.keys, journal.aliases, journal.instances)
    return sum(map(len, held))


def read(s3: Any, key: str) -> bytes | None:
    try:
        return s3.get_object(Bucket="mixed", Key=key)["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None


def run(lab: Path, *, writes: int, kills: int, clients: int = 6, seed: int = 1) -> dict[str, Any]:
    """Write, kill, restart, check, `kills` times; return what happened."""
    cloud, chance = RunningCloud(lab), random.Random(seed)
    totals = {"acknowledged": 0, "cut": 0, "checked": 0, "kills": 0}
    cloud.start()
    cloud.client("s3", COMPUTE).create_bucket(Bucket="mixed")
    while totals["acknowledged"] < writes or totals["kills"] < kills:
        stop = threading.Event()
        round_ = totals["kills"]
        team = [
            Writer(cloud, f"r{round_}c{n}", stop, seed + n + 100 * round_) for n in range(clients)
        ]
        for writer in team:
            writer.start()
        goal = max(1, (writes - totals["acknowledged"]) // max(1, kills - round_))
        while sum(w.journal.acknowledged for w in team) < goal and any(w.is_alive() for w in team):
            time.sleep(0.005)
        time.sleep(chance.random() * 0.05)
        assert cloud.process is not None
        cloud.process.send_signal(signal.SIGKILL)
        stop.set()
        for writer in team:
            writer.join()
            if writer.error is not None:
                raise writer.error
        cloud.stop(signal.SIGKILL)
        cloud.start()
        for writer in team:
            totals["checked"] += check(cloud, writer.journal)
            totals["acknowledged"] += writer.journal.acknowledged
            totals["cut"] += writer.journal.cut
        totals["kills"] += 1
    left = list((lab / "cloud" / "incoming").iterdir())
    assert not left
    cloud.stop()
    return totals


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--writes", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    values = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        totals = run(Path(folder), writes=values.writes, kills=values.kills)
    print(json.dumps({**totals, "seconds": round(time.perf_counter() - began, 1)}))


if __name__ == "__main__":
    main()
