"""A request's body on its way in: counted, digested, verified, and never held in memory whole."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Self

from nitro_workflow.cloud.local.call import BodyFile, ServiceFault
from nitro_workflow.cloud.local.http.content_file import ContentFile
from nitro_workflow.cloud.local.http.intake_plan import IntakePlan, too_large
from nitro_workflow.cloud.local.http.md5_beside import Md5Beside
from nitro_workflow.cloud.local.protocol import encode_checksum, new_checksum

__all__ = ["Intake"]


class Intake:
    """Takes a body in pieces, writes the content, verifies everything at the end.

    Used as a context manager: the temporary file is gone when the block ends, unless a handler has
    moved it away. With `path` None nothing is written and `content` holds the (bounded) bytes.
    `beside` computes the MD5 while this thread does the rest.
    """

    def __init__(self, plan: IntakePlan, path: Path | None, beside: Executor | None = None) -> None:
        self._plan = plan
        self._path = path
        self._size = 0
        self._md5 = Md5Beside(beside)
        self._sha256 = hashlib.sha256()
        self._checksum = new_checksum(plan.algorithm)
        self.content = bytearray()
        self._file: ContentFile | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            self._file = ContentFile(self._path).__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._file is not None:
            self._file.__exit__(*exception)

    def feed(self, data: bytes) -> None:
        """Take the next bytes as they came.

        Raises `ServiceFault`: more than the limit, or chunk framing that does not hold.
        """
        self.take((data,))

    def take(self, pieces: Iterable[bytes]) -> None:
        """Take several; raises as `feed`."""
        content = list(self._content_of(pieces))
        self._md5.update(content)
        for piece in content:
            if self._plan.sha256 is not None:
                self._sha256.update(piece)
            self._checksum.update(piece)
            if self._file is None:
                self.content += piece
        if self._file is not None:
            self._file.write(content)

    def _content_of(self, pieces: Iterable[bytes]) -> Iterator[bytes | memoryview]:
        """Yield the content, out of its chunks and counted."""
        decoder = self._plan.decoder
        for data in pieces:
            for piece in decoder.feed(memoryview(data)) if decoder else (data,):
                self._size += len(piece)
                if self._size > self._plan.limit:
                    raise too_large(self._plan.limit)
                yield piece

    def finish(self, last: Iterable[bytes] = ()) -> BodyFile:
        """Take the last pieces and verify all; the content is on the disk when this returns.

        Raises `ServiceFault`: IncompleteBody, BadDigest, XAmzContentSHA256Mismatch, …
        """
        self.take(last)
        plan = self._plan
        cut = plan.decoder is not None and not plan.decoder.done
        if cut or (plan.length is not None and plan.length != self._size):
            raise ServiceFault(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length header",
            )
        self._verify()
        if self._file is not None:
            self._file.sync()
        return BodyFile(
            self._path or Path(os.devnull),
            self._size,
            self._md5.digest(),
            plan.algorithm,
            encode_checksum(self._checksum.digest()),
            stated=self._stated_checksum() is not None,
        )

    def _verify(self) -> None:
        plan = self._plan
        if plan.sha256 is not None and not _same(self._sha256.hexdigest(), plan.sha256):
            raise ServiceFault(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        if plan.md5 is not None and plan.md5 != self._md5.digest():
            raise ServiceFault(
                "BadDigest", "The Content-MD5 you specified did not match what we received."
            )
        stated = self._stated_checksum()
        if stated is not None and not _same(encode_checksum(self._checksum.digest()), stated):
            raise ServiceFault(
                "BadDigest",
                f"The {plan.algorithm} you specified did not match the calculated checksum.",
            )

    def _stated_checksum(self) -> str | None:
        """Return what the client says: in a header, or in the trailer that it promised."""
        plan = self._plan
        trailers = plan.decoder.trailers if plan.decoder is not None else {}
        if trailers.keys() != ({plan.trailer} if plan.trailer else set()):
            raise ServiceFault(
                "MalformedTrailerError",
                "The request contained trailing data that was not well-formed or did not conform "
                "to our published schema.",
            )
        return trailers[plan.trailer] if plan.trailer else plan.checksum


def _same(found: str, stated: str) -> bool:
    return hmac.compare_digest(found.encode(), stated.encode("latin-1", "replace"))
