"""Locked wheels: used where they are installed, else fetched by hash; nothing else goes in."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile
from pathlib import Path

import pytest

from enclave_image.packing import build_rootfs, closure, locked_wheels, wheels
from enclave_image.packing.locked_wheels import LockedWheel, read_lock, unpacked_wheels
from enclave_image.packing.rehearsal import PracticeKms
from enclave_image.packing.wheels import LOCK, Owner, Wheels
from nitro_workflow.errors import ImageError


def digest(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def make_wheel(folder: Path, name: str, version: str, files: dict[str, bytes]) -> LockedWheel:
    """Write a wheel and return the entry of a lock that names it."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    files = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = [f"{path},{digest(data)},{len(data)}\n" for path, data in files.items()]
    record = "".join([*lines, f"{info}/RECORD,,\n"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inside, data in {**files, f"{info}/RECORD": record.encode()}.items():
            archive.writestr(inside, data)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    requirement = f"{name}=={version} --hash=sha256:{sha256}"
    return LockedWheel(name, version, frozenset({sha256}), requirement)


@pytest.fixture(scope="module")
def pip_python(tmp_path_factory):
    """Make the environment that brings pip once: this one may have none."""
    return locked_wheels._python_with_pip(tmp_path_factory.mktemp("pip"))


@pytest.fixture
def registry(tmp_path, monkeypatch, pip_python):
    """Make a folder the only place where pip looks."""
    folder = tmp_path / "registry"
    monkeypatch.setattr(locked_wheels, "_python_with_pip", lambda _: pip_python)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def never(*_):
    raise AssertionError("nothing is to be fetched")


# -- fetched and unpacked --------------------------------------------------------------------------


def test_a_wheel_is_fetched_by_its_hash_once(registry, tmp_path, monkeypatch):
    files = {
        "one.py": b"x = 1\n",
        "one-1.0.data/platlib/two.py": b"",
        "one-1.0.data/scripts/s": b"",
    }
    entry = make_wheel(registry, "one", "1.0", files)
    cache = tmp_path / "cache"
    (found,) = unpacked_wheels([entry], cache)
    assert (found.folder / "one.py").read_bytes() == b"x = 1\n"
    assert (found.folder / "two.py").is_file()
    assert not list(found.folder.rglob("s"))
    assert found.record["one.py"] == digest(b"x = 1\n")
    assert found.record["two.py"] == digest(b"")
    monkeypatch.setattr(locked_wheels, "_fetch", never)
    assert unpacked_wheels([entry], cache) == [found]


def test_a_wheel_with_another_hash_is_refused_by_pip(registry, tmp_path):
    entry = make_wheel(registry, "one", "1.0", {"one.py": b"x = 1\n"})
    make_wheel(registry, "one", "1.0", {"one.py": b"x = 2\n"})
    with pytest.raises(ImageError) as caught:
        unpacked_wheels([entry], tmp_path / "cache")
    assert caught.value.where == "locked dependencies"
    assert not list((tmp_path / "cache").glob("*.whl"))


def test_a_wheel_that_was_changed_in_the_cache_is_fetched_anew(registry, tmp_path):
    entry = make_wheel(registry, "one", "1.0", {"one.py": b"x = 1\n"})
    cache = tmp_path / "cache"
    unpacked_wheels([entry], cache)
    make_wheel(cache, "one", "1.0", {"one.py": b"x = 2\n"})
    assert locked_wheels._find(entry, cache) is None
    (found,) = unpacked_wheels([entry], cache)
    assert found.record["one.py"] == digest(b"x = 1\n")


def test_no_registry_is_said_in_words(registry, tmp_path):
    entry = make_wheel(tmp_path / "elsewhere", "one", "1.0", {"one.py": b""})
    registry.mkdir()
    with pytest.raises(ImageError) as caught:
        unpacked_wheels([entry], tmp_path / "cache")
    assert "registry" in caught.value.next


@pytest.mark.parametrize("name", ["../one.py", "/one.py", "a/../../one.py"])
def test_a_wheel_cannot_write_outside_its_folder(tmp_path, name, monkeypatch):
    cache = tmp_path / "cache"
    entry = make_wheel(cache, "one", "1.0", {name: b"x"})
    monkeypatch.setattr(locked_wheels, "_fetch", never)
    with pytest.raises(ImageError):
        unpacked_wheels([entry], cache)
    assert {path.suffix for path in cache.iterdir()} == {".whl"}
    assert not (tmp_path / "one.py").exists()


# -- the lock --------------------------------------------------------------------------------------


def test_the_lock_is_read_with_every_hash():
    lock = read_lock(LOCK)
    assert lock["cryptography"].version
    assert len(lock["cffi"].hashes) > 50
    assert lock["pycparser"].requirement.startswith("pycparser==")


@pytest.mark.parametrize(
    "text", ["one==1.0\n", "one>=1.0 --hash=sha256:" + "0" * 64, "one==1.0 --hash=sha256:00"]
)
def test_a_lock_without_hashes_is_none(tmp_path, text):
    (tmp_path / "r.lock").write_text(text)
    with pytest.raises(ImageError):
        read_lock(tmp_path / "r.lock")


def test_no_lock_is_said(tmp_path):
    with pytest.raises(ImageError, match="no lock file"):
        read_lock(tmp_path / "r.lock")


# -- whose is a file -------------------------------------------------------------------------------


def one_wheel(folder: Path, version: str, content: str = "x = 1\n") -> Wheels:
    (folder / "one.py").write_text("x = 1\n")
    owner = Owner("one", version, digest(content.encode()))
    return Wheels((folder,), {folder / "one.py": owner}, {"one": "1.0"})


def test_a_locked_and_unchanged_file_has_its_origin(tmp_path):
    found = one_wheel(tmp_path, "1.0")
    assert found.place(tmp_path / "one.py") == ("one.py", "wheel one 1.0")
    assert found.used() == (("one", "1.0"),)


def test_a_file_of_no_package_has_no_place(tmp_path):
    assert one_wheel(tmp_path, "1.0").place(Path("/elsewhere/one.py")) is None


@pytest.mark.parametrize(
    ("version", "content", "name", "match"),
    [
        ("2.0", "x = 1\n", "one.py", "locked version"),
        ("1.0", "x = 2\n", "one.py", "changed after installation"),
        ("1.0", "x = 1\n", "two.py", "no package installed"),
    ],
)
def test_other_files_are_refused(tmp_path, version, content, name, match):
    with pytest.raises(ImageError, match=match):
        one_wheel(tmp_path, version, content).place(tmp_path / name)


def test_a_file_of_ours_that_was_changed_after_installation_is_refused(tmp_path, monkeypatch):
    own = tmp_path / "nitro_workflow" / "errors.py"
    own.parent.mkdir()
    own.write_text("x = 1\n")
    monkeypatch.setattr(wheels, "application_root", lambda: tmp_path)
    owner = Owner("nitro-workflow", "0.2.0", digest(b"x = 1\n"))
    found = Wheels((tmp_path,), {own: owner}, {})
    assert found.place(own) == ("nitro_workflow/errors.py", "nitro_workflow")
    assert found.unlocked_modules() == []
    own.write_text("x = 2\n")
    with pytest.raises(ImageError, match="changed after installation"):
        found.place(own)


# -- another version installed ---------------------------------------------------------------------


def test_the_image_is_packed_from_the_lock_whatever_is_installed(registry, tmp_path, monkeypatch):
    """One package is installed in another version than the lock's: the lock's goes in."""
    import six

    content = Path(six.__file__).read_bytes() + b"# another release\n"
    entry = make_wheel(registry, "six", "1.17.0.post1", {"six.py": content})
    lock = tmp_path / "requirements.lock"
    blocks = re.split(r"\n(?=[A-Za-z0-9])", LOCK.read_text().strip())
    kept = [block for block in blocks if not block.startswith("six==")]
    lock.write_text("\n".join([*kept, entry.requirement]) + "\n")
    monkeypatch.setattr(wheels, "LOCK", lock)
    kms = PracticeKms(closure.HOST, lambda document: document)
    target = tmp_path / "developer" / "rootfs"
    target.parent.mkdir()
    report = build_rootfs(target, config=closure._config(kms).to_json())
    assert ("six", "1.17.0.post1") in report.dependencies
    assert (target / "app" / "six.py").read_bytes() == content
    assert (tmp_path / "developer" / "wheels").is_dir()
    record = next(one for one in report.files if one.path == "/app/six.py")
    assert record.origin == "wheel six 1.17.0.post1"
