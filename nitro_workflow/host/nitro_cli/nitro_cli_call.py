"""One call of the real nitro-cli: no shell, bounded output, a deadline, its errors as `HostError`.

It prints a cascade where one thing failed (its issue 243): the first code is the cause, what comes
after it followed from that. [src: nitro-cli src/common/mod.rs construct_error_message]
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import HostError
from nitro_workflow.host.rules.ecodes import MEANINGS, failure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

__all__ = ["PROGRAM", "NitroCliCall", "parse_failure"]

PROGRAM: Final = Path("/usr/bin/nitro-cli")
"""Where AWS's package puts it. [src: aws-nitro-enclaves-cli.spec]"""

OUTPUT_LIMIT: Final = 8 << 20
"""Bytes of an answer; the description of four enclaves with metadata has 20 KiB."""

ERROR_LIMIT: Final = 64 * 1024
TEXT_LIMIT: Final = 500  # characters of nitro-cli's own words in an error

ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/"}
"""Nothing of the caller's: BACKTRACE would change the texts, NITRO_CLI_* the paths."""

_CODE: Final = re.compile(r"\[ (E\d\d) \] ?([^\n]*(?:\n(?!\n|\[ E\d\d \])[^\n]*)*)")


@dataclass(frozen=True, slots=True)
class NitroCliCall:
    """Calls ``program``, an absolute path."""

    program: Path = PROGRAM

    def json(self, *arguments: str, timeout: float, kind: type = dict) -> Any:
        """Return what it prints, an object or an array; ``timeout`` in seconds.

        Raises `HostError` with its E-code, E05 where it cannot be started, E17 where it prints
        something else, E10 where it does not end.
        """
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            status = self._run(arguments, timeout, out, errors)
            if status:
                raise parse_failure(_text(errors, ERROR_LIMIT), status)
            text = _text(out, OUTPUT_LIMIT + 1)
        return _parsed(text, arguments[0], kind)

    def command(self, *arguments: str) -> list[str]:
        """Return the whole command, for a call that goes on for long."""
        return [str(self.program), *arguments]

    def _run(
        self, arguments: Sequence[str], timeout: float, out: IO[bytes], errors: IO[bytes]
    ) -> int:
        try:
            return subprocess.run(
                self.command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=ENVIRONMENT,
                timeout=timeout,
                check=False,
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise failure(
                "E10",
                f"nitro-cli {arguments[0]} did not end within {timeout:.0f} s",
                expected="an answer",
                next="look at /var/log/nitro_enclaves/nitro_enclaves.log",
            ) from error
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise failure(
                "E05",
                f"{self.program} cannot be started ({why})",
                expected="an EC2 parent with aws-nitro-enclaves-cli",
                next="sudo dnf install aws-nitro-enclaves-cli",
            ) from error


def parse_failure(text: str, status: int = 0) -> HostError:
    r"""Return the error that nitro-cli's standard error tells of, by its first code.

    >>> parse_failure("[ E26 ] Insufficient memory requested.\n\nFor more details").found
    'Insufficient memory requested.'
    """
    match = _CODE.search(text)
    if match is None:
        code = f"E{status:02}" if f"E{status:02}" in MEANINGS and status else "E00"
        said = " ".join(text.split())[-TEXT_LIMIT:] or "nothing"
        return failure(code, f"nitro-cli ended with status {status}; it said: {said}")
    found = " ".join(match[2].split())[:TEXT_LIMIT] or MEANINGS.get(match[1], "")
    return failure(match[1], found, next=f"nitro-cli explain --error-code {match[1]}")


def _text(file: IO[bytes], limit: int) -> str:
    file.seek(0)
    return file.read(limit).decode("utf-8", "replace")


def _parsed(text: str, command: str, kind: type) -> Any:
    try:
        value = json.loads(text) if len(text) <= OUTPUT_LIMIT else None
    except (ValueError, RecursionError) as error:
        raise _not_json(command, kind, type(error).__name__) from error
    if not isinstance(value, kind):
        raise _not_json(command, kind, f"a JSON {type(value).__name__}")
    if isinstance(value, list) and not all(isinstance(one, dict) for one in value):
        raise _not_json(command, kind, "an array of something else")
    return value


def _not_json(command: str, kind: type, found: str) -> HostError:
    return failure(
        "E17",
        f"nitro-cli {command} printed something else: {found}",
        expected=f"a JSON {'array of objects' if kind is list else 'object'}, at most "
        f"{OUTPUT_LIMIT} characters",
        next="see its version: nitro-cli --version",
    )
