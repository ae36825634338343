"""Which words do the letters have in common? Lines in, the most frequent words out.

The data owner's letters are private: a word is told only if at least ``threshold`` lines hold it.
`feed` is given decrypted bytes as they come, cut anywhere; `finish` is asked once, at the end.
"""

import re
from collections import Counter

WORD = re.compile(r"[a-z]+")
LONGEST_LINE = 1 << 20  # bytes: the enclave's memory is not the sender's to fill
MOST_DIFFERENT = 200_000


class WordCount:
    """Counts in how many lines a word stands."""

    def __init__(self, arguments: dict[str, str | int], threshold: int) -> None:
        self._least = int(arguments["least_letters"])
        self._most = int(arguments["most_words"])
        self._threshold = threshold
        self._lines = 0
        self._words: Counter[str] = Counter()
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            raise ValueError("a line without an end")
        for line in lines:
            self._count(line)

    def finish(self) -> dict[str, object]:
        """Return the answer: only this leaves, encrypted for the data owner."""
        if self._rest:
            self._count(self._rest)
        told = [(word, n) for word, n in self._words.most_common() if n >= self._threshold]
        told.sort(key=lambda pair: (-pair[1], pair[0]))
        return {
            "lines": self._lines,
            "words": [{"word": word, "lines": n} for word, n in told[: self._most]],
            "threshold": self._threshold,
            "not_told": len(self._words) - len(told),
        }

    def _count(self, line: bytes) -> None:
        text = line.decode("utf-8").lower()
        self._lines += 1
        self._words.update({word for word in WORD.findall(text) if len(word) >= self._least})
        if len(self._words) > MOST_DIFFERENT:
            raise ValueError("too many different words")
