"""The lab: the 17 steps of the workflow, run for real by separate processes on this machine.

::

    from nitro_workflow.lab import Lab

    lab = Lab.open("/tmp/lab")           # or NITRO_WORKFLOW_LAB, or one for each user
    lab.run("D4").evidence               # runs what D4 needs, then shows what the cloud decided
    lab.down()                           # stops the background processes; the folder stays

>>> from nitro_workflow.lab import STEPS
>>> len(STEPS), STEPS[0].title
(17, 'Create the KMS key and its policy')
"""

from __future__ import annotations

from nitro_workflow.lab.engine.lab import Lab
from nitro_workflow.lab.evidence.trace import TraceEvent
from nitro_workflow.lab.parties import Party
from nitro_workflow.lab.steps import STEPS, Step, StepResult

__all__ = ["STEPS", "Lab", "Party", "Step", "StepResult", "TraceEvent"]
