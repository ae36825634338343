"""The host `ec2`: a parent instance that this lab launches and drives through SSM and S3.

From the start of a launch: `machine_launch` (what RunInstances is told), `user_data` with
`parent_start.sh` (what the instance becomes), `instance_start` (waiting for it), `instance_line`
(requests and answers), `on_instance` (what carries them out there).

>>> from nitro_workflow.host.ec2 import InstancePlace
>>> InstancePlace("c5a.xlarge", "/aws/service/…", ("subnet-0a",)).subnets
('subnet-0a',)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.host.ec2.ec2_host import Ec2Host
    from nitro_workflow.host.ec2.machine_launch import InstancePlace
    from nitro_workflow.host.ec2.user_data import start_script

_HOMES = {
    "Ec2Host": "ec2_host",
    "InstancePlace": "machine_launch",
    "start_script": "user_data",
}

__all__ = ["Ec2Host", "InstancePlace", "start_script"]

__getattr__ = lazy_names(__name__, _HOMES)
