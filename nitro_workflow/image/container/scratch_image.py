"""From a Dockerfile without a base to the archive that ``docker save`` would write of it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import stat
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import basename, dirname
from typing import Any, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.container.scratch_dockerfile import (
    Copy,
    ScratchPlan,
    parse_scratch_dockerfile,
)

__all__ = ["write_scratch_image"]

NAMES: Final = ("Dockerfile", "Containerfile")
_ARCHITECTURES: Final = {"x86_64": "amd64", "aarch64": "arm64"}
PIECE: Final = 1 << 20


def write_scratch_image(folder: Path, architecture: str, archive: Path) -> None:
    """Build the folder's Dockerfile into ``archive``, a docker archive of one layer.

    The same files give the same bytes. Raises `ImageError` for what only a tool can do, and where
    a file is not there, or outside the folder.
    """
    name = next(it for it in NAMES if (folder / it).is_file())
    try:
        plan = parse_scratch_dockerfile((folder / name).read_text("utf-8"))
        tree = _Tree(folder, _Ignored.of(folder))
        for place in plan.folders:
            tree.folder(place)
        for copy in plan.copies:
            tree.copy(copy)
        layer = archive.with_suffix(".layer")
        tree.write(layer)
        _write_archive(archive, layer, plan, architecture)
    except (OSError, UnicodeDecodeError) as error:
        raise ImageError(
            f"{getattr(error, 'strerror', None) or 'not UTF-8'}",
            expected="files that can be read",
            where=Path(str(getattr(error, "filename", None) or name)).name,
            next="see that you may read every file that is copied",
        ) from error


@dataclass(slots=True)
class _Ignored:
    """The folder's ``.dockerignore``: the last pattern that matches decides."""

    rules: list[tuple[bool, re.Pattern[str]]] = field(default_factory=list)

    @classmethod
    def of(cls, folder: Path) -> _Ignored:
        path, found = folder / ".dockerignore", cls()
        for line in path.read_text("utf-8").splitlines() if path.is_file() else ():
            text = line.strip()
            if text and not text.startswith("#"):
                keep = text.startswith("!")
                found.rules.append((keep, _pattern(text.removeprefix("!").strip().strip("/"))))
        return found

    def __contains__(self, path: str) -> bool:
        ignored = False
        for keep, pattern in self.rules:
            if pattern.fullmatch(path):
                ignored = not keep
        return ignored


def _pattern(text: str) -> re.Pattern[str]:
    """Return Go's filepath.Match with ``**``, for a path or one below it."""
    parts = re.split(r"(\*\*/?|\*|\?)", text)
    forms = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(forms.get(it, re.escape(it)) for it in parts) + "(?:/.*)?")


class _Tree:
    """What the layer holds: path without a leading slash → where it comes from, its mode."""

    def __init__(self, folder: Path, ignored: _Ignored) -> None:
        self._folder = folder.resolve(strict=True)
        self._ignored = ignored
        self._entries: dict[str, tuple[Path | None, int]] = {}

    def folder(self, place: str, mode: int = 0o755) -> None:
        """Have a folder, and those above it."""
        path = place.strip("/")
        while path:
            self._entries.setdefault(path, (None, mode))
            path, mode = dirname(path), 0o755

    def copy(self, wanted: Copy) -> None:
        """Do one COPY: a folder gives what is in it, a file itself."""
        sources = [path for text in wanted.sources for path in self._found(text, wanted.line)]
        into = wanted.target.endswith("/") or len(sources) > 1
        known = self._entries.get(wanted.target.strip("/"))
        into = into or (known is not None and known[0] is None)
        for source in sources:
            if source.is_dir():
                self.folder(wanted.target)
                self._below(source, wanted.target.strip("/"), wanted.mode)
            else:
                place = f"{wanted.target}/{source.name}" if into else wanted.target
                self._put(place.strip("/"), source, wanted.mode)

    def write(self, target: Path) -> None:
        """Write the layer: sorted, owned by 0:0, without times."""
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as archive:
            for path in sorted(self._entries):
                source, mode = self._entries[path]
                info = tarfile.TarInfo(path)
                info.mode = mode
                if source is None:
                    info.type = tarfile.DIRTYPE
                    archive.addfile(info)
                elif source.is_symlink():
                    info.type, info.linkname = tarfile.SYMTYPE, str(source.readlink())
                    archive.addfile(info)
                else:
                    with source.open("rb") as content:
                        info.size = os.fstat(content.fileno()).st_size
                        archive.addfile(info, content)

    def _found(self, text: str, line: int) -> list[Path]:
        """Return the paths that a source names; none may be outside the folder."""
        relative = text.strip("/") or "."
        if ".." in relative.split("/"):
            raise _missing(text, line, "it is outside the folder")
        wild = any(char in relative for char in "*?[")
        paths = sorted(self._folder.glob(relative)) if wild else [self._folder / relative]
        found = [path for path in paths if os.path.lexists(path) and not self._is_ignored(path)]
        if not found:
            raise _missing(text, line, "there is no such file, or .dockerignore has it")
        return [self._inside(path, text, line) for path in found]

    def _inside(self, path: Path, text: str, line: int) -> Path:
        """Follow a link that is itself the source, as Docker does; not out of the folder."""
        real = path.resolve()
        if not real.is_relative_to(self._folder) or not real.exists():
            raise _missing(text, line, "its link leads outside the folder, or nowhere")
        return real

    def _is_ignored(self, path: Path) -> bool:
        return path.relative_to(self._folder).as_posix() in self._ignored

    def _below(self, source: Path, place: str, mode: int | None) -> None:
        for entry in sorted(source.iterdir()):
            if self._is_ignored(entry):
                continue
            inside = f"{place}/{entry.name}".strip("/")
            if entry.is_dir() and not entry.is_symlink():
                self.folder(inside, stat.S_IMODE(entry.stat().st_mode))
                self._below(entry, inside, mode)
            else:
                self._put(inside, entry, mode)

    def _put(self, place: str, source: Path, mode: int | None) -> None:
        found = source.lstat().st_mode
        if not (stat.S_ISREG(found) or stat.S_ISLNK(found)):
            raise ImageError(
                f"{source.name} is neither a file, a folder nor a link",
                expected="what a layer can hold",
                where=basename(str(source)),
                next="leave it out by .dockerignore",
            )
        self.folder(dirname(place))
        self._entries[place] = (source, stat.S_IMODE(found) if mode is None else mode)


def _missing(source: str, line: int, why: str) -> ImageError:
    return ImageError(
        f"COPY {source:.80}: {why}",
        expected="a file of the Dockerfile's folder",
        where=f"Dockerfile, line {line}",
        next="name what lies beside the Dockerfile",
    )


def _write_archive(archive: Path, layer: Path, plan: ScratchPlan, architecture: str) -> None:
    with layer.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    config = {
        "architecture": _ARCHITECTURES[architecture],
        "os": "linux",
        "created": "1970-01-01T00:00:00Z",
        "config": plan.config,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    text = json.dumps(config, sort_keys=True).encode()
    name = f"{hashlib.sha256(text).hexdigest()}.json"
    manifest: list[dict[str, Any]] = [{"Config": name, "RepoTags": [], "Layers": ["layer.tar"]}]
    with tarfile.open(archive, "w") as target:
        for path, data in ((name, text), ("manifest.json", json.dumps(manifest).encode())):
            info = tarfile.TarInfo(path)
            info.size = len(data)
            target.addfile(info, io.BytesIO(data))
        with layer.open("rb") as content:
            info = tarfile.TarInfo("layer.tar")
            info.size = os.fstat(content.fileno()).st_size
            target.addfile(info, content)
    layer.unlink()
