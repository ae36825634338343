"""The address that JupyterLab's extension asks: a real server, asked as its user and as everybody else."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from urllib.parse import quote

import pytest

from tests.conftest import VECTORS
from tests.jupyter_server import wait_for_port

TOKEN = "for-tests-only"
REAL = (VECTORS / "attestation" / "8e5652f3b009e620.bin").read_bytes()
HOSTILE = "<img src=x onerror=alert(1)>%s.cbor"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return the port of a Jupyter server over a folder of files, some of them not for it."""
    top = tmp_path_factory.mktemp("jupyter")
    folder = top / "files"
    (folder / "sub").mkdir(parents=True)
    (top / "outside.cbor").write_bytes(REAL)
    for name in ("document.cbor", ".hidden.cbor", "sub/document.cbor", HOSTILE):
        (folder / name).write_bytes(REAL)
    os.mkfifo(folder / "pipe.eif")
    (folder / "unreadable.cbor").symlink_to("nowhere")
    log = top / "log"
    command = [
        sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.port=0",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    own = {f"JUPYTER_{name}_DIR": str(top / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    with log.open("w") as out:
        server = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **own})
    try:
        yield wait_for_port(server, log)
    finally:
        server.terminate()
        server.wait(timeout=60)


def _ask(port, path, method="GET", **headers):
    headers = {"Authorization": f"token {TOKEN}", **headers}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, f"/nitro-workflow/page?path={quote(path)}", headers=headers)
    answer = connection.getresponse()
    said = answer.status, dict(answer.getheaders()), answer.read().decode()
    connection.close()
    return said


@pytest.mark.parametrize("path", ["document.cbor", "sub/document.cbor", "/sub/document.cbor"])
def test_a_file_is_told_as_the_page_that_html_writes(served, path):
    status, headers, body = _ask(served, path)
    assert status == 200
    page = json.loads(body)["page"]
    assert page.startswith("<!doctype html>")
    assert "The regional certificate has expired" in page
    # Not a page by itself: no browser runs it as one of the server's.
    assert headers["Content-Type"].startswith("application/json")
    assert "default-src 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "../outside.cbor", "sub/../../outside.cbor", "/../outside.cbor", "missing.cbor", "sub", "",
        ".hidden.cbor", "pipe.eif", "unreadable.cbor", "nul\0.cbor",
    ],
)  # fmt: skip
def test_what_the_server_does_not_show_is_not_told(served, path):
    status, _, body = _ask(served, path)
    assert status in (400, 404)
    assert "expired" not in body


def test_only_who_is_logged_in_may_ask(served):
    for wrong in ("", "token another"):
        assert _ask(served, "document.cbor", Authorization=wrong)[0] == 403


def test_another_sites_page_may_not_ask_with_the_browsers_cookie(served):
    connection = http.client.HTTPConnection("127.0.0.1", served, timeout=60)
    connection.request("GET", f"/api/status?token={TOKEN}")
    cookie = connection.getresponse().getheader("Set-Cookie").partition(";")[0]
    connection.close()
    own = {"Authorization": "", "Cookie": cookie}
    assert _ask(served, "document.cbor", **own)[0] == 200
    assert _ask(served, "document.cbor", **own, Origin="http://elsewhere.example")[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_it_only_reads(served, method):
    assert _ask(served, "document.cbor", method)[0] == 405


def test_a_hostile_name_stays_text(served):
    status, _, body = _ask(served, HOSTILE)
    assert status == 200
    assert "<img" not in json.loads(body)["page"]


def test_a_request_without_a_path_is_refused(served):
    connection = http.client.HTTPConnection("127.0.0.1", served, timeout=60)
    connection.request("GET", "/nitro-workflow/page", headers={"Authorization": f"token {TOKEN}"})
    assert connection.getresponse().status == 400
    connection.close()
