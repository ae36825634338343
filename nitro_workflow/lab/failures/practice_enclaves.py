"""The enclaves of the failure lab: launched once for each way of launching, asked over vsock."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.errors import EnclaveError, HostError, NitroWorkflowError, VsockError
from nitro_workflow.host import LaunchRequest
from nitro_workflow.lab.failures.practice_program import FRAME, PRACTICE_PORT
from nitro_workflow.vsock import recv_json, send_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab.failures.practice_images import PracticeImages
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["Launch", "PracticeEnclaves"]

CPUS: Final = 2
READY_SECONDS: Final = 60.0  # by emulation Python alone takes ten
JOB_SECONDS: Final = 60.0
PAUSE: Final = 0.05


@dataclass(frozen=True, slots=True)
class Launch:
    """What run-enclave is told: the image's name, and whether in debug mode."""

    eif_path: str
    debug_mode: bool = False


class PracticeEnclaves:
    """Launches at need, keeps what runs, ends all of it with `close`."""

    def __init__(self, bench: Workbench, images: PracticeImages) -> None:
        self._bench = bench
        self._images = images
        self._running: dict[Launch, dict[str, Any]] = {}
        self._since: dict[Launch, float] = {}
        self._end_left_overs()

    def _end_left_overs(self) -> None:
        """End what an earlier kernel left: its enclaves' documents are of another time."""
        for one in self._bench.host.describe_enclaves():
            if str(one.get("EnclaveName", "")).startswith("practice"):
                self._end(str(one["EnclaveID"]))

    def running(self, launch: Launch) -> dict[str, Any]:
        """Return nitro-cli's object of describe-enclaves, launching the enclave where it is not."""
        known = self._running.get(launch)
        found = [
            one
            for one in self._bench.host.describe_enclaves()
            if known and one["EnclaveID"] == known["EnclaveID"]
        ]
        if found and found[0]["State"] == "RUNNING":
            return found[0]
        self._running[launch] = self._launch(launch)
        self.ask(launch, {"op": "clock", "settings": {"clock_minutes": 0}})  # once it serves
        self._since[launch] = time.monotonic()
        return self.running(launch)

    def _launch(self, launch: Launch) -> dict[str, Any]:
        request = LaunchRequest(
            str(self._images.path(launch.eif_path)),
            self._bench.enclave_mib,
            CPUS,
            debug_mode=launch.debug_mode,
            instance_id=self._bench.produced("P8", "instance_id"),
        )
        return self._bench.host.run_enclave(request)

    def age(self, launch: Launch) -> float:
        """Return for how long its program has served, in seconds: its kept document is older."""
        return time.monotonic() - self._since[launch]

    def ask(self, launch: Launch, job: Mapping[str, Any]) -> dict[str, Any]:
        """Hand a job to the enclave; returns its answer, or raises what it says went wrong."""
        cid = int(self.running(launch)["EnclaveCID"])
        with self._connected(cid) as sock:
            sock.settimeout(JOB_SECONDS)
            send_json(sock, job)
            answer: dict[str, Any] = recv_json(sock, FRAME)
        if "failed" in answer:
            raise NitroWorkflowError.from_json(answer["failed"])
        return answer

    def _connected(self, cid: int) -> Any:
        """Return a connection, once the program listens: an enclave boots before it does."""
        vsock = self._bench.host.vsock(self._bench.produced("P8", "instance_id"))
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                return vsock.connect(cid, PRACTICE_PORT, 5.0)
            except (OSError, VsockError) as error:
                if time.monotonic() > deadline:
                    raise EnclaveError(
                        f"the practice application does not listen: {error}",
                        expected=f"vsock {cid}:{PRACTICE_PORT}",
                        where="failure lab",
                        next="run step P8 again, then this cell",
                    ) from error
            time.sleep(PAUSE)

    def close(self) -> None:
        """End them all."""
        for one in self._running.values():
            self._end(str(one["EnclaveID"]))
        self._running.clear()

    def _end(self, enclave: str) -> None:
        with contextlib.suppress(HostError):  # it may have ended by itself
            self._bench.host.terminate_enclave(enclave)
