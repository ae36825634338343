"""A real JupyterLab and Notebook 7, headless, for tests and for looking at notebooks."""

from __future__ import annotations

import contextlib
import json
import os
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


# Asked of JupyterLab itself: cells below the screen are not in the page, and the number of a cell's
# earlier run looks like that of this one.
KERNEL_IS_IDLE = """() => {
  const panel = globalThis.jupyterapp?.shell.currentWidget;
  return panel?.context?.isReady && panel.sessionContext?.session?.kernel?.status === "idle";
}"""
RUN_ALL = "jupyterapp.commands.execute('notebook:run-all-cells')"
SAVE = "jupyterapp.shell.currentWidget.context.save()"


def run_all(page, address: str, notebook: str, face: str = "lab") -> None:
    """Open a notebook, run every cell, and wait until the kernel has answered the last."""
    page.goto(address_in(face, address, notebook))
    page.wait_for_function(KERNEL_IS_IDLE)  # before, it would ask for a kernel
    _await(page, RUN_ALL)


def save(page, path: Path) -> nbformat.NotebookNode:
    """Save the open notebook and return what is in its file then."""
    _await(page, SAVE)
    return nbformat.read(path, as_version=4)


def _await(page, promise: str) -> None:
    """Wait until a promise is kept; playwright itself would wait for ever."""
    late = "setTimeout(() => reject(new Error('not done in five minutes')), 300_000)"
    page.evaluate(f"new Promise((done, reject) => {{ {late}; {promise}.then(done, reject); }})")


def shut_down_kernels(address: str) -> None:
    """End every session, as a server that is stopped over night does."""
    base = address.rsplit("/lab", 1)[0]
    with urllib.request.urlopen(f"{base}/api/sessions?token={TOKEN}", timeout=60) as answer:
        sessions = json.load(answer)
    for session in sessions:
        url = f"{base}/api/sessions/{session['id']}?token={TOKEN}"
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=60).close()
