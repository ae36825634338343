"""Which host a lab has: said once, kept in its record, and what another one makes untrue."""

from __future__ import annotations

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.host import QemuHost, SandboxHost
from nitro_workflow.lab import Lab
from nitro_workflow.lab.processes import background
from nitro_workflow.lab.processes.process_table import LabProcess
from nitro_workflow.lab.steps import find_step


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("NITRO_WORKFLOW_HOST", raising=False)


def test_the_host_is_kept_in_the_labs_record(tmp_path, monkeypatch):
    assert Lab.open(tmp_path).host == "sandbox"
    assert type(Lab.open(tmp_path).bench.host) is SandboxHost
    assert Lab.open(tmp_path, host="qemu").host == "qemu"
    assert type(Lab.open(tmp_path).bench.host) is QemuHost
    monkeypatch.setenv("NITRO_WORKFLOW_HOST", "sandbox")
    assert Lab.open(tmp_path).host == "sandbox"
    assert Lab.open(tmp_path, host="qemu").host == "qemu"  # what is said beats the environment


def test_another_name_is_refused_and_changes_nothing(tmp_path, monkeypatch):
    Lab.open(tmp_path, host="qemu")
    with pytest.raises(UsageError, match="host 'ec2'"):
        Lab.open(tmp_path, host="ec2")
    monkeypatch.setenv("NITRO_WORKFLOW_HOST", "xen")
    with pytest.raises(UsageError, match="host 'xen'"):
        Lab.open(tmp_path)
    monkeypatch.delenv("NITRO_WORKFLOW_HOST")
    assert Lab.open(tmp_path).host == "qemu"


def test_another_host_asks_for_another_image_and_for_nothing_before_it(tmp_path):
    def rest_on(host: str) -> dict[str, dict[str, str]]:
        lab = Lab.open(tmp_path, host=host)
        return {number: lab._based_on(find_step(number)) for number in ("P3", "P5", "P6")}

    sandbox, qemu = rest_on("sandbox"), rest_on("qemu")
    assert sandbox["P6"] != qemu["P6"]
    assert {**sandbox, "P6": None} == {**qemu, "P6": None}
    assert rest_on("sandbox") == sandbox


def test_a_hypervisor_of_another_kind_is_replaced(tmp_path, monkeypatch):
    """What runs is read from its command line: one for sandboxes is ended, one for QEMU started."""
    lab = Lab.open(tmp_path, host="qemu")
    processes = lab.pair.processes
    told: list[tuple[str, ...]] = []
    running = LabProcess("hypervisor", 1, "1", str(tmp_path), "", "/run", "sandbox")
    monkeypatch.setattr(processes, "_find", lambda _: running)
    monkeypatch.setattr(processes, "_hypervisor_answers", lambda: True)
    monkeypatch.setattr(processes, "_end", lambda name: told.append(("end", name)))
    monkeypatch.setattr(processes, "_start", lambda *words: told.append(words))
    monkeypatch.setattr(processes, "_until", lambda *_: None)
    monkeypatch.setattr(background, "make_runtime", lambda _: tmp_path / "run")
    (tmp_path / "run").mkdir()
    processes._up_hypervisor()
    assert told[0] == ("end", "hypervisor")
    words = told[1]
    assert words[words.index("--machine") + 1] == "qemu"
    told.clear()
    running = LabProcess("hypervisor", 1, "1", str(tmp_path), "", "/run", "qemu")
    processes._up_hypervisor()
    assert told == []
