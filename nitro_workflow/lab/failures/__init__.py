"""The failure lab: broken set-ups made for real, each with a practice key of its own.

>>> from nitro_workflow.lab.failures import SET_UPS
>>> len(SET_UPS), SET_UPS["debug-mode"].launch.debug_mode
(12, True)
"""

from __future__ import annotations

from nitro_workflow.lab.failures.case_repairs import (
    CHANGES,
    CLIENT_SETTINGS,
    Repair,
    try_closing,
    try_repair,
)
from nitro_workflow.lab.failures.client_attempt import Attempt
from nitro_workflow.lab.failures.evidence_commands import EVIDENCE, RECORD, gather_evidence
from nitro_workflow.lab.failures.failure_case import FailureCase
from nitro_workflow.lab.failures.failure_lab import FailureLab, open_failure_lab
from nitro_workflow.lab.failures.practice_key import PracticeKey, open_practice_key
from nitro_workflow.lab.failures.twelve_set_ups import MISSING_DENIALS, SET_UPS

__all__ = [
    "CHANGES",
    "CLIENT_SETTINGS",
    "EVIDENCE",
    "MISSING_DENIALS",
    "RECORD",
    "SET_UPS",
    "Attempt",
    "FailureCase",
    "FailureLab",
    "PracticeKey",
    "Repair",
    "gather_evidence",
    "open_failure_lab",
    "open_practice_key",
    "try_closing",
    "try_repair",
]
