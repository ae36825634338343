"""The library: a dozen names, loaded when they are used; what is not installed is named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import nitro_workflow
from nitro_workflow.errors import MissingExtra
from nitro_workflow.extras import EXTRA_OF, missing_extra, require
from nitro_workflow.lazy import lazy_names

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout


def test_the_public_names_are_these():
    assert nitro_workflow.__all__ == [
        "Lab",
        "NitroWorkflowError",
        "Policies",
        "Principal",
        "Request",
        "Verifier",
        "__version__",
        "analyse",
        "attested",
        "build_image",
        "explain",
        "inspect",
        "measure",
        "open_envelope",
        "open_image",
        "parse_document",
        "parse_policy",
    ]


@pytest.mark.parametrize("name", sorted(set(nitro_workflow.__all__) - {"__version__"}))
def test_each_name_has_an_example(name):
    example = "\n".join(re.findall(r"^(?:>>>|\.\.\.) .*$", nitro_workflow.__doc__, re.MULTILINE))
    assert re.search(rf"(?<!import )\b{name}\b[.(]|except {name}\b", example)


def test_a_name_is_looked_up_once():
    run(
        "import nitro_workflow as face; face.explain; found = vars(face)['explain'];"
        "from nitro_workflow import explain; raise SystemExit(found is not explain)"
    )


def test_another_name_is_none():
    with pytest.raises(AttributeError, match="nonsense"):
        nitro_workflow.nonsense  # noqa: B018 - asking is the test


def test_importing_it_imports_nothing_of_weight():
    loaded = json.loads(
        run(
            "import sys, json; before = set(sys.modules); import nitro_workflow;"
            "print(json.dumps(sorted(set(sys.modules) - before)))"
        )
    )
    ours = {name for name in loaded if name.startswith("nitro_workflow")}
    assert ours == {"nitro_workflow", "nitro_workflow.lazy", "nitro_workflow.version"}
    assert {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names == {
        "nitro_workflow"
    }


def test_the_version_has_one_home_and_its_changes_are_told():
    assert PROJECT["dynamic"] == ["version"]
    assert f"## {nitro_workflow.__version__} (" in (ROOT / "CHANGELOG.md").read_text()


# -- extras ----------------------------------------------------------------------------------------


def brought_by(extra: str) -> set[str]:
    """Return the projects that an extra brings, with all that they need."""
    queue = [Requirement(line) for line in PROJECT["optional-dependencies"][extra]]
    found: set[str] = set()
    while queue:
        one = queue.pop()
        name = canonicalize_name(one.name)
        try:
            lines = [] if name in found else metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # for another system or Python
        found.add(name)
        for wanted in map(Requirement, lines):
            marks = [{"extra": extra} for extra in one.extras or {""}]
            if wanted.marker is None or any(map(wanted.marker.evaluate, marks)):
                queue.append(wanted)
    return found


@pytest.mark.parametrize(("module", "extra"), sorted(EXTRA_OF.items()))
def test_each_module_is_brought_by_the_extra_that_is_named(module, extra):
    owners = {canonicalize_name(name) for name in metadata.packages_distributions()[module]}
    assert owners & brought_by(extra)


def test_all_is_every_extra():
    extras = set(PROJECT["optional-dependencies"]) - {"all"}
    (line,) = [one for one in PROJECT["optional-dependencies"]["all"] if one.startswith("nitro")]
    assert set(line.partition("[")[2].rstrip("]").split(",")) == extras


def test_a_missing_extra_is_said_in_one_line():
    error = missing_extra(ModuleNotFoundError("No module", name="botocore.session"))
    assert str(error).count("\n") == 0
    assert "nitro-workflow[cloud]" in str(error)
    assert error.exit_code == 2


def test_what_no_extra_brings_is_not_explained_away():
    assert missing_extra(ModuleNotFoundError("No module", name="six")) is None
    with pytest.raises(ModuleNotFoundError):
        require("no_such_module_anywhere")


def test_a_face_names_the_extra(tmp_path, monkeypatch):
    room = tmp_path / "a_room"
    room.mkdir()
    (room / "__init__.py").write_text("")
    (room / "inner.py").write_text("import uvicorn_is_not_here\nx = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    find = lazy_names("a_room", {"x": "inner"})
    with pytest.raises(ModuleNotFoundError):
        find("x")
    monkeypatch.setitem(EXTRA_OF, "uvicorn_is_not_here", "cloud")
    with pytest.raises(MissingExtra, match=r"\[cloud\]"):
        find("x")


def test_the_command_names_the_extra_in_one_line():
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'jupyterlab' else find(name, *a)\n"
        "sys.argv = ['nitro-workflow', 'lab']\n"
        "from nitro_workflow.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    remedy = "pip install 'nitro-workflow[notebooks]'"
    assert done.stderr.splitlines() == [
        f"jupyterlab is not installed; expected the extra [notebooks]: {remedy}"
    ]
