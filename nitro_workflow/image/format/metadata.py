"""The metadata section: the JSON that says what an image is and how it was made. Not measured.

Key order and number format are serde_json's, so that equal inputs give AWS's bytes: objects given
by the user have their keys sorted, floats are written as Rust writes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from nitro_workflow.errors import ImageError
from nitro_workflow.image.format.image_limits import MAX_CUSTOM_METADATA
from nitro_workflow.image.format.strict_json import parse_json
from nitro_workflow.version import __version__

BUILD_TOOL: Final = "nitro-workflow"
_STRINGS: Final = ("ImageName", "ImageVersion")
_VALUES: Final = ("DockerInfo", "CustomMetadata")
IDENTITY_KEYS: Final = frozenset({*_STRINGS, *_VALUES, "BuildMetadata"})
UNKNOWN: Final = "Unknown"  # as identity.rs writes where the kernel's configuration does not say


@dataclass(frozen=True, slots=True)
class BuildInfo:
    """``BuildMetadata``: ``build_time`` is RFC 3339 text, the others free text."""

    build_time: str
    build_tool: str = BUILD_TOOL
    build_tool_version: str = __version__
    operating_system: str = "Linux"
    kernel_version: str = UNKNOWN

    def to_json(self) -> dict[str, str]:
        """Return the five keys in the format's order."""
        return {
            "BuildTime": self.build_time,
            "BuildTool": self.build_tool,
            "BuildToolVersion": self.build_tool_version,
            "OperatingSystem": self.operating_system,
            "KernelVersion": self.kernel_version,
        }


@dataclass(frozen=True, slots=True)
class Identity:
    """The whole section; ``docker_info`` and ``custom`` are any JSON value, None for null."""

    name: str
    version: str
    build: BuildInfo
    docker_info: Any = None
    custom: Any = None

    def pack(self) -> bytes:
        """Return the section's data: compact JSON, as ``serde_json::to_vec`` writes it.

        Raises `ImageError` for text that is not Unicode or values that JSON does not have.
        """
        head = (
            f'"ImageName":{_text(self.name)},"ImageVersion":{_text(self.version)},'
            f'"BuildMetadata":{_ordered(self.build.to_json())},'
        )
        tail = f'"DockerInfo":{_serde(self.docker_info)},"CustomMetadata":{_serde(self.custom)}'
        try:
            return f"{{{head}{tail}}}".encode()
        except UnicodeEncodeError as error:
            raise _bad("text that is not Unicode", "image metadata") from error


def rfc3339(moment: datetime) -> str:
    """Return a time as chrono's ``to_rfc3339``: ``2026-01-02T03:04:05+00:00``."""
    if moment.tzinfo is None:
        raise _bad("a build time without a zone", "build time")
    return moment.isoformat()


def build_time(environment: Mapping[str, str], now: datetime) -> datetime:
    """Return the build's time: SOURCE_DATE_EPOCH of the environment where it is set, else ``now``.

    Raises `ImageError` when the variable is not a number of seconds
    (https://reproducible-builds.org/specs/source-date-epoch/).
    """
    text = environment.get("SOURCE_DATE_EPOCH")
    if not text:
        return now
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise _bad(repr(text), "SOURCE_DATE_EPOCH", "seconds since 1970, UTC") from error


def kernel_identity(config: bytes) -> tuple[str, str]:
    """Return operating system and version from line 3 of a kernel's configuration file.

    The line is ``# Linux/x86_64 4.14.256-209.484.amzn2.x86_64 Kernel Configuration``; words are cut
    as identity.rs cuts them, so a version ends at its first ``-``.
    """
    lines = config.decode("utf-8", "replace").splitlines()
    line = lines[2] if len(lines) > 2 else ""
    words = line.replace("/", " ").replace("-", " ").split(" ")
    system = words[1] if len(words) > 1 else UNKNOWN
    return system, words[3] if len(words) > 3 else UNKNOWN


def parse_custom_metadata(data: bytes, where: str = "metadata file") -> Any:
    """Read the user's JSON file. Raises `ImageError` when it is too long or not JSON."""
    if len(data) > MAX_CUSTOM_METADATA:
        raise _bad(
            f"{len(data)} bytes", where, f"at most {MAX_CUSTOM_METADATA} (nitro-cli's limit)"
        )
    try:
        value, _, _ = parse_json(data)
    except ValueError as error:
        raise _bad(f"not JSON: {error}", where, "a JSON value") from error
    return value


def missing_keys(metadata: Mapping[str, Any]) -> list[str]:
    """Return the keys without which AWS's reader refuses an image's metadata (EifIdentityInfo)."""
    missing = [key for key in _STRINGS if not isinstance(metadata.get(key), str)]
    missing += [key for key in _VALUES if key not in metadata]
    build = metadata.get("BuildMetadata")
    if not isinstance(build, dict):
        return [*missing, "BuildMetadata"]
    keys = BuildInfo("").to_json()
    return missing + [f"BuildMetadata.{key}" for key in keys if not isinstance(build.get(key), str)]


def _ordered(value: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{_text(key)}:{_text(item)}" for key, item in value.items()) + "}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _serde(value: Any) -> str:
    if value is None or isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value) if -(1 << 63) <= value < 1 << 64 else _float(float(value))
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Mapping):
        pairs = sorted(
            value.items(), key=lambda pair: str(pair[0]).encode("utf-8", "surrogatepass")
        )
        return "{" + ",".join(f"{_text(str(key))}:{_serde(item)}" for key, item in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_serde(item) for item in value) + "]"
    raise _bad(f"a {type(value).__name__}", "image metadata", "a JSON value")


def _float(value: float) -> str:
    """Write a float as Rust's ryu: exponents without plus or zeros, fixed from 1e-5 to 1e16."""
    if not math.isfinite(value):
        raise _bad(f"the number {value}", "image metadata", "a JSON number")
    sign = "-" if str(value).startswith("-") else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    if not digits.strip("0"):
        return f"{sign}0.0"
    point = len(whole.lstrip("0")) + int(exponent or 0)
    if not whole.strip("0"):
        point = int(exponent or 0) - (len(fraction) - len(fraction.lstrip("0")))
    digits = digits.rstrip("0")
    if 0 < point <= 16:
        padded = digits.ljust(point, "0")
        return f"{sign}{padded[:point]}.{padded[point:] or '0'}"
    if -5 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    return f"{sign}{digits[0]}{'.' + digits[1:] if len(digits) > 1 else ''}e{point - 1}"


def _bad(found: str, where: str, expected: str = "text and values that JSON has") -> ImageError:
    return ImageError(
        found, expected=expected, where=where, next="Correct the value and build again."
    )
