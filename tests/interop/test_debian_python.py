"""A user of Debian 13, whose Python is 3.13: README's commands, with nothing else of this machine.

The enclave's image is packed from the Python that packs it, so each release can break it anew.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.peers import Unbuilt, trixie_folder

pytestmark = pytest.mark.interop

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "debian_python"
TRIXIE = "Debian with apt, and its mirror's trixie"
USER_SPACES = "kernel.unprivileged_userns_clone=1"
# What the interpreter decides: packing, TLS and sockets inside, and what the lessons show of it.
ROOMS = "tests/enclave_image tests/enclave tests/nsm tests/vsock"
LESSONS = "notebooks"


class Debian:
    """The unpacked release, and a home with a checkout in it."""

    def __init__(self, root: Path, home: Path) -> None:
        self._words = [str(HERE / "enter.sh"), str(root), str(home)]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the checkout; what it says on both ends is one text."""
        return subprocess.run(
            [*self._words, "env", "--chdir=nitro-workflow", *words],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a checkout, which the tests here share."""
    made = tmp_path_factory.mktemp("home")
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    ).stdout.decode()
    for name in filter(None, tracked.split("\0")):
        target = made / "nitro-workflow" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    return made


@pytest.fixture
def debian(home: Path, require: Callable[[str, bool, str], None]) -> Debian:
    probe = subprocess.run(["unshare", "--map-root-user", "--mount", "true"], check=False)
    require("interop", probe.returncode == 0, USER_SPACES)
    trouble = ""
    try:
        folder = trixie_folder(HERE)
    except Unbuilt as unbuilt:
        trouble = f"{TRIXIE}: {unbuilt}"
    require("interop", not trouble, trouble)
    return Debian(folder / "root", home)


def test_the_walk(debian: Debian) -> None:
    done = debian.run("make", "walk")
    assert "17 of 17 steps done" in done.stdout, done.stdout[-4000:]
    assert "Python 3.13" in debian.run(".venv/bin/python", "--version").stdout
    assert debian.run(".venv/bin/nitro-workflow", "down").returncode == 0


@pytest.mark.parametrize("what", [ROOMS, LESSONS], ids=["rooms", "lessons"])
def test_what_the_interpreter_decides(debian: Debian, what: str) -> None:
    done = debian.run("env", "NITRO_REQUIRE=sandbox", "make", "test", f"PYTEST_ARGS={what}")
    assert done.returncode == 0, done.stdout[-8000:]
    assert " passed" in done.stdout.splitlines()[-1]
