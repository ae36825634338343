"""The metadata service over HTTP: tokens, refusals of version 1, credentials, botocore's own client."""

import contextlib
import http.client
import json
import os
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from nitro_workflow.errors import CloudUnavailable
from nitro_workflow.host.instance import imds, imds_server
from nitro_workflow.host.instance.cloud_records import InstanceRecord, RoleCredentials
from nitro_workflow.host.instance.imds import MetadataService
from nitro_workflow.host.instance.imds_server import MetadataServer

ROLE = "arn:aws:iam::444455556666:role/ParentInstance"
CREDENTIALS = "/latest/meta-data/iam/security-credentials"
TTL = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"
PATIENCE = 60  # seconds, on a loaded machine


@pytest.fixture
def fetched():
    return []


@pytest.fixture
def metadata(fetched):
    def fetch():
        fetched.append(1)
        if len(fetched) > 9:
            raise CloudUnavailable("no cloud")
        end = datetime.now(UTC) + timedelta(hours=1 if len(fetched) > 1 else 0)
        return RoleCredentials(f"ASIA{len(fetched)}", "secret", "token", end)

    return MetadataService(InstanceRecord("i-1", ROLE, True, "running", hop_limit=2), fetch)


@pytest.fixture
def service(metadata):
    """The service as it stands without a sandbox: on a port of this machine's loopback."""
    it = MetadataServer(metadata)
    yield it
    it.close()


@pytest.fixture
def ask(service):
    connection = http.client.HTTPConnection(urlsplit(service.endpoint).netloc, timeout=PATIENCE)

    place = urlsplit(service.endpoint).path.rstrip("/")

    def call(method, path, body=None, *, below=place, **headers):
        path = below + path
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    yield call
    connection.close()


@pytest.fixture
def token(ask):
    status, text = ask("PUT", "/latest/api/token", **{TTL: "60"})
    assert status == 200
    return {TOKEN: text}


def test_version_1_is_refused(ask):
    assert ask("GET", "/latest/meta-data/instance-id") == (401, "")
    assert ask("GET", "/latest/meta-data/instance-id", **{TOKEN: "made up"}) == (401, "")
    assert (
        ask("GET", "/latest/meta-data/instance-id", **{TOKEN: "é".encode().decode("latin-1")})[0]
        == 401
    )


@pytest.mark.parametrize("seconds", ["", "0", "21601", "-1", "x", "1.5", "9" * 5000, "²", " 60"])
def test_how_long_a_token_lives(ask, seconds):
    expected = 200 if seconds.strip() == "60" else 400
    assert ask("PUT", "/latest/api/token", **{TTL: seconds})[0] == expected


def test_a_forwarded_put_is_refused(ask):
    assert ask("PUT", "/latest/api/token", **{TTL: "60", "X_Forwarded_For": "10.0.0.1"}) == (
        403,
        "",
    )
    assert ask("PUT", "/elsewhere", **{TTL: "60"}) == (404, "")


def test_a_token_ends(ask, token, monkeypatch):
    assert ask("GET", "/latest/meta-data/instance-id", **token) == (200, "i-1")
    later = imds.time.monotonic() + 61
    monkeypatch.setattr(imds.time, "monotonic", lambda: later)
    assert ask("GET", "/latest/meta-data/instance-id", **token)[0] == 401


def test_facts(ask, token):
    assert ask("GET", "/latest/meta-data/placement/region", **token) == (200, "us-east-1")
    assert ask("GET", f"{CREDENTIALS}/", **token) == (200, "ParentInstance")
    assert ask("GET", f"{CREDENTIALS}/Another", **token)[0] == 404
    assert ask("GET", "/latest/meta-data/../../etc/passwd", **token)[0] == 404
    document = json.loads(ask("GET", "/latest/dynamic/instance-identity/document", **token)[1])
    assert document["instanceId"] == "i-1"
    info = json.loads(ask("GET", "/latest/meta-data/iam/info", **token)[1])
    assert info["InstanceProfileArn"].endswith(":instance-profile/ParentInstance")


def test_credentials_are_kept_until_they_near_their_end(ask, token, fetched):
    path = f"{CREDENTIALS}/ParentInstance"
    body = json.loads(ask("GET", path, **token)[1])
    assert (body["AccessKeyId"], body["SecretAccessKey"], body["Code"]) == (
        "ASIA1",
        "secret",
        "Success",
    )
    assert json.loads(ask("GET", path, **token)[1])["AccessKeyId"] == "ASIA2"
    assert json.loads(ask("GET", path, **token)[1])["AccessKeyId"] == "ASIA2"
    assert len(fetched) == 2


def test_credentials_are_there_before_they_are_asked_for(metadata, fetched, ask, token):
    fetched.append(1)
    metadata.prepare().join(PATIENCE)
    assert len(fetched) == 2
    assert (
        json.loads(ask("GET", f"{CREDENTIALS}/ParentInstance", **token)[1])["AccessKeyId"]
        == "ASIA2"
    )
    fetched.extend([1] * 9)
    metadata.prepare().join(PATIENCE)  # a cloud that is down: whoever asks is told


def test_a_cloud_that_is_down_is_a_500(ask, token, fetched):
    fetched.extend([1] * 9)
    status, text = ask("GET", f"{CREDENTIALS}/ParentInstance", **token)
    assert status == 500
    assert "no cloud" in text


def test_an_instance_without_a_role(ask):
    it = MetadataService(InstanceRecord("i-1", None, True, "running"), lambda: None)
    assert it.lookup(CREDENTIALS) is None


def test_a_body_is_not_the_next_request(ask):
    smuggled = b"GET /latest/meta-data/instance-id HTTP/1.1\r\n\r\n"
    assert ask("PUT", "/latest/api/token", smuggled, **{TTL: "60"})[0] == 200
    assert ask("GET", "/latest/meta-data/instance-id") == (401, "")


def test_a_chunked_body_is_not_the_next_request_either(service):
    place = urlsplit(service.endpoint)
    with socket.create_connection((place.hostname, place.port), PATIENCE) as sock:
        head = f"PUT {place.path}latest/api/token HTTP/1.1\r\n{TTL}: 60\r\n"
        body = "0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        sock.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{body}".encode())
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := sock.recv(4096):
                answer += data
    assert len(answer.partition(b"\r\n\r\n")[2]) == 56  # a token, and no answer to the body


def test_an_answer_waits_for_no_acknowledgement(ask, monkeypatch):
    """Head and body are two pieces: with Nagle's algorithm each answer took 40 ms."""
    at_once, handle = [], imds_server._Handler.handle

    def look_and_handle(self):
        at_once.append(self.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        handle(self)

    monkeypatch.setattr(imds_server._Handler, "handle", look_and_handle)
    assert ask("PUT", "/latest/api/token", **{TTL: "60"})[0] == 200
    assert len(at_once) == 1
    assert all(at_once)


@pytest.mark.parametrize("junk", [b"", b"\0" * 100, b"GET\r\n\r\n", b"PUT / HTTP/9\r\n\r\n"])
def test_junk_ends_that_connection_only(service, junk, ask):
    host, port = urlsplit(service.endpoint).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as sock:
        sock.sendall(junk)
    assert ask("GET", "/x")[0] == 401


def test_no_token_is_forgotten_for_others(metadata):
    tokens = [metadata.issue_token(60) for _ in range(3000)]
    assert len(set(tokens)) == 3000
    assert all(map(metadata.knows, tokens))
    assert {len(it) for it in tokens} == {56}


@pytest.mark.parametrize("at", range(0, 56, 5))
def test_a_token_that_was_changed_is_none(metadata, at):
    token = metadata.issue_token(60)
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert not metadata.knows(changed)
    for other in (token[:-1], token + "A", "", "é" * 56, "=" * 56, "A" * 56):
        assert not metadata.knows(other)


def test_another_instances_token_is_none(metadata, fetched):
    other = imds.MetadataService(metadata._record, lambda: None)
    assert not metadata.knows(other.issue_token(60))


@pytest.mark.parametrize("method", ["POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "BREW"])
def test_other_methods_are_405(ask, method):
    assert ask(method, "/latest/api/token", **{TTL: "60"}) == (405, "")


def test_botocores_own_client_takes_it(service, monkeypatch):
    from botocore.utils import InstanceMetadataFetcher

    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED", raising=False)
    it = InstanceMetadataFetcher(
        timeout=PATIENCE, num_attempts=1, config={"ec2_metadata_service_endpoint": service.endpoint}
    )
    found = it.retrieve_iam_role_credentials()
    assert found["role_name"] == "ParentInstance"
    assert found["access_key"].startswith("ASIA")


def test_the_kernel_says_whose_the_other_end_is(service):
    address = urlsplit(service.endpoint)
    with socket.create_connection((address.hostname, address.port)) as mine:
        assert imds_server._user_of(mine.getsockname(), mine.getpeername()) == os.geteuid()
    assert imds_server._user_of(("127.0.0.1", 1), ("127.0.0.1", 2)) is None


@pytest.mark.parametrize("user", [os.geteuid() + 1, None])
def test_another_user_of_the_machine_gets_no_token(ask, monkeypatch, user):
    monkeypatch.setattr(imds_server, "_user_of", lambda *_: user)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask("PUT", "/latest/api/token", **{TTL: "60"})


def test_a_listener_of_a_namespace_needs_no_path_and_asks_for_no_user(metadata, monkeypatch):
    """Whoever reaches it there is the instance."""
    monkeypatch.setattr(imds_server, "_user_of", lambda *_: None)
    listener = socket.create_server(("127.0.0.1", 0))
    service = MetadataServer(metadata, listener)
    connection = http.client.HTTPConnection(*listener.getsockname(), timeout=PATIENCE)
    connection.request("PUT", "/latest/api/token", headers={TTL: "60"})
    assert connection.getresponse().status == 200
    connection.close()
    service.close()
    service.close()
    assert listener.fileno() == -1


def test_silent_connections_keep_nobody_out(service, ask):
    """More of them than there are places: each further one takes the oldest one's."""
    address = urlsplit(service.endpoint)
    silent = [
        socket.create_connection((address.hostname, address.port), timeout=PATIENCE)
        for _ in range(imds_server.CONNECTIONS + 8)
    ]
    assert ask("PUT", "/latest/api/token", **{TTL: "60"})[0] == 200
    assert silent[0].recv(1) == b""
    silent[-1].settimeout(0.2)
    with pytest.raises(TimeoutError):
        silent[-1].recv(1)
    for it in silent:
        it.close()


@pytest.mark.parametrize("below", ["", "/" + "A" * 32, "/A"])
def test_another_instance_does_not_know_the_path(ask, token, below):
    assert ask("PUT", "/latest/api/token", below=below, **{TTL: "60"})[0] == 404
    assert ask("GET", "/latest/meta-data/instance-id", below=below, **token)[0] == 404
