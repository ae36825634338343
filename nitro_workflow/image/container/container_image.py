"""Container images: one of those that a layout or archive holds, with its files put together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nitro_workflow.errors import ImageError
from nitro_workflow.image.container.blobs import open_store
from nitro_workflow.image.container.folder_tree import Tree
from nitro_workflow.image.container.image_choice import Candidate, choose
from nitro_workflow.image.container.image_layouts import find_images
from nitro_workflow.image.container.layers import LayerSource, tree_from_layers
from nitro_workflow.image.format import MAX_LAYERS


@dataclass(frozen=True, slots=True)
class ContainerImage:
    """A container image's root filesystem and configuration.

    ``image_id`` is its configuration's digest (``sha256:…``), ``config`` the ``config`` object of
    it, ``tags`` its names. ``docker_info`` is what goes into an image's metadata.
    """

    tree: Tree
    architecture: str
    image_id: str
    tags: tuple[str, ...]
    config: dict[str, Any]
    docker_info: dict[str, Any]


@contextlib.contextmanager
def open_container_image(
    path: Path,
    architecture: str | None = None,
    *,
    tag: str | None = None,
    digest: str | None = None,
) -> Iterator[ContainerImage]:
    """Open a container image; its tree's content can be read while the context is open.

    ``architecture`` (x86_64 or aarch64), ``tag`` and ``digest`` choose where there are several; an
    image that is not for the architecture given is refused. Raises `ImageError`.
    """
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(open_store(path))
        found = find_images(store)
        chosen = choose(
            found.images, found.passed_over, architecture=architecture, tag=tag, digest=digest
        )
        diff_ids = _diff_ids(chosen)
        layers = [
            LayerSource(name, packed, diff_id)
            for (name, packed), diff_id in zip(chosen.layers, diff_ids, strict=True)
        ]
        tree = tree_from_layers(store, layers, stack)
        yield _container(chosen, tree, diff_ids)


def _container(found: Candidate, tree: Tree, diff_ids: list[str]) -> ContainerImage:
    configuration = found.configuration
    config = configuration.get("config") or {}
    if not isinstance(config, dict):
        raise _bad("configuration", "config that is not an object", "an object")
    info = {
        "Id": found.image_id,
        "RepoTags": list(found.tags),
        "Created": configuration.get("created"),
        "Architecture": configuration.get("architecture"),
        "Os": configuration.get("os"),
        "Config": config,
        "RootFS": {"Type": "layers", "Layers": diff_ids},
    }
    return ContainerImage(tree, found.architecture, found.image_id, found.tags, config, info)


def _diff_ids(found: Candidate) -> list[str]:
    rootfs = found.configuration.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) != len(found.layers):
        count = len(diff_ids) if isinstance(diff_ids, list) else "no"
        raise _bad(
            "configuration", f"{count} diff ids", f"one for each of {len(found.layers)} layers"
        )
    if len(diff_ids) > MAX_LAYERS:
        raise _bad("configuration", f"{len(diff_ids)} layers", f"at most {MAX_LAYERS}")
    return diff_ids


def _bad(where: str, found: str, expected: str) -> ImageError:
    return ImageError(
        found,
        expected=expected,
        where=where,
        next="Give an OCI layout (folder or tar) or what `docker save` wrote.",
    )
