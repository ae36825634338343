"""The cells into which patterns cut a set of texts, one example of each.

Two texts are in one cell when the same patterns match both and both are the same literal, or none.
Every pattern is a finite automaton; reading texts letter by letter with all of them side by side
visits finitely many states, and every cell shows itself in some state. Letters that no pattern and
no literal names act alike: one of them stands for all. So the examples are complete, or `cells`
says that there are too many states (`TooManyCells`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from nitro_workflow.policy.language import ANY, ANY_SEGMENT, ONE, ONE_SEGMENT
from nitro_workflow.policy.reach.budget import Budget

__all__ = [
    "HEX_DOMAIN",
    "Letters",
    "Pattern",
    "TooManyCells",
    "arn_patterns",
    "cells",
    "glob",
    "text_domain",
]

MAX_STATES = 4_000
_HEX = frozenset("0123456789abcdef")
_FRESH = "".join(map(chr, (*range(0x78, 0x7B), *range(0x4E00, 0x9000))))  # never all named


class TooManyCells(Exception):
    """The patterns of one key have more states than `MAX_STATES`."""


@dataclass(frozen=True, slots=True)
class Letters:
    """Which letters a place takes: those given, or all but those."""

    chars: frozenset[str]
    inverted: bool = False

    def take(self, char: str) -> bool:
        """Say whether the place takes a letter."""
        return (char in self.chars) != self.inverted


_ALL = Letters(frozenset(), inverted=True)
_NO_COLON = Letters(frozenset(":"), inverted=True)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Places in a row; ``loops`` has what may stand, any number of times, before each place."""

    places: tuple[Letters, ...]
    loops: tuple[Letters | None, ...]

    @property
    def letters(self) -> frozenset[Letters]:
        """The sets of letters that the pattern tells apart."""
        return frozenset((*self.places, *filter(None, self.loops)))

    def step(self, state: int, char: str) -> int:
        """Return the places reached (bits) after one more letter."""
        reached = 0
        while state:
            bit = state & -state
            state ^= bit
            index = bit.bit_length() - 1
            if index < len(self.places) and self.places[index].take(char):
                reached |= bit << 1
            loop = self.loops[index]
            if loop is not None and loop.take(char):
                reached |= bit
        return reached

    def accepts(self, state: int) -> bool:
        """Say whether the text read so far matches."""
        return bool(state >> len(self.places) & 1)


class _Places:
    """Puts a pattern together, place by place."""

    def __init__(self) -> None:
        self.places: list[Letters] = []
        self.loops: dict[int, Letters] = {}

    def loop(self, letters: Letters) -> None:
        """Let letters stand here any number of times; of two the wider one counts."""
        here = len(self.places)
        if self.loops.get(here) != _ALL:
            self.loops[here] = letters

    def pattern(self) -> Pattern:
        count = len(self.places) + 1
        return Pattern(tuple(self.places), tuple(self.loops.get(index) for index in range(count)))


def glob(marked: str, *, fold: bool = False) -> Pattern:
    """Return the automaton of a marked pattern (see `language.wildcard`), of any case if told."""
    loops = {ANY: _ALL, ANY_SEGMENT: _NO_COLON}
    ones = {ONE: _ALL, ONE_SEGMENT: _NO_COLON}
    made = _Places()
    for char in marked:
        if char in loops:
            made.loop(loops[char])
        else:
            spelt = {char, char.lower(), char.upper()} if fold else {char}
            made.places.append(ones.get(char) or Letters(frozenset(spelt)))
    return made.pattern()


def text_domain(*parts: str | tuple[frozenset[str], int]) -> Pattern:
    """Return the automaton of literal parts and of (letters, how many; 0 is any number)."""
    made = _Places()
    for part in parts:
        if isinstance(part, str):
            made.places += [Letters(frozenset(char)) for char in part]
        elif part[1]:
            made.places += [Letters(part[0])] * part[1]
        else:
            made.loop(Letters(part[0]))
    return made.pattern()


def arn_patterns(marked: str) -> list[Pattern]:
    """Return the automata of an ARN operator: of its pattern, if it is one, and of any ARN.

    The first five of the six components are compared one by one: no wildcard runs over a colon.
    """
    any_arn = glob("arn:" + ":".join([ANY] * 5))
    parts = marked.split(":", 5)
    if len(parts) != 6:
        return [any_arn]
    bounded = {ord(ANY): ANY_SEGMENT, ord(ONE): ONE_SEGMENT}
    return [glob(":".join([*(part.translate(bounded) for part in parts[:5]), parts[5]])), any_arn]


HEX_DOMAIN = text_domain((_HEX, 96))
"""What a measurement can be: 96 hexadecimal digits in lower case."""


class _Trie:
    """Literals read side by side: a node is a prefix of one, None is none of them any more."""

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = frozenset(texts)
        self.prefixes = {text[:end] for text in self.texts for end in range(len(text) + 1)} | {""}

    def step(self, node: str | None, char: str) -> str | None:
        longer = None if node is None else node + char
        return longer if longer in self.prefixes else None


State = tuple[tuple[int, ...], str | None, str | None]
Cell = tuple[object, ...]


def cells(
    patterns: Sequence[Pattern],
    budget: Budget,
    *,
    literals: Collection[str] = (),
    folded: Iterable[str] = (),
    domain: Pattern | None = None,
) -> tuple[str, ...]:
    """Return one text of every cell, none of them a literal: those are cells of their own.

    ``folded`` are literals that are compared without regard to case; ``domain`` is what the texts
    can be. Raises `TooManyCells`, or `OutOfBudget`.
    """
    automata = (*patterns, *((domain,) if domain else ()))
    fold = _Trie(text.lower() for text in folded)
    avoided: set[str] = set()
    while True:
        walk = _Walk(automata, _Trie(avoided), fold, domain)
        examples = walk.examples(budget)
        met = examples & set(literals)
        if not met:
            return tuple(sorted(examples, key=lambda text: (len(text), text)))
        avoided |= met


class _Walk:
    """A walk over the states of all automata side by side, shortest texts first."""

    def __init__(
        self, automata: Sequence[Pattern], exact: _Trie, fold: _Trie, domain: Pattern | None
    ) -> None:
        self.automata, self.exact, self.fold, self.domain = automata, exact, fold, domain
        self.letters = self._letters()
        self.cost = 1 + sum(len(automaton.places) for automaton in automata) // 8

    def examples(self, budget: Budget) -> set[str]:
        """Return one text of every cell that holds others than the literals."""
        found: dict[Cell, str] = {}
        start: State = (tuple(1 for _ in self.automata), "", "")
        seen, edge = {start}, [(start, "")]
        while edge:
            following: list[tuple[State, str]] = []
            for state, text in edge:
                budget.spend(self.cost * len(self.letters))
                cell = self._cell(state)
                if cell is not None:
                    found.setdefault(cell, text)
                for after, char in self._after(state):
                    if after not in seen:
                        seen.add(after)
                        following.append((after, text + char))
                if len(seen) > MAX_STATES:
                    raise TooManyCells
            edge = following
        return set(found.values())

    def _after(self, state: State) -> Iterator[tuple[State, str]]:
        states, node, lower = state
        for char in self.letters:
            if self.domain and not self.domain.step(states[-1], char):
                continue
            moved = tuple(a.step(s, char) for a, s in zip(self.automata, states, strict=True))
            folded = lower
            for part in char.lower():
                folded = self.fold.step(folded, part)
            yield (moved, self.exact.step(node, char), folded), char

    def _cell(self, state: State) -> Cell | None:
        states, node, lower = state
        taken = tuple(a.accepts(s) for a, s in zip(self.automata, states, strict=True))
        if (self.domain and not taken[-1]) or node in self.exact.texts:
            return None
        return (*taken, lower if lower in self.fold.texts else None)

    def _letters(self) -> tuple[str, ...]:
        """Return one letter of each kind: letters that every place takes alike are one kind."""
        sets = {letters for automaton in self.automata for letters in automaton.letters}
        named = {char for letters in sets for char in letters.chars}
        alone = {char for text in self.exact.texts for char in text}
        for text in self.fold.texts:
            # Of all letters but A to Z only the Kelvin sign has a lower case in ASCII.
            alone |= {*text, *text.upper(), *("\u212a" if "k" in text else "")}
        fresh = next(char for char in _FRESH if char not in named | alone)
        kinds: dict[tuple[object, ...], str] = {}
        for char in (fresh, *sorted(named | alone)):
            kind = (char if char in alone else None, *(letters.take(char) for letters in sets))
            kinds.setdefault(kind, char)
        return tuple(kinds.values())
