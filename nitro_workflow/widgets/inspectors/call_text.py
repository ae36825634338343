"""A recorded call as a person would type it: for boto3, for the AWS CLI, and as it went over HTTP.

What was cut from the record stays cut: bytes appear under a name, with their length and digest
beside it, secrets as their length. The texts hold whatever was sent; they are data, not code to run
unseen.
"""

from __future__ import annotations

import json
import keyword
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = [
    "answer_text",
    "boto3_text",
    "cli_text",
    "function_text",
    "nitro_cli_text",
    "request_text",
]

WIDE: Final = 64  # characters of a value that stay on one line
DEPTH: Final = 12
_INDENT: Final = " " * 4
_CLI_SERVICES: Final = {"s3": "s3api"}
_NITRO_CLI: Final = {
    "eif_path": "--eif-path",
    "memory_mib": "--memory",
    "cpu_count": "--cpu-count",
    "enclave_cid": "--enclave-cid",
    "enclave_name": "--enclave-name",
}
_IDENTIFIER: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


# -- boto3 -----------------------------------------------------------------------------------------


def boto3_text(service: str, operation: str, parameters: Mapping[str, Any]) -> str:
    """Return the call in Python: ``kms.decrypt(…)``, what was cut as names with a comment."""
    notes = list(_notes(parameters))
    lines = [f"{_name(service)}.{_snake(operation)}("]
    lines += [f"{_INDENT}{_argument(name, value)}," for name, value in parameters.items()]
    return "\n".join([*notes, *lines, ")"]) if parameters else "\n".join([*notes, lines[0] + ")"])


def function_text(module: str, function: str, parameters: Mapping[str, Any]) -> str:
    """Return the call of one of this package's functions, with its import."""
    call = boto3_text("", function, parameters)
    call = call.replace(f"{_name('')}.{_snake(function)}(", f"{function}(", 1)
    return f"from {module} import {function}\n\n{call}"


def _argument(name: str, value: Any) -> str:
    if not _IDENTIFIER.fullmatch(name) or keyword.iskeyword(name):
        return f"**{{{_text(name)}: {_literal(value, name, 1)}}}"
    return f"{name}={_literal(value, name, 1)}"


def _literal(value: Any, name: str, level: int) -> str:
    """Return a value as a Python expression."""
    if (cut := _cut_kind(value)) is not None:
        return f'open({_text(value["file"])}, "rb")' if cut == "file" else _snake(name)
    if level > DEPTH:
        return "..."
    if isinstance(value, str) and (parsed := _policy(value)) is not None:
        return f"json.dumps({_literal(parsed, name, level)})"
    if isinstance(value, Mapping):
        pairs = [
            f"{_text(key)}: {_literal(one, str(key), level + 1)}" for key, one in value.items()
        ]
        return _enclosed("{", pairs, "}", level)
    if isinstance(value, list | tuple):
        return _enclosed("[", [_literal(one, name, level + 1) for one in value], "]", level)
    return _text(value) if isinstance(value, str) else repr(value)


def _enclosed(begin: str, parts: list[str], end: str, level: int) -> str:
    line = f"{begin}{', '.join(parts)}{end}"
    if len(line) <= WIDE and "\n" not in line:
        return line
    inner = _INDENT * (level + 1)
    return f"{begin}\n" + "".join(f"{inner}{part},\n" for part in parts) + _INDENT * level + end


def _text(value: Any) -> str:
    return json.dumps(str(value), ensure_ascii=False)


def _policy(text: str) -> Any:
    """Return the JSON object in a text, such as a policy; None for any other text."""
    if not text.startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


# -- what was cut ----------------------------------------------------------------------------------


def _cut_kind(value: Any) -> str | None:
    """Tell how a value was cut: ``secret``, ``file``, ``bytes``; None for one that is whole."""
    if not isinstance(value, Mapping):
        return None
    if value.get("secret") is True:
        return "secret"
    if isinstance(value.get("file"), str) and set(value) <= {"bytes", "file"}:
        return "file"
    whole = set(value) in ({"bytes", "sha256"}, {"bytes"})
    return "bytes" if whole and isinstance(value.get("bytes"), int) else None


def _cut_words(value: Mapping[str, Any]) -> str:
    kind, size = _cut_kind(value), value.get("bytes")
    said = f"{size:,} bytes" if isinstance(size, int) else "of unknown length"
    if kind == "secret":
        return f"secret cut: {said}"
    return f"{said}, SHA-256 {value['sha256']}" if value.get("sha256") else said


def _notes(value: Any, name: str = "", depth: int = DEPTH) -> Iterator[str]:
    """Yield a comment for each value that was cut."""
    if depth == 0:
        return
    if (kind := _cut_kind(value)) is not None:
        label = value["file"] if kind == "file" else _snake(name)
        yield f"# {_one_line(str(label))}: {_one_line(_cut_words(value))}"
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _notes(one, str(key), depth - 1)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _notes(one, name, depth - 1)


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text)


# -- the AWS CLI -----------------------------------------------------------------------------------


def cli_text(service: str, operation: str, parameters: Mapping[str, Any], region: str) -> str:
    """Return the call as a line of the AWS CLI, version 2; blobs come from files."""
    command = f"aws {_CLI_SERVICES.get(service, service)} {_kebab(operation)}"
    options = [f"--region {shlex.quote(region)}"]
    rest = dict(parameters)
    if {"MinCount", "MaxCount"} <= rest.keys():  # the CLI has one option for both
        least, most = rest.pop("MinCount"), rest.pop("MaxCount")
        options.append(f"--count {least}" if least == most else f"--count {least}:{most}")
    options += [_option(name, value) for name, value in rest.items()]
    if operation == "GetObject":  # where the body goes is no option
        options.append(shlex.quote(str(rest.get("Key", "object")).rpartition("/")[2] or "object"))
    return " \\\n    ".join([command, *options])


def _option(name: str, value: Any) -> str:
    option = f"--{_kebab(name)}"
    if isinstance(value, bool):
        return option if value else f"--no-{_kebab(name)}"
    kind = _cut_kind(value)
    if kind == "file":
        return f"{option} {shlex.quote(value['file'])}"
    if kind is not None:
        return f"{option} fileb://{_kebab(name)}.bin"
    if isinstance(value, Mapping) and any(_cut_kind(one) for one in value.values()):
        inner = ",".join(_shorthand(str(key), one) for key, one in value.items())
        return f'{option} "{inner}"'
    if isinstance(value, Mapping | list | tuple):
        return f"{option} {shlex.quote(json.dumps(value, ensure_ascii=False))}"
    return f"{option} {shlex.quote(str(value))}"


def _shorthand(key: str, value: Any) -> str:
    """Return one member in the CLI's shorthand; a blob inside a structure is given as base64."""
    if _cut_kind(value):
        return f"{_word(key)}=$(base64 -w0 {_kebab(key)}.bin)"
    return f"{_word(key)}={_word(str(value))}"


def _word(text: str) -> str:
    """Return a text that stays a word between double quotes in a shell."""
    return re.sub(r'(["$`\\!])', r"\\\1", text)


def nitro_cli_text(operation: str, parameters: Mapping[str, Any]) -> str:
    """Return a command of nitro-cli, with what is no option of its own as comments."""
    options = [
        f"{option} {shlex.quote(str(parameters[name]))}"
        for name, option in _NITRO_CLI.items()
        if name in parameters
    ]
    options += ["--debug-mode"] if parameters.get("debug_mode") is True else []
    where = parameters.get("instance_id")
    notes = [f"# on instance {_one_line(str(where))}"] if where else []
    return "\n".join([*notes, " ".join(["nitro-cli", shlex.quote(operation), *options])])


# -- over HTTP -------------------------------------------------------------------------------------


def request_text(request: Mapping[str, Any]) -> str:
    """Return a request as it was sent, secrets cut."""
    line = f"{request.get('method', 'POST')} {request.get('path', '/')} HTTP/1.1"
    return "\n".join(
        [line, *_headers(request), "", _body(request.get("body"), request.get("bytes"))]
    )


def answer_text(answer: Mapping[str, Any]) -> str:
    """Return an answer as it came, secrets cut."""
    status = answer.get("status")
    first = [f"HTTP/1.1 {status}"] if status else []
    return "\n".join(
        [*first, *_headers(answer), "", _body(answer.get("body"), answer.get("bytes"))]
    )


def _headers(message: Mapping[str, Any]) -> list[str]:
    headers = message.get("headers")
    pairs = headers.items() if isinstance(headers, Mapping) else ()
    return [f"{name}: {value}" for name, value in pairs]


def _body(body: Any, size: Any) -> str:
    if isinstance(body, str):
        return body
    if body in (None, {}):
        return f"<{size:,} bytes>" if isinstance(size, int) and size else "<no body>"
    return json.dumps(_said(body), indent=2, ensure_ascii=False)


def _said(value: Any, depth: int = DEPTH) -> Any:
    """Return JSON values with what was cut in words."""
    if _cut_kind(value) is not None:
        return f"<{_cut_words(value)}>"
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {str(key): _said(one, depth - 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_said(one, depth - 1) for one in value]
    return value


# -- names -----------------------------------------------------------------------------------------


def _snake(name: str) -> str:
    """Return botocore's name of an operation: ``generate_data_key`` for ``GenerateDataKey``.

    Always an identifier, whatever the name.
    """
    parted = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    small = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", parted).lower()
    words = re.sub(r"\W", "_", small, flags=re.ASCII)
    if keyword.iskeyword(words):
        return f"{words}_"
    return f"_{words}" if words[:1].isdecimal() else words or "_"


def _kebab(name: str) -> str:
    return _snake(name).replace("_", "-")


def _name(service: str) -> str:
    return re.sub(r"\W", "_", service, flags=re.ASCII) or "_"
