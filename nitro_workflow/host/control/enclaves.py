"""The enclaves of one hypervisor: those that run, by id and name, and the last that have ended."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.rules import launch_rules
from nitro_workflow.host.rules.allocator import read_pool
from nitro_workflow.host.rules.ecodes import failure
from nitro_workflow.host.sandbox.enclave_process import Plan
from nitro_workflow.host.sandbox.launcher import USERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from nitro_workflow.errors import HostError
    from nitro_workflow.host.control.enclave_machines import Enclave, EnclaveMachine
    from nitro_workflow.host.protocol import LaunchRequest

__all__ = ["Enclaves", "UserNumbers"]

REMEMBERED: Final = 16
"""Enclaves that have ended and whose debug console can still be read."""


class UserNumbers:
    """Numbers of sandbox users: no two sandboxes have the same."""

    def __init__(self) -> None:
        # Another lab's hypervisor, if root runs one too, begins elsewhere.
        self._last = secrets.randbelow(USERS)
        self._lock = threading.Lock()

    def next(self) -> int:
        """Return the next one."""
        with self._lock:
            self._last += 1
            return self._last


class Enclaves:
    """Starts enclaves by nitro-cli's rules, and finds them again; threads may call at once.

    ``machine`` is what they run on; ``unsafe_folder``: where they run without a sandbox.
    ``on_end`` is told the id of each that is gone.
    """

    def __init__(
        self,
        machine: EnclaveMachine,
        users: UserNumbers,
        unsafe_folder: Path | None,
        on_end: Callable[[str], None],
    ) -> None:
        self._machine = machine
        self._users = users
        self._unsafe_folder = unsafe_folder
        self._on_end = on_end
        self._living: dict[str, Enclave] = {}
        self._ended: deque[Enclave] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()

    def start(
        self,
        request: LaunchRequest,
        instance_id: str,
        image: int,
        size: int,
        runs: Callable[[], bool],
    ) -> Enclave:
        """Apply nitro-cli's rules and start the machine, one launch at a time.

        ``image`` is a sealed copy of ``size`` bytes; ``runs`` says whether the instance still does.
        """
        pool = read_pool()
        with self._lock:
            if not runs():
                raise failure("E39", "the instance was stopped meanwhile", next="run step P8")
            others = [it.plan for it in self._living.values() if it.plan.instance_id == instance_id]
            left = pool.memory_left(sum(it.memory_mib for it in others))
            memory = launch_rules.check_memory(size, request.memory_mib, left)
            taken = {cpu for it in others for cpu in it.cpus}
            cpus = launch_rules.choose_cpus(pool.cpus, taken, request.cpu_count, request.cpu_ids)
            plan = self._plan(request, instance_id, image, memory, cpus)
            enclave = self._machine.start(plan, self._forget)
            self._living[enclave.plan.enclave_id] = enclave
            return enclave

    def living(self, instance_id: str | None = None) -> list[Enclave]:
        """Return those that have been started and are not gone, of one instance or of all."""
        with self._lock:
            found = list(self._living.values())
        return [it for it in found if instance_id in (None, it.plan.instance_id)]

    def find(self, enclave_id: str | None, name: str | None, *, ended: bool) -> Enclave:
        """Return one by id or name, if ``ended`` also the last ones.

        Raises `HostError`: E11 for an id, E58 for a name, as nitro-cli says of its sockets.
        """
        with self._lock:
            known = list(self._living.values())
            known += reversed(self._ended) if ended else ()
        for enclave in known:
            if enclave_id == enclave.plan.enclave_id or (
                not enclave_id and name == enclave.plan.name
            ):
                return enclave
        raise _unknown(enclave_id, name)

    def _plan(
        self,
        request: LaunchRequest,
        instance_id: str,
        image: int,
        memory: int,
        cpus: tuple[int, ...],
    ) -> Plan:
        plans = [it.plan for it in self._living.values()]
        cid = launch_rules.choose_cid(request.enclave_cid, {it.cid for it in plans})
        return Plan(
            name=launch_rules.choose_name(
                request.enclave_name, Path(request.eif_path).name, {it.name for it in plans}
            ),
            enclave_id=f"{instance_id}-enc{secrets.token_hex(8)}",
            cid=cid,
            cpus=cpus,
            memory_mib=memory,
            debug=request.debug_mode,
            image=image,
            number=self._users.next(),
            unsafe_folder=self._unsafe_folder / str(cid) if self._unsafe_folder else None,
        )

    def _forget(self, enclave: Enclave) -> None:
        with self._lock:
            self._living.pop(enclave.plan.enclave_id, None)
            self._ended.append(enclave)
        self._on_end(enclave.plan.enclave_id)


def _unknown(enclave_id: str | None, name: str | None) -> HostError:
    return failure(
        "E11" if enclave_id else "E58",
        f"Could not find enclave {enclave_id or name or ''}",
        expected="a running enclave",
        next="nitro-cli describe-enclaves lists them",
    )
