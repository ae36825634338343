r"""The host on an EC2 parent: AWS's own nitro-cli, by subprocess and absolute path.

>>> from nitro_workflow.host.nitro_cli import parse_failure
>>> parse_failure("Start allocating memory...\n[ E19 ] File operation failure.\n[ E39 ]").code
'E19'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.nitro_cli.nitro_cli_call import NitroCliCall, parse_failure
    from nitro_workflow.host.nitro_cli.nitro_cli_host import NitroCliHost
    from nitro_workflow.host.nitro_cli.own_parent_host import OwnParentHost

_HOMES = {
    "NitroCliCall": "nitro_cli_call",
    "NitroCliHost": "nitro_cli_host",
    "OwnParentHost": "own_parent_host",
    "parse_failure": "nitro_cli_call",
}

__all__ = ["NitroCliCall", "NitroCliHost", "OwnParentHost", "parse_failure"]

__getattr__ = lazy_names(__name__, _HOMES)
