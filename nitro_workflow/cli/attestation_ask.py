"""What the command line of `nitro-workflow attestation` asks: times, bytes, expected PCRs."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nitro_workflow.attestation import (
    MAX_INPUT_BYTES,
    At,
    Expected,
    PcrExpectation,
    Report,
    Verifier,
    all_of,
    any_of,
    exactly,
    from_key_policy,
    from_measurements,
    parse_pcr,
    parse_root,
)
from nitro_workflow.attestation import pcr8 as pcr8_of
from nitro_workflow.encoding import der_reason
from nitro_workflow.errors import InputError, PolicyError, UsageError
from nitro_workflow.system_errors import as_package_error

__all__ = ["Ask", "asked", "moment_of", "read_input"]

_MAX_JSON_BYTES = 4 << 20
_AGE = re.compile(r"(\d{1,9})([smhd]?)", re.ASCII)
_URL_SAFE = str.maketrans("-_", "+/")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(slots=True)
class Ask:
    """What was asked for: the inputs, the time, the root and every expectation."""

    files: tuple[str, ...]
    files_from: str | None
    as_json: bool
    at: str
    root: str | None
    expected: Expected = field(default_factory=Expected)
    allow_debug: bool = False
    verifier: Verifier = field(init=False)
    moment: Callable[[], At] = field(init=False)

    def __post_init__(self) -> None:
        trusted = read_input(Path(self.root)) if self.root else None
        self.verifier = Verifier.with_root(trusted) if trusted else Verifier.aws()
        self.moment = moment_of(self.at)
        if self.at == "document" and self.expected.max_age is not None:
            raise UsageError(
                "--max-age with --at document",
                expected="a clock's time: at its own time every document is new",
                where="--max-age",
            )

    def explain(self, data: bytes) -> Report:
        """Judge one document as it was asked."""
        explain = self.verifier.explain
        if self.allow_debug:
            explain = self.verifier.explain_including_debug
        return explain(data, at=self.moment(), expected=self.expected)


def moment_of(text: str) -> Callable[[], At]:
    """Return what gives the time that ``--at`` names, when it is asked. Raises `UsageError`."""
    if text == "document":
        return lambda: "document"
    if text == "now":
        return lambda: datetime.now(UTC)
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        given = None
    if given is None or given.tzinfo is None or not _in_the_calendar(given):
        raise UsageError(
            repr(text)[:100],
            expected="now, document, or a time with its zone as 2026-01-31T12:00:00Z",
            where="--at",
            next="`--at document` judges an archived document at its own time.",
        )
    return lambda: given


def _in_the_calendar(moment: datetime) -> bool:
    try:
        moment.astimezone(UTC)
    except OverflowError:  # 0001-01-01T00:00+01:00 is in the year 0 of UTC
        return False
    return True


def read_input(path: Path, limit: int = MAX_INPUT_BYTES) -> bytes:
    """Return a file's bytes, one more than ``limit`` where it is longer; ``-`` is standard input.

    Raises `InputError` where it cannot be read.
    """
    try:
        if str(path) == "-":
            return sys.stdin.buffer.read(limit + 1)
        with path.open("rb") as file:
            return file.read(limit + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        said = as_package_error(error)
        if said is None:
            raise
        raise type(said)(
            said.found, expected="a file that can be read", where=str(path), next=said.next
        ) from error


def _read_json(name: str) -> Any:
    data = read_input(Path(name), _MAX_JSON_BYTES)
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"not JSON: {error}", expected="JSON", where=name) from error


def _bytes(text: str | None, option: str) -> bytes | None:
    """Read HEX, text:…, base64:… or @FILE (a PEM public key becomes its DER)."""
    if text is None:
        return None
    if text.startswith("@"):
        data = read_input(Path(text[1:]))
        return _spki(data, text[1:]) if b"-----BEGIN" in data else data
    if text.startswith("text:"):
        return _utf8(text.removeprefix("text:"), option)
    try:
        if text.startswith("base64:"):
            body = text.removeprefix("base64:").rstrip("=")
            standard = body.translate(_URL_SAFE) + "=" * (-len(body) % 4)
            return base64.b64decode(standard, validate=True)
        return bytes.fromhex(text)
    except ValueError:
        raise UsageError(
            repr(text)[:100], expected="hex digits, text:…, base64:… or @FILE", where=option
        ) from None


def _utf8(text: str, option: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "text that is not UTF-8",
            expected="UTF-8",
            where=option,
            next="Give other bytes in hex, or in a file by @FILE.",
        ) from error


def _spki(pem: bytes, name: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InputError(der_reason(error), expected="a PEM public key", where=name) from error
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _age(text: str | None) -> timedelta | None:
    match = _AGE.fullmatch(text or "0")
    if match is None:
        raise UsageError(repr(text)[:100], expected="300, 5m, 2h or 1d", where="--max-age")
    seconds = int(match.group(1)) * _UNITS[match.group(2)]
    return None if text is None else timedelta(seconds=seconds)


def _expected_pcrs(
    pcr: tuple[str, ...],
    eif: tuple[str, ...],
    measurements: tuple[str, ...],
    policy: tuple[str, ...],
    signing_certificate: str | None,
) -> PcrExpectation | None:
    """Return all of: one of the images or policies, and each PCR that is given by hand."""
    images: list[PcrExpectation] = [_from_eif(name) for name in eif]
    images += [from_measurements(_read_json(name), name) for name in measurements]
    images += [from_key_policy(_read_json(name), name) for name in policy]
    wanted: list[PcrExpectation] = [any_of(*images)] if images else []
    wanted += [parse_pcr(text) for text in pcr]
    if signing_certificate:
        der = parse_root(read_input(Path(signing_certificate)))
        wanted.append(exactly({8: pcr8_of(der)}, f"PCR8 of {signing_certificate}"))
    return all_of(*wanted) if wanted else None


def _from_eif(name: str) -> PcrExpectation:
    from nitro_workflow.image import measure_file

    try:
        return exactly(measure_file(Path(name)).registers, name)
    except OSError as error:
        raise InputError(
            error.strerror or str(error), expected="an image that can be read", where=name
        ) from error


def asked(given: Mapping[str, Any]) -> Ask:
    """Return what the options of `verify` and `explain` ask for. Raises `UsageError`."""
    names = ("pcr", "eif", "measurements", "policy", "signing_certificate")
    bound = ("nonce", "user_data", "public_key")
    taken = {*names, *bound, "max_age"}
    expected = Expected(
        max_age=_age(given["max_age"]),
        pcrs=_expected_pcrs(**{name: given[name] for name in names}),
        **{name: _bytes(given[name], f"--{name.replace('_', '-')}") for name in bound},
    )
    rest = {name: value for name, value in given.items() if name not in taken}
    return Ask(expected=expected, **rest)
