"""The public names of the room, and the examples in its docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import nitro_workflow.policy as room

MODULES = [f"{room.__name__}.{module.name}" for module in pkgutil.iter_modules(room.__path__)]


def test_public_names():
    assert room.__all__ == sorted(room.__all__)
    assert set(room.__all__) == {
        "Analysis", "Cause", "Check", "Condition", "Deciding", "Decision", "Explanation", "Grant",
        "Policies", "Policy", "PolicyKind", "Principal", "PrincipalKind", "Request",
        "RequestContext", "Statement", "StatementOutcome", "analyse", "author", "evaluate",
        "explain", "notes", "parse_policy", "parse_policy_leniently", "pcr_values",
    }  # fmt: skip
    assert all(getattr(room, name) is not None for name in room.__all__)


@pytest.mark.parametrize("name", [room.__name__, *MODULES])
def test_examples_and_names(name):
    module = importlib.import_module(name)
    assert module.__doc__
    assert all(hasattr(module, public) for public in module.__all__)
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL)
    assert found.failed == 0
