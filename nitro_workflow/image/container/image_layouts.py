"""The images that a layout holds: OCI's, skopeo's ``dir:``, or docker save's archive.

OCI Image Format Specification 1.1 (image-layout.md, image-index.md, manifest.md), the ``dir``
transport of containers/image, and the ``manifest.json`` of docker save. What is there beside images
for Linux (Windows, SBOMs, signatures, attestations, platforms whose blobs were left out) is passed
over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.container.blobs import BlobStore, digest_of, read_json
from nitro_workflow.image.container.image_choice import ARCHITECTURES, Candidate

_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_CONFIGURATIONS: Final = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
_NOTES: Final = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_MAX_DEPTH: Final = 4  # of an index in an index
_MAX_DESCRIPTORS: Final = 1_024  # images, attestations and so on, of all indexes


@dataclass(slots=True)
class Found:
    """The images for Linux, and in a few words what else there is."""

    images: list[Candidate] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Names:
    """Where a layout keeps what a descriptor names."""

    manifest: Callable[[Any], str]
    blob: Callable[[Any], str]


_OCI: Final = _Names(
    manifest=lambda descriptor: "blobs/" + digest_of(descriptor).replace(":", "/"),
    blob=lambda descriptor: "blobs/" + digest_of(descriptor).replace(":", "/"),
)
_DIR: Final = _Names(
    manifest=lambda descriptor: digest_of(descriptor).partition(":")[2] + ".manifest.json",
    blob=lambda descriptor: digest_of(descriptor).partition(":")[2],
)


def find_images(store: BlobStore) -> Found:
    """Return what a store holds, whatever its layout. Raises `ImageError` where it has none."""
    if store.has("index.json"):
        found = Found()
        _index(store, _OCI, read_json(store, "index.json"), found)
        return found
    if not store.has("manifest.json"):
        raise _bad("container image", "neither index.json nor manifest.json", "a container image")
    manifest = read_json(store, "manifest.json")
    if isinstance(manifest, list):
        return Found(list(_docker_images(store, manifest)))
    return _dir_images(store, manifest)


def _index(store: BlobStore, names: _Names, index: Any, found: Found) -> None:
    count = 0
    for descriptor, tags in _descriptors(store, names, index, (), 0):
        count += 1
        if count > _MAX_DESCRIPTORS:
            raise _bad("index.json", f"more than {_MAX_DESCRIPTORS} entries", "fewer")
        other = _no_image(store, names, descriptor)
        if other:
            found.passed_over.append(other)
            continue
        name = names.manifest(descriptor)
        manifest = read_json(store, name, descriptor)
        _manifest(store, names, manifest, descriptor, tags, found)


def _descriptors(
    store: BlobStore, names: _Names, index: Any, tags: tuple[str, ...], depth: int
) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    """Yield the manifests' descriptors with their tags, indexes in indexes opened."""
    entries = index.get("manifests") if isinstance(index, dict) else None
    if not isinstance(entries, list) or depth > _MAX_DEPTH:
        raise _bad("index.json", "no list of manifests", "an image index (image-index.md)")
    for descriptor in entries:
        digest_of(descriptor)
        notes = _object(descriptor, "annotations")
        more = tuple(str(notes[key]) for key in _NOTES if notes.get(key))
        known = tuple(dict.fromkeys((*tags, *more)))
        if descriptor.get("mediaType") in _INDEXES:
            name = names.manifest(descriptor)
            if store.has(name):
                inner = read_json(store, name, descriptor)
                yield from _descriptors(store, names, inner, known, depth + 1)
        else:
            yield descriptor, known


def _no_image(store: BlobStore, names: _Names, descriptor: dict[str, Any]) -> str:
    """Say what a descriptor is, where that is no image for Linux that is here; else nothing."""
    notes, platform = _object(descriptor, "annotations"), _object(descriptor, "platform")
    system, architecture = platform.get("os"), platform.get("architecture")
    if "unknown" in (system, architecture) or notes.get("vnd.docker.reference.type"):
        return "an attestation"
    if descriptor.get("artifactType"):
        return f"an artifact of type {descriptor['artifactType']}"
    if system not in (None, "", "linux"):
        return f"an image for {system}/{architecture}"
    if platform and not store.has(names.manifest(descriptor)):
        return f"an image for {system}/{architecture}, whose blobs are not here"
    return ""


def _manifest(
    store: BlobStore,
    names: _Names,
    manifest: Any,
    descriptor: dict[str, Any],
    tags: tuple[str, ...],
    found: Found,
) -> None:
    config = manifest.get("config") if isinstance(manifest, dict) else None
    layers = manifest.get("layers") if isinstance(manifest, dict) else None
    if not isinstance(layers, list) or not isinstance(config, dict):
        raise _bad("manifest", "no config or layers", "an image manifest (manifest.md)")
    kind = _artifact(manifest, config, layers)
    if kind:
        found.passed_over.append(f"an artifact of type {kind}")
        return
    _refuse_encrypted(layers)
    configuration = _configuration(store, names.blob(config), config)
    platform = _object(descriptor, "platform")
    claimed = str(platform["architecture"]) if platform.get("architecture") else None
    image = Candidate(
        digest=str(descriptor["digest"]),
        image_id=str(config["digest"]),
        tags=tags,
        configuration=configuration,
        layers=tuple((names.blob(layer), str(layer["digest"])) for layer in layers),
        claimed=None if claimed is None else ARCHITECTURES.get(claimed, claimed),
    )
    if image.system == "linux":
        found.images.append(image)
    else:
        found.passed_over.append(f"an image for {image.platform}")


def _refuse_encrypted(layers: list[Any]) -> None:
    for layer in layers:
        media = layer.get("mediaType") if isinstance(layer, dict) else None
        if str(media).endswith("+encrypted"):
            raise ImageError(
                "an encrypted layer",
                expected="layers that anybody can read: they become part of what is measured",
                where=str(layer.get("digest"))[:80],
                next="`skopeo copy --decryption-key KEY oci:FOLDER oci:NEW` decrypts it.",
            )


def _artifact(manifest: dict[str, Any], config: dict[str, Any], layers: list[Any]) -> str:
    """Return the type of what a manifest holds, where that is no image (manifest.md)."""
    kind = manifest.get("artifactType")
    if kind:
        return str(kind)
    media = config.get("mediaType")
    if media and media not in _CONFIGURATIONS:
        return str(media)
    # A signature of cosign has an image's configuration, and layers that are not tar.
    for layer in layers:
        media = layer.get("mediaType") if isinstance(layer, dict) else None
        if media and "tar" not in str(media):
            return str(media)
    return ""


def _configuration(
    store: BlobStore, name: str, descriptor: dict[str, Any] | None = None
) -> dict[str, Any]:
    value = read_json(store, name, descriptor)
    if not isinstance(value, dict):
        raise _bad(name, "a configuration that is not an object", "config.md")
    return value


def _dir_images(store: BlobStore, manifest: Any) -> Found:
    found = Found()
    if isinstance(manifest, dict) and "manifests" in manifest:
        _index(store, _DIR, manifest, found)
        return found
    with store.open("manifest.json") as stream:
        digest = "sha256:" + hashlib.sha256(stream.read()).hexdigest()
    _manifest(store, _DIR, manifest, {"digest": digest}, (), found)
    return found


def _docker_images(store: BlobStore, entries: list[Any]) -> Iterator[Candidate]:
    for entry in entries[:_MAX_DESCRIPTORS]:
        name = entry.get("Config") if isinstance(entry, dict) else None
        layers = entry.get("Layers") if isinstance(entry, dict) else None
        if not isinstance(layers, list) or not all(isinstance(layer, str) for layer in layers):
            raise _bad("manifest.json", "no Layers", "what docker save writes")
        if not isinstance(name, str):
            raise _bad("manifest.json", "no Config", "what docker save writes")
        configuration = _configuration(store, name)
        with store.open(name) as stream:
            digest = "sha256:" + hashlib.sha256(stream.read()).hexdigest()
        tags = tuple(str(tag) for tag in entry.get("RepoTags") or ())
        files = tuple((layer, None) for layer in layers)
        yield Candidate(digest, digest, tags, configuration, files)


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    found = value.get(name)
    return found if isinstance(found, dict) else {}


def _bad(where: str, found: str, expected: str) -> ImageError:
    return ImageError(
        found,
        expected=expected,
        where=where,
        next="Give an OCI layout (folder or tar), skopeo's `dir:`, or what `docker save` wrote.",
    )
