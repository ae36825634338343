"""A second application walks all 17 steps: the example of the docs, and what fences it."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from enclave_image.packing import root_filesystem
from nitro_workflow.cli import cli
from nitro_workflow.errors import InputError
from nitro_workflow.lab import STEPS, Lab

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "word_count"


def expected(text: str, threshold: int = 3, least: int = 5, most: int = 10):
    """The answer, worked out another way."""
    counts = Counter()
    for line in text.splitlines():
        words = "".join(c if c.isascii() and c.isalpha() else " " for c in line.lower()).split()
        counts.update(dict.fromkeys((w for w in words if len(w) >= least), 1))
    told = sorted((-n, word) for word, n in counts.items() if n >= threshold)
    return {
        "lines": len(text.splitlines()),
        "words": [{"word": word, "lines": -n} for n, word in told[:most]],
        "threshold": threshold,
        "not_told": len(counts) - len(told),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "lab"
    yield path
    Lab.open(path).down()


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """A copy of the example, that a test may change."""
    path = tmp_path_factory.mktemp("app") / "word_count"
    shutil.copytree(EXAMPLE, path)
    return path


@pytest.fixture(scope="module")
def walked(folder, application):
    done = CliRunner().invoke(
        cli, ["walk", "--json", "--lab", str(folder), "--app", str(application)]
    )
    return done, [json.loads(line) for line in done.stdout.splitlines()]


def test_all_17_steps(walked):
    done, results = walked
    assert done.exit_code == 0, done.stdout[-2000:]
    assert [one["step"] for one in results] == [step.number for step in STEPS]
    assert {one["status"] for one in results} == {"done"}


def test_the_answer_is_right_and_only_the_owners(walked):
    _, results = walked
    last = results[-1]["evidence"]
    assert last["answer"] == expected((EXAMPLE / "letters.txt").read_text())
    assert all(one["verified"] for one in last["receipt"].values())


def test_what_is_measured_is_the_declaration(walked, folder):
    inspected = Lab.open(folder).bench.result("P5").evidence
    work = inspected["measured_configuration"]["query"]
    assert work == {
        "program": "word_count:WordCount",
        "arguments": {"least_letters": 5, "most_words": 10},
    }
    assert (
        inspected["origins"]["your application"]["files"] == 2
    )  # the source and what is compiled of it
    assert inspected["measured_configuration"]["threshold"] == 3


def test_nothing_of_the_letters_is_in_a_record_or_log(walked, folder):
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in (".json", ".jsonl", ".log"):
            assert b"lawyer" not in path.read_bytes(), path


def test_another_line_of_the_program_is_another_image(walked, folder, application, monkeypatch):
    """The key policy fences the application that was inspected: a changed one is inspected anew."""
    lab = Lab.open(folder)
    before = lab.bench.produced("P6", "pcrs")
    source = application / "word_count.py"
    source.write_text(source.read_text().replace("n >= self._threshold", "n >= 1"))
    lab.run("P6")
    after = lab.bench.produced("P6", "pcrs")
    assert after["0"] != before["0"]
    assert after["1"] == before["1"]


def test_a_class_that_fails_in_the_rehearsal_is_no_image(walked, folder, application):
    source = application / "word_count.py"
    good = source.read_text()
    try:
        source.write_text(good.replace("import re\n", "import re, no_such_module\n"))
        lab = Lab.open(folder)
        with pytest.raises(Exception, match="the application does not run here") as caught:
            lab.run("P5")
        assert caught.type.__name__ == "ImageError"
    finally:
        source.write_text(good)


def test_a_declaration_that_is_none_begins_nothing(tmp_path):
    with pytest.raises(InputError):
        CliRunner().invoke(
            cli, ["walk", "--lab", str(tmp_path / "lab"), "--app", str(tmp_path)],
            catch_exceptions=False, standalone_mode=False,
        )  # fmt: skip
    assert not (tmp_path / "lab").exists()


def test_the_packages_own_is_there_again_without_a_folder(folder, walked):
    lab = Lab.open(folder)
    lab.bench.folder.change_settings(app=None)
    assert lab.bench.application.name == "nitro-workflow-application"
    assert not lab.current(next(step for step in STEPS if step.number == "P5"))
    assert root_filesystem.COMMAND
