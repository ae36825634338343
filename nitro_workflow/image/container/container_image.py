"""Container images: which layers, which configuration; from an OCI layout or a docker save archive.

OCI Image Format Specification 1.1 (image-layout.md, image-index.md, manifest.md, config.md) and the
``manifest.json`` of docker save. Archives that have both are read as OCI.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.container.blobs import (
    BlobStore,
    blob_name,
    open_store,
    read_json,
)
from nitro_workflow.image.container.folder_tree import Tree
from nitro_workflow.image.container.layers import LayerSource, tree_from_layers
from nitro_workflow.image.format import MAX_LAYERS, host_architecture

_ARCHITECTURES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MAX_DEPTH: Final = 4  # of an index in an index


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


@dataclass(frozen=True, slots=True)
class _Found:
    """What a manifest names, before any layer is read."""

    image_id: str
    configuration: dict[str, Any]
    layers: tuple[tuple[str, str | None], ...]  # file name, digest
    tags: tuple[str, ...]


@contextlib.contextmanager
def open_container_image(path: Path, architecture: str | None = None) -> Iterator[ContainerImage]:
    """Open a container image; its tree's content can be read while the context is open.

    ``architecture`` (x86_64 or aarch64) chooses in an image for several; else this machine's is
    taken, or the only one. Raises `ImageError`.
    """
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(open_store(path))
        if store.has("index.json"):
            found = _from_index(store, architecture)
        elif store.has("manifest.json"):
            found = _from_docker(store, architecture)
        else:
            raise _bad(str(path), "neither index.json nor manifest.json", "a container image")
        diff_ids = _diff_ids(found)
        layers = [
            LayerSource(name, digest, diff_id)
            for (name, digest), diff_id in zip(found.layers, diff_ids, strict=True)
        ]
        tree = tree_from_layers(store, layers, stack)
        yield _container(found, tree, diff_ids)


def _container(found: _Found, tree: Tree, diff_ids: list[str]) -> ContainerImage:
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
    architecture = _architecture(configuration.get("architecture"))
    return ContainerImage(tree, architecture, found.image_id, found.tags, config, info)


def _architecture(name: Any) -> str:
    if name not in _ARCHITECTURES:
        raise _bad("configuration", f"architecture {name!r}", "amd64 or arm64: enclaves have these")
    return _ARCHITECTURES[name]


def _diff_ids(found: _Found) -> list[str]:
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


def _from_index(store: BlobStore, architecture: str | None) -> _Found:
    candidates = list(_manifests(store, read_json(store, "index.json"), (), 0))
    chosen = _choose([(item, _platform(item[0])) for item in candidates], architecture)
    descriptor, tags = chosen
    manifest = read_json(store, blob_name(descriptor), descriptor)
    config = manifest.get("config") if isinstance(manifest, dict) else None
    layers = manifest.get("layers") if isinstance(manifest, dict) else None
    if not isinstance(layers, list) or not isinstance(config, dict):
        raise _bad("manifest", "no config or layers", "an image manifest (manifest.md)")
    name = blob_name(config)
    configuration = read_json(store, name, config)
    if not isinstance(configuration, dict):
        raise _bad(name, "a configuration that is not an object", "config.md")
    pairs = tuple((blob_name(layer), str(layer["digest"])) for layer in layers)
    return _Found(str(config["digest"]), configuration, pairs, tags)


def _manifests(
    store: BlobStore, index: Any, tags: tuple[str, ...], depth: int
) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Yield the image manifests' descriptors with their names, indexes in indexes opened."""
    entries = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(entries, list) or depth > _MAX_DEPTH:
        raise _bad("index.json", "no list of manifests", "an image index (image-index.md)")
    for descriptor in entries:
        name = blob_name(descriptor)
        notes = descriptor.get("annotations") or {}
        tag = notes.get("io.containerd.image.name") or notes.get(
            "org.opencontainers.image.ref.name"
        )
        names = (*tags, str(tag)) if tag else tags
        if descriptor.get("mediaType") in _INDEXES:
            yield from _manifests(store, read_json(store, name, descriptor), names, depth + 1)
        elif (descriptor.get("platform") or {}).get("architecture") != "unknown":
            yield descriptor, names  # "unknown" marks BuildKit's attestations


def _platform(descriptor: dict[str, Any]) -> str | None:
    platform = descriptor.get("platform")
    name = platform.get("architecture") if isinstance(platform, dict) else None
    return _ARCHITECTURES.get(str(name), str(name)) if name else None


def _choose(candidates: list[tuple[Any, str | None]], architecture: str | None) -> Any:
    if len(candidates) == 1:
        return candidates[0][0]
    wanted = architecture or host_architecture()
    matching = [item for item, name in candidates if name == wanted]
    if len(matching) != 1:
        names = ", ".join(sorted({str(name) for _, name in candidates})) or "none"
        raise _bad(
            "index.json",
            f"{len(matching)} images for {wanted} (there are: {names})",
            "one; give --architecture, or save one image alone",
        )
    return matching[0]


def _from_docker(store: BlobStore, architecture: str | None) -> _Found:
    entries = read_json(store, "manifest.json")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _bad("manifest.json", "not a list of images", "what docker save writes")
    loaded = [(entry, _docker_configuration(store, entry)) for entry in entries[:64]]
    choices = [(pair, _ARCHITECTURES.get(str(pair[1].get("architecture")))) for pair in loaded]
    entry, configuration = _choose(choices, architecture)
    layers = entry.get("Layers")
    if not isinstance(layers, list) or not all(isinstance(name, str) for name in layers):
        raise _bad("manifest.json", "no Layers", "what docker save writes")
    tags = tuple(str(tag) for tag in entry.get("RepoTags") or ())
    digest = _config_digest(store, str(entry["Config"]))
    return _Found(digest, configuration, tuple((name, None) for name in layers), tags)


def _docker_configuration(store: BlobStore, entry: dict[str, Any]) -> dict[str, Any]:
    name = entry.get("Config")
    value = read_json(store, name) if isinstance(name, str) else None
    if not isinstance(value, dict):
        raise _bad("manifest.json", "no Config", "what docker save writes")
    return value


def _config_digest(store: BlobStore, name: str) -> str:
    import hashlib

    with store.open(name) as stream:
        return "sha256:" + hashlib.sha256(stream.read()).hexdigest()


def _bad(where: str, found: str, expected: str) -> ImageError:
    return ImageError(
        found,
        expected=expected,
        where=where,
        next="Give an OCI layout (folder or tar) or what `docker save` wrote.",
    )
