"""What every test may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

VECTORS = Path(__file__).parent / "vectors"
REQUIRED = frozenset(filter(None, os.environ.get("NITRO_REQUIRE", "").split(",")))

# What this machine lacks and which tests therefore did not run; printed in one line at the end.
_missing: dict[str, str] = {}


@pytest.fixture
def require() -> Callable[[str, bool, str], None]:
    """Skip where the machine lacks something, or fail where `NITRO_REQUIRE` names it.

    ``require("browser", shutil.which("chromium") is not None, "apt-get install chromium")``
    """

    def check(name: str, present: bool, remedy: str) -> None:
        if present:
            return
        if name in REQUIRED:
            pytest.fail(f"{name} is required (NITRO_REQUIRE) and missing: {remedy}")
        _missing[name] = remedy
        pytest.skip(f"{name} is missing: {remedy}")

    return check


@pytest.fixture(scope="session")
def thorough() -> bool:
    """Tell whether to try everything where a seeded sample is enough on every save.

    `NITRO_THOROUGH=1`, as CI sets it: each bit of each document, each point of each sweep.
    """
    return os.environ.get("NITRO_THOROUGH") == "1"


@pytest.fixture(scope="session")
def vectors() -> Path:
    """Return the folder of real data that other people made."""
    return VECTORS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what the machine lacks."""
    if _missing:
        lacks = "; ".join(f"{name} ({remedy})" for name, remedy in sorted(_missing.items()))
        terminalreporter.write_line(f"Not run for want of: {lacks}")
