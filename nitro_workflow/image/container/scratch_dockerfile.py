r"""Dockerfiles that need no Docker: ``FROM scratch``, files of the folder, a command.

Nothing runs in such a build, so no tool, daemon or network is needed; what a tool must do (RUN, a
base image) is said with its line. [src: Dockerfile reference; BuildKit dockerfile2llb]

>>> plan = parse_scratch_dockerfile('FROM scratch\nCOPY app /bin/\nCMD ["/bin/app"]\n')
>>> plan.copies[0].target, plan.config["Cmd"]
('/bin/', ['/bin/app'])
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from posixpath import join, normpath
from typing import Any, Final

from nitro_workflow.errors import ImageError

__all__ = ["NEEDS_TOOL", "Copy", "ScratchPlan", "parse_scratch_dockerfile"]

NEEDS_TOOL: Final = "NeedsTool"
"""The code of the error for what cannot be built without one."""

DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What BuildKit gives an image without PATH. [src: BuildKit util/system/path.go]"""

TEXT_LIMIT: Final = 256 * 1024  # characters of a Dockerfile

_SAID: Final = frozenset(("EXPOSE", "HEALTHCHECK", "MAINTAINER", "STOPSIGNAL", "VOLUME"))
_SHELL: Final = ("/bin/sh", "-c")


@dataclass(frozen=True, slots=True)
class Copy:
    """One COPY: ``sources`` as written, ``target`` absolute, ``/`` at its end for a folder."""

    sources: tuple[str, ...]
    target: str
    mode: int | None
    line: int


@dataclass(slots=True)
class ScratchPlan:
    """What a Dockerfile asks for. ``config`` is that of the image, in Docker's words."""

    copies: list[Copy] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)


def parse_scratch_dockerfile(text: str) -> ScratchPlan:
    """Return what the Dockerfile asks for; raises `ImageError` where that needs a tool."""
    if len(text) > TEXT_LIMIT:
        raise _needs_tool(0, f"{len(text)} characters")
    reader = _Reader()
    for number, line in _instructions(text):
        word, _, rest = line.partition(" ")
        reader.take(number, word.upper(), rest.strip())
    if not reader.begun:
        raise _needs_tool(0, "no FROM")
    return reader.finish()


class _Reader:
    def __init__(self) -> None:
        self.begun = False
        self._plan = ScratchPlan()
        self._env: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._place = "/"

    def take(self, number: int, word: str, rest: str) -> None:
        """Take one instruction."""
        if word == "FROM":
            self._begin(number, rest)
        elif not self.begun:
            raise _needs_tool(number, f"{word} before FROM")
        elif word in ("COPY", "ADD"):
            self._copy(number, word, rest)
        elif word in ("CMD", "ENTRYPOINT"):
            key = {"CMD": "Cmd", "ENTRYPOINT": "Entrypoint"}[word]
            self._plan.config[key] = _listed(number, rest) or [*_SHELL, rest]
        elif word in ("ENV", "LABEL"):
            {"ENV": self._env, "LABEL": self._labels}[word].update(_pairs(number, rest))
        elif word == "WORKDIR":
            self._place = normpath(join(self._place, _plain(number, rest)))
            self._plan.folders.append(self._place)
        elif word == "USER":
            self._plan.config["User"] = _plain(number, rest)
        elif word not in _SAID:
            raise _needs_tool(number, word)

    def finish(self) -> ScratchPlan:
        """Return the plan, its configuration complete; one that puts nothing in is none."""
        if not self._plan.copies:
            raise _needs_tool(0, "nothing is copied")
        self._env.setdefault("PATH", DEFAULT_PATH)
        self._plan.config["Env"] = [f"{name}={value}" for name, value in self._env.items()]
        self._plan.config["WorkingDir"] = self._place
        if self._labels:
            self._plan.config["Labels"] = self._labels
        return self._plan

    def _begin(self, number: int, rest: str) -> None:
        words = [word for word in rest.split() if not word.startswith("--platform=")]
        if self.begun or words[:1] != ["scratch"]:
            raise _needs_tool(number, f"FROM {rest:.60}")
        self.begun = True

    def _copy(self, number: int, word: str, rest: str) -> None:
        mode = None
        while rest.startswith("--"):
            option, _, rest = rest.partition(" ")
            name, _, value = option.partition("=")
            if name == "--chmod" and re.fullmatch(r"0?[0-7]{3}", value):
                mode = int(value, 8)
            elif (name, value) != ("--chown", "0:0"):  # every owner of a ramdisk is 0:0
                raise _needs_tool(number, f"{word} {option:.40}")
            rest = rest.strip()
        words = _listed(number, rest) or [_plain(number, it) for it in rest.split()]
        if len(words) < 2 or "<<" in rest:
            raise _needs_tool(number, f"{word} {rest:.60}")
        if word == "ADD" and any(_is_fetched_or_unpacked(it) for it in words[:-1]):
            raise _needs_tool(number, f"ADD {words[0]:.60}: it is fetched or unpacked")
        target = words[-1]
        slash = "/" if target.endswith("/") or target == "." or len(words) > 2 else ""
        whole = normpath(join(self._place, target)).rstrip("/") + slash
        self._plan.copies.append(Copy(tuple(words[:-1]), whole or "/", mode, number))


def _instructions(text: str) -> list[tuple[int, str]]:
    """Return ``(line number, instruction)``, its continued lines joined, comments left out."""
    found: list[tuple[int, str]] = []
    parts: list[str] = []
    begin = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            if re.match(r"#\s*(escape|check)\s*=", line) and not found:
                raise _needs_tool(number, f"the directive {line:.40}")
            continue
        begin = begin or number
        parts.append(line.removesuffix("\\").strip())
        if not line.endswith("\\"):
            found.append((begin, " ".join(parts)))
            parts, begin = [], 0
    if parts:
        found.append((begin, " ".join(parts)))
    return found


def _listed(number: int, rest: str) -> list[str] | None:
    """Return the texts of the JSON form; None for the other form."""
    if not rest.startswith("["):
        return None
    try:
        words = json.loads(rest)
    except (ValueError, RecursionError):
        return None  # then it is the other form, says the reference
    if not isinstance(words, list) or not all(isinstance(it, str) for it in words):
        raise _needs_tool(number, f"{rest:.60}")
    return words


def _pairs(number: int, rest: str) -> dict[str, str]:
    if "$" in rest:
        raise _needs_tool(number, f"a variable in {rest:.60}")
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise _needs_tool(number, f"{rest:.60} ({error})") from error
    if words and "=" not in words[0]:  # the old form: one name, the rest its value
        name, _, value = rest.partition(" ")
        return {name: value.strip()}
    pairs = [word.partition("=") for word in words]
    if not all(name and sign for name, sign, _ in pairs):
        raise _needs_tool(number, f"{rest:.60}")
    return {name: value for name, _, value in pairs}


def _plain(number: int, word: str) -> str:
    if not word or any(char in word for char in "$\"'\\"):
        raise _needs_tool(number, f"{word:.60}")
    return word


def _is_fetched_or_unpacked(source: str) -> bool:
    return bool(re.search(r"://|^git@|\.(tar|tgz|txz|tbz2?|tar\.\w+)$", source))


def _needs_tool(number: int, what: str) -> ImageError:
    return ImageError(
        what,
        expected="FROM scratch, COPY, ENV, WORKDIR, CMD, ENTRYPOINT: the rest needs docker, podman "
        "or buildah",
        where=f"Dockerfile, line {number}" if number else "Dockerfile",
        next="install one of the three, or build a root filesystem's folder and COPY it",
        code=NEEDS_TOOL,
    )
