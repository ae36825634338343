"""Memory: closed to others, and given back."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from botocore.loaders import Loader

from nitro_workflow.cloud.local import process_memory
from nitro_workflow.cloud.local.dispatch import Dispatcher
from nitro_workflow.cloud.local.http import edge
from nitro_workflow.cloud.local.process_memory import (
    give_memory_back,
    keep_for_good,
    limit_heaps,
)
from nitro_workflow.cloud.local.protocol import load_model, models
from tests.cloud.conftest import RunningCloud
from tests.cloud.test_faults import resident


def test_nobody_else_reads_it(cloud: RunningCloud) -> None:
    limits = Path(f"/proc/{cloud.pid}/limits").read_text().splitlines()
    core = next(line for line in limits if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]


def test_a_c_library_without_these_knobs_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        def __init__(self, *_: object, **__: object) -> None:
            pass

    monkeypatch.setattr(process_memory.ctypes, "CDLL", Other)
    limit_heaps()
    give_memory_back()


def test_glibc_has_them() -> None:
    library = ctypes.CDLL(None)
    assert all(hasattr(library, name) for name in ("mallopt", "malloc_trim"))


def test_large_bodies_leave_nothing_behind(cloud: RunningCloud) -> None:
    """After objects and calls of all sizes the process is hardly larger than before."""
    s3, kms = cloud.client("s3"), cloud.client("kms")
    s3.create_bucket(Bucket="memory")
    s3.put_object(Bucket="memory", Key="warm", Body=b"x")
    kms.list_keys()
    before = resident(cloud)
    for size in (10_000, 300_000, 3_000_000, 30_000_000):
        s3.put_object(Bucket="memory", Key="k", Body=bytes(size))
        assert len(s3.get_object(Bucket="memory", Key="k")["Body"].read()) == size
    assert resident(cloud) - before < 20 * 1024**2


def test_circles_are_given_back() -> None:
    class Frame:
        pass

    refusal = Frame()
    refusal.cause = refusal  # type: ignore[attr-defined]
    seen = weakref.ref(refusal)
    gc.disable()
    try:
        del refusal
        assert seen() is not None
        give_memory_back()
        assert seen() is None
    finally:
        gc.enable()


class _Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_is_kept_is_what_was_there_and_nothing_later() -> None:
    kept, later = _Circle(), None
    keep_for_good()
    later = _Circle()
    seen = weakref.ref(kept), weakref.ref(later)
    del kept, later
    give_memory_back()
    assert seen[0]() is not None  # why it is done before the first connection
    assert seen[1]() is None


def test_it_is_kept_once_and_before_the_cloud_answers(
    dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection of that moment would hold its buffers and its body for ever."""
    done: list[str] = []
    monkeypatch.setattr(edge, "keep_for_good", lambda: done.append("kept"))

    async def ready() -> None:
        done.append("answers")

    async def nothing_comes() -> dict[str, str]:
        return {"type": messages.pop(0)}

    async def say(message: Mapping[str, object]) -> None:
        done.append(str(message["type"]))

    messages = ["lifespan.startup", "lifespan.shutdown"]
    app = edge.make_app(dispatcher, log=lambda _: None, on_start=ready)
    asyncio.run(app({"type": "lifespan"}, nothing_comes, say))
    assert done == ["kept", "answers", "lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_model_that_comes_with_a_request_freezes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests beside it would hold their connections and bodies for ever."""
    monkeypatch.setattr(gc, "freeze", lambda: pytest.fail("frozen while others are served"))
    assert load_model.__wrapped__("sts").operation_names


def test_models_have_no_prose_but_all_their_shapes() -> None:
    """Half of a model is text for people, and the collector would walk it at every round."""
    loader = Loader(include_default_search_paths=False)
    loader.search_paths.append(Loader.BUILTIN_DATA_PATH)
    for service in ("kms", "ssm"):
        model, whole = load_model(service), loader.load_service_model(service, "service-2")
        assert '"documentation": "' not in json.dumps(model._service_description)
        assert set(model.shape_names) == set(whole["shapes"])
        assert set(model.operation_names) == set(whole["operations"])
        for name in model.shape_names:
            members = whole["shapes"][name].get("members", {})
            assert set(model._service_description["shapes"][name].get("members", {})) == set(
                members
            )


def test_a_member_may_be_called_documentation() -> None:
    shape = {"members": {"documentation": {"shape": "S", "documentation": "text"}}}
    assert models._without_prose(shape) == {"members": {"documentation": {"shape": "S"}}}
