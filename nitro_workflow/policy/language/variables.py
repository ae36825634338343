"""Policy variables: ``${aws:username}``, ``${aws:PrincipalTag/team, 'none'}``, ``${*}``.

Source: reference_policies_variables. Variables are read only in policies of version 2012-10-17;
in older ones (and in policies without a version) ``${aws:username}`` is plain text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nitro_workflow.policy.language.wildcard import literal, mark

__all__ = ["Template", "Variable"]

_VARIABLE = re.compile(r"\$\{(\$|[^${}]*)\}")
_WITH_DEFAULT = re.compile(r"\s*([^,'\s]+)\s*(?:,\s*'([^']*)'\s*)?", re.DOTALL)
_ESCAPES = frozenset("*?$")

Context = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable: the context key in lower case, and the default in single quotes."""

    key: str
    default: str | None

    def resolve(self, context: Context) -> str | None:
        """Return the value; None when the key is absent, empty or multi-valued, and no default."""
        values = context.get(self.key)
        if values is not None and len(values) == 1:
            return literal(values[0])
        return None if self.default is None else literal(self.default)


@dataclass(frozen=True, slots=True)
class Template:
    """Policy text with its variables and wildcards told apart."""

    text: str
    parts: tuple[str | Variable, ...]

    @classmethod
    def parse(cls, text: str, *, variables: bool, wildcards: bool) -> Template:
        """Split the text. What is not a well-formed variable stays as it is written."""
        plain: Callable[[str], str] = mark if wildcards else literal
        if not variables or "${" not in text:
            return cls(text, (plain(text),))
        parts: list[str | Variable] = []
        position = 0
        for found in _VARIABLE.finditer(text):
            part = _read_variable(found.group(1))
            if part is None:
                continue
            parts += [plain(text[position : found.start()]), part]
            position = found.end()
        parts.append(plain(text[position:]))
        return cls(text, _join(parts))

    @property
    def constant(self) -> str | None:
        """The marked text when there is no variable in it."""
        if len(self.parts) == 1 and isinstance(self.parts[0], str):
            return self.parts[0]
        return None

    @property
    def keys(self) -> tuple[str, ...]:
        """The context keys that the text takes values from, in lower case."""
        return tuple(part.key for part in self.parts if isinstance(part, Variable))

    def resolve(self, context: Context) -> str | None:
        """Return the marked text; None when a variable has no value, so that nothing matches."""
        done: list[str] = []
        for part in self.parts:
            value = part if isinstance(part, str) else part.resolve(context)
            if value is None:
                return None
            done.append(value)
        return "".join(done)


def _read_variable(inner: str) -> str | Variable | None:
    if inner in _ESCAPES:
        return inner
    found = _WITH_DEFAULT.fullmatch(inner)
    return Variable(found.group(1).lower(), found.group(2)) if found else None


def _join(parts: list[str | Variable]) -> tuple[str | Variable, ...]:
    joined: list[str | Variable] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "" or len(parts) == 1:
            joined.append(part)
    return tuple(joined) or ("",)
