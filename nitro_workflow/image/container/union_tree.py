"""A file tree that layers are put on: folders merge, all else is replaced, links stay inside."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.ramdisk import Node, folder_node

MAX_LINKS: Final = 40  # symlinks followed in one path, as Linux does


@dataclass(slots=True)
class _Place:
    """A node and, if it is a folder, what is in it; ``layer`` is the last that touched it."""

    node: Node
    layer: int
    children: dict[str, _Place] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.node.mode)

    @property
    def target(self) -> str | None:
        if not stat.S_ISLNK(self.node.mode) or self.node.content is None:
            return None
        return os.fsdecode(b"".join(self.node.content()))


class UnionTree:
    """The tree; paths are relative, without ``.`` and ``..``.

    What is put belongs to the layer begun last; `remove_below` and `clear_below` spare that layer.
    """

    def __init__(self) -> None:
        self._layer = 0
        self._root = _Place(folder_node(b""), self._layer)

    def begin_layer(self) -> None:
        """Begin a layer above all that is there."""
        self._layer += 1

    def put(self, path: str, node: Node) -> None:
        """Add an entry; parents that are missing are made. Raises `ImageError`."""
        folder, name = self._parent(path, make=True)
        there = folder.children.get(name)
        if there is not None and there.is_folder and stat.S_ISDIR(node.mode):
            there.node, there.layer = node, self._layer
        else:
            folder.children[name] = _Place(node, self._layer)

    def link(self, path: str, target: str) -> None:
        """Give the file at ``target`` another name. Raises `ImageError` when it is none."""
        try:
            folder, name = self._parent(target, make=False)
            place = folder.children.get(name)
        except ImageError:
            place = None
        over = self._parent(path, make=True)
        itself = over[0].children.get(over[1]) is place
        if place is None or place.is_folder or itself:
            raise ImageError(
                f"a hard link to {target!r}",
                expected="another file of this image",
                where=f"layer entry {path!r}",
                next="No tool writes such an entry: treat the image as hostile.",
            )
        if place.node.inode is None and stat.S_ISREG(place.node.mode):
            place.node = replace(place.node, inode=object())
        self.put(path, place.node)

    def remove_below(self, path: str) -> None:
        """Take away what lower layers have at a path and under it; links are not followed."""
        *parents, name = path.split("/")
        folder = self._place(parents)
        there = folder.children.get(name) if folder else None
        if folder is None or there is None:
            return
        if there.layer == self._layer:
            self._clear(there)
        else:
            del folder.children[name]

    def clear_below(self, path: str) -> None:
        """Empty a folder of what lower layers have in it; links are not followed."""
        folder = self._place(path.split("/") if path else [])
        if folder is not None:
            self._clear(folder)

    def _clear(self, folder: _Place) -> None:
        waiting = [folder]
        while waiting:
            children = waiting.pop().children
            for name, place in [*children.items()]:
                if place.layer == self._layer:
                    waiting.append(place)
                else:
                    del children[name]

    def _place(self, parts: list[str]) -> _Place | None:
        place: _Place | None = self._root
        for part in parts:
            place = place.children.get(part) if place else None
        return place

    def nodes(self) -> Iterator[Node]:
        """Yield all entries, each with its whole path, sorted by path."""
        yield from sorted(self._walk(), key=lambda node: node.path)

    def _walk(self) -> Iterator[Node]:
        waiting = [(b"", self._root)]
        while waiting:
            prefix, folder = waiting.pop()
            for name, place in folder.children.items():
                path = prefix + os.fsencode(name)
                yield replace(place.node, path=path)
                if place.is_folder:
                    waiting.append((path + b"/", place))

    def _parent(self, path: str, *, make: bool) -> tuple[_Place, str]:
        """Return the folder that holds ``path``'s last part, links in between followed.

        With ``make`` the folders on the way are the current layer's: they hold what it puts.
        """
        *parents, name = path.split("/")
        trail = self._trail(path, parents, make=make)
        if make:
            for place in trail:
                place.layer = self._layer
        return trail[-1], name

    def _trail(self, path: str, parents: list[str], *, make: bool) -> list[_Place]:
        """Return the folders from the root to the last of ``parents``."""
        trail = [self._root]
        waiting = parents[::-1]
        followed = 0
        while waiting:
            part = waiting.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if len(trail) > 1:
                    trail.pop()  # above the root is the root
                continue
            place = trail[-1].children.get(part)
            if place is None:
                if not make:
                    raise _no_folder(path, part)
                place = trail[-1].children[part] = _Place(folder_node(b""), self._layer)
            target = place.target
            if target is not None:
                followed += 1
                if followed > MAX_LINKS:
                    raise _no_folder(path, part)
                if target.startswith("/"):
                    trail = [self._root]
                waiting += target.split("/")[::-1]
            elif place.is_folder:
                trail.append(place)
            else:
                raise _no_folder(path, part)
        return trail


def _no_folder(path: str, part: str) -> ImageError:
    return ImageError(
        f"{part!r} is not a folder",
        expected="folders above an entry",
        where=f"layer entry {path!r}",
        next="No tool writes such an entry: treat the image as hostile.",
    )
