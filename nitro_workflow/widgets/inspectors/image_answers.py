"""What the live form of an image asks: rows of its files, a file's content, bytes, a comparison."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from nitro_workflow.errors import UsageError
from nitro_workflow.image import Image, Readable, open_image
from nitro_workflow.widgets.drawing import to_json
from nitro_workflow.widgets.inspectors.image_model import ImageModel, make_image
from nitro_workflow.widgets.inspectors.images_compared import compare_images
from nitro_workflow.widgets.inspectors.ramdisk_index import (
    MAX_OPENED,
    RamdiskIndex,
    TreeRow,
    index_of,
    path_of,
    read_files,
)

__all__ = ["image_answers", "make_comparison"]

_ROWS = 400  # rows of one answer
_BYTES = 65_536  # bytes of one answer
_CHARACTERS = 200_000  # of a text file that is shown
_FOLDERS = 10_000  # folders that may be open


def make_comparison(
    a: Readable, b: Readable, *, names: tuple[str, str] = ("A", "B"), label: str = ""
) -> ImageModel:
    """Return the view of image ``b`` with what it has otherwise than ``a``. Raises `ImageError`."""
    return make_image(b, label=label, compared=compare_images(a, b, names))


def image_answers(
    source: Readable, *, name: str = "this image", label: str = ""
) -> dict[str, Callable[[Mapping[str, Any]], Any]]:
    """Return what the live form may ask of an image, by the name of the question.

    ``source`` is opened for each question, and must stay as it is.
    """

    @lru_cache(maxsize=4)
    def index(number: int) -> RamdiskIndex:
        with open_image(source) as image:
            return index_of(image, number)

    @lru_cache(maxsize=8)
    def lines(number: int, opened: frozenset[str], search: str) -> list[TreeRow]:
        return index(number).visible(opened, search)

    def rows(values: Mapping[str, Any]) -> dict[str, Any]:
        folders, search = values.get("open"), values.get("search")
        if not isinstance(folders, list) or len(folders) > _FOLDERS or not isinstance(search, str):
            raise UsageError(
                "not a question that this view knows", expected="open folders and a search"
            )
        found = lines(
            _number(values, "ramdisk"),
            frozenset(path_of(str(key)) for key in folders),
            search[:200],
        )
        start, count = _number(values, "start"), min(_number(values, "count"), _ROWS)
        return {"total": len(found), "start": start,
                "rows": to_json(found[start : start + count])}  # fmt: skip

    def open_file(values: Mapping[str, Any]) -> dict[str, Any]:
        with open_image(source) as image:
            return _opened(image, _number(values, "ramdisk"), path_of(_text(values, "key")))

    def some_bytes(values: Mapping[str, Any]) -> dict[str, Any]:
        with open_image(source) as image:
            return _section_bytes(image, values)

    def compare(values: Mapping[str, Any]) -> ImageModel:
        path = Path(_text(values, "path").strip())
        found = compare_images(source, path, (name, path.name))
        return make_image(source, label=label, compared=found)

    return {"rows": rows, "open": open_file, "bytes": some_bytes, "compare": compare}


def _number(values: Mapping[str, Any], key: str) -> int:
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise UsageError(f"{key} that is not a number", expected="0 or more", where=key)
    return value


def _text(values: Mapping[str, Any], key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str) or not value.strip() or len(value) > 4 * 4096:
        raise UsageError(f"no {key}", expected="the path of a file", where=key)
    return value


def _opened(image: Image, number: int, path: str) -> dict[str, Any]:
    data = read_files(image, number, frozenset({path})).get(path)
    if data is None:
        raise UsageError("no such file", expected="a file of the ramdisk", where=path[:200])
    text = _as_text(data)
    cut = len(data) >= MAX_OPENED or (text is not None and len(text) > _CHARACTERS)
    return {"path": path, "size": len(data), "cut": cut,
            "text": None if text is None else text[:_CHARACTERS],
            "data": data[:_BYTES].hex()}  # fmt: skip


def _as_text(data: bytes) -> str | None:
    """Return the content as text, None where it is none."""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        cut_inside = error.start >= len(data) - 3 and len(data) >= MAX_OPENED
        return data[: error.start].decode("utf-8") if cut_inside else None


def _section_bytes(image: Image, values: Mapping[str, Any]) -> dict[str, Any]:
    start, end = _number(values, "start"), _number(values, "end")
    end = min(end, start + _BYTES, image.source.size)
    return {"start": start, "data": image.source.read_at(start, max(0, end - start)).hex()}
