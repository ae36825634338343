"""Every operation of every service, its answer held against the output shape of botocore's model."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
import uvicorn
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from nitro_workflow.cloud.local import dispatch
from nitro_workflow.cloud.local.catalogue import SERVICES
from nitro_workflow.cloud.local.dispatch import Dispatcher
from nitro_workflow.cloud.local.http.edge import make_app
from nitro_workflow.cloud.local.http.patience import PatientProtocol
from nitro_workflow.cloud.local.protocol.http_messages import FileSlice
from nitro_workflow.cloud.local.store import Store
from tests.cloud.conftest import DATA, allow, policy

TRUST = policy({"Effect": "Allow", "Principal": {"AWS": DATA}, "Action": "sts:AssumeRole"})
WHATEVER = policy(allow("s3:*"))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Validate each result before it is written; return which operations answered."""
    answered: set[tuple[str, str]] = set()
    write = dispatch.write_result

    def check(model: Any, operation: str, result: Mapping[str, Any], request_id: str) -> Any:
        shape = model.operation_model(operation).output_shape
        plain = {name: value for name, value in result.items() if name != "__status__"}
        if isinstance(plain.get("Body"), FileSlice):
            plain["Body"] = b""
        if operation == "GetCommandInvocation":
            # AWS CLI's reference shows the empty log group's name that the model forbids.
            assert plain.pop("CloudWatchOutputConfig")["CloudWatchOutputEnabled"] is False
        if shape is None:
            assert plain == {}
        else:
            report = ParamValidator().validate(plain, shape)
            assert not report.has_errors(), f"{operation}: {report.generate_report()}"
        answered.add((model.service_name, operation))
        return write(model, operation, result, request_id)

    monkeypatch.setattr(dispatch, "write_result", check)
    return answered


@pytest.fixture
def clients(dispatcher: Dispatcher, seen: set[Any]) -> Iterator[dict[str, Any]]:
    """boto3 clients of a server in this process, over plain HTTP."""
    app = make_app(dispatcher, log=lambda _entry: None)
    config = uvicorn.Config(app, http=PatientProtocol, log_config=None, ws="none", lifespan="on")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    from tests.cloud.test_sigv4 import keys

    pair = keys(dispatcher)
    session = boto3.Session(pair.access_key, pair.secret_key, region_name="us-east-1")
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    named = {"servicequotas": "service-quotas"}  # boto3's name, where a signature has another
    made = {name: session.client(named.get(name, name), endpoint_url=url) for name in SERVICES}
    yield made
    for client in made.values():
        client.close()
    server.should_exit = True
    thread.join()
    listener.close()


def iam_calls(iam: Any) -> None:
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=TRUST, Description="d", Tags=[
        {"Key": "k", "Value": "v"}])  # fmt: skip
    iam.create_user(UserName="U")
    arn = iam.create_policy(PolicyName="P", PolicyDocument=WHATEVER)["Policy"]["Arn"]
    iam.get_policy(PolicyArn=arn)
    iam.get_policy_version(PolicyArn=arn, VersionId="v1")
    iam.list_policies(Scope="All")
    iam.list_policy_versions(PolicyArn=arn)
    for kind, name in (("role", "R"), ("user", "U")):
        who = {f"{kind.capitalize()}Name": name}
        call = lambda verb, **more: getattr(iam, verb.format(kind))(**who, **more)  # noqa: B023, E731
        call("tag_{}", Tags=[{"Key": "k", "Value": "v"}])
        call("list_{}_tags")
        call("untag_{}", TagKeys=["k"])
        call("put_{}_policy", PolicyName="p", PolicyDocument=WHATEVER)
        call("get_{}_policy", PolicyName="p")
        call("list_{}_policies")
        call("attach_{}_policy", PolicyArn=arn)
        call("list_attached_{}_policies")
        call("put_{}_permissions_boundary", PermissionsBoundary=arn)
        call("get_{}")
        call("delete_{}_permissions_boundary")
        call("detach_{}_policy", PolicyArn=arn)
        call("delete_{}_policy", PolicyName="p")
    iam.update_assume_role_policy(RoleName="R", PolicyDocument=TRUST)
    iam.list_roles()
    iam.list_users()
    key = iam.create_access_key(UserName="U")["AccessKey"]["AccessKeyId"]
    iam.list_access_keys(UserName="U")
    iam.update_access_key(UserName="U", AccessKeyId=key, Status="Inactive")
    iam.delete_access_key(UserName="U", AccessKeyId=key)
    iam.create_instance_profile(InstanceProfileName="I")
    iam.add_role_to_instance_profile(InstanceProfileName="I", RoleName="R")
    iam.get_instance_profile(InstanceProfileName="I")
    iam.list_instance_profiles()
    iam.remove_role_from_instance_profile(InstanceProfileName="I", RoleName="R")
    iam.delete_instance_profile(InstanceProfileName="I")
    iam.delete_policy(PolicyArn=arn)
    iam.delete_user(UserName="U")


def ec2_calls(ec2: Any) -> None:
    ec2.describe_instance_types(InstanceTypes=["m5.xlarge"])
    options = {"ImageId": "ami-0", "InstanceType": "m5.xlarge", "MinCount": 1, "MaxCount": 1}
    made = ec2.run_instances(**options, EnclaveOptions={"Enabled": True})
    wanted = {"InstanceIds": [made["Instances"][0]["InstanceId"]]}
    ec2.describe_instances(**wanted)
    for name in ("enclaveOptions", "groupSet", "userData", "sourceDestCheck"):
        ec2.describe_instance_attribute(InstanceId=wanted["InstanceIds"][0], Attribute=name)
    ec2.describe_images(Owners=["amazon"])
    ec2.describe_vpcs()
    ec2.describe_subnets()
    ec2.describe_security_groups()
    security_group_calls(ec2)
    ec2.describe_availability_zones()
    ec2.describe_instance_type_offerings(LocationType="availability-zone")
    ec2.stop_instances(**wanted)
    ec2.start_instances(**wanted)
    ec2.terminate_instances(**wanted)


def security_group_calls(ec2: Any) -> None:
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    made = ec2.create_security_group(GroupName="shapes", Description="shapes", VpcId=vpc)
    group = {"GroupId": made["GroupId"]}
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
             "IpRanges": [{"CidrIp": "192.0.2.0/24"}]}  # fmt: skip
    for way in ("ingress", "egress"):
        getattr(ec2, f"authorize_security_group_{way}")(**group, IpPermissions=[https])
        getattr(ec2, f"revoke_security_group_{way}")(**group, IpPermissions=[https])
    ec2.delete_security_group(**group)


def command_calls(clients: dict[str, Any], store: Store) -> None:
    """Ask for a command on an instance whose agent the test plays by writing its row."""
    launch = {"ImageId": "ami-0", "InstanceType": "m5.xlarge", "MinCount": 1, "MaxCount": 1}
    instance = clients["ec2"].run_instances(**launch)["Instances"][0]["InstanceId"]
    now = datetime.now(UTC).isoformat()
    with store.transaction() as db:
        db.execute("INSERT INTO ssm_agents VALUES (?, ?, ?, ?)", (instance, "3.3.0.0", now, now))
    ssm = clients["ssm"]
    assert ssm.describe_instance_information()["InstanceInformationList"]
    sent = ssm.send_command(
        DocumentName="AWS-RunShellScript", InstanceIds=[instance], Parameters={"commands": ["true"]}
    )
    command = sent["Command"]["CommandId"]
    ssm.get_command_invocation(CommandId=command, InstanceId=instance)
    ssm.cancel_command(CommandId=command)
    clients["ec2"].terminate_instances(InstanceIds=[instance])


def s3_calls(s3: Any) -> None:
    bucket = {"Bucket": "shapes"}
    place = {**bucket, "Key": "k"}
    s3.create_bucket(**bucket)
    s3.head_bucket(**bucket)
    s3.list_buckets()
    s3.get_bucket_location(**bucket)
    s3.put_bucket_versioning(**bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.get_bucket_versioning(**bucket)
    anyone = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObjectAcl",
              "Resource": "arn:aws:s3:::shapes/*"}  # fmt: skip
    s3.put_bucket_policy(**bucket, Policy=policy(anyone))
    s3.get_bucket_policy(**bucket)
    s3.delete_bucket_policy(**bucket)
    s3.put_object(**place, Body=b"body", Metadata={"m": "1"})
    s3.get_object(**place)["Body"].read()
    s3.get_object(**place, Range="bytes=1-2")["Body"].read()
    s3.head_object(**place)
    s3.delete_object(**place)
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    tag = s3.upload_part(**upload, PartNumber=1, Body=b"part")["ETag"]
    s3.list_parts(**upload)
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    s3.abort_multipart_upload(**place, UploadId=s3.create_multipart_upload(**place)["UploadId"])
    s3_facts(s3, bucket, place)
    upload = {**place, "UploadId": s3.create_multipart_upload(**place)["UploadId"]}
    s3.upload_part_copy(**upload, PartNumber=1, CopySource="shapes/k")
    s3.list_multipart_uploads(**bucket)
    s3.abort_multipart_upload(**upload)
    s3.list_objects(**bucket)
    s3.list_objects_v2(**bucket, Delimiter="/")
    versions = s3.list_object_versions(**bucket)
    both = [*versions["Versions"], *versions["DeleteMarkers"]]
    objects = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in both]
    s3.delete_objects(**bucket, Delete={"Objects": objects})
    s3.delete_bucket(**bucket)


def s3_facts(s3: Any, bucket: dict[str, str], place: dict[str, str]) -> None:
    tags = {"TagSet": [{"Key": "k", "Value": "v"}]}
    s3.copy_object(**place, CopySource="shapes/k", MetadataDirective="REPLACE")
    s3.put_object_tagging(**place, Tagging=tags)
    s3.get_object_tagging(**place)
    s3.delete_object_tagging(**place)
    names = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    s3.get_object_attributes(**place, ObjectAttributes=names)
    s3.put_object_acl(**place, ACL="bucket-owner-full-control")
    s3.get_object_acl(**place)
    s3.put_bucket_tagging(**bucket, Tagging=tags)
    s3.get_bucket_tagging(**bucket)
    s3.delete_bucket_tagging(**bucket)
    s3.get_bucket_acl(**bucket)
    owned = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_ownership_controls(**bucket, OwnershipControls=owned)
    s3.get_bucket_ownership_controls(**bucket)
    s3.delete_bucket_ownership_controls(**bucket)
    default = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    s3.put_bucket_encryption(**bucket, ServerSideEncryptionConfiguration=default)
    s3.get_bucket_encryption(**bucket)
    s3.delete_bucket_encryption(**bucket)
    block = {"BlockPublicPolicy": True}
    s3.put_public_access_block(**bucket, PublicAccessBlockConfiguration=block)
    s3.get_public_access_block(**bucket)
    s3.delete_public_access_block(**bucket)
    s3.put_bucket_policy(**bucket, Policy=policy({"Effect": "Deny", "Principal": "*",
        "Action": "s3:PutObjectAcl", "Resource": "arn:aws:s3:::shapes/*"}))  # fmt: skip
    s3.get_bucket_policy_status(**bucket)
    s3.get_bucket_logging(**bucket)
    s3.get_bucket_request_payment(**bucket)
    s3.get_bucket_accelerate_configuration(**bucket)
    s3.get_bucket_notification_configuration(**bucket)
    for name in NEVER_SET:
        with pytest.raises(ClientError):
            getattr(s3, xform_name(name))(**bucket)


# Operations that have no answer but a refusal: what they tell a bucket cannot be told here.
NEVER_SET = (
    "GetBucketCors",
    "GetBucketLifecycleConfiguration",
    "GetBucketReplication",
    "GetBucketWebsite",
    "GetObjectLockConfiguration",
    "PutBucketAcl",
)


def test_every_answer_has_its_shape(
    clients: dict[str, Any], seen: set[tuple[str, str]], dispatcher: Dispatcher
) -> None:
    iam_calls(clients["iam"])
    ec2_calls(clients["ec2"])
    s3_calls(clients["s3"])
    clients["sts"].get_caller_identity()
    clients["sts"].get_session_token()
    clients["sts"].assume_role(RoleArn=f"arn:aws:iam::{DATA}:role/R", RoleSessionName="me")
    clients["iam"].delete_role(RoleName="R")
    clients["cloudtrail"].lookup_events()
    image = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.12-x86_64"
    clients["ssm"].get_parameter(Name=image)
    command_calls(clients, dispatcher.services.store)
    clients["servicequotas"].get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")
    clients["ec2"].describe_route_tables()
    # KMS has this test in its own folder.
    done = {(s.name, o) for s in SERVICES.values() for o in s.operations if s.name != "kms"}
    assert seen == done - {("s3", name) for name in NEVER_SET}
