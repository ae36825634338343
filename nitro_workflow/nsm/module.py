"""The Nitro Security Module as a state machine: a request in, a response out, never an exception.

`handle` does no I/O: time is a parameter, entropy and the issuing of documents are injected. The
sandbox and any other host share it. The rules are those of QEMU's model of the device and, where
that is narrower than hardware, of `nsm-api`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from nitro_workflow.errors import EncodingError, NitroWorkflowError
from nitro_workflow.nsm import messages
from nitro_workflow.nsm.messages import (
    Attestation,
    DescribeNsm,
    DescribePcr,
    ExtendPcr,
    GetRandom,
    LockPcr,
    LockPcrs,
    ModuleDescription,
    PcrState,
    Request,
)
from nitro_workflow.registers import ZERO_PCR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

__all__ = ["FIELD_LIMIT", "MAX_PCRS", "NsmModule"]

MAX_PCRS: Final = 32
"""Registers of a module. [src: nsm-api, `max_pcrs`]"""

LOCKED_AT_BOOT: Final = 16
"""PCRs 0-15 are read-only from the start. [src: QEMU hw/virtio/virtio-nsm.c]"""

FIELD_LIMIT: Final = 1024
"""Bytes of public_key, user_data and nonce each: genuine documents carry 1024."""

RANDOM_SIZE: Final = 256
"""Bytes of one GetRandom answer. [src: QEMU NSM_RND_BUF_SIZE]"""


class _Answer(Exception):
    """One of the module's error names."""


class NsmModule:
    """One enclave's module.

    ``pcrs`` gives the values (48 bytes) measured at launch, by index below 16; the others are zero.
    ``issue`` is called with ``module_id, pcrs, public_key, user_data, nonce, now`` and returns a
    signed document; only locked registers are handed to it. ``random(n)`` returns ``n`` bytes.

    Not thread-safe: one enclave's requests are answered one after another, as the device does.
    """

    def __init__(
        self,
        module_id: str,
        pcrs: Mapping[int, bytes],
        issue: Callable[..., bytes],
        random: Callable[[int], bytes],
    ) -> None:
        self._module_id = module_id
        self._pcrs = [pcrs.get(index, ZERO_PCR) for index in range(MAX_PCRS)]
        self._locked = [index < LOCKED_AT_BOOT for index in range(MAX_PCRS)]
        self._issue = issue
        self._random = random

    @property
    def locked_pcrs(self) -> dict[int, bytes]:
        """The registers that a document carries: index → 48 bytes."""
        return {i: self._pcrs[i] for i in range(MAX_PCRS) if self._locked[i]}

    def handle(self, request: bytes, now: datetime) -> bytes:
        """Return the response to any bytes, at most `messages.RESPONSE_LIMIT` of them."""
        if len(request) > messages.REQUEST_LIMIT:
            return messages.encode_error("InputTooLarge")
        try:
            response = self._dispatch(messages.decode_request(request), now)
        except EncodingError:
            return messages.encode_error("InvalidOperation")
        except _Answer as answer:
            return messages.encode_error(str(answer))
        except (NitroWorkflowError, ValueError, OSError):
            # Issuer or entropy failed: the enclave learns no more than hardware tells.
            return messages.encode_error("InternalError")
        if len(response) > messages.RESPONSE_LIMIT:
            return messages.encode_error("BufferTooSmall")
        return response

    def _dispatch(self, request: Request, now: datetime) -> bytes:
        match request:
            case DescribeNsm():
                return messages.encode_description(self._describe())
            case GetRandom():
                return messages.encode_random(self._random(RANDOM_SIZE))
            case DescribePcr(index):
                _check_index(index)
                return messages.encode_pcr(PcrState(self._locked[index], self._pcrs[index]))
            case ExtendPcr(index, data):
                return messages.encode_extended(self._extend(index, data))
            case LockPcr(index):
                self._check_writable(index)
                self._locked[index] = True
                return messages.encode_locked(several=False)
            case LockPcrs(count):
                self._lock_below(count)
                return messages.encode_locked(several=True)
            case Attestation():
                return messages.encode_attestation(self._attest(request, now))

    def _describe(self) -> ModuleDescription:
        locked = tuple(i for i in range(MAX_PCRS) if self._locked[i])
        return ModuleDescription((1, 0, 0), self._module_id, MAX_PCRS, locked, "SHA384")

    def _extend(self, index: int, data: bytes) -> bytes:
        self._check_writable(index)
        self._pcrs[index] = hashlib.sha384(self._pcrs[index] + data).digest()
        return self._pcrs[index]

    def _lock_below(self, count: int) -> None:
        if count > MAX_PCRS:
            raise _Answer("InvalidIndex")
        for index in range(count):
            self._locked[index] = True

    def _attest(self, request: Attestation, now: datetime) -> bytes:
        fields = (request.public_key, request.user_data, request.nonce)
        # UNVERIFIED on hardware which name this has; nsm-api's documentation suggests this one.
        if any(field is not None and len(field) > FIELD_LIMIT for field in fields):
            raise _Answer("InputTooLarge")
        return self._issue(
            module_id=self._module_id,
            pcrs=self.locked_pcrs,
            public_key=request.public_key,
            user_data=request.user_data,
            nonce=request.nonce,
            now=now,
        )

    def _check_writable(self, index: int) -> None:
        _check_index(index)
        if self._locked[index]:
            raise _Answer("ReadOnlyIndex")


def _check_index(index: int) -> None:
    if index >= MAX_PCRS:
        raise _Answer("InvalidIndex")
