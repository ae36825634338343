"""Every policy of an export, in each of its three forms, from the functions that the lab puts.

A form differs in how it names accounts, region and PCR3: plainly, or as a template's placeholders.
There is no second text of a policy anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from nitro_workflow.attestation import pcr3
from nitro_workflow.cloud import Accounts, further_permissions, tls_only_policy
from nitro_workflow.errors import LabError
from nitro_workflow.lab.aws.role_review import fenced_key_policy, review
from nitro_workflow.lab.export.export_facts import ExportFacts, names_of
from nitro_workflow.lab.party_policies import PARTIES, PartyPolicies

__all__ = [
    "TAG",
    "Form",
    "cloudformation",
    "exported_policies",
    "instance_pcr3",
    "plain",
    "refuse_findings",
    "terraform",
]

TAG: Final = "Application"
"""Of the parent instance; the administrator commands those with the set-up's name."""


@dataclass(frozen=True, slots=True)
class Form:
    """How policies name what a template may change. ``operators``: party → who may become it."""

    data: str
    compute: str
    region: str
    pcr3: str
    topic: str
    operators: Mapping[str, str]


def plain(facts: ExportFacts) -> Form:
    """Return the form of the files in ``policies/``."""
    accounts = facts.accounts
    return Form(
        data=accounts.data,
        compute=accounts.compute,
        region=facts.region,
        pcr3=instance_pcr3(facts),
        topic=f"arn:aws:sns:{facts.region}:{accounts.data}:{facts.name}-alarms",
        operators={
            "owner": f"arn:aws:iam::{accounts.data}:role/WHO-MAY-BECOME-THE-OWNER",
            "developer": f"arn:aws:iam::{accounts.compute}:role/WHO-MAY-BECOME-THE-DEVELOPER",
            "administrator": f"arn:aws:iam::{accounts.compute}:role/WHO-MAY-BECOME-THE-ADMIN",
        },
    )


def cloudformation(side: str) -> Form:
    """Return the form of the templates of the ``data`` or the ``compute`` account."""
    here = "${AWS::AccountId}"
    return Form(
        data=here if side == "data" else "${DataAccount}",
        compute=here if side == "compute" else "${ComputeAccount}",
        region="${AWS::Region}",
        pcr3="${Pcr3}",
        topic="${AlarmTopic}",
        operators={
            "owner": "${OwnerOperator}",
            "developer": "${DeveloperOperator}",
            "administrator": "${AdministratorOperator}",
        },
    )


def terraform() -> Form:
    """Return the form of the Terraform files."""
    return Form(
        data="${var.data_account}",
        compute="${var.compute_account}",
        region="${var.region}",
        pcr3="${var.pcr3}",
        topic="${aws_sns_topic.alarms.arn}",
        operators={
            "owner": "${var.owner_operator}",
            "developer": "${var.developer_operator}",
            "administrator": "${var.administrator_operator}",
        },
    )


def instance_pcr3(facts: ExportFacts) -> str:
    """Return PCR3 of the instance's role, in hex."""
    policies = _party_policies(facts, facts.accounts, facts.region)
    return pcr3(policies.role_arn("instance")).hex()


def _party_policies(facts: ExportFacts, accounts: Accounts, region: str) -> PartyPolicies:
    """Return the parties' policies for accounts and region as a form names them."""
    names = names_of(facts.name, accounts.data, accounts.compute)
    further = {
        party: further_permissions(
            party,
            data_bucket=names.data_bucket,
            images_bucket=names.images_bucket,
            region=region,
            account=accounts.compute,
            identity=facts.name,
            tag=TAG,
        )
        for party in PARTIES
    }
    return PartyPolicies(accounts, names, region, further, tls_only=True)


def exported_policies(facts: ExportFacts, form: Form) -> dict[str, dict[str, Any]]:
    """Return every policy by its name, in that form.

    Roles by party, their trust as ``trust-<party>``, and the policies of keys, buckets and topic.
    """
    policies = _party_policies(facts, Accounts(form.data, form.compute), form.region)
    found = {party: policies.identity_policy(party) for party in PARTIES}
    found["owner"]["Statement"].append(_deploy_the_keys(facts, form))
    for party in PARTIES:
        operator = form.operators.get(party, "")
        found[f"trust-{party}"] = policies.trust_policy(party, operator)
    known = instance_pcr3(facts)
    fenced = fenced_key_policy(
        policies, [{**image, "PCR3": known} for image in facts.images], facts.context
    )
    found["key-policy"] = json.loads(json.dumps(fenced).replace(known, form.pcr3))
    found["results-key-policy"] = policies.results_key_policy()
    found["bucket-policy"] = policies.bucket_policy()
    found["images-bucket-policy"] = json.loads(tls_only_policy(policies.names.images_bucket))
    found["topic-policy"] = _topic_policy(form)
    return found


def _deploy_the_keys(facts: ExportFacts, form: Form) -> dict[str, Any]:
    """Return what `aws cloudformation deploy` asks for; CloudFormation then acts as the owner."""
    return {
        "Sid": "DeployTheKeys",
        "Effect": "Allow",
        "Action": [
            "cloudformation:CreateChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:DescribeStacks",
            "cloudformation:ExecuteChangeSet",
        ],
        "Resource": f"arn:aws:cloudformation:{form.region}:{form.data}:stack/{facts.name}-*",
    }


def _topic_policy(form: Form) -> dict[str, Any]:
    """Return who may publish alarms: EventBridge and CloudWatch, for this account."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "AlarmsOfThisAccount",
                "Effect": "Allow",
                "Principal": {"Service": ["events.amazonaws.com", "cloudwatch.amazonaws.com"]},
                "Action": "sns:Publish",
                "Resource": form.topic,
                "Condition": {"StringEquals": {"aws:SourceAccount": form.data}},
            }
        ],
    }


def refuse_findings(facts: ExportFacts) -> None:
    """Raise `LabError` where our evaluator or our analysis finds anything in what is exported."""
    from nitro_workflow.policy import analyse, parse_policy

    for claim in review(_party_policies(facts, facts.accounts, facts.region)):
        if not claim.holds:
            raise _finding(f"{claim.party}, {claim.action}: {claim.why}", claim.on)
    text = json.dumps(exported_policies(facts, plain(facts))["key-policy"])
    found = analyse(parse_policy(text, name="key policy"), grants=())
    if set(found.answers.values()) != {"none"} or found.findings:
        told = [f"{question}: {answer}" for question, answer in found.answers.items()]
        told += [one.title for one in found.findings]
        raise _finding("; ".join(told), "the key policy")


def _finding(found: str, where: str) -> LabError:
    return LabError(
        found,
        expected="no finding",
        where=where,
        next="this is a fault of the package: report it; nothing was written",
    )
