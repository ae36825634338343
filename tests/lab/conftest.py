"""One walk for the whole session: small data, its own folder; many tests look at it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from enclave_image.packing import root_filesystem
from enclave_image.packing.wheels import Wheels
from nitro_workflow.lab import STEPS, Lab, StepResult

SIZE = 200_000  # bytes: some thousand customers, in four frames of the Encryption SDK


@pytest.fixture(scope="session")
def one_rehearsal() -> Callable[[], AbstractContextManager[None]]:
    """Return a context in which what the application loads is found once a session.

    The rehearsal takes half a walk; `test_rootfs` has it done each time.
    """
    found: list[root_filesystem.Closure] = []
    find = root_filesystem.find_closure

    def once(wheels: Wheels, beside: Path) -> root_filesystem.Closure:
        if not found:
            found.append(find(wheels, beside))
        return found[0]

    @contextlib.contextmanager
    def context() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(root_filesystem, "find_closure", once)
            yield

    return context


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Return the session's lab; its processes end with the session."""
    opened = Lab.open(tmp_path_factory.mktemp("lab"), size=SIZE)
    yield opened
    opened.down()


@pytest.fixture(scope="session")
def walked(
    lab: Lab, one_rehearsal: Callable[[], AbstractContextManager[None]]
) -> dict[str, StepResult]:
    """Return the results of the 17 steps, run once."""
    with one_rehearsal():
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
    if (opened.path / "lab.json").exists():
        opened.down()
