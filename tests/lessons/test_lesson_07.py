"""Lesson 07: launch lines are run for real, and a debug enclave shows what the lesson says."""

from __future__ import annotations

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.host import least_launch
from nitro_workflow.lab import Lab, image_of
from nitro_workflow.lessons import LESSONS
from nitro_workflow.lessons.asked_enclave import ask_enclave, enclave_named, end_others
from nitro_workflow.lessons.checks.lesson_07 import DEBUG, Checks
from nitro_workflow.lessons.nitro_cli_line import run_line
from nitro_workflow.lessons.worlds import image_pcrs


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    opened = Lab.open(tmp_path_factory.mktemp("lesson07") / "lab", size=200_000)
    for step in LESSONS["08"].before:
        opened.ensure(step)
    yield opened
    opened.down()


@pytest.fixture
def checks(lab):
    yield Checks(lab)
    assert end_others(lab) == [], "a check ends what it starts"


@pytest.fixture
def line(lab):
    least = least_launch(image_of(lab.bench))[0]
    return f"nitro-cli run-enclave --eif-path application.eif --memory {least} --cpu-count 2"


@pytest.mark.parametrize("text", ["", "docker run", "nitro-cli 'run", "/bin/nitro-cli pcr"])
def test_only_lines_for_nitro_cli_are_run(lab, text):
    with pytest.raises(UsageError):
        run_line(lab, text)


def test_a_shell_sees_nothing_of_a_line(lab):
    said = run_line(lab, "nitro-cli explain --error-code E26; touch /tmp/never")
    assert said.status == 2
    assert run_line(lab, "nitro-cli explain --error-code $HOME").status != 0


def test_what_a_line_said_is_told_as_a_terminal_would(lab, line):
    said = run_line(lab, line.replace(" --memory", " --enclave-name mine --memory"))
    assert (said.status, said.code, said.answer["EnclaveName"]) == (0, "", "mine")
    assert repr(said).startswith("$ nitro-cli run-enclave")
    assert str(lab.path) not in repr(said)
    assert end_others(lab) == ["mine"]
    refused = run_line(lab, line + " --enclave-cid 3")
    assert (refused.status, refused.code, refused.answer) == (3, "E03", None)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda it: it.replace("--cpu-count 2", "--cpu-count 200"), "E22"),
        (lambda it: it + " --attach", "exit status 2"),
        (lambda it: it.replace("run-enclave", "describe-enclaves"), "exit status 2"),
        (lambda _: "nitro-cli describe-enclaves", "did not understand"),
        (lambda _: 7, "a text"),
    ],
)
def test_a_line_that_starts_nothing(checks, line, change, words):
    verdict = checks.launch(change(line))
    assert verdict.outcome == "wrong"
    assert words in verdict.text


def test_a_right_line_leaves_nothing_running(checks, line):
    assert checks.launch(line).outcome == "right"
    assert checks.repaired(dict.fromkeys(("memory", "cid", "path"), line)).outcome == "right"


def test_a_debug_enclave_shows_what_the_lesson_says(lab, checks, line):
    run_line(lab, f"{line} --enclave-name watched --debug-mode")
    watched = ask_enclave(lab, "watched")
    described = lab.bench.host.describe_enclaves()
    shown = next(one for one in described if one["EnclaveName"] == "watched")["Measurements"]
    ours = ask_enclave(lab, "application")
    real = {
        ("describe-enclaves", "PCR0"): "image"
        if shown["PCR0"] == image_pcrs(lab.bench)["PCR0"]
        else "zeros",
        ("document", "PCR0"): "image" if watched.pcrs["PCR0"].strip("0") else "zeros",
        ("document", "PCR3"): "role" if watched.pcrs["PCR3"] == ours.pcrs["PCR3"] else "zeros",
        ("document", "PCR4"): "instance" if watched.pcrs["PCR4"] == ours.pcrs["PCR4"] else "zeros",
    }
    assert real == DEBUG
    assert checks.debug(real).outcome == "right"
    assert watched.refusal is not None
    assert watched.refusal.code == "AccessDeniedException"
    assert ours.refusal is None
    assert "AccessDenied" in repr(watched)
    assert end_others(lab) == ["watched"]
    with pytest.raises(UsageError, match="no running enclave"):
        enclave_named(lab, "watched")


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        (lambda pcr0: [pcr0], "right"),
        (lambda pcr0: pcr0, "right"),
        (lambda pcr0: [pcr0.upper()], "right"),
        (lambda pcr0: [pcr0, "0" * 96], "wrong"),
        (lambda pcr0: ["*"], "wrong"),
        (lambda pcr0: [], "wrong"),
    ],
)
def test_whom_a_list_of_pcrs_lets_in(lab, checks, values, outcome):
    assert checks.trusted(values(image_pcrs(lab.bench)["PCR0"])).outcome == outcome


def test_the_least_memory(lab, checks):
    least = least_launch(image_of(lab.bench))[0]
    assert checks.memory(least).outcome == "right"
    for other in (least - 4, least + 4, 0, "512", None):
        assert checks.memory(other).outcome == "wrong", other


@pytest.mark.parametrize("prediction", Checks.truths)
def test_a_prediction_is_marked(lab, prediction):
    truth = Checks.truths[prediction]
    assert truth.marks(lab, truth.answer).outcome == "right"
    assert truth.marks(lab, "something else").outcome == "wrong"
