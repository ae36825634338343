"""The programs `nitro-cli` and `vsock-proxy` of the virtual environment, and whose place they take.

On an EC2 parent the real ones are at a fixed path, and are never shadowed: a program of ours that
is found first on PATH hands over to them. ``nitro-workflow nitro-cli`` is always this machine's.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nitro_workflow.cli import run_program
from nitro_workflow.vsock import PARENT_DEVICE

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["nitro_cli_program", "real_program", "vsock_proxy_program"]

REAL: Final = Path("/usr/bin")
"""Where AWS's package puts both. [src: aws-nitro-enclaves-cli.spec, %{_bindir}]"""


def nitro_cli_program() -> None:
    """Be `nitro-cli`."""
    _hand_over("nitro-cli")
    from nitro_workflow.cli.host import nitro_cli

    run_program(nitro_cli)


def vsock_proxy_program() -> None:
    """Be `vsock-proxy`: as AWS's, from a port of your own host's instance."""
    _hand_over("vsock-proxy")
    sys.exit(_proxy(sys.argv[1:]))


def _proxy(arguments: Sequence[str]) -> int:
    from nitro_workflow.cli.host_vsock import transport_of
    from nitro_workflow.vsock import run_proxy

    return run_proxy(arguments, lambda: transport_of(None))


def real_program(name: str, folder: Path = REAL, device: Path = PARENT_DEVICE) -> Path | None:
    """Return AWS's own program where this machine is an EC2 parent that has it, else None."""
    found = folder / name
    if not device.exists() or not os.access(found, os.X_OK):
        return None
    ours = Path(sys.argv[0])
    return None if ours.exists() and found.samefile(ours) else found


def _hand_over(name: str) -> None:
    """Become AWS's own program, where there is one."""
    real = real_program(name)
    if real is not None:
        print(
            f"nitro-workflow: this is an EC2 parent: {real} takes over "
            f"(`nitro-workflow nitro-cli` runs enclaves without the hardware)",
            file=sys.stderr,
            flush=True,
        )
        os.execv(real, [str(real), *sys.argv[1:]])  # noqa: S606 - by its absolute path, no shell
