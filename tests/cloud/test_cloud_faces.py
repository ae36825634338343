"""The cloud's faces: public names that are there, examples that run, doors that are used."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

LOCAL = "nitro_workflow.cloud.local"
ROOMS = ("auth", "gate", "http", "iam", "kms", "protocol", "s3", "store")
FACES = ("nitro_workflow.cloud", LOCAL, *(f"{LOCAL}.{room}" for room in ROOMS))
FOLDER = Path(__file__).parents[2] / "nitro_workflow" / "cloud" / "local"


def test_public_names():
    room = importlib.import_module("nitro_workflow.cloud")
    assert room.__all__ == [
        "ANSWERS", "COMPUTE_ACCOUNT", "DATA_ACCOUNT", "DENIED", "GIVEN", "INPUTS", "LAB_TAG",
        "REGION", "Accounts", "AwsCloud", "AwsSettings", "Cloud", "Connection", "Endpoint",
        "LocalCloud", "Names", "Observe", "Patience", "ServeOptions", "Settings", "Trust",
        "aws_names", "checked_region", "cloud_errors", "draw_keys", "error_code",
        "further_permissions", "isolated_environment", "isolated_session",
        "machine_image_parameter", "make_bucket", "no_plain_http", "parse_blob", "recorded_error",
        "refusal", "security_group", "serve", "serving_pid", "shut_bucket", "tls_files",
        "tls_only_policy", "write_private",
    ]  # fmt: skip
    with pytest.raises(AttributeError):
        room.missing  # noqa: B018


@pytest.mark.parametrize("name", FACES)
def test_every_public_name_is_there(name):
    face = importlib.import_module(name)
    assert face.__all__
    assert all(getattr(face, public) is not None for public in face.__all__)


@pytest.mark.parametrize("name", FACES)
def test_a_face_gives_the_thing_and_not_the_module_of_its_name(name):
    face = importlib.import_module(name)
    for public, home in getattr(face, "_HOMES", {}).items():
        importlib.import_module(f"{name}.{home}")
        assert type(getattr(face, public)).__name__ != "module", public


@pytest.mark.parametrize("name", FACES)
def test_the_examples_run(name):
    face = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
    names = {public: getattr(face, public) for public in face.__all__}
    found = doctest.testmod(face, optionflags=flags, extraglobs={**names, "Path": Path})
    assert found.failed == 0
    assert found.attempted > 0


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(FOLDER).with_suffix("").parts).removesuffix(".__init__")


def test_inner_rooms_are_entered_by_their_faces():
    wrong = []
    for path in sorted(FOLDER.rglob("*.py")):
        me = module_of(path).partition(".")[0]
        for node in ast.walk(ast.parse(path.read_bytes())):
            parts = (getattr(node, "module", "") or "").removeprefix(f"{LOCAL}.").split(".")
            if isinstance(node, ast.ImportFrom) and parts[0] in ROOMS and len(parts) > 1:
                wrong += [f"{path.name}: {node.module}"] if parts[0] != me else []
    assert wrong == []


def test_the_faces_load_no_server():
    code = f"import sys, {', '.join(FACES)}; print([m for m in {HEAVY!r} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout.strip() == "[]"


HEAVY = ("uvicorn", "starlette", "boto3", "botocore", "uvloop")
