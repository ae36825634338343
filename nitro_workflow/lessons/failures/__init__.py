"""The failure lab of lesson 10: twelve denials to diagnose by evidence, to mend, and to score.

>>> from nitro_workflow.lessons.failures import CAUSES
>>> len(CAUSES), CAUSES["debug-mode"].command
(16, 'attestation show')
"""

from __future__ import annotations

from nitro_workflow.lessons.failures.denials import Denials, open_denials, show_attempt
from nitro_workflow.lessons.failures.practice import open_practice_key
from nitro_workflow.lessons.failures.scoring import (
    FAILURE_LAB,
    MOST,
    CaseScore,
    ScoreFile,
    forget_scores,
)
from nitro_workflow.lessons.failures.sixteen_causes import CAUSES, Cause

__all__ = [
    "CAUSES",
    "FAILURE_LAB",
    "MOST",
    "CaseScore",
    "Cause",
    "Denials",
    "ScoreFile",
    "forget_scores",
    "open_denials",
    "open_practice_key",
    "show_attempt",
]
