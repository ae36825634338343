"""A lab's root, a clock that stands still, and the vectors."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nitro_workflow.attestation.issue import HypervisorPki, InstanceIssuer

NOW = datetime(2026, 3, 4, 5, 6, 7, 891_000, tzinfo=UTC)
INSTANCE = "i-0123456789abcdef0"
MODULE = f"{INSTANCE}-enc0123456789abcdef"
PCRS = {index: bytes([index + 1]) * 48 if index < 3 else bytes(48) for index in range(16)}

FOLDER = Path(__file__).parents[1] / "vectors" / "attestation"
ROWS: list[dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text())
GENUINE = [row for row in ROWS if row["verdict"] == "valid"]


def vector(name: str) -> bytes:
    """Return the vector whose file name begins so."""
    (path,) = FOLDER.glob(f"{name}*.bin")
    return path.read_bytes()


@pytest.fixture(scope="session")
def pki() -> HypervisorPki:
    return HypervisorPki.create(NOW)


@pytest.fixture(scope="session")
def issuer(pki: HypervisorPki) -> InstanceIssuer:
    return pki.instance(INSTANCE, NOW)


@pytest.fixture(scope="session")
def document(issuer: InstanceIssuer) -> bytes:
    return issuer.issue(module_id=MODULE, pcrs=PCRS, nonce=b"nonce", now=NOW)
