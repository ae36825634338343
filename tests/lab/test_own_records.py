"""The owner's own file, and data that one tag may not stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from enclave_image.owner import COLUMNS
from nitro_workflow.errors import DatasetError, LabError
from nitro_workflow.lab.steps import p3_p4_data
from nitro_workflow.lab.steps.d1_d2_delivery import jobs_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from nitro_workflow.lab import Lab

HEADER = ",".join(COLUMNS) + "\n"
ROW = "00000001,Ada Chen,asia,public,2024-01-05,120,345.67\n"


@pytest.mark.sandbox
def test_a_file_that_is_refused_is_not_met_again(fresh: Lab, tmp_path: Path) -> None:
    own = tmp_path / "own.csv"
    own.write_text(HEADER + ROW * 2 + ROW.replace("120", "twelve"))
    fresh.up()
    for path, error in ((own, DatasetError), (tmp_path / "none.csv", LabError)):
        fresh.bench.folder.change_settings(csv=str(path))
        with pytest.raises(error) as caught:
            fresh.run("P3")
        assert caught.value.where.startswith("P3")
        assert fresh.bench.folder.settings()["csv"] is None
    assert not list((fresh.path / "owner").glob("customers*"))
    own.write_text(HEADER + ROW * 20)
    fresh.bench.folder.change_settings(csv=str(own))
    assert fresh.run("P3").evidence["plaintext_bytes"] == own.stat().st_size


@pytest.mark.sandbox
def test_more_than_one_tag_may_stand_for_is_one_job(
    fresh: Lab,
    one_rehearsal: Callable[[], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fresh.up()
    both = fresh.run("P4").produced["objects"]
    assert len(both) == 3
    monkeypatch.setattr(p3_p4_data, "ENVELOPE_MAX_BYTES", fresh.bench.size)
    encrypted = fresh.run("P3")
    assert "no form by hand was made" in encrypted.notes[0]
    assert not (fresh.path / "owner" / p3_p4_data.ENVELOPE_FILE).exists()
    with one_rehearsal():
        result = fresh.run("D9")
    assert list(fresh.bench.produced("P4", "objects")) == [p3_p4_data.SDK_FILE]
    assert list(jobs_of(fresh.bench)) == ["encryption-sdk"]
    assert list(result.evidence["receipt"]) == ["encryption-sdk"]
    assert result.evidence["rows"] > 0
