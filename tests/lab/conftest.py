"""One walk for the whole session: small data, its own folder; many tests look at it."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

from nitro_workflow.lab import STEPS, Lab, StepResult, rootfs
from nitro_workflow.lab.state import runtime_folder

SIZE = 200_000  # bytes: some thousand customers, in four frames of the Encryption SDK


@pytest.fixture(scope="session", autouse=True)
def _one_rehearsal() -> Iterator[None]:
    """Find what the application loads once for all labs of the session: it takes half a walk."""
    found = functools.cache(rootfs.find_closure)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rootfs, "find_closure", lambda: found())
        yield


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return the session's lab; its processes end with the session."""
    opened = Lab.open(tmp_path_factory.mktemp("lab"), size=SIZE)
    yield opened
    opened.down()


@pytest.fixture(scope="session")
def walked(lab: Lab) -> dict[str, StepResult]:
    """Return the results of the 17 steps, run once."""
    results = {result.step: result for result in lab.walk()}
    failed = next((one for one in results.values() if one.error), None)
    assert failed is None, failed
    assert len(results) == len(STEPS)
    return results


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Lab]:
    """Return a lab of this test alone, nothing started."""
    opened = Lab.open(tmp_path / "lab", size=SIZE)
    yield opened
    if (opened.path / "lab.json").exists() and runtime_folder(opened.path).exists():
        opened.down()
