"""What an instance's sandbox is given: what it sees of this machine, programs, environment."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.host.instance.instance_paths import TRACE_FILE
from nitro_workflow.host.sandbox import launcher as sandboxes
from nitro_workflow.host.sandbox.launcher import Bind
from nitro_workflow.vsock import PIECES_FILE, PROXY_PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nitro_workflow.cloud import Endpoint
    from nitro_workflow.host.instance.cloud_records import InstanceRecord

__all__ = [
    "CA_INSIDE",
    "INSIDE",
    "ParentPrograms",
    "allow_list",
    "config",
    "environment",
    "visible",
]

PACKAGE: Final = Path(__file__).resolve().parents[2]
"""Of ours; the application stands beside it."""

INSIDE: Final = "/run/instance"
"""Where the instance sees its own folder."""

CA_INSIDE: Final = "/etc/nitro-workflow/ca.pem"

PROXY_CONNECTIONS: Final = 8

_SYSTEM_FILES: Final = ("/etc/ld.so.cache", "/etc/localtime", "/etc/nsswitch.conf")


@dataclass(frozen=True, slots=True)
class ParentPrograms:
    """What runs on the instance: the parent application's file, further read-only folders.

    Whoever starts the hypervisor hands them to it: a host knows no application.
    """

    application: Path
    folders: Sequence[Path] = ()


def allow_list(address: Endpoint) -> str:
    """Return the proxy's configuration: that one remote."""
    return f"allowlist:\n- {{address: '{address.host}', port: {address.port}}}\n"


def config(
    inside: str,
    address: Endpoint,
    programs: ParentPrograms,
    *,
    python: str = sys.executable,
    root: str = "",
) -> str:
    """Return the argument of `first_process`; ``inside`` is the instance's folder as it sees it.

    ``python`` runs them there; ``root``: where it has our packages, where that is not our place.
    """
    application = programs.application
    if root:
        application = Path(root) / application.relative_to(PACKAGE.parent)
    proxy = [
        *(python, "-m", "nitro_workflow.vsock.proxy"),
        *("--config", "vsock-proxy.yaml", "--trace", TRACE_FILE, "--pieces", PIECES_FILE),
        *("-w", str(PROXY_CONNECTIONS), str(PROXY_PORT), address.host, str(address.port)),
    ]
    parent = [python, str(application)]
    return json.dumps({"folder": inside, "programs": {"proxy": proxy, "parent": parent}})


def environment(
    inside: str,
    address: Endpoint,
    record: InstanceRecord,
    metadata_endpoint: str | None,
    *,
    supervised: bool,
) -> dict[str, str]:
    """Return the programs' environment.

    ``metadata_endpoint`` where that is not EC2's; the programs are not sandboxed then. Those that
    are ``supervised`` have AF_VSOCK itself.
    """
    source = str(PACKAGE.parent)
    elsewhere = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": metadata_endpoint or ""}
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": f"{inside}/state",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": source,
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NITRO_WORKFLOW_INSTANCE": inside,
        **({} if supervised else {"NITRO_WORKFLOW_VSOCK": f"host:{inside}/vsock"}),
        # botocore's own are 1 s and 1: too little on a busy machine.
        "AWS_METADATA_SERVICE_TIMEOUT": "5",
        "AWS_METADATA_SERVICE_NUM_ATTEMPTS": "3",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_REGION": record.region,
        "AWS_DEFAULT_REGION": record.region,
        "AWS_ENDPOINT_URL": address.url,
        "AWS_CA_BUNDLE": address.ca if metadata_endpoint else CA_INSIDE,
        **(elsewhere if metadata_endpoint else {}),
    }


def visible(
    folder: Path, address: Endpoint, programs: ParentPrograms
) -> tuple[list[Bind], dict[str, str]]:
    """Return the binds and links of the sandbox; ``folder`` is the only one that is written to."""
    binds, links = sandboxes.system_binds()
    package = PACKAGE
    wanted = [Path(sys.base_prefix), Path(sys.prefix), package, *programs.folders]
    wanted += [programs.application, *map(Path, _SYSTEM_FILES)]
    covered = [Path(bind.target) for bind in binds] + [Path(link) for link in links]
    for path in sorted(wanted, key=lambda it: len(it.parts)):
        if path.exists() and not any(path == it or it in path.parents for it in covered):
            binds.append(Bind(str(path), str(path)))
            covered.append(path)
    binds.append(Bind(address.ca, CA_INSIDE))
    binds.append(Bind(str(folder / "hosts"), "/etc/hosts"))
    binds.append(Bind(str(folder), INSIDE, writable=True))
    return binds, links
