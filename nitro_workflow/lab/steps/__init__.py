"""The one table of the workflow: 8 steps of preparation, 9 of attestation and decryption.

CLI, notebooks, README and tests read it::

    >>> from nitro_workflow.lab.steps import STEPS
    >>> [step.number for step in STEPS][:3]
    ['P1', 'P2', 'P3']
"""

from __future__ import annotations

from nitro_workflow.lab.steps.d3_d9_decryption import DECRYPTION
from nitro_workflow.lab.steps.p_table import PREPARATION
from nitro_workflow.lab.steps.step import Outcome, Step, StepResult

__all__ = ["STEPS", "Outcome", "Step", "StepResult"]

STEPS: tuple[Step, ...] = (*PREPARATION, *DECRYPTION)
