"""The 17 steps: what each does, and the one table that CLI, notebooks, README and tests read.

>>> from nitro_workflow.lab.steps import STEPS
>>> [step.number for step in STEPS][:3]
['P1', 'P2', 'P3']
"""

from __future__ import annotations

from nitro_workflow.lab.steps.d1_d2_delivery import FORMS, forms_of, jobs_of, start_job
from nitro_workflow.lab.steps.d3_d7_bytes import (
    WIRES,
    document_of,
    envelope_of,
    request_of,
    wire_of,
)
from nitro_workflow.lab.steps.d9_results import expected_of, open_job
from nitro_workflow.lab.steps.p1_p2_keys import CONTEXT, policy_of
from nitro_workflow.lab.steps.p3_p4_data import PREFIX, SDK_FILE, ciphertext_path
from nitro_workflow.lab.steps.p5_p7_image import build_inputs, image_of, measured_config, pack
from nitro_workflow.lab.steps.result_facts import key_facts
from nitro_workflow.lab.steps.step import Step
from nitro_workflow.lab.steps.step_table import STEPS, all_needs, find_step

__all__ = [
    "CONTEXT",
    "FORMS",
    "PREFIX",
    "SDK_FILE",
    "STEPS",
    "WIRES",
    "Step",
    "all_needs",
    "build_inputs",
    "ciphertext_path",
    "document_of",
    "envelope_of",
    "expected_of",
    "find_step",
    "forms_of",
    "image_of",
    "jobs_of",
    "key_facts",
    "measured_config",
    "open_job",
    "pack",
    "policy_of",
    "request_of",
    "start_job",
    "wire_of",
]
