"""A page for each room: its docstring, then each public name with its own."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_site.constants import constants_of
from nitro_site.public_names import ROOMS, Kind, PublicName, names_of, shown

HEADINGS: dict[Kind, str] = {
    "function": "Functions",
    "class": "Classes",
    "constant": "Constants",
    "module": "Rooms inside",
}


def api_pages() -> dict[str, str]:
    """Return reStructuredText by the name of its page."""
    return {room: "\n\n".join(_room(room)) for room in ROOMS}


def _room(room: str) -> Iterator[str]:
    yield f"{room}\n{'=' * len(room)}"
    yield f".. automodule:: {room}"
    if room == "nitro_workflow":
        yield _heading("Where they are explained")
        yield "\n".join(f"- :py:obj:`{_shown_as(name)}`" for name in names_of(room) if name.home)
        return
    own = [name for name in names_of(room) if shown().get(_key(name)) == name]
    for kind, heading in HEADINGS.items():
        some = [name for name in own if name.kind == kind]
        if some:
            yield _heading(heading)
            yield from map(_entry, some)


def _key(name: PublicName) -> tuple[str, str]:
    return name.home, getattr(name.value, "__qualname__", name.name)


def _shown_as(name: PublicName) -> str:
    found = shown().get(_key(name))
    return found.path if found else name.name


def _heading(text: str) -> str:
    return f"{text}\n{'-' * len(text)}"


def _entry(name: PublicName) -> str:
    if name.kind == "module":
        return f"- :doc:`{name.home}`"
    if name.kind == "constant":
        return f".. py:data:: {name.path}\n\n   {_said(name)}"
    members = "\n   :members:" if name.kind == "class" else ""
    return f".. auto{name.kind}:: {name.path}{members}"


def _said(name: PublicName) -> str:
    """Return what is written at a constant's home, where autodoc does not look."""
    said = {found.name: found.text for found in constants_of(name.home)}
    return said.get(name.name, "").replace("*", r"\*")
