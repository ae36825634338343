"""A strict reader of BER for a layout that is known beforehand (X.690 clause 8).

Nothing recurses and nothing is guessed: the caller says which tag comes next. Lengths are minimal,
as in DER; the indefinite form is read where a constructed value may have it, as KMS writes it.
"""

from __future__ import annotations

from nitro_workflow.errors import EnvelopeError

INTEGER, OCTET_STRING, OID = 0x02, 0x04, 0x06
SEQUENCE, SET = 0x30, 0x31
CONTEXT_0, CONTEXT_0_CONSTRUCTED = 0x80, 0xA0

_INDEFINITE = 0x80
# Four length octets would address 4 GiB; an envelope has 6 KiB at most.
_MAX_LENGTH_OCTETS = 2


class Reader:
    """A position in bytes. Every method raises `EnvelopeError` with the byte it stumbled on."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.end = len(data)
        self.position = 0

    def peek(self) -> int:
        """Return the next tag, or -1 at the end of what may be read."""
        return self.data[self.position] if self.position < self.end else -1

    def enter(self, tag: int, what: str) -> tuple[int, bool]:
        """Enter a constructed value; return the outer end and whether this one is indefinite."""
        outer = self.end
        length = self._header(tag, what)
        if length is not None:
            self.end = self.position + length
        return outer, length is None

    def leave(self, frame: tuple[int, bool], what: str) -> None:
        """Leave what `enter` opened: nothing may be left over in it."""
        outer, indefinite = frame
        if indefinite:
            if self.data[self.position : min(self.position + 2, self.end)] != b"\0\0":
                raise self._error(what, "end-of-contents (00 00)")
            self.position += 2
        elif self.position != self.end:
            raise self._error(what, f"the end of {what}")
        self.end = outer

    def primitive(self, tag: int, what: str) -> tuple[int, int]:
        """Read a primitive value; return its byte range."""
        length = self._header(tag, what)
        if length is None:
            raise self._error(what, "a definite length")
        start = self.position
        self.position = start + length
        return start, self.position

    def literal(self, expected: bytes, what: str, meaning: str) -> tuple[int, int]:
        """Read exactly these bytes: an object identifier, a version, an algorithm."""
        start = self.position
        stop = start + len(expected)
        if stop > self.end or not self.data.startswith(expected, start):
            raise self._error(what, meaning)
        self.position = stop
        return start, stop

    def finish(self) -> None:
        """Refuse bytes after the envelope."""
        if self.position != len(self.data):
            raise self._error("the envelope", "no bytes after it")

    def _header(self, tag: int, what: str) -> int | None:
        data, position, end = self.data, self.position, self.end
        if end - position < 2 or data[position] != tag:
            raise self._error(what, f"tag {tag:#04x}")
        first = data[position + 1]
        position += 2
        if first == _INDEFINITE:
            self.position = position
            return None
        length = first
        if first > _INDEFINITE:
            octets = first & 0x7F
            length = int.from_bytes(data[position : position + octets], "big")
            position += octets
            minimal = 1 if length < 0x100 else 2
            if octets > _MAX_LENGTH_OCTETS or length < _INDEFINITE or octets != minimal:
                raise self._error(what, "a minimal length of at most two octets")
        if length > end - position:
            raise self._error(what, f"{length} bytes")
        self.position = position
        return length

    def _error(self, what: str, expected: str) -> EnvelopeError:
        seen = self.data[self.position : min(self.position + 4, self.end)]
        found = f"{what} begins with {seen.hex(' ')}" if seen else f"the bytes end before {what}"
        return EnvelopeError(
            found,
            expected=expected,
            where=f"envelope byte {self.position}",
            next="use CiphertextForRecipient as KMS answered it, base64-decoded and whole",
        )
