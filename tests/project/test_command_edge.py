"""The command's edge: whatever a person does, no traceback, and the exit code of the table."""

from __future__ import annotations

import errno
import json
import os
import shlex
import ssl
import subprocess
import sys
from pathlib import Path

import pytest

from nitro_workflow.errors import EncodingError, InputError, ServiceError
from nitro_workflow.system_errors import as_package_error

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "tests" / "vectors" / "attestation" / "5f42eb915e451a2f.bin"
# Up to 3.12, pathlib refuses to resolve such links itself.
LATER = sys.version_info >= (3, 13)
COMMAND = [sys.executable, "-m", "nitro_workflow.cli"]


def run(shell: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which ``NW`` is the command and ``DOC`` a document."""
    line = shell.replace("NW", shlex.join(COMMAND)).replace("DOC", shlex.quote(str(DOCUMENT)))
    own = {"PYTHONPATH": str(ROOT), "NITRO_WORKFLOW_LAB": str(folder / "lab"), "HOME": str(folder)}
    found = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        capture_output=True,
        timeout=60,
        env={**os.environ, **own, **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert b"Traceback" not in found.stdout + found.stderr, found.stderr.decode()
    assert b"Exception ignored" not in found.stderr
    return found


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("NW --help > /dev/full", 4, b"standard output"),
        ("NW attestation show DOC > /dev/full", 4, b"standard output"),
        ("NW attestation show DOC >&-", 4, b"standard output"),
        ("NW attestation show DOC >&- 2>&-", 4, b""),
        ("NW attestation show DOC > /dev/full 2> /dev/full", 4, b""),
        ("NW attestation verify - <&-", 3, b""),
        ("NW attestation verify DOC --at document <&-", 1, b""),
        ("NW policy check none", 3, b"No such file"),
        ("NW policy check /tmp", 3, b"directory"),
        ("NW policy check $'no\\xff'", 3, b"No such file"),
        ("printf 'a\\0b\\n' > list; NW attestation verify --files-from list", 3, b"NUL"),
        ("NW attestation verify DOC --nonce $'text:\\xff'", 3, b"UTF-8"),
        ("NW attestation verify DOC --at 0001-01-01T00:00:00+23:59", 2, b"--at document"),
        ("NW attestation verify --files-from /dev/zero", 3, b"a line of more than 65536"),
        ("NW policy check /dev/zero", 3, b"more than 268435456 bytes"),
        (
            "ln -s loop loop; NW cloud env --lab loop",
            *((4, b"levels of symbolic") if LATER else (3, b"lead back")),
        ),
        ("ln -s loop loop; NW status --lab loop", 3, b"no lab in" if LATER else b"lead back"),
        ("NW image pcr --input /dev/zero", 3, b"a device, which has no end"),
        ("NW nitro-cli pcr --input /dev/zero", 19, b"a device, which has no end"),
        ("NW cloud new-credentials none/x", 3, b"No such file"),
        ("NW status --lab $'x\\xff\\xfe'", 3, b"no lab in"),
        ("NW no-such-command", 2, b"No such command"),
        (f"NW policy check {'x' * 300}", 3, b"too long"),
    ],
)
def test_what_a_person_can_cause(tmp_path, line, code, said):
    found = run(line, tmp_path)
    assert found.returncode == code, found.stderr.decode()
    assert said in found.stdout + found.stderr


def test_the_address_of_a_cloud_that_was_killed_is_no_traceback(tmp_path):
    """Its files are left; nobody listens there."""
    folder = tmp_path / "lab" / "cloud"
    folder.mkdir(parents=True)
    served = {"endpoint": "https://127.0.0.1:1", "ca": ssl.get_default_verify_paths().cafile}
    (folder / "endpoint.json").write_text(json.dumps({**served, "pid": 1}))
    key = {"access_key_id": "AKIA" + "A" * 16, "secret_access_key": "s" * 40}
    (folder / "credentials.json").write_text(json.dumps({"111122223333": key}))
    found = run("NW events --lab lab", tmp_path)
    assert found.returncode == 4, found.stderr
    assert b"next" in found.stderr


def test_a_reader_that_leaves_is_no_refusal(tmp_path):
    """Ten documents are more than a pipe holds: the writer meets its end, however slow `head` is."""
    documents = "DOC " * 10
    line = (
        f"NW attestation show --json {documents}| head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}"
    )
    found = run(line, tmp_path, PYTHONUNBUFFERED="1")
    assert (found.stdout, found.stderr) == (b"141\n", b"")


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_a_terminal_of_few_letters(tmp_path, encoding):
    found = run("NW attestation show DOC", tmp_path, PYTHONIOENCODING=encoding)
    assert found.returncode == 0
    assert b"module_id" in found.stdout


def test_a_closed_descriptor_is_not_given_to_a_file(tmp_path):
    script = (
        "import os; from nitro_workflow.cli.standard_streams import use_streams; use_streams();"
        "fd = os.open('kept', os.O_CREAT | os.O_WRONLY);"
        "raise SystemExit(0 if fd > 2 else 9)"
    )
    line = shlex.join([sys.executable, "-c", script]) + " <&- >&- 2>&-"
    assert run(line, tmp_path).returncode == 0


def test_a_full_file_system_is_no_fault_of_what_was_given():
    for number, kind in (
        (errno.ENOSPC, ServiceError),
        (errno.EROFS, ServiceError),
        (errno.EMFILE, ServiceError),
        (errno.EIO, ServiceError),
        (errno.ENOENT, InputError),
        (errno.EACCES, InputError),
        (errno.ENAMETOOLONG, InputError),
    ):
        error = as_package_error(OSError(number, os.strerror(number), "a\x1bb"))
        assert type(error) is kind
        assert error.next
        assert "\x1b" not in error.diagnostics()


def test_limits_of_python_are_inputs_and_faults_of_ours_are_not():
    assert isinstance(as_package_error(RecursionError()), InputError)
    assert isinstance(as_package_error(MemoryError()), ServiceError)
    assert isinstance(as_package_error(UnicodeDecodeError("utf-8", b"", 0, 1, "")), InputError)
    own = EncodingError("x")
    assert as_package_error(own) is own
    assert as_package_error(ValueError("a fault of the program")) is None
    assert as_package_error(KeyError("pcrs")) is None
