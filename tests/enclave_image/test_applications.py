"""A declared application: what its folder may say, what its class may do, what is laid out."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enclave_image import Program, Query, parse_config
from enclave_image.applications import (
    CustomerSums,
    ProgramRunner,
    application_of,
    read_declaration,
)
from enclave_image.packing import lay_out_given
from nitro_workflow.errors import DatasetError, EnclaveError, ImageError, InputError
from nitro_workflow.image import tree_from_folder

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "word_count"
GOOD = """
[application]
name = "mine"
version = "2"
[program]
python = "work:Work"
[data]
sample = "sample.txt"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "application.toml").write_text(GOOD)
    (tmp_path / "sample.txt").write_text("one\n")
    (tmp_path / "work.py").write_text("class Work: pass\n")
    return tmp_path


@pytest.fixture
def importable(tmp_path, monkeypatch):
    """Makes a module of a text, for this test only."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(text):
        (tmp_path / "declared_work.py").write_text(text)
        sys.modules.pop("declared_work", None)
        return Program("declared_work:Work", {"n": 2})

    yield make
    sys.modules.pop("declared_work", None)


# -- the declaration -------------------------------------------------------------------------------


def test_the_default_is_the_packages_own():
    application = application_of(None)
    assert isinstance(application, CustomerSums)
    assert isinstance(application.work, Query)
    assert application.fingerprint() == ""


def test_the_example_of_the_docs():
    application = application_of(str(EXAMPLE))
    assert application.work == Program(
        "word_count:WordCount", {"least_letters": 5, "most_words": 10}
    )
    assert (application.name, application.threshold, application.memory_mib) == (
        "word-count",
        3,
        512,
    )
    assert len((EXAMPLE / "word_count.py").read_text().splitlines()) <= 65


def test_both_give_the_same_members():
    ours = {name for name in dir(CustomerSums) if name[0] != "_"}
    assert ours <= set(dir(read_declaration(EXAMPLE)))


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('name = "mine"', "", "name"),
        ('name = "mine"', 'name = "../x"', "name"),
        ('version = "2"', "version = 2", "version"),
        ("[data]", "[date]", "application.toml"),
        ('version = "2"', 'version = "2"\nmemory = 1', "application"),
        ('version = "2"', 'version = "2"\nmemory_mib = 1', "memory_mib"),
        ('python = "work:Work"', "", "program"),
        ('python = "work:Work"', 'python = "work:Work"\nrootfs = "."', "program"),
        ('python = "work:Work"', 'python = "work"', "python"),
        ('python = "work:Work"', 'python = "absent:Work"', "program.python"),
        ('python = "work:Work"', 'python = "work:Work"\ncommand = ["x"]', "program.command"),
        ('python = "work:Work"', 'rootfs = "."', "program.command"),
        ('python = "work:Work"', 'rootfs = ".."\ncommand = ["/x"]', "program.rootfs"),
        ('python = "work:Work"', 'rootfs = "."\ncommand = "/x"', "program.command"),
        ('sample = "sample.txt"', "", "data.sample"),
        ('sample = "sample.txt"', 'sample = "/etc/passwd"', "data.sample"),
        ('sample = "sample.txt"', 'sample = "out"', "data.sample"),
        ("[data]", "[trust]\nthreshold = 1\n[data]", "threshold"),
        ("[data]", "[arguments]\nx = 1.5\n[data]", "arguments.x"),
        ("[data]", "[arguments]\nx = true\n[data]", "arguments.x"),
        ("[application]", "=", "application.toml"),
    ],
)
def test_what_a_declaration_may_not_say(folder, old, new, where):
    (folder / "out").symlink_to("/etc/passwd")
    (folder / "application.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        read_declaration(folder)
    assert caught.value.where.endswith(where)
    assert caught.value.code == "DeclarationError"
    assert "your-application.md" in caught.value.next


def test_a_folder_without_one(tmp_path):
    with pytest.raises(InputError):
        read_declaration(tmp_path)
    with pytest.raises(InputError):
        read_declaration(tmp_path / "absent")


@given(st.text(max_size=200))
def test_any_text_is_a_declaration_or_an_error(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp() / "declared"
    folder.mkdir(exist_ok=True)
    (folder / "application.toml").write_bytes(text.encode("utf-8", "replace"))
    with pytest.raises(InputError):
        read_declaration(folder)


def test_the_fingerprint_is_of_every_file_and_its_mode(folder):
    application = read_declaration(folder)
    seen = {application.fingerprint()}
    (folder / "work.py").write_text("class Work:\n    pass\n")
    seen.add(application.fingerprint())
    (folder / "work.py").chmod(0o755)
    seen.add(application.fingerprint())
    (folder / "more").mkdir()
    (folder / "more" / "x").touch()
    seen.add(application.fingerprint())
    assert len(seen) == 4
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "work.pyc").touch()
    assert application.fingerprint() in seen


def test_records_are_the_sample_or_the_owners(folder):
    application = read_declaration(folder)
    assert application.size_of(None, size=99) == 4
    other = folder / "other.txt"
    other.write_text("")
    with pytest.raises(InputError):
        application.size_of(other, size=99)


# -- the class -------------------------------------------------------------------------------------


def test_the_class_is_told_and_fed_and_asked(importable):
    runner = ProgramRunner(
        importable(
            "class Work:\n"
            "    def __init__(self, arguments, threshold):\n"
            "        self.seen = [arguments, threshold]\n"
            "    def feed(self, data): self.seen.append(data.decode())\n"
            "    def finish(self): return {'seen': self.seen}\n"
        ),
        7,
    )
    runner.feed(b"a")
    runner.feed(b"b")
    assert runner.finish().to_json() == {"answer": {"seen": [{"n": 2}, 7, "a", "b"]}}


@pytest.mark.parametrize(
    "body",
    [
        "def feed(self, data): raise ValueError('secret word')\n    def finish(self): return {}",
        "def feed(self, data): pass\n    def finish(self): raise KeyError('secret word')",
        "def feed(self, data): pass\n    def finish(self): return ['secret word']",
        "def feed(self, data): pass\n    def finish(self): return {'x': object()}",
        "def feed(self, data): pass\n    def finish(self): return {'x': 'y' * (1 << 21)}",
    ],
)
def test_what_it_raises_is_kept_to_the_end_and_its_text_never_told(importable, body):
    work = importable(f"class Work:\n    def __init__(self, a, t): pass\n    {body}\n")
    runner = ProgramRunner(work, 2)
    runner.feed(b"data")
    runner.feed(b"more")
    with pytest.raises(DatasetError) as caught:
        runner.finish()
    assert "secret" not in caught.value.diagnostics()


@pytest.mark.parametrize(
    "text", ["class Other: pass", "import absent_module", "class Work: pass", "1/0"]
)
def test_a_class_that_cannot_be_made(importable, text):
    with pytest.raises(EnclaveError, match="cannot be made"):
        ProgramRunner(importable(text), 2)


@pytest.mark.parametrize(
    "work",
    [
        {"program": "os:system"},
        {"program": "a b:c", "arguments": {}},
        {"program": "a:b", "arguments": []},
        {"program": "a:b", "arguments": {"x": None}},
        {"program": "a:b", "arguments": {}, "columns": []},
        {"program": "a:b", "arguments": {str(n): n for n in range(65)}},
    ],
)
def test_measured_work_is_read_strictly(world, work):
    values = json.loads(world.config.to_json())
    with pytest.raises(InputError):
        parse_config(json.dumps({**values, "query": work}).encode())
    good = {"program": "word_count:WordCount", "arguments": {"least": 5, "text": "x"}}
    config = parse_config(json.dumps({**values, "query": good}).encode())
    assert config.query == Program("word_count:WordCount", {"least": 5, "text": "x"})
    assert parse_config(config.to_json()) == config


# -- a root filesystem of its own ------------------------------------------------------------------


def test_a_root_filesystem_is_laid_out_as_given(folder, world):
    root = folder / "rootfs"
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "app").write_bytes(b"\x7fELF")
    (root / "bin" / "app").chmod(0o755)
    (root / "bin" / "link").symlink_to("app")
    text = GOOD.replace('python = "work:Work"', 'rootfs = "rootfs"\ncommand = ["/bin/app", "-v"]')
    (folder / "application.toml").write_text(text)
    application = read_declaration(folder)
    assert application.work == Program("", {})
    report = application.lay_out(folder / "out", config=world.config.to_json())
    assert report.command == ("/bin/app", "-v")
    assert {file.path: file.origin for file in report.files} == {
        "/bin/app": "your root filesystem",
        "/etc/nitro-workflow/config.json": "measured configuration",
    }
    assert (folder / "out/bin/app").stat().st_mode & 0o777 == 0o755
    assert (folder / "out/bin/link").readlink() == Path("app")
    assert (folder / "out/etc/nitro-workflow/config.json").read_bytes() == world.config.to_json()


def test_a_dockerfile_gives_command_and_environment(folder, world, monkeypatch):
    from nitro_workflow.image.container import dockerfile

    monkeypatch.setattr(dockerfile, "TOOLS", ())
    (folder / "app").write_bytes(b"\x7fELF")
    (folder / "Dockerfile").write_text(
        'FROM scratch\nCOPY app /bin/\nENV MODE=quiet\nCMD ["/bin/app"]\n'
    )
    text = GOOD.replace('python = "work:Work"', 'dockerfile = "."')
    (folder / "application.toml").write_text(text)
    report = read_declaration(folder).lay_out(folder / "out", config=world.config.to_json())
    assert report.command == ("/bin/app",)
    assert report.environment["MODE"] == "quiet"
    assert (folder / "out/bin/app").exists()


@pytest.mark.parametrize("odd", ["pipe", "linked etc"])
def test_what_a_root_filesystem_may_not_hold(tmp_path, world, odd):
    root = tmp_path / "rootfs"
    root.mkdir()
    if odd == "pipe":
        os.mkfifo(root / "pipe")
    else:
        (tmp_path / "elsewhere").mkdir()
        (root / "etc").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ImageError):
        lay_out_given(
            tmp_path / "out", tree_from_folder(root), config=world.config.to_json(),
            command=["/x"], environment={},
        )  # fmt: skip
    if odd == "linked etc":
        assert not list((tmp_path / "elsewhere").iterdir())


def test_an_example_can_be_copied_and_changed(tmp_path):
    copy = tmp_path / "mine"
    shutil.copytree(EXAMPLE, copy)
    assert read_declaration(copy).fingerprint() == read_declaration(EXAMPLE).fingerprint()
