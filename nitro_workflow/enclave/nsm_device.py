"""The enclave's Nitro Security Module: ``/dev/nsm`` where there is one, else the inherited socket.

Imports nothing heavy: the first document of an enclave waits for this module. [src: nsm-api
src/driver/mod.rs]
"""

from __future__ import annotations

import ctypes
import os
import socket
import stat
import struct
import threading
from pathlib import Path
from typing import Final, Protocol

from nitro_workflow.errors import NsmError
from nitro_workflow.nsm import messages

__all__ = ["NSM_DESCRIPTOR", "NsmClient", "open_nsm"]

NSM_DEVICE: Final = Path("/dev/nsm")

NSM_IOCTL: Final = 0xC0200A00
"""``_IOWR(0x0A, 0, 32 bytes)``: two iovecs. [src: nsm-api src/driver/mod.rs]"""

NSM_DESCRIPTOR: Final = 3
"""Where a sandbox without a supervisor leaves the module's socket."""

TIMEOUT: Final = 120.0
"""Seconds, as the kernel driver's. [src: sdk-bootstrap kernel/nsm.patch]"""

_IOVECS: Final = struct.Struct("@QQQQ")  # req_addr, req_len, resp_addr, resp_len


class Channel(Protocol):
    """One exchange with the module."""

    def exchange(self, request: bytes) -> bytes:
        """Return the response; raises `NsmError`."""


class NsmClient:
    """Asks the module; threads may share one client. Error answers are raised as `NsmError`.

    ::

        nsm = open_nsm()  # in an enclave
        document = nsm.attest(nonce=b"...")
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = threading.Lock()

    def attest(
        self,
        *,
        public_key: bytes | None = None,
        user_data: bytes | None = None,
        nonce: bytes | None = None,
    ) -> bytes:
        """Return a signed attestation document; each field is absent or at most 1024 bytes."""
        request = messages.Attestation(user_data, nonce, public_key)
        return messages.decode_attestation(self._ask(request))

    def describe(self) -> messages.ModuleDescription:
        """Return module id, version, which PCRs are locked."""
        return messages.decode_description(self._ask(messages.DescribeNsm()))

    def describe_pcr(self, index: int) -> messages.PcrState:
        """Return PCR ``index``: 48 bytes and whether it is locked."""
        return messages.decode_pcr(self._ask(messages.DescribePcr(index)))

    def extend_pcr(self, index: int, data: bytes) -> bytes:
        """Extend PCR ``index`` (16-31) and return its new value, 48 bytes."""
        return messages.decode_extended(self._ask(messages.ExtendPcr(index, data)))

    def lock_pcr(self, index: int) -> None:
        """Make PCR ``index`` read-only: from now on it is part of every document."""
        messages.decode_locked(self._ask(messages.LockPcr(index)))

    def lock_pcrs(self, count: int) -> None:
        """Make PCRs 0 … ``count`` - 1 read-only."""
        messages.decode_locked(self._ask(messages.LockPcrs(count)))

    def random(self) -> bytes:
        """Return 256 bytes of the module's entropy."""
        return messages.decode_random(self._ask(messages.GetRandom()))

    def _ask(self, request: messages.Request) -> bytes:
        data = messages.encode_request(request)
        if len(data) > messages.REQUEST_LIMIT:
            raise NsmError(
                f"a request of {len(data)} bytes",
                expected=f"≤ {messages.REQUEST_LIMIT} bytes",
                where="NSM",
                code="InputTooLarge",
            )
        with self._lock:
            return self._channel.exchange(data)


class DeviceChannel:
    """``/dev/nsm``: one ioctl an exchange."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def exchange(self, request: bytes) -> bytes:
        """Return the response; raises `NsmError`."""
        import fcntl

        ask = ctypes.create_string_buffer(request, len(request))
        answer = ctypes.create_string_buffer(messages.RESPONSE_LIMIT)
        argument = bytearray(
            _IOVECS.pack(ctypes.addressof(ask), len(request), ctypes.addressof(answer), len(answer))
        )
        try:
            fcntl.ioctl(self._descriptor, NSM_IOCTL, argument, True)
        except OSError as error:
            raise _device_error(error) from error
        length = _IOVECS.unpack(argument)[3]
        return answer.raw[: min(length, len(answer))]


class SocketChannel:
    """The inherited socket of a sandbox without a supervisor: one datagram each way an exchange."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(TIMEOUT)
        self._sock = sock

    def exchange(self, request: bytes) -> bytes:
        """Return the response; raises `NsmError`."""
        try:
            self._sock.sendall(request)
            response = self._sock.recv(messages.RESPONSE_LIMIT)
        except OSError as error:
            raise _device_error(error) from error
        if not response:
            raise NsmError("the hypervisor is gone", expected="an answer", where="NSM")
        return response


def open_nsm() -> NsmClient:
    """Return the module of this enclave; raises `NsmError` outside of one."""
    if NSM_DEVICE.exists():
        try:
            descriptor = os.open(NSM_DEVICE, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            raise _absent(f"{NSM_DEVICE} cannot be opened ({error.strerror})") from error
        return NsmClient(DeviceChannel(descriptor))
    return NsmClient(SocketChannel(_inherited(NSM_DESCRIPTOR)))


def _inherited(descriptor: int) -> socket.socket:
    """Return the inherited socket, once it is seen to be one and of the right kind."""
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise _absent(f"descriptor {descriptor} is not a socket")
        sock = socket.socket(fileno=os.dup(descriptor))
    except OSError as error:
        raise _absent(f"no {NSM_DEVICE}, and descriptor {descriptor} is not open") from error
    if (sock.family, sock.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
        sock.close()
        raise _absent(f"descriptor {descriptor} is another kind of socket")
    try:
        sock.getpeername()
    except OSError as error:
        sock.close()
        raise _absent(f"the socket at descriptor {descriptor} is not connected") from error
    return sock


def _device_error(error: OSError) -> NsmError:
    too_large = error.errno == 90  # EMSGSIZE; any other errno is InternalError in nsm-api
    return NsmError(
        f"the exchange failed ({error.strerror or type(error).__name__})",
        expected="an answer",
        where="NSM",
        next="see whether the enclave's host still runs",
        code="InputTooLarge" if too_large else "InternalError",
    )


def _absent(found: str) -> NsmError:
    return NsmError(
        found,
        expected="an enclave's Nitro Security Module",
        where="NSM",
        next="run this inside an enclave: nitro-cli run-enclave, or the lab's step P8",
    )
