"""SSM, as far as a parent instance is set up and commanded by it: images' names, Run Command.

No agent runs on this cloud's instances: who plays one writes its row, takes its commands and leaves
their results in the tables of `command_records`. Without one, an instance takes no command.

>>> "SendCommand" in OPERATIONS, "StartSession" in OPERATIONS
(True, False)
"""

from __future__ import annotations

from collections.abc import Mapping

from nitro_workflow.cloud.local.handler import Handler
from nitro_workflow.cloud.local.ssm.command_answers import OPERATIONS as _ANSWERS
from nitro_workflow.cloud.local.ssm.command_records import SCHEMA
from nitro_workflow.cloud.local.ssm.image_parameters import OPERATIONS as _PARAMETERS
from nitro_workflow.cloud.local.ssm.managed_instances import OPERATIONS as _INSTANCES
from nitro_workflow.cloud.local.ssm.sent_commands import OPERATIONS as _COMMANDS

__all__ = ["OPERATIONS", "SCHEMA"]

OPERATIONS: Mapping[str, Handler] = {**_ANSWERS, **_COMMANDS, **_INSTANCES, **_PARAMETERS}
