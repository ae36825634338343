"""The public names of the room, and the examples in its docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import nitro_workflow.policy as room

MODULES = [module.name for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")]
FACES = [f"{room.__name__}.{inner}" for inner in ("language", "decide", "reasons", "reach")]


def in_order(names):
    """Constants, classes, functions: as the linter sorts them."""
    return sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))


def test_public_names():
    assert room.__all__ == in_order(room.__all__)
    assert set(room.__all__) == {
        "Analysis", "AuthorizationDetails", "Cause", "Condition", "DecryptHistory", "Deciding", "Decision", "Explanation", "FEEDS", "Glob", "Grant",
        "ImageAnswer", "KEY_ARN", "KINDS", "PcrKey", "Policies", "Policy", "PolicyFinding", "PolicyKind",
        "PolicySource", "Principal", "PrincipalKind", "Request", "RequestContext", "Statement",
        "StatementCheck", "StatementOutcome", "Way", "Witness", "analyse", "ask_image", "author",
        "check_arns", "cloudtrail_records", "denial_text", "evaluate", "explain", "find_policies", "look_back", "notes", "parse_authorization", "parse_grants",
        "parse_key", "parse_measurements", "parse_policy", "parse_policy_leniently", "parse_requests",
        "pcr_values", "read_json", "render_analysis", "render_explanation", "render_history",
        "render_image",
        "requests_from_cloudtrail", "with_document",
    }  # fmt: skip
    assert all(getattr(room, name) is not None for name in room.__all__)


@pytest.mark.parametrize("name", [room.__name__, *MODULES])
def test_examples_and_names(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert all(hasattr(module, public) for public in module.__all__)
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    assert found.failed == 0


@pytest.mark.parametrize("name", FACES)
def test_an_inner_face_has_an_example_and_its_names_in_order(name):
    module = importlib.import_module(name)
    assert doctest.DocTestFinder().find(module, name)[0].examples
    assert module.__all__ == in_order(module.__all__)


def test_the_face_loads_only_what_is_used():
    code = (
        "import sys, nitro_workflow.policy as room; room.evaluate;"
        "print(*(name for name in sys.modules if name.startswith(room.__name__ + '.')))"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    ).stdout.split()
    assert "nitro_workflow.policy.decide" in loaded
    assert not any(name.startswith(f"{room.__name__}.rea") for name in loaded)
