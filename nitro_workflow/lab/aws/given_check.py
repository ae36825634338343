"""What a company's rules provide, looked at before the walk: key, bucket, instance."""

from __future__ import annotations

from collections.abc import Iterator

from nitro_workflow.cloud import AwsCloud
from nitro_workflow.lab.aws.findings import Finding, asked

__all__ = ["given_findings"]


def given_findings(cloud: AwsCloud) -> Iterator[Finding]:
    """Look at what the company's rules provide, as the operator may see it."""
    given = cloud.settings.given
    if key := given.get("key"):
        yield asked("given key", lambda: _given_key(cloud, key))
    if bucket := given.get("bucket"):
        yield asked("given bucket", lambda: _given_bucket(cloud, bucket))
    if instance := given.get("instance"):
        yield asked("given instance", lambda: _given_instance(cloud, instance))


def _given_key(cloud: AwsCloud, key: str) -> Finding:
    kms = cloud.operator(cloud.accounts.data).client("kms")
    state = kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    good = state == "Enabled"
    return Finding("given key", "ok" if good else "no", f"{key}: {state}")


def _given_bucket(cloud: AwsCloud, bucket: str) -> Finding:
    s3 = cloud.operator(cloud.accounts.data).client("s3")
    status = s3.get_bucket_versioning(Bucket=bucket).get("Status", "off")
    if status == "Enabled":
        return Finding("given bucket", "ok", f"{bucket}, versioned")
    return Finding("given bucket", "no", f"{bucket}: versioning is {status}", "turn it on")


def _given_instance(cloud: AwsCloud, instance: str) -> Finding:
    """Look whether it may hold enclaves, runs, and keeps its role's credentials behind IMDSv2."""
    ec2 = cloud.operator(cloud.accounts.compute).client("ec2")
    groups = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    (found,) = [one for group in groups for one in group["Instances"]]
    state = str(found["State"]["Name"])
    missing = {
        "EnclaveOptions": not found.get("EnclaveOptions", {}).get("Enabled"),
        "running": state != "running",
        "a role": not found.get("IamInstanceProfile"),
        "IMDSv2 only": found.get("MetadataOptions", {}).get("HttpTokens") != "required",
    }
    lacks = [name for name, lack in missing.items() if lack]
    if not lacks:
        return Finding("given instance", "ok", f"{instance}, {found.get('InstanceType')}, {state}")
    step = "EnclaveOptions are set at launch; the others can be changed"
    return Finding("given instance", "no", f"{instance} lacks {', '.join(lacks)}", step)
