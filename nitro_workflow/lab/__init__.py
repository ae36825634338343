"""The lab: the 17 steps of the workflow, run for real by separate processes on this machine.

::

    from nitro_workflow.lab import Lab

    lab = Lab.open("/tmp/lab")           # or NITRO_WORKFLOW_LAB, or one for each user
    lab.run("D4").evidence               # runs what D4 needs, then shows what the cloud decided
    lab.down()                           # stops the background processes; the folder stays

What else there is to see of a lab is asked of its workbench: ``document_of(lab.bench)``.

>>> from nitro_workflow.lab import STEPS
>>> len(STEPS), STEPS[0].title
(17, 'Create the KMS key and its policy')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nitro_workflow.lazy import lazy_names

if TYPE_CHECKING:
    from nitro_workflow.lab.attacks import (
        ATTACKS,
        AttackOutcome,
        fresh_document,
        instance_session,
        try_attack,
    )
    from nitro_workflow.lab.aws.aws_check import Finding, chosen, pre_flight
    from nitro_workflow.lab.aws.aws_pair import AwsPair, cloud_of
    from nitro_workflow.lab.aws.aws_plan import NO_LAB, Plan, plan
    from nitro_workflow.lab.aws.leftovers import Leftover, leftovers, tagged_keys
    from nitro_workflow.lab.aws.operator_policy import operator_policy
    from nitro_workflow.lab.aws.role_review import Claim, planned_policies, review
    from nitro_workflow.lab.aws.teardown import Removal, teardown
    from nitro_workflow.lab.call_record import CallRecord
    from nitro_workflow.lab.engine import Confirmation, Lab, OwnInstance, confirm
    from nitro_workflow.lab.evidence import (
        Job,
        TraceEvent,
        collect,
        newest_decision,
        newest_records,
    )
    from nitro_workflow.lab.export.export_facts import ExportFacts, export_facts
    from nitro_workflow.lab.export.export_files import exported_files
    from nitro_workflow.lab.export.export_folder import write_folder
    from nitro_workflow.lab.export.export_policies import refuse_findings
    from nitro_workflow.lab.failures import (
        CHANGES,
        CLIENT_SETTINGS,
        EVIDENCE,
        MISSING_DENIALS,
        RECORD,
        SET_UPS,
        Attempt,
        FailureCase,
        FailureLab,
        PracticeKey,
        Repair,
        gather_evidence,
        open_failure_lab,
        open_practice_key,
        try_closing,
        try_repair,
    )
    from nitro_workflow.lab.lab_folder import LabFolder, default_folder
    from nitro_workflow.lab.lab_users import LabUsers
    from nitro_workflow.lab.pair import Pair
    from nitro_workflow.lab.parties import Party
    from nitro_workflow.lab.party_policies import PARTIES
    from nitro_workflow.lab.processes import LabProcess, LocalPair, end_orphan, find_processes
    from nitro_workflow.lab.step_result import StepProgress, StepResult
    from nitro_workflow.lab.steps import (
        STEPS,
        WIRES,
        Step,
        build_inputs,
        ciphertext_path,
        document_of,
        envelope_of,
        expected_of,
        find_step,
        image_of,
        jobs_of,
        key_facts,
        policy_of,
        request_of,
        start_job,
        wire_of,
    )
    from nitro_workflow.lab.workbench import Workbench

__all__ = [
    "ATTACKS",
    "CHANGES",
    "CLIENT_SETTINGS",
    "EVIDENCE",
    "MISSING_DENIALS",
    "NO_LAB",
    "PARTIES",
    "RECORD",
    "SET_UPS",
    "STEPS",
    "WIRES",
    "AttackOutcome",
    "Attempt",
    "AwsPair",
    "CallRecord",
    "Claim",
    "Confirmation",
    "ExportFacts",
    "FailureCase",
    "FailureLab",
    "Finding",
    "Job",
    "Lab",
    "LabFolder",
    "LabProcess",
    "LabUsers",
    "Leftover",
    "LocalPair",
    "OwnInstance",
    "Pair",
    "Party",
    "Plan",
    "PracticeKey",
    "Removal",
    "Repair",
    "Step",
    "StepProgress",
    "StepResult",
    "TraceEvent",
    "Workbench",
    "build_inputs",
    "chosen",
    "ciphertext_path",
    "cloud_of",
    "collect",
    "confirm",
    "default_folder",
    "document_of",
    "end_orphan",
    "envelope_of",
    "expected_of",
    "export_facts",
    "exported_files",
    "find_processes",
    "find_step",
    "fresh_document",
    "gather_evidence",
    "image_of",
    "instance_session",
    "jobs_of",
    "key_facts",
    "leftovers",
    "newest_decision",
    "newest_records",
    "open_failure_lab",
    "open_practice_key",
    "operator_policy",
    "plan",
    "planned_policies",
    "policy_of",
    "pre_flight",
    "refuse_findings",
    "request_of",
    "review",
    "start_job",
    "tagged_keys",
    "teardown",
    "try_attack",
    "try_closing",
    "try_repair",
    "wire_of",
    "write_folder",
]

_HOMES = {
    "ATTACKS": "attacks",
    "CHANGES": "failures",
    "CLIENT_SETTINGS": "failures",
    "EVIDENCE": "failures",
    "MISSING_DENIALS": "failures",
    "NO_LAB": "aws.aws_plan",
    "PARTIES": "party_policies",
    "RECORD": "failures",
    "SET_UPS": "failures",
    "STEPS": "steps",
    "WIRES": "steps",
    "AttackOutcome": "attacks",
    "Attempt": "failures",
    "AwsPair": "aws.aws_pair",
    "CallRecord": "call_record",
    "Claim": "aws.role_review",
    "Confirmation": "engine",
    "ExportFacts": "export.export_facts",
    "FailureCase": "failures",
    "FailureLab": "failures",
    "Finding": "aws.aws_check",
    "Job": "evidence",
    "Lab": "engine",
    "LabFolder": "lab_folder",
    "LabProcess": "processes",
    "LabUsers": "lab_users",
    "Leftover": "aws.leftovers",
    "LocalPair": "processes",
    "OwnInstance": "engine",
    "Pair": "pair",
    "Party": "parties",
    "Plan": "aws.aws_plan",
    "PracticeKey": "failures",
    "Removal": "aws.teardown",
    "Repair": "failures",
    "Step": "steps",
    "StepProgress": "step_result",
    "StepResult": "step_result",
    "TraceEvent": "evidence",
    "Workbench": "workbench",
    "build_inputs": "steps",
    "chosen": "aws.aws_check",
    "ciphertext_path": "steps",
    "cloud_of": "aws.aws_pair",
    "collect": "evidence",
    "confirm": "engine",
    "default_folder": "lab_folder",
    "document_of": "steps",
    "end_orphan": "processes",
    "envelope_of": "steps",
    "expected_of": "steps",
    "export_facts": "export.export_facts",
    "exported_files": "export.export_files",
    "find_processes": "processes",
    "find_step": "steps",
    "fresh_document": "attacks",
    "gather_evidence": "failures",
    "image_of": "steps",
    "instance_session": "attacks",
    "jobs_of": "steps",
    "key_facts": "steps",
    "leftovers": "aws.leftovers",
    "newest_decision": "evidence",
    "newest_records": "evidence",
    "open_failure_lab": "failures",
    "open_practice_key": "failures",
    "operator_policy": "aws.operator_policy",
    "plan": "aws.aws_plan",
    "planned_policies": "aws.role_review",
    "policy_of": "steps",
    "pre_flight": "aws.aws_check",
    "refuse_findings": "export.export_policies",
    "request_of": "steps",
    "review": "aws.role_review",
    "start_job": "steps",
    "tagged_keys": "aws.leftovers",
    "teardown": "aws.teardown",
    "try_attack": "attacks",
    "try_closing": "failures",
    "try_repair": "failures",
    "wire_of": "steps",
    "write_folder": "export.export_folder",
}

__getattr__ = lazy_names(__name__, _HOMES)  # a client that only asks for a folder loads no step
