"""The reach of a key policy: who can ever get the plaintext, and who can change that.

>>> from nitro_workflow.policy.language import parse_policy
>>> from nitro_workflow.policy.reach import analyse
>>> policy = parse_policy({"Statement": {
...     "Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "kms:*",
...     "Resource": "*"}})
>>> analyse(policy).without_attestation
'path'
"""

from __future__ import annotations

from nitro_workflow.policy.reach.analysis import Analysis, analyse
from nitro_workflow.policy.reach.analysis_text import render_analysis, render_image
from nitro_workflow.policy.reach.decrypt_history import (
    DecryptHistory,
    look_back,
    render_history,
)
from nitro_workflow.policy.reach.oddities import notes
from nitro_workflow.policy.reach.one_image import ImageAnswer, ask_image
from nitro_workflow.policy.reach.policy_finding import PolicyFinding
from nitro_workflow.policy.reach.ways import Way
from nitro_workflow.policy.reach.witness import KEY_ARN, Witness

__all__ = [
    "KEY_ARN",
    "Analysis",
    "DecryptHistory",
    "ImageAnswer",
    "PolicyFinding",
    "Way",
    "Witness",
    "analyse",
    "ask_image",
    "look_back",
    "notes",
    "render_analysis",
    "render_history",
    "render_image",
]
