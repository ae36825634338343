"""The decision log of a lab in which nothing was asked of the cloud yet."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nitro_workflow.errors import LabError
from nitro_workflow.lessons import lesson_views


def test_an_empty_log_is_told_as_empty_and_not_as_unknown_bytes():
    trail = SimpleNamespace(
        get_paginator=lambda _: SimpleNamespace(paginate=lambda: [{"Events": []}])
    )
    session = SimpleNamespace(client=lambda _: trail)
    bench = SimpleNamespace(
        parties=SimpleNamespace(session=lambda _: session),
        cloud=SimpleNamespace(trail=SimpleNamespace(pause=0.0)),
    )
    with pytest.raises(LabError, match="recorded nothing yet") as refused:
        lesson_views.log(bench)
    assert "lesson.run" in refused.value.next
