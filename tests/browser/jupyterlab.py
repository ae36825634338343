"""A real JupyterLab and Notebook 7, headless, for tests and for looking at notebooks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import nbformat

from tests.jupyter_server import wait_for_port

TOKEN = "for-tests-only"
FACES = {"lab": "lab/tree", "notebook": "notebooks"}
"""One server shows a notebook in both: where JupyterLab and where Notebook 7 open one."""


@contextlib.contextmanager
def jupyterlab(folder: Path, settings: Path, **environment: str):
    """Start JupyterLab over ``folder`` on a free port; yield its address with the token."""
    settings.mkdir(parents=True, exist_ok=True)
    _setting(settings, "notification", {"fetchNews": "false"})
    own = {
        f"JUPYTER_{name}_DIR": str(settings / name.lower())
        for name in ("CONFIG", "DATA", "RUNTIME")
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ServerApp.port=0",
        f"--IdentityProvider.token={TOKEN}", "--LabApp.news_url=None",
        "--LabApp.expose_app_in_browser=True",  # as ``jupyterapp``, for tests
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        f"--LabApp.user_settings_dir={settings / 'settings'}",
        f"--LabApp.workspaces_dir={settings / 'workspaces'}",
    ]  # fmt: skip
    log = settings / "jupyterlab.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=folder, stdout=out, stderr=out, env={**os.environ, **own, **environment}
        )
    try:
        yield f"http://127.0.0.1:{wait_for_port(process, log)}/lab"
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:  # a kernel that was restarted can keep it waiting
            process.kill()
            process.wait()


def use_dark_theme(settings: Path) -> None:
    """Make the next start dark."""
    _setting(settings, "themes", {"theme": "JupyterLab Dark"})


def _setting(settings: Path, plugin: str, value: dict) -> None:
    folder = settings / "settings" / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{plugin}.jupyterlab-settings").write_text(json.dumps(value))


def address_in(face: str, address: str, notebook: str) -> str:
    """Return where JupyterLab or Notebook 7 opens a notebook, in a workspace of its own."""
    base = address.removesuffix("/lab")
    return f"{base}/{FACES[face]}/{notebook}?token={TOKEN}&reset"


def run_all(page, address: str, notebook: str, face: str = "lab") -> None:
    """Open a notebook, run every cell, and wait until the kernel has nothing left to do."""
    page.goto(address_in(face, address, notebook))
    # Before the kernel is there, "Run All" would meet a dialog that asks for one.
    page.locator(".jp-Notebook").wait_for(timeout=60_000)
    page.get_by_role("button", name=re.compile("Python 3")).first.wait_for(timeout=60_000)
    page.wait_for_timeout(1500)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    wait_until_idle(page)


def wait_until_idle(page, seconds: float = 240) -> None:
    """Wait until every code cell shows a number and none shows a star."""
    state = """() => [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(p => p.textContent)"""
    for _ in range(int(seconds * 2)):
        page.wait_for_timeout(500)
        prompts = page.evaluate(state)
        if prompts and all(re.search(r"\[\d+\]", prompt) for prompt in prompts):
            return
    raise TimeoutError(f"cells that did not finish: {page.evaluate(state)}")


def save(page, path: Path) -> nbformat.NotebookNode:
    """Save the open notebook and return what is in its file then."""
    before = path.stat().st_mtime_ns
    page.keyboard.press("Control+s")
    for _ in range(100):
        page.wait_for_timeout(100)
        if path.stat().st_mtime_ns != before:
            break
    page.wait_for_timeout(500)
    return nbformat.read(path, as_version=4)


def shut_down_kernels(address: str) -> None:
    """End every session, as a server that is stopped over night does."""
    base = address.rsplit("/lab", 1)[0]
    with urllib.request.urlopen(f"{base}/api/sessions?token={TOKEN}") as answer:
        sessions = json.load(answer)
    for session in sessions:
        url = f"{base}/api/sessions/{session['id']}?token={TOKEN}"
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).close()
