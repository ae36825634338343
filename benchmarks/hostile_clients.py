"""Clients that mean harm, and clients that do not: what `hostile.py` lets loose on one cloud.

Hostile requests are signed once a minute and sent again and again, so that the attacker's work is
small; each connection does one thing after another, drawn from `ATTACKS`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

# An attacker has machines of their own; here they share the cloud's and the honest clients'.
HOSTILE_NICE = 10
HOLD_S = 5.0  # that a connection does nothing, where doing nothing is the attack
RESIGN_S = 60.0
TARGET = "TrentService."
FORM = "application/x-www-form-urlencoded"
VERSIONS = {"iam": "2010-05-08", "sts": "2011-06-15", "ec2": "2016-11-15"}


@dataclass(frozen=True, slots=True)
class Target:
    """The cloud, and the keys of somebody who may only get one object."""

    port: int
    ca: str
    key: tuple[str, str, str]

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def head(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes = b"",
        service: str = "kms",
        length: int | None = None,
    ) -> bytes:
        """Return the signed head of a request whose body may be another, or never come."""
        request = AWSRequest(method, f"https://{self.host}{path}", headers=headers, data=body)
        request.headers["Host"] = self.host
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        signer(Credentials(*self.key), service, "us-east-1").add_auth(request)
        return self.plain(method, path, dict(request.headers), length or len(body))

    def plain(self, method: str, path: str, headers: dict[str, str], length: int) -> bytes:
        lines = [f"{name}: {value}" for name, value in headers.items()]
        text = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, f"Content-Length: {length}"])
        return f"{text}\r\n\r\n".encode("latin-1")

    def kms(self, operation: str, body: bytes, length: int | None = None) -> bytes:
        headers = {"X-Amz-Target": TARGET + operation, "Content-Type": "application/x-amz-json-1.1"}
        return self.head("POST", "/", headers, body, length=length)

    def form(self, service: str, fields: dict[str, str] | bytes) -> bytes:
        body = fields if isinstance(fields, bytes) else urlencode(fields).encode()
        return self.head("POST", "/", {"Content-Type": FORM}, body, service) + body


def signed_attacks(target: Target) -> list[bytes]:
    """Return whole requests that are refused, or useless, once they have been read."""
    context = {"EncryptionContext": {"a" * 100: "\x1b]0;x\x07" + "b" * 8_000}}
    key = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-0000-0000-000000000000"
    encrypt = json.dumps({"KeyId": key, "Plaintext": "aGk=", "GrantTokens": ["x" * 6_000],
                          **context}).encode()  # fmt: skip
    one = {"Effect": "Allow", "Principal": {"AWS": ["1"]}, "Action": "a:b",
           "Condition": {"Bool": {"a": ["true"]}}}  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [one] * 900})
    role = {"Action": "CreateRole", "Version": VERSIONS["iam"], "RoleName": "x",
            "AssumeRolePolicyDocument": policy}  # fmt: skip
    run = {"Action": "RunInstances", "Version": VERSIONS["ec2"], "MinCount": "1",
           "ImageId": "ami-1"}  # fmt: skip
    dotted = b"Action=GetCallerIdentity&Version=2011-06-15&a" + b".a" * 200_000 + b"=x"
    fields = "&".join(f"a{n}=b" for n in range(3_000)).encode()
    deep = b"[" * 100_000
    found = [
        target.kms("Encrypt", encrypt) + encrypt,
        target.kms("ListKeys", deep) + deep,
        target.form("iam", role),
        target.form("ec2", {**run, "MaxCount": "99999999999999999999"}),
        target.form("ec2", {**run, "MaxCount": "2147483647"}),
        target.form("iam", {"Action": "ListRoles", "Version": VERSIONS["iam"], "Marker": "²"}),
        target.form("sts", dotted),
        target.form("sts", fields),
    ]
    odd = (("DELETE", "/hostile/k?versionId=a%0d%0aX:y"), ("GET", "/hostile/%ff"),
           ("GET", "/hostile?list-type=2&x=%00"))  # fmt: skip
    found += [target.head(method, path, {}, service="s3") for method, path in odd]
    xml = b"<Delete>" + b"<Object><Key>\r</Key></Object>" * 30_000 + b"</Delete>"
    return [*found, target.head("POST", "/hostile?delete", {}, xml, "s3") + xml]


def unsigned_attacks(target: Target) -> list[bytes]:
    """Return heads that are refused before anything is read."""
    date = "99991231T235959Z"
    scope = f"AKIAIOSFODNN7EXAMPLE/{date[:8]}/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature={'0' * 64}"
    odd = {"Host": "[", "X-Amz-Date": date, "Authorization": text}
    query = "&".join(f"a{n}=b" for n in range(5_000))
    return [
        target.plain("GET", "/hostile/k", odd, 0),
        target.plain("GET", "/hostile/k", {**odd, "Authorization": "\xff"}, 0),
        target.plain("GET", f"/?{query}", {"Host": "x"}, 0),
        target.plain("GET", "/x", {"Host": "x", "X-Amz-Decoded-Content-Length": "9" * 5_000}, 0),
        target.plain("GET", "/x?X-Amz-Signature=%C3%BF&X-Amz-Expires=9", {"Host": "x"}, 0),
    ]


class Attacker:
    """One connection after the other, until told to stop; counts what is answered."""

    def __init__(self, target: Target, seed: int, counts: dict[str, int]) -> None:
        self._target, self._draw, self._counts = target, random.Random(seed), counts
        self._context = ssl.create_default_context(cafile=target.ca)
        self._requests: list[bytes] = []
        self._signed_at = -RESIGN_S

    async def run(self, until: float) -> None:
        attacks = (self.flood, self.flood, self.slow_head, self.unfinished, self.unread,
                   self.garbage, self.half_open)  # fmt: skip
        while time.time() < until:
            if time.time() - self._signed_at > RESIGN_S:
                self._requests = signed_attacks(self._target) + unsigned_attacks(self._target)
                self._signed_at = time.time()
            attack = self._draw.choice(attacks)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                async with asyncio.timeout(4 * HOLD_S):
                    await attack()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(
            "127.0.0.1", self._target.port, ssl=self._context, server_hostname="localhost"
        )

    async def flood(self) -> None:
        """Send requests that are refused as fast as they are answered."""
        reader, writer = await self._open()
        try:
            for _ in range(20):
                writer.write(self._draw.choice(self._requests))
                await writer.drain()
                status = (await reader.readline())[9:12].decode() or "closed"
                self._counts[status] = self._counts.get(status, 0) + 1
                if not await self._skip(reader):
                    return
        finally:
            writer.close()

    async def _skip(self, reader: asyncio.StreamReader) -> bool:
        length, keeps = 0, True
        while (line := await reader.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            keeps &= b"close" not in value
        await reader.readexactly(length)
        return keeps and bool(line)

    async def slow_head(self) -> None:
        _, writer = await self._open()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        await asyncio.sleep(HOLD_S)
        writer.close()

    async def unfinished(self) -> None:
        """Begin a large body: of a stranger, and of one whose key is known."""
        heads = (
            self._target.plain("POST", "/", {"Host": "x", "X-Amz-Target": TARGET + "ListKeys"},
                               1_000_000),
            self._target.kms("ListKeys", b"", length=1_000_000),
            self._target.plain("PUT", "/hostile?policy", {"Host": "x"}, 2_000_000),
        )  # fmt: skip
        _, writer = await self._open()
        writer.write(self._draw.choice(heads) + bytes(900_000))
        await writer.drain()
        await asyncio.sleep(HOLD_S)
        writer.close()

    async def unread(self) -> None:
        """Ask for a large object, and leave it."""
        reader, writer = await self._open()
        writer.write(self._target.head("GET", "/hostile/large", {}, service="s3"))
        await writer.drain()
        await reader.readline()
        await asyncio.sleep(2 * HOLD_S)
        writer.transport.abort()

    async def garbage(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._target.port)
        writer.write(os.urandom(500))
        await asyncio.sleep(0.2)
        writer.close()

    async def half_open(self) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", self._target.port)
        await asyncio.sleep(HOLD_S)
        writer.close()


def attack(target: Target, seed: int, connections: int, until: float, report: Path) -> None:
    """Run so many hostile connections in this process; write what they were answered."""
    os.nice(HOSTILE_NICE)
    counts: dict[str, int] = {}

    async def all_of_them() -> None:
        attackers = (Attacker(target, seed * 1_000 + n, counts) for n in range(connections))
        await asyncio.gather(*(attacker.run(until) for attacker in attackers))

    asyncio.run(all_of_them())
    report.write_text(json.dumps({"answers": counts, "processor": time.process_time()}))


def be_honest(
    clients: Callable[[str], Any], number: int, key: str, blob: bytes, until: float, report: Path
) -> None:
    """Do what a customer does; write how long each answer took, and what was acknowledged.

    `blob` is a ciphertext of the key.
    """
    took: list[tuple[str, float]] = []
    kept: dict[str, str] = {}
    s3, kms, sts, iam = (clients(name) for name in ("s3", "kms", "sts", "iam"))
    draw, count = random.Random(number), 0

    def put() -> None:
        name, body = f"{number}-{count}", draw.randbytes(draw.randint(1, 50_000))
        s3.put_object(Bucket="honest", Key=name, Body=body)
        kept[name] = hashlib.sha256(body).hexdigest()

    def get() -> None:
        s3.get_object(Bucket="honest", Key="small")["Body"].read()

    calls: dict[str, Callable[[], Any]] = {
        "Decrypt": lambda: kms.decrypt(CiphertextBlob=blob),
        "GenerateDataKey": lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"),
        "GetCallerIdentity": sts.get_caller_identity,
        "GetRole": lambda: iam.get_role(RoleName="Hostile"),
        "PutObject": put,
        "GetObject": get,
    }

    spent = time.process_time()
    while time.time() < until:
        count += 1
        operation = draw.choice(list(calls))
        began = time.perf_counter()
        try:
            calls[operation]()
        except Exception as error:  # noqa: BLE001 - the cloud is killed once; the next try counts
            took.append((f"failed {operation} {type(error).__name__}", time.time()))
            time.sleep(0.2)
            continue
        took.append((operation, time.perf_counter() - began))
        time.sleep(0.05)
    own = time.process_time() - spent
    report.write_text(json.dumps({"took": took, "kept": kept, "processor": own}))
