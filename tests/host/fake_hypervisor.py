"""The hypervisor as a process, with a cloud of constants: ``fake_hypervisor.py LAB RUNTIME PARENT [HOW]``, HOW is ``unsafe``, ``unsupervised``, ``qemu`` or a port."""

import errno
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nitro_workflow.cloud import Endpoint
from nitro_workflow.errors import HostError
from nitro_workflow.host.control.enclave_machines import machine_of
from nitro_workflow.host.control.hypervisor import serve
from nitro_workflow.host.instance.cloud_records import InstanceRecord, RoleCredentials
from nitro_workflow.host.instance.instance_spec import ParentPrograms
from nitro_workflow.host.sandbox import enclave_process

ROLE = "arn:aws:iam::444455556666:role/ParentInstance"


class Cloud:
    """Knows i-…0 (with enclaves), i-…1 (without), i-…2 (terminated)."""

    def __init__(self, ca: Path, port: int) -> None:
        self._ca = ca
        self._port = port

    def address(self):
        url = f"https://127.0.0.1:{self._port}"
        return Endpoint(url, str(self._ca))

    def instance(self, instance_id):
        number = instance_id[-1]
        if number not in "012":
            raise HostError(f"no instance {instance_id}", where="hypervisor")
        state = "terminated" if number == "2" else "running"
        return InstanceRecord(instance_id, ROLE, number == "0", state)

    def role_credentials(self, record):
        return RoleCredentials("ASIA", "secret", "token", datetime.now(UTC) + timedelta(hours=1))


def forbid_supervision():
    """Let no filter of this process's children have a supervisor, as a container's profile may."""
    from nitro_workflow.host.sandbox import linux
    from nitro_workflow.host.supervisor.filter_code import (
        ALLOW,
        assemble,
        has_any_bit,
        load,
        refuse,
    )

    new_listener = 8
    body = [*load(1), *has_any_bit(new_listener, refuse(errno.EPERM)), *ALLOW]
    linux.no_new_privileges()
    linux.install_filter(assemble({"seccomp": body}, ALLOW))


if __name__ == "__main__":
    enclave_process.SETTLE_SECONDS = 20.0  # on a loaded machine, a program ends late
    lab, runtime, parent = map(Path, sys.argv[1:4])
    ca = lab / "ca.pem"
    lab.mkdir(parents=True, exist_ok=True)
    ca.write_text("CA")
    how = "".join(sys.argv[4:5])
    unsafe = how == "unsafe"
    if how == "unsupervised":
        forbid_supervision()
    cloud = Cloud(ca, int(how) if how.isdigit() else 9)
    machine = machine_of("qemu" if how == "qemu" else "sandbox")
    programs = ParentPrograms(parent)
    serve(lab, runtime, cloud, programs, machine=machine, unsafe_without_sandbox=unsafe)
