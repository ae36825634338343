"""The root filesystem: the same bytes each time, nothing of this machine's paths, and it runs."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from enclave_image.configuration import CONFIG_PATH, Program
from enclave_image.packing import closure
from enclave_image.packing.closure import Script
from enclave_image.packing.locked_wheels import canonical_name, read_lock
from enclave_image.packing.rehearsal import PracticeKms
from enclave_image.packing.root_filesystem import (
    COMMAND,
    build_rootfs,
    inspect_parent,
    report_json,
)
from enclave_image.packing.wheels import LOCK, Wheels, application_root, interpreter
from nitro_workflow.errors import ImageError, InputError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "word_count"
MB = 1_000_000


@pytest.fixture(scope="module")
def config() -> bytes:
    return closure._config(PracticeKms(closure.HOST, lambda document: document)).to_json()


@pytest.fixture(scope="module")
def built(tmp_path_factory, config):
    target = tmp_path_factory.mktemp("rootfs") / "rootfs"
    steps = []
    report = build_rootfs(target, config=config, progress=lambda *step: steps.append(step))
    assert steps[-1][1:] == (4, 4)
    return target, report


def contents(folder: Path) -> dict[str, tuple[int, str]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        )
        for path in folder.rglob("*")
    }


def test_the_same_inputs_give_the_same_bytes(built, tmp_path, config):
    """In another folder too, whose name is longer than a socket's path may be."""
    target, report = built
    long = tmp_path / ("long" * 30)
    again = build_rootfs(long / "another-name", config=config)
    assert contents(long / "another-name") == contents(target)
    assert again == report
    assert {path.name for path in long.iterdir()} <= {"another-name", "wheels"}


def test_another_configuration_changes_one_file(built, tmp_path, config):
    target, _ = built
    values = {**json.loads(config), "threshold": 11}
    build_rootfs(tmp_path / "r", config=json.dumps(values).encode())
    one, other = contents(target), contents(tmp_path / "r")
    assert {path for path in one if one[path] != other[path]} == {CONFIG_PATH[1:]}
    assert one.keys() == other.keys()


def test_the_report_is_what_lies_there(built):
    target, report = built
    on_disk = {f"/{path}" for path in contents(target) if (target / path).is_file()}
    assert {record.path for record in report.files} == on_disk
    for record in report.files:
        data = (target / record.path[1:]).read_bytes()
        assert (record.size, record.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert sum(size for _, size in report.origins.values()) == report.size
    assert not [p for p in target.rglob("*") if p.is_symlink()]
    assert json.loads(report_json(report))["command"] == list(COMMAND)


def test_the_report_says_what_trust_is_measured_in(built, config):
    _, report = built
    measured = json.loads(config)
    for name in ("kms_host", "key_arn", "encryption_context", "query", "threshold"):
        assert report.trust[name] == measured[name]
    assert report.vsock_ports == {"heartbeat": 9000, "kms proxy": 8000, "application": 5005}
    origins = " ".join(report.origins)
    for word in ("interpreter", "standard library", "shared library", "wheel", "application"):
        assert word in origins


def test_its_size(built):
    _, report = built
    debian = interpreter().is_relative_to("/usr/bin")
    assert report.size <= (80 if debian else 100) * MB, report.origins


def test_no_path_of_this_machine_is_in_compiled_code(built):
    target, _ = built
    here = [str(p).encode() for p in (ROOT, Path(sys.prefix), Path(sys.base_prefix), target)]
    here = [path for path in here if path != b"/usr"]
    compiled = list(target.rglob("*.pyc"))
    assert len(compiled) > 500
    for path in compiled:
        data = path.read_bytes()
        assert data[4:8] == b"\x01\x00\x00\x00"  # PEP 552: hash-based, unchecked
        assert not [place for place in here if place in data], path


def test_compiled_code_depends_on_its_source_only(built, tmp_path):
    """Not on what else was compiled before it, or in which order."""
    from enclave_image.packing import compiled_modules

    target, _ = built
    names = sorted(str(path.relative_to(target)) for path in target.rglob("*.py"))[::-5]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((target / name).read_bytes())
    compiled_modules.compile_modules(tmp_path, names)
    compiled = list(tmp_path.rglob("*.pyc"))
    assert len(compiled) == len(names) > 100
    for path in compiled:
        assert path.read_bytes() == (target / path.relative_to(tmp_path)).read_bytes()


def test_what_is_not_needed_is_not_there(built):
    target, report = built
    names = {name for name, _ in report.dependencies}
    assert "jupyterlab" not in names
    assert not list(target.rglob("cacert.pem"))  # no authority but the measured ones
    services = [p.name for p in (target / "app/botocore/data").iterdir() if p.is_dir()]
    assert services == ["kms"]
    assert not (target / "app/enclave_image/parent/parent_application.py").exists()


def sandboxed(target: Path, code: str) -> str:
    done = subprocess.run(
        ["unshare", "-r", "chroot", target, *COMMAND[:-1], "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_application_runs_from_it_and_from_nothing_else(built, require):
    target, report = built
    probe = subprocess.run(["unshare", "-r", "chroot", "/", "true"], check=False)
    require("sandbox", probe.returncode == 0, "kernel.unprivileged_userns_clone=1")
    modules = sorted(
        record.path.removeprefix("/app/").removesuffix(".py").replace("/", ".")
        for record in report.files
        if re.fullmatch(r"/app/(enclave_image|nitro_workflow)/.*\.py", record.path)
    )
    modules = [m.removesuffix(".__init__") for m in modules if not m.endswith("__main__")]
    out = sandboxed(
        target,
        "import sys, json, importlib; sys.path.append('/app')\n"
        f"for m in {modules!r}: importlib.import_module(m)\n"
        "import aws_encryption_sdk, botocore.session, ssl, cryptography\n"
        "files = [getattr(m, '__file__', None) or '' for m in sys.modules.values()]\n"
        "print(json.dumps([sys.prefix, sys.path, sorted({f.split('/')[1] for f in files if f})]))",
    )
    prefix, path, tops = json.loads(out)
    assert prefix == "/usr"
    assert path[-1] == "/app"
    assert set(tops) <= {"app", "usr"}


def test_a_module_that_puts_another_in_its_place_goes_in(tmp_path):
    """As `collections.abc` of Python 3.13.0 does: what stands for it has another file."""
    shutil.copytree(EXAMPLE, folder := tmp_path / "own")
    (folder / "standing_in.py").write_text("import json, sys\nsys.modules[__name__] = json\n")
    program = folder / "word_count.py"
    program.write_text(program.read_text() + "\nimport standing_in\n")
    work = Program("word_count:WordCount", {"least_letters": 5, "most_words": 10})
    script = Script(work, 3, (EXAMPLE / "letters.txt").read_bytes(), folder)
    found = closure.find_closure(Wheels.of_lock(tmp_path / "wheels"), tmp_path, script)
    assert {"standing_in.py", "word_count.py"} <= {path.name for path in found.modules}


def test_a_failed_build_leaves_the_last_one(built, tmp_path, monkeypatch):
    target, _ = built
    before = contents(target)
    with pytest.raises(InputError):
        build_rootfs(target, config=b"{}")
    monkeypatch.setattr(
        "enclave_image.packing.compiled_modules._COMPILER", "raise SystemExit('broken')"
    )
    with pytest.raises(ImageError, match="broken"):
        build_rootfs(target, config=(target / CONFIG_PATH[1:]).read_bytes())
    assert contents(target) == before


def test_an_application_that_does_not_run_is_named(tmp_path, config, monkeypatch):
    paths = Wheels.module_paths
    monkeypatch.setattr(Wheels, "module_paths", lambda self: paths(self)[:-1])
    with pytest.raises(ImageError, match="does not run"):
        build_rootfs(tmp_path / "r", config=config)


# -- locked dependencies ---------------------------------------------------------------------------


def blocks(path: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", path.read_text().strip()):
        name = canonical_name(re.match(r"[A-Za-z0-9._-]+", block)[0])
        found.setdefault(name, []).append(block)
    return found


def test_the_enclaves_lock_is_a_part_of_the_repositorys():
    whole, part = (
        blocks(ROOT / name) for name in ("requirements.lock", "enclave_image/requirements.lock")
    )
    for name, block in part.items():
        assert block == whole[name]
        assert all("--hash=sha256:" in one for one in block)


def test_the_enclaves_lock_is_complete_and_no_more():
    needed: set[str] = set()
    queue = [("aws-encryption-sdk", "MPL"), ("boto3", ""), ("cbor2", ""), ("cryptography", "")]
    while queue:
        name, extra = queue.pop()
        if canonical_name(name) in needed:
            continue
        needed.add(canonical_name(name))
        for line in metadata.requires(name) or []:
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                queue.append((wanted.name, next(iter(wanted.extras), "")))
    assert set(blocks(ROOT / "enclave_image/requirements.lock")) == needed


def test_all_packages_in_the_image_are_locked(built):
    _, report = built
    locked = {name: entry.version for name, entry in read_lock(LOCK).items()}
    assert dict(report.dependencies).items() <= locked.items()


def test_no_registry_is_named():
    for path in (application_root() / "enclave_image").iterdir():
        if path.is_file():
            assert not re.search(r"index-url|://[a-z.-]*(pypi|pythonhosted)", path.read_text())


def copied_by_the_dockerfile() -> set[str]:
    """Return the paths below /app that its COPY lines bring from the application's folder."""
    text = (ROOT / "enclave_image" / "Dockerfile").read_text().replace("\\\n", " ")
    found: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *sources, target = line.split()
        for source in (ROOT / name for name in sources if name.startswith("enclave_image")):
            files = sorted(source.rglob("*.py")) if source.is_dir() else [source]
            base = source if source.is_dir() else source.parent
            for path in files:
                whole = target + str(path.relative_to(base)) if target.endswith("/") else target
                found.add(f"{target}/{path.relative_to(base)}" if source.is_dir() else whole)
    return {path for path in found if path.endswith(".py")}


def test_the_dockerfile_copies_what_the_image_holds(built):
    _, report = built
    packed = {
        record.path
        for record in report.files
        if re.fullmatch(r"/app/(__main__\.py|enclave_image/.*\.py)", record.path)
    }
    # The entry point is copied to /app; where it comes from is copied with its folder.
    assert copied_by_the_dockerfile() == packed | {"/app/enclave_image/inside/__main__.py"}
    assert "/app/enclave_image/inside/job_server.py" in packed
    assert '"-I", "-S", "-B", "/app"' in (ROOT / "enclave_image" / "Dockerfile").read_text()


def test_the_parents_files_are_shown_too():
    shown = {record.path for record in inspect_parent()}
    assert "/enclave_image/parent/parent_application.py" in shown
    assert "/nitro_workflow/vsock/frames.py" in shown


class Running:
    """An application's process that has not ended."""

    def poll(self):
        return None


def test_an_application_that_has_bound_its_port_and_does_not_listen_yet(tmp_path):
    """Its socket is there to be seen already: a busy machine stops it just then."""
    path = tmp_path / "5005"
    with socket.socket(socket.AF_UNIX) as late, socket.socket(socket.AF_UNIX) as asks:
        late.bind(str(path))
        with pytest.raises(ConnectionRefusedError):
            asks.connect(str(path))
        listening = threading.Timer(0.1, late.listen)
        listening.start()
        closure.connect(asks, tmp_path, Running())
        listening.join()
        with late.accept()[0] as taken:
            asks.sendall(b"a job")
            assert taken.recv(9) == b"a job"
