"""Enclaves that a test starts from an image, talks to over vsock, and that end with the test."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nitro_workflow.cloud import Connection
from nitro_workflow.errors import HostError, VsockError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.lab import OwnInstance

if TYPE_CHECKING:
    import socket

    from nitro_workflow.attestation import Verifier

__all__ = ["EnclaveRunner", "RunningEnclave"]

_LISTEN_SECONDS = 20.0
_PAUSE = 0.05


@dataclass(frozen=True)
class RunningEnclave:
    """One enclave. ``measurements``: the file's PCRs in hex, by ``PCR0`` …, debug or not.

    ``cid`` is its address; ``enclave_id`` and ``name`` are nitro-cli's.
    """

    enclave_id: str
    name: str
    cid: int
    measurements: Mapping[str, str]
    _own: OwnInstance = field(repr=False)
    _instance: str = field(repr=False)

    def connect(self, port: int, *, timeout: float = _LISTEN_SECONDS) -> socket.socket:
        """Return a stream socket to a vsock port of the enclave; the caller closes it.

        Waits up to ``timeout`` seconds until something listens there. Raises `VsockError`.
        """
        transport = self._own.host.vsock(self._instance)
        until = time.monotonic() + timeout
        while True:
            try:
                return transport.connect(self.cid, port)
            except VsockError:
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)

    def console(self) -> str:
        """Return what it printed; only in debug mode. Raises `HostError`."""
        return str(self._own.console(self.enclave_id)["text"])

    def terminate(self) -> None:
        """End it now; without effect where it has ended."""
        with suppress(HostError):
            self._own.terminate_enclave(self.enclave_id)


class EnclaveRunner:
    """Starts enclaves on the instance of one lab folder: `OwnInstance`, or what a walk launched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = OwnInstance.open(folder)
        self._running: list[RunningEnclave] = []

    def __call__(
        self,
        image: Path | str,
        *,
        debug: bool = False,
        memory_mib: int = 512,
        cpu_count: int = 2,
        name: str | None = None,
    ) -> RunningEnclave:
        """Start the EIF ``image`` and return it once it has booted.

        Raises `HostError` with nitro-cli's code for what forbids the launch, `SandboxUnavailable`
        where this machine cannot run one.
        """
        request = LaunchRequest(
            str(Path(image).resolve()), memory_mib, cpu_count, name, debug_mode=debug
        )
        started = self._own.run_enclave(request)
        instance = self._own.running()
        if instance is None:
            raise HostError("no instance runs", expected="the enclave's parent", where="host")
        enclave = RunningEnclave(
            started["EnclaveID"],
            started["EnclaveName"],
            int(started["EnclaveCID"]),
            self._measurements(started["EnclaveID"]),
            self._own,
            instance,
        )
        self._running.append(enclave)
        return enclave

    def _measurements(self, enclave_id: str) -> dict[str, str]:
        described: list[dict[str, Any]] = self._own.describe_enclaves()
        found = next(one for one in described if one["EnclaveID"] == enclave_id)
        return {key: str(v) for key, v in found["Measurements"].items() if key.startswith("PCR")}

    @property
    def cloud(self) -> Connection:
        """Return how to reach the KMS and S3 that the instance uses; starts them where needed."""
        self._own.up()
        return Connection.of(self._folder)

    @property
    def root(self) -> bytes:
        """Return the root (DER) under which the enclaves' documents verify."""
        self._own.up()
        return self._own.host.attestation_root()

    @property
    def verifier(self) -> Verifier:
        """Return a `Verifier` of that root."""
        from nitro_workflow.attestation import Verifier

        return Verifier.local(self.root)

    def close(self) -> None:
        """End every enclave that was started."""
        while self._running:
            self._running.pop().terminate()
