"""What a statement is about: actions and resources.

Source: reference_policies_elements_action, _notaction, _resource, _notresource. Actions ignore
case; resources do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nitro_workflow.policy.language.variables import Template
from nitro_workflow.policy.language.wildcard import (
    Glob,
    complete_arn,
    mark_arn,
)

__all__ = ["ActionElement", "ResourceElement"]

Context = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class ActionElement:
    """`Action` or `NotAction`, as written, with an index for the common case of plain names."""

    texts: tuple[str, ...]
    negated: bool
    exact: frozenset[str] = field(init=False, compare=False)
    globs: tuple[Glob, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        # The Kelvin sign's lower case is k: only an ASCII name is anything's in another case.
        folded = [text.lower() if text.isascii() else text for text in self.texts]
        plain = frozenset(text for text in folded if "*" not in text and "?" not in text)
        globs = tuple(Glob.written(text) for text in folded if text not in plain)
        object.__setattr__(self, "exact", plain)
        object.__setattr__(self, "globs", globs)

    def matches(self, folded: str) -> bool:
        """Say whether the statement is about an action, given in lower case."""
        return self.lists(folded) != self.negated

    def lists(self, folded: str) -> bool:
        """Say whether the list itself has the action, whichever way the element is meant."""
        return folded in self.exact or any(glob.matches(folded) for glob in self.globs)


@dataclass(frozen=True, slots=True)
class ResourceElement:
    """`Resource` or `NotResource`, as written."""

    texts: tuple[str, ...]
    negated: bool
    variables: bool = True
    completes: bool = field(
        default=False, compare=False
    )  # incomplete ARNs, as identity policies do
    globs: tuple[Glob, ...] = field(init=False, compare=False)
    templates: tuple[Template, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        parsed = [
            Template.parse(text, variables=self.variables, wildcards=True) for text in self.texts
        ]
        constants = [t.constant for t in parsed if t.constant is not None]
        object.__setattr__(
            self, "globs", tuple(glob for text in constants for glob in self._compiled(text))
        )
        object.__setattr__(self, "templates", tuple(t for t in parsed if t.constant is None))

    def matches(self, resource: str, context: Context) -> bool:
        """Say whether the statement is about a resource."""
        return self.lists(resource, context) != self.negated

    def lists(self, resource: str, context: Context) -> bool:
        """Say whether the list itself has the resource, whichever way the element is meant."""
        if any(glob.matches(resource) for glob in self.globs):
            return True
        resolved = (template.resolve(context) for template in self.templates)
        compiled = (self._compiled(text) for text in resolved if text is not None)
        return any(glob.matches(resource) for globs in compiled for glob in globs)

    def _compiled(self, marked: str) -> tuple[Glob, ...]:
        """Return the pattern, and beside it the completed one where its ARN is incomplete."""
        completed = complete_arn(marked) if self.completes else marked
        texts = (marked,) if completed == marked else (marked, completed)
        return tuple(Glob.of(mark_arn(text)) for text in texts)
