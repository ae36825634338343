"""Which image of several is meant: for Linux, of one architecture, by its tag or digest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format import host_architecture

ARCHITECTURES: Final = {
    "amd64": "x86_64",
    "x86_64": "x86_64",  # not OCI's word; some tools write the kernel's
    "arm64": "aarch64",
    "aarch64": "aarch64",
}
_LISTED: Final = 20  # images named in an error


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image for Linux in an archive or layout.

    ``digest`` is its manifest's, or its configuration's where there is no manifest with a digest.
    ``claimed`` is the architecture that an index gives it, None where none does. ``layers`` are
    (file name, digest or None), bottom first.
    """

    digest: str
    image_id: str
    tags: tuple[str, ...]
    configuration: dict[str, Any]
    layers: tuple[tuple[str, str | None], ...]
    claimed: str | None = None

    @property
    def architecture(self) -> str:
        """The configuration's architecture, as the kernel calls it where that is known."""
        name = str(self.configuration.get("architecture"))
        return ARCHITECTURES.get(name, name)

    @property
    def system(self) -> str:
        """The configuration's operating system; ``linux`` where it gives none."""
        return str(self.configuration.get("os") or "linux")

    @property
    def platform(self) -> str:
        """The operating system and the architecture in OCI's own words: ``linux/amd64``."""
        return f"{self.system}/{self.configuration.get('architecture')}"

    def __str__(self) -> str:
        names = ", ".join(self.tags) or "no tag"
        return f"{names} ({self.platform}, {self.digest[:19]})"


def choose(
    candidates: Sequence[Candidate],
    passed_over: Sequence[str] = (),
    *,
    architecture: str | None = None,
    tag: str | None = None,
    digest: str | None = None,
) -> Candidate:
    """Return the image that is meant.

    One image under several tags is one. ``tag`` and ``digest`` (either may be its end or beginning)
    choose; then ``architecture``, else this machine's where there are several. ``passed_over`` says
    what else was there. Raises `ImageError` with the list where none or several are left.
    """
    there = [one for one in _merged(candidates) if one.system == "linux"]
    found = [one for one in there if _named(one, tag) and _has_digest(one, digest)]
    if not found:
        others = [str(one) for one in candidates if one not in there]
        raise _none([*map(str, there), *others, *passed_over], tag or digest)
    chosen = _of_architecture(found, architecture)
    if len(chosen) > 1:
        raise _bad(
            f"{len(chosen)} images: {_listed(map(str, chosen))}",
            "one",
            "Choose with --tag or --digest, as they are listed.",
        )
    _check_architecture(chosen[0], architecture)
    return chosen[0]


def _merged(candidates: Iterable[Candidate]) -> list[Candidate]:
    merged: dict[str, Candidate] = {}
    for one in candidates:
        known = merged.get(one.digest)
        tags = dict.fromkeys((*(known.tags if known else ()), *one.tags))
        first = known or one
        claimed = first.claimed or one.claimed
        merged[one.digest] = replace(first, tags=tuple(tags), claimed=claimed)
    return list(merged.values())


def _named(one: Candidate, tag: str | None) -> bool:
    return tag is None or any(
        name == tag or name.endswith((f":{tag}", f"/{tag}")) for name in one.tags
    )


def _has_digest(one: Candidate, digest: str | None) -> bool:
    if digest is None:
        return True
    wanted = digest if ":" in digest else f"sha256:{digest}"
    return one.digest.startswith(wanted) or one.image_id.startswith(wanted)


def _of_architecture(found: list[Candidate], architecture: str | None) -> list[Candidate]:
    wanted = architecture or host_architecture()
    matching = [one for one in found if one.architecture == wanted]
    return matching if len(found) > 1 and matching else found


def _check_architecture(one: Candidate, architecture: str | None) -> None:
    """Refuse an image that is not what its index, or the caller, says. See config.md."""
    if one.claimed not in (None, one.architecture):
        raise _bad(
            f"an image for {one.architecture}, which its index calls {one.claimed}",
            "an index that says what the image is",
            "Build or save the image again: its index and its configuration disagree.",
        )
    if architecture not in (None, one.architecture):
        raise _bad(
            f"an image for {one.architecture}: {one}",
            f"one for {architecture}",
            f"Ask for {one.architecture} (`image build --arch {one.architecture}`), or build the "
            f"image for {architecture}: `docker build --platform`, `skopeo copy --override-arch`.",
        )
    if one.architecture not in ARCHITECTURES.values():
        raise _bad(
            f"an image for architecture {one.architecture!r}",
            "amd64 or arm64: enclaves have these",
            "Build the image for one of them.",
        )


def _none(there: list[str], asked: str | None) -> ImageError:
    found = f"no image {asked!r}" if asked else "no image for Linux"
    return _bad(
        f"{found}; there: {_listed(there) or 'nothing'}",
        "an image for Linux on amd64 or arm64",
        "Give an OCI layout (folder or tar), skopeo's `dir:`, or what `docker save` wrote.",
    )


def _listed(texts: Iterable[str]) -> str:
    known = list(dict.fromkeys(texts))
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return "; ".join(known[:_LISTED]) + more


def _bad(found: str, expected: str, next_step: str) -> ImageError:
    return ImageError(found, expected=expected, where="container image", next=next_step)
