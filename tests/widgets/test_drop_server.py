"""The drop page's server: nobody but its own page, nothing too large, nothing kept."""

from __future__ import annotations

import base64
import http.client
import json
import re
import threading
from urllib.parse import urlsplit

import pytest

from nitro_workflow.errors import InputError, UsageError
from nitro_workflow.widgets.drop_zone import KEPT_VIEWS, DropZone
from nitro_workflow.widgets.inspecting import inspect
from nitro_workflow.widgets.loopback_page import MAX_BODY_BYTES, drop_server
from nitro_workflow.widgets.opened import Ask
from nitro_workflow.widgets.page_of_views import saved_page
from tests.conftest import VECTORS

REAL = (VECTORS / "attestation" / "8e5652f3b009e620.bin").read_bytes()
HOSTILE = "</script><img src=x onerror=alert(1)>.bin"


@pytest.fixture(scope="module")
def server():
    address, serve, stop = drop_server(Ask(at="document"))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield urlsplit(address)
    stop()
    thread.join(timeout=30)


def _ask(server, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    said = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return said


def _question(name, data):
    values = {"name": name, "data": base64.b64encode(data).decode()}
    return json.dumps({"id": 1, "question": "inspect", "values": values})


def test_the_page_is_sent_to_who_knows_its_address(server):
    status, headers, page = _ask(server, "GET", server.path)
    assert status == 200
    assert headers["Cache-Control"] == "no-store"
    assert b"connect-src 'self'" in page
    assert _ask(server, "GET", "/")[0] == 404
    assert _ask(server, "GET", server.path[:-2] + "x/")[0] == 404
    assert _ask(server, "GET", "/../etc/passwd")[0] == 404


def test_another_site_cannot_ask(server):
    path, body = f"{server.path}ask", _question("it", REAL)
    assert _ask(server, "POST", path, body)[0] == 200
    assert _ask(server, "POST", path, body, Host="evil.example")[0] == 404
    assert _ask(server, "POST", path, body, Host=f"evil.example:{server.port}")[0] == 404
    assert _ask(server, "POST", path, body, Origin="https://evil.example")[0] == 404
    assert _ask(server, "POST", path, body, Origin="null")[0] == 404
    own = f"127.0.0.1:{server.port}"
    assert _ask(server, "POST", path, body, Origin=f"http://{own}")[0] == 200


def test_a_document_is_inspected_and_asked(server):
    _, _, said = _ask(server, "POST", f"{server.path}ask", _question("it.bin", REAL))
    (view,) = json.loads(said)["answer"]
    assert (view["kind"], view["asks"]) == ("document", True)
    inner = {"view": view["id"], "question": "change", "values": {"at": 120, "value": 0}}
    question = json.dumps({"id": 2, "question": "view", "values": inner})
    answer = json.loads(_ask(server, "POST", f"{server.path}ask", question)[2])["answer"]
    assert answer["said"].startswith("1 check breaks")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{",
        '{"question": 1}',
        '{"question": "inspect"}',
        '{"question": "view", "values": {"view": 99}}',
        '{"question": "inspect", "values": {"data": "!"}}',
        "[" * 90_000,
    ],
)
def test_nonsense_is_refused_and_the_server_goes_on(server, body):
    status, _, said = _ask(server, "POST", f"{server.path}ask", body)
    assert status == 400 or "refused" in json.loads(said)
    assert _ask(server, "GET", server.path)[0] == 200


def test_too_much_is_refused_before_it_is_read(server):
    head = {"content-length": str(MAX_BODY_BYTES + 1)}
    assert _ask(server, "POST", f"{server.path}ask", b"x", **head)[0] == 413
    assert _ask(server, "POST", f"{server.path}ask", b"x", **{"content-length": "-1"})[0] == 413


def test_old_views_are_let_go():
    zone = DropZone(Ask())
    data = base64.b64encode(b"hello").decode()
    first = zone.answers["inspect"]({"name": "a", "data": data})[0]["id"]
    for _ in range(KEPT_VIEWS):
        zone.answers["inspect"]({"name": "a", "data": data})
    with pytest.raises(UsageError):
        zone.answers["view"]({"view": first, "question": "bytes", "values": {}})
    with pytest.raises(InputError):
        zone.answers["inspect"]({"data": 7})


def test_a_saved_page_asks_nobody_and_reads_without_script(tmp_path):
    path = tmp_path / HOSTILE.replace("/", "_")
    path.write_bytes(REAL)
    page = saved_page([inspect(path, at="document")], title=HOSTILE)
    assert len(page.encode()) < 400 * 1024
    assert "<img" not in page
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'")
    assert "connect-src" not in policy
    assert not re.search(r"""(?:src|href)=["'](?!data:)|url\(|@import""", page)
    bare = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    assert "Valid at its own time" in bare
    assert bare.count("The twelve checks") == 1
