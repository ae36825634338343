"""Clients that misbehave, a process that is killed: others are served, nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import socket
import ssl
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvicorn
from botocore.auth import S3SigV4Auth
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from nitro_workflow.cloud.local import budgets
from nitro_workflow.cloud.local.dispatch import Arrival, Dispatcher
from nitro_workflow.cloud.local.http import intake, patience
from nitro_workflow.cloud.local.http.content_file import ContentFile
from nitro_workflow.cloud.local.http.edge import make_app
from tests.cloud import mixed_writes
from tests.cloud.conftest import DATA, RunningCloud
from tests.cloud.test_sigv4 import TARGET, keys, signed

PATIENCE = 60  # seconds, on a loaded machine


def descriptors(cloud: RunningCloud) -> int:
    # The process says so itself: no other process of its user may look.
    context = ssl.create_default_context(cafile=cloud.ca)
    with urllib.request.urlopen(f"{cloud.endpoint}/_nitro/health", context=context) as answer:
        return int(json.loads(answer.read())["descriptors"])


def released(cloud: RunningCloud, before: int) -> bool:
    """Whether the server soon holds no more descriptors than before, its own ones aside.

    Its own: how many threads of its pool have started depends on how many requests happened to
    meet, and each keeps a connection to SQLite, which is two files. So what may leak in a test must
    be more than that.
    """
    own = 2 * budgets.THREADS + 3  # and the connections of this test's clients
    return until(lambda: descriptors(cloud) <= before + own)


def resident(cloud: RunningCloud) -> int:
    return psutil.Process(cloud.pid).memory_info().rss


def until(condition: Callable[[], bool]) -> bool:
    end = time.perf_counter() + PATIENCE
    while time.perf_counter() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


@contextlib.contextmanager
def tls(cloud: RunningCloud) -> Iterator[ssl.SSLSocket]:
    context = ssl.create_default_context(cafile=cloud.ca)
    plain = socket.create_connection(("127.0.0.1", cloud.port), timeout=PATIENCE)
    with context.wrap_socket(plain, server_hostname="localhost") as wrapped:
        yield wrapped


def served(cloud: RunningCloud) -> float:
    """Make one ordinary call; return how many seconds it took."""
    client = cloud.client("sts")
    began = time.perf_counter()
    assert client.get_caller_identity()["Account"] == DATA
    took = time.perf_counter() - began
    client.close()
    return took


def request_bytes(cloud: RunningCloud, key: str, length: int) -> bytes:
    """The head of a signed PutObject of `length` bytes that are still to come."""
    pair = cloud.keys[DATA]
    credentials = Credentials(pair["access_key_id"], pair["secret_access_key"])
    request = signed(
        credentials, method="PUT", url=f"{cloud.endpoint}/faults/{key}", body=b"",
        headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, signer=_Unsigned, service="s3",
    )  # fmt: skip
    headers = {**request.headers, "content-length": str(length)}
    lines = [f"PUT {request.path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class _Unsigned(S3SigV4Auth):
    def _should_sha256_sign_payload(self, _request: Any) -> bool:
        return False


@pytest.fixture(scope="module", autouse=True)
def bucket(cloud: RunningCloud) -> None:
    cloud.client("s3").create_bucket(Bucket="faults")


class _Streaming(S3SigV4Auth):
    def payload(self, request: Any) -> str:
        return "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@pytest.mark.parametrize("ends", [b"zz\r\n", None], ids=["wrong framing", "hangs up"])
def test_a_large_body_that_goes_wrong_leaves_nothing(
    cloud: RunningCloud, ends: bytes | None
) -> None:
    """Far behind what a thread has already digested and written."""
    pair, size = cloud.keys[DATA], 4 * 1024**2
    request = signed(
        Credentials(pair["access_key_id"], pair["secret_access_key"]), method="PUT", body=b"",
        url=f"{cloud.endpoint}/faults/wrong", signer=_Streaming, service="s3",
        headers={"x-amz-decoded-content-length": str(2 * size)},
    )  # fmt: skip
    lines = [f"{k}: {v}" for k, v in request.headers.items()]
    head = "\r\n".join([f"PUT {request.path} HTTP/1.1", *lines, "content-length: 9000000"])
    incoming = cloud.lab / "cloud" / "incoming"
    with tls(cloud) as wrapped:
        wrapped.sendall(f"{head}\r\n\r\n{size:x}\r\n".encode() + bytes(size) + b"\r\n")
        assert until(lambda: any(p.stat().st_size >= size // 2 for p in incoming.iterdir()))
        if ends is not None:
            wrapped.sendall(ends + bytes(2 * 1024**2))
            assert says(wrapped, b"not a hexadecimal number")
    assert until(lambda: not any(incoming.iterdir()))
    served(cloud)


@pytest.mark.parametrize("size", [0, 1, 512 * 1024, 1024**2 - 1, 3 * 1024**2 + 7])
def test_a_body_arrives_in_order(cloud: RunningCloud, size: int) -> None:
    s3, body = cloud.client("s3"), os.urandom(size)
    answer = s3.put_object(Bucket="faults", Key="order", Body=body)
    assert answer["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
    assert s3.get_object(Bucket="faults", Key="order")["Body"].read() == body
    s3.delete_object(Bucket="faults", Key="order")


@pytest.mark.parametrize("length", ["9223372036854775808", "18446744073709551615", "9" * 400])
def test_a_length_beyond_all_limits_is_answered_at_once(cloud: RunningCloud, length: str) -> None:
    """It was taken for none, and the answer waited ten seconds for the rest of such a body."""
    with tls(cloud) as wrapped:
        wrapped.settimeout(budgets.DISCARD_SECONDS * 0.9)
        head = f"PUT /faults/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\nabcd"
        wrapped.sendall(head.encode())
        assert wrapped.recv(64).startswith((b"HTTP/1.1 413", b"HTTP/1.1 400"))


def test_garbage_before_tls(cloud: RunningCloud) -> None:
    served(cloud)
    before = descriptors(cloud)
    for number in range(90):
        with socket.create_connection(("127.0.0.1", cloud.port)) as raw:
            raw.sendall((b"GET / HTTP/1.1\r\n\r\n", os.urandom(300), b"")[number % 3])
    served(cloud)
    assert released(cloud, before)


def test_garbage_inside_tls(cloud: RunningCloud) -> None:
    with tls(cloud) as wrapped:
        wrapped.sendall(b"\x00\x01garbage\r\n\r\n")
        assert wrapped.recv(64).startswith(b"HTTP/1.1 400")
    served(cloud)


def test_five_hundred_connections(cloud: RunningCloud) -> None:
    served(cloud)
    before, memory = descriptors(cloud), resident(cloud)
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            wrapped = stack.enter_context(tls(cloud))
            wrapped.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")  # and no more
        assert served(cloud) < budgets.HEAD_SECONDS * 0.9
        assert resident(cloud) - memory < 100 * 1024**2
    assert released(cloud, before)


def test_slow_bodies_hold_no_thread(cloud: RunningCloud) -> None:
    with contextlib.ExitStack() as stack:
        for number in range(40):  # five times the threads there are
            wrapped = stack.enter_context(tls(cloud))
            wrapped.sendall(request_bytes(cloud, f"slow{number}", 1000) + b"x")
        assert served(cloud) < budgets.BODY_PAUSE_SECONDS * 0.9


def test_cut_bodies_leave_nothing(cloud: RunningCloud) -> None:
    before, folder = descriptors(cloud), cloud.lab / "cloud" / "incoming"
    for number in range(40):
        with tls(cloud) as wrapped:
            wrapped.sendall(request_bytes(cloud, f"cut{number}", 10_000_000) + bytes(300_000))
            # Cut before, it would be a request that was never begun.
            assert until(lambda: any(folder.iterdir()))
        assert until(lambda: not any(folder.iterdir()))
    assert cloud.client("s3").list_objects_v2(Bucket="faults")["KeyCount"] == 0
    assert released(cloud, before)


def test_a_body_in_drops_arrives(cloud: RunningCloud) -> None:
    with tls(cloud) as wrapped:
        wrapped.sendall(request_bytes(cloud, "drops", 50))
        for _ in range(50):
            wrapped.sendall(b"d")
            time.sleep(0.002)
        assert wrapped.recv(4096).startswith(b"HTTP/1.1 200")
    s3 = cloud.client("s3")
    assert s3.get_object(Bucket="faults", Key="drops")["Body"].read() == b"d" * 50
    s3.delete_object(Bucket="faults", Key="drops")


def test_sixty_four_mebibytes(cloud: RunningCloud) -> None:
    s3 = cloud.client("s3")
    served(cloud)
    memory, body = resident(cloud), os.urandom(1024**2) * 64
    s3.put_object(Bucket="faults", Key="big", Body=body)
    assert s3.get_object(Bucket="faults", Key="big")["Body"].read() == body
    assert resident(cloud) - memory < 40 * 1024**2
    s3.delete_object(Bucket="faults", Key="big")


def test_who_may_not_write_fills_no_disk(cloud: RunningCloud) -> None:
    """The refusal comes before the body, and a stranger's bytes are not kept even for a moment."""
    folder = cloud.lab / "cloud" / "incoming"
    for head in (
        b"PUT /faults/stranger HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n",
        request_bytes(cloud, "k", 10**8).replace(b"/faults/k", b"/faults/k", 1),
    ):
        with tls(cloud) as wrapped:
            wrapped.sendall(head + b"x" * 1000)
            if b"stranger" in head:
                assert wrapped.recv(4096).startswith(b"HTTP/1.1 403")
                assert not list(folder.iterdir())
            else:
                assert until(lambda: bool(list(folder.iterdir())))  # the owner's is taken
    assert until(lambda: not list(folder.iterdir()))


@pytest.mark.parametrize("length", [1000, 20 * 1024**2])
def test_an_early_answer_does_not_confuse_the_next(cloud: RunningCloud, length: int) -> None:
    """What is left of a refused body is never taken for the next request."""
    head = b"PUT /faults/stranger HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % length
    other = b"GET /_nitro/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for expect in (b"", b"Expect: 100-continue\r\n"):
        with tls(cloud) as wrapped:
            wrapped.sendall(head + expect + b"\r\n")
            if not expect and length < 8 * 1024**2:
                wrapped.sendall(bytes(length) + other)
                assert says(wrapped, b'"status":"ok"')
                continue
            wrapped.sendall(other)
            assert says(wrapped, b"connection: close")
            wrapped.settimeout(PATIENCE)
            with contextlib.suppress(ConnectionError):
                while piece := wrapped.recv(4096):
                    assert b"status" not in piece


def test_an_unwanted_body_is_answered(cloud: RunningCloud, refused: Any) -> None:
    """boto3 waits for 100-continue, is refused, and goes on with its next call."""
    session = cloud.role("NoWriter", [])
    s3 = cloud.client("s3", session)
    for _ in range(3):
        refused("AccessDenied", s3.put_object, Bucket="faults", Key="k", Body=bytes(3 * 1024**2))
        refused("AccessDenied", s3.list_objects_v2, Bucket="faults")


def test_a_full_disk_keeps_no_object(plain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake, "ContentFile", _OnAFullDisk)
    monkeypatch.setattr(Dispatcher, "admits", lambda *_: True)
    head = b"PUT /b/k HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", plain)) as raw:
        raw.sendall(head + bytes(100_000))
        assert says(raw, b"disk is full; nothing was kept")


def test_a_process_without_threads_mixes_no_contents(own_cloud: RunningCloud) -> None:
    """A pool that could start no thread wrote what it had kept into another upload's file."""
    own_cloud.start()
    process = psutil.Process(own_cloud.pid)
    before, s3 = process.num_threads(), own_cloud.client("s3")
    s3.create_bucket(Bucket="threads")
    for number in range(4):
        s3.put_object(Bucket="threads", Key=f"k{number}", Body=bytes(3 * 1024**2))
    assert process.num_threads() == before


def test_a_process_without_descriptors_keeps_nothing_unnamed(own_cloud: RunningCloud) -> None:
    """Contents that no row names would fill the disk until the next start."""
    own_cloud.start()
    s3, kept = own_cloud.client("s3"), set[int]()
    hasty = own_cloud.client("s3", read_timeout=3)  # who finds no descriptor waits for nothing
    s3.create_bucket(Bucket="few")
    s3.put_object(Bucket="few", Key="first", Body=b"x")
    files, few = own_cloud.lab / "cloud" / "objects", descriptors(own_cloud)
    limits = resource.prlimit(own_cloud.pid, resource.RLIMIT_NOFILE)
    for limit in range(few - 3, few + 5):
        resource.prlimit(own_cloud.pid, resource.RLIMIT_NOFILE, (limit, limits[1]))
        with contextlib.suppress(BotoCoreError, ClientError):
            hasty.put_object(Bucket="few", Key=f"k{limit}", Body=b"x")
        resource.prlimit(own_cloud.pid, resource.RLIMIT_NOFILE, limits)
        count = len(s3.list_objects_v2(Bucket="few")["Contents"])
        assert len(list(files.glob("*/*"))) == count
        kept.add(count)
    assert {1, 2} <= kept  # some could not be kept, some could


class _OnAFullDisk(ContentFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        full = os.open("/dev/full", os.O_WRONLY)
        os.dup2(full, self._descriptor)
        os.close(full)


def test_a_call_is_not_an_object(cloud: RunningCloud) -> None:
    """64 MiB to KMS are refused from the head, without reading them."""
    memory = resident(cloud)
    with tls(cloud) as wrapped:
        head = "\r\n".join(f"{k}: {v}" for k, v in {**TARGET, "Host": "localhost"}.items())
        wrapped.sendall(
            f"POST / HTTP/1.1\r\n{head}\r\nContent-Length: {64 * 1024**2}\r\n\r\n".encode()
        )
        answer = wrapped.recv(4096)
    assert answer.startswith(b"HTTP/1.1 413")
    pair = cloud.keys[DATA]
    known = signed(
        Credentials(pair["access_key_id"], pair["secret_access_key"]), url=f"{cloud.endpoint}/"
    )
    head = "\r\n".join(f"{k}: {v}" for k, v in known.headers.items())
    with tls(cloud) as wrapped, contextlib.suppress(OSError):
        wrapped.sendall(f"POST / HTTP/1.1\r\n{head}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(2 * budgets.CALL_BYTES // 65536):
            wrapped.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
        assert b"413" in wrapped.recv(4096)
    assert resident(cloud) - memory < 40 * 1024**2
    served(cloud)


def test_hanging_up_while_reading(cloud: RunningCloud) -> None:
    s3 = cloud.client("s3")
    s3.put_object(Bucket="faults", Key="half", Body=bytes(20 * 1024**2))
    before = descriptors(cloud)
    for _ in range(40):
        stream = s3.get_object(Bucket="faults", Key="half")["Body"]
        stream.read(1000)
        stream.close()
    s3.delete_object(Bucket="faults", Key="half")
    s3.close()
    assert released(cloud, before)


@pytest.fixture
def plain(dispatcher: Dispatcher) -> Iterator[int]:
    """A server in this process, without TLS: what it waits for, a test can change."""
    notes: list[Any] = []
    config = uvicorn.Config(
        make_app(dispatcher, log=notes.append), http=patience.PatientProtocol, log_config=None,
        ws="none", lifespan="on", loop="asyncio", timeout_keep_alive=PATIENCE,
    )  # fmt: skip
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()
    listener.close()


def says(raw: socket.socket, expected: bytes) -> bool:
    raw.settimeout(PATIENCE)
    answer = b""
    while expected not in answer and (piece := raw.recv(4096)):
        answer += piece
    return expected in answer


def hung_up(raw: socket.socket) -> bool:
    raw.settimeout(PATIENCE)
    try:
        return raw.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_slow_head_ends_its_connection(plain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "HEAD_SECONDS", 1)
    for start in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nA: b\r\n"):
        with socket.create_connection(("127.0.0.1", plain)) as raw:
            raw.sendall(start)
            assert hung_up(raw)


def test_a_second_slow_head_too(plain: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_connection(("127.0.0.1", plain)) as raw:
        raw.sendall(b"GET /_nitro/health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert says(raw, b'"status":"ok"')
        monkeypatch.setattr(budgets, "HEAD_SECONDS", 1)
        time.sleep(1.5)  # between two requests the pause is the keep-alive's
        raw.setblocking(False)
        with pytest.raises(BlockingIOError):
            raw.recv(1)
        raw.sendall(b"GET /_nitro/health HTTP/1.1\r\nHost")
        assert hung_up(raw)


def test_an_endless_head_ends_its_connection(plain: int) -> None:
    for endless in (b"A: b\r\n", b"x" * 100):
        with socket.create_connection(("127.0.0.1", plain)) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\nB: ")
            with contextlib.suppress(ConnectionError):
                for _ in range(20_000):
                    raw.sendall(endless)
            assert hung_up(raw)


def test_a_body_that_pauses(
    plain: int, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "BODY_PAUSE_SECONDS", 1)
    head = "\r\n".join(f"{k}: {v}" for k, v in signed(keys(dispatcher)).headers.items())
    with socket.create_connection(("127.0.0.1", plain)) as raw:
        raw.sendall(f"POST / HTTP/1.1\r\n{head}\r\nContent-Length: 10\r\n\r\n{{".encode())
        assert says(raw, b"RequestTimeout")


def test_an_answer_is_given_even_when_a_handler_fails(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nitro_workflow.cloud.local import sts

    def fail(*_: Any) -> Any:
        raise RuntimeError("the secret is canary-1234")

    monkeypatch.setitem(sts.OPERATIONS, "GetCallerIdentity", fail)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    answer = dispatcher.handle(signed(keys(dispatcher), headers=form, body=body, service="sts"))
    assert answer.status == 500
    assert b"RuntimeError" in answer.body
    assert b"canary" not in answer.body


def test_kill_9_in_the_middle_of_writes(tmp_path: Path) -> None:
    totals = mixed_writes.run(tmp_path, writes=300, kills=3)
    assert totals["acknowledged"] >= 300
    assert totals["kills"] == 3


def test_poisoned_environment_never_reaches_aws(own_cloud: RunningCloud, tmp_path: Path) -> None:
    """A user's set-up for real AWS, proxies and models of his own: nothing of it is used."""
    from nitro_workflow.cloud import Connection

    config = tmp_path / "config"
    config.write_text("[default]\nregion = eu-west-1\nendpoint_url = https://192.0.2.101\n")
    models = tmp_path / "home" / ".aws" / "models" / "kms" / "2014-11-01"
    models.mkdir(parents=True)
    (models / "service-2.json").write_text('{"metadata": {}, "operations": {}, "shapes": {}}')
    poison = {
        "AWS_ENDPOINT_URL": "https://192.0.2.101", "AWS_ENDPOINT_URL_KMS": "https://192.0.2.102",
        "AWS_PROFILE": "missing", "AWS_CONFIG_FILE": str(config), "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL",
        "AWS_SECRET_ACCESS_KEY": "real", "AWS_SESSION_TOKEN": "real", "AWS_CA_BUNDLE": str(config),
        "HTTPS_PROXY": "http://192.0.2.103:1", "https_proxy": "http://192.0.2.103:1",
        "HOME": str(tmp_path / "home"), "AWS_DATA_PATH": str(tmp_path / "home" / ".aws" / "models"),
    }  # fmt: skip
    own_cloud.start(environment=poison)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in poison.items():
            patched.setenv(name, value)
        connection = Connection.of(own_cloud.lab)
        with connection.client("sts", DATA) as sts, connection.client("kms", DATA) as kms:
            assert sts.get_caller_identity()["Account"] == DATA
            assert kms.meta.endpoint_url == own_cloud.endpoint
            kms.list_keys()
            asked = {c.raddr.ip for c in psutil.net_connections("inet") if c.raddr}
    # Of the whole machine: the cloud's own are seen only so. No other test has these addresses.
    assert not asked & {"192.0.2.101", "192.0.2.102", "192.0.2.103"}


def canaries(cloud: RunningCloud) -> list[bytes]:
    """Make secrets of every kind pass through the cloud; return them."""
    kms, plain = cloud.client("kms"), f"canary-{uuid.uuid4().hex}".encode()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=plain)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed)["Plaintext"] == plain
    data_key = kms.generate_data_key(KeyId=key, KeySpec="AES_256")["Plaintext"]
    iam = cloud.client("iam")
    iam.create_user(UserName="canary")
    access = iam.create_access_key(UserName="canary")["AccessKey"]["SecretAccessKey"]
    session = cloud.role("Canary", [])
    texts = (access, session["SecretAccessKey"], session["SessionToken"])
    operators = [key["secret_access_key"].encode() for key in cloud.keys.values()]
    return [plain, data_key, *(text.encode() for text in texts), *operators]


def test_canaries_are_nowhere_in_clear(own_cloud: RunningCloud) -> None:
    own_cloud.start()
    secrets = canaries(own_cloud)
    events = json.dumps(own_cloud.events()).encode()
    own_cloud.stop()
    forms = [
        form for secret in secrets for form in (secret, secret.hex().encode(), _base64(secret))
    ]
    folder = own_cloud.lab
    searched = 0
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "credentials.json":
            content = path.read_bytes()
            searched += len(content)
            assert not [f for f in forms if f in content], path
    assert searched > 100_000
    assert not [form for form in forms if form in events]


def _base64(data: bytes) -> bytes:
    import base64

    return base64.b64encode(data)


def test_the_signed_digest_is_of_the_body_that_came(cloud: RunningCloud) -> None:
    """An unsigned Content-Encoding can not make the server digest something else."""
    import hashlib

    pair = cloud.keys[DATA]
    credentials = Credentials(pair["access_key_id"], pair["secret_access_key"])
    body = b"3\r\nabc\r\n0\r\n\r\n"
    request = signed(
        credentials, method="PUT", url=f"{cloud.endpoint}/faults/wrapped", body=body,
        headers={"X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}, signer=S3SigV4Auth,
        service="s3",
    )  # fmt: skip
    added = {"content-encoding": "aws-chunked", "content-length": str(len(body))}
    lines = [f"PUT {request.path} HTTP/1.1"]
    lines += [f"{name}: {text}" for name, text in {**request.headers, **added}.items()]
    for sent, expected in ((body, b"HTTP/1.1 200"), (body.replace(b"b", b"x"), b"HTTP/1.1 400")):
        with tls(cloud) as wrapped:
            wrapped.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + sent)
            assert says(wrapped, expected)
    s3 = cloud.client("s3")
    assert s3.get_object(Bucket="faults", Key="wrapped")["Body"].read() == body
    s3.delete_object(Bucket="faults", Key="wrapped")


def test_only_the_verified_claim_says_which_service(dispatcher: Dispatcher) -> None:
    """A second, unsigned credential in the query does not change the way a body goes."""
    request = signed(keys(dispatcher))
    forged = replace(request, query="X-Amz-Credential=a/20260101/us-east-1/s3/aws4_request")
    arrival = dispatcher.arrive(forged)
    assert isinstance(arrival, Arrival)
    assert (arrival.service.name, arrival.operation) == ("kms", "ListKeys")
    assert dispatcher.handle(forged).status == 400
