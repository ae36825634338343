"""The pre-flight of a lab on AWS: what must be there, asked before anything is made.

Each question gets one `Finding`: ``ok``, ``no`` (the walk would fail there), or ``unknown`` (AWS
did not say), with what was found and what to do. Nothing is made; only Describe, Get and List are
called.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final

from nitro_workflow.cloud import AwsCloud, AwsSettings, machine_image_parameter
from nitro_workflow.host import InstancePlace
from nitro_workflow.lab.aws.aws_prices import CANDIDATES, candidates_for
from nitro_workflow.lab.aws.findings import Finding, asked
from nitro_workflow.lab.aws.given_check import given_findings
from nitro_workflow.lab.aws.operator_policy import operator_actions, operator_policy

__all__ = ["Finding", "choose_place", "chosen", "pre_flight"]

QUOTA: Final = "L-1216C47A"
"""Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances, in vCPUs."""
VCPUS: Final = 4
SKEW_SECONDS: Final = 120
"""SigV4 takes 5 minutes; an attestation document's age is judged in minutes, too."""


def pre_flight(cloud: AwsCloud, *, machine: str = "") -> Iterator[Finding]:
    """Yield the findings, one question after another.

    ``machine``: the owner's, as `platform.machine` names it. Raises `AccessRefused` where there is
    no operator: nothing else can be asked then.
    """
    architecture, types = candidates_for(machine or platform.machine())
    yield from _identity(cloud)
    yield _clock(cloud)
    for side in ("data", "compute"):
        yield asked(f"permissions, {side} account", partial(_permissions, cloud, side))
    ec2 = cloud.operator(cloud.accounts.compute).client("ec2")
    yield asked("quota", lambda: _quota(cloud))
    yield asked("instance type", lambda: _type(ec2, _wanted(cloud.settings, types), architecture))
    yield asked("subnet with a way out", lambda: _subnet(ec2, cloud.settings))
    yield asked("machine image", lambda: _image(cloud, architecture))
    yield from given_findings(cloud)


def chosen(cloud: AwsCloud, *, machine: str = "") -> AwsSettings:
    """Return the settings with instance type and subnet chosen, of what the API offers.

    Raises botocore's errors where it may not be asked.
    """
    place = choose_place(cloud, machine=machine)
    subnet = next(iter(place.subnets), cloud.settings.subnet)
    return replace(cloud.settings, instance_type=place.instance_type, subnet=subnet)


def choose_place(cloud: AwsCloud, *, machine: str = "") -> InstancePlace:
    """Return where an instance for the owner's architecture may be: type, image, subnets.

    ``subnets``: each in another zone that has the type, with a way out. Raises botocore's errors.
    """
    architecture, types = candidates_for(machine or platform.machine())
    ec2 = cloud.operator(cloud.accounts.compute).client("ec2")
    offered = _offered(ec2, _wanted(cloud.settings, types), architecture)
    kind = next(iter(offered), cloud.settings.instance_type)
    zones = offered.get(kind, set())
    by_zone = {zone: one for one, zone in _ways_out(ec2, cloud.settings) if zone in zones}
    return InstancePlace(kind, machine_image_parameter(architecture), tuple(by_zone.values()))


def _identity(cloud: AwsCloud) -> Iterator[Finding]:
    for side in ("data", "compute"):
        account = getattr(cloud.accounts, side)
        yield Finding(f"identity, {side} account", "ok", cloud.operator_arn(account))
    if cloud.accounts.data == cloud.accounts.compute:
        yield Finding(
            "two accounts",
            "no",
            "one account: whoever administers its IAM can become the data owner",
            "good enough to try it; the claim needs a second one with --compute-profile",
        )
    else:
        yield Finding("two accounts", "ok", f"{cloud.accounts.data}, {cloud.accounts.compute}")


def _clock(cloud: AwsCloud) -> Finding:
    answer = cloud.operator(cloud.accounts.data).client("sts").get_caller_identity()
    said = answer["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    if not said:
        return Finding("clock", "unknown", "AWS's answer has no date")
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(said)).total_seconds())
    if skew <= SKEW_SECONDS:
        return Finding("clock", "ok", f"{skew:.0f} s from AWS's")
    return Finding("clock", "no", f"{skew:.0f} s from AWS's", "set this machine's clock: NTP")


def _permissions(cloud: AwsCloud, side: str) -> Finding:
    """Ask IAM what the operator's own policies allow; SCPs are not simulated."""
    account = getattr(cloud.accounts, side)
    iam = cloud.operator(account).client("iam")
    policy = operator_policy(side, cloud.region, account)
    actions = operator_actions(policy)
    pages = iam.get_paginator("simulate_principal_policy").paginate(
        PolicySourceArn=cloud.operator_arn(account), ActionNames=actions
    )
    denied = [
        one["EvalActionName"]
        for page in pages
        for one in page["EvaluationResults"]
        if one["EvalDecision"] != "allowed"
    ]
    question = f"permissions, {side} account"
    if not denied:
        found = f"{len(actions)} actions allowed, as IAM simulates it (without SCPs)"
        return Finding(question, "ok", found)
    # A policy that is limited to names and tags is denied here for "*".
    found = f"denied for every resource: {', '.join(denied)}"
    step = "right where your policy is limited to nitro-workflow-*; else `--policy` prints it"
    return Finding(question, "unknown", found, step)


def _quota(cloud: AwsCloud) -> Finding:
    quotas = cloud.operator(cloud.accounts.compute).client("service-quotas")
    value = quotas.get_service_quota(ServiceCode="ec2", QuotaCode=QUOTA)["Quota"]["Value"]
    found = f"{value:.0f} vCPUs of on-demand standard instances ({QUOTA})"
    if value >= VCPUS:
        return Finding("quota", "ok", found)
    return Finding("quota", "no", found, f"ask for {VCPUS} at least, in Service Quotas")


def _wanted(settings: AwsSettings, types: tuple[str, ...]) -> tuple[str, ...]:
    return (settings.instance_type,) if settings.instance_type else types


def _type(ec2: Any, wanted: tuple[str, ...], architecture: str) -> Finding:
    offered = _offered(ec2, wanted, architecture)
    question = "instance type"
    if not offered:
        found = f"none of {', '.join(wanted)} for enclaves on {architecture} in this region"
        known = ", ".join(CANDIDATES[architecture])
        return Finding(question, "no", found, f"--instance-type names one; tried: {known}")
    kind, zones = next(iter(offered.items()))
    return Finding(question, "ok", f"{kind}, {architecture}, in {', '.join(sorted(zones))}")


def _offered(ec2: Any, wanted: tuple[str, ...], architecture: str) -> dict[str, set[str]]:
    """Return type → zones, in the order wanted, of those with enclaves on that architecture."""
    pages = ec2.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone",
        Filters=[{"Name": "instance-type", "Values": list(wanted)}],
    )
    zones: dict[str, set[str]] = {}
    for page in pages:
        for one in page["InstanceTypeOfferings"]:
            zones.setdefault(str(one["InstanceType"]), set()).add(str(one["Location"]))
    here = [kind for kind in wanted if kind in zones]
    if not here:
        return {}
    described = ec2.describe_instance_types(InstanceTypes=here)["InstanceTypes"]
    good = {
        str(one["InstanceType"])
        for one in described
        if one.get("NitroEnclavesSupport") == "supported"
        and architecture in one["ProcessorInfo"]["SupportedArchitectures"]
        and one["VCpuInfo"]["DefaultVCpus"] >= VCPUS
    }
    return {kind: zones[kind] for kind in here if kind in good}


def _subnet(ec2: Any, settings: AwsSettings) -> Finding:
    found = _ways_out(ec2, settings)
    question = "subnet with a way out"
    if found:
        named, zone = found[0]
        return Finding(question, "ok", f"{named} in {zone}, {len(found)} in all")
    where = settings.subnet or "the default VPC"
    return Finding(
        question,
        "no",
        f"{where}: no route to the internet, and no NAT",
        "--subnet names one that reaches SSM, S3 and KMS; endpoints of a VPC are not looked at",
    )


def _ways_out(ec2: Any, settings: AwsSettings) -> list[tuple[str, str]]:
    """Return (subnet, zone) of those whose route table leads out, with an address to be given."""
    asked: dict[str, Any] = (
        {"SubnetIds": [settings.subnet]}
        if settings.subnet
        else {"Filters": [{"Name": "default-for-az", "Values": ["true"]}]}
    )
    subnets = ec2.describe_subnets(**asked)["Subnets"]
    vpcs = sorted({str(one["VpcId"]) for one in subnets})
    if not vpcs:
        return []
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": vpcs}])
    routes = _routes(tables["RouteTables"])
    return [
        (str(one["SubnetId"]), str(one["AvailabilityZone"]))
        for one in subnets
        if _leads_out(
            routes.get(str(one["SubnetId"]), routes.get(str(one["VpcId"]), [])),
            addressed=bool(one.get("MapPublicIpOnLaunch")),
        )
    ]


def _routes(tables: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return subnet → routes, and VPC → the routes of its main table."""
    found: dict[str, list[dict[str, Any]]] = {}
    for table in tables:
        for one in table.get("Associations", ()):
            place = table["VpcId"] if one.get("Main") else one.get("SubnetId", "")
            found[str(place)] = list(table["Routes"])
    return found


def _leads_out(routes: list[dict[str, Any]], *, addressed: bool) -> bool:
    everywhere = [one for one in routes if one.get("DestinationCidrBlock") == "0.0.0.0/0"]
    return any(
        one.get("NatGatewayId")
        or one.get("TransitGatewayId")
        or (addressed and str(one.get("GatewayId", "")).startswith("igw-"))
        for one in everywhere
    )


def _image(cloud: AwsCloud, architecture: str) -> Finding:
    ssm = cloud.operator(cloud.accounts.compute).client("ssm")
    name = machine_image_parameter(architecture)
    value = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    return Finding("machine image", "ok", f"{value}, {name.rpartition('/')[2]}")
