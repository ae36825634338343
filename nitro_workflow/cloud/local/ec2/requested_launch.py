"""What RunInstances is told: checked, and as it is kept beside the instance's record.

Whatever of the model would be passed over in silence is refused by name.
Source: EC2 API Reference, RunInstances; User Guide, "User data" and "Ensuring idempotency".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2.instance_types import check_type
from nitro_workflow.cloud.local.ec2.new_tags import Tags, tags_at_creation
from nitro_workflow.cloud.local.ec2.security_groups import group_shapes, no_group
from nitro_workflow.cloud.local.ec2.surroundings import default_ids, zones
from nitro_workflow.cloud.local.handler import Services

__all__ = ["RequestedLaunch", "read_launch"]

DEFAULT_TYPE = "m5.xlarge"
DEFAULT_IMAGE = "ami-00000000000000000"
USER_DATA_BYTES = 16_384  # EC2 User Guide: of user data, before base64

_TOKEN = re.compile(r"[\x21-\x7e]{1,64}")
_DONE = frozenset(
    {
        *("BlockDeviceMappings", "ClientToken", "DryRun", "EnclaveOptions", "IamInstanceProfile"),
        *("ImageId", "InstanceInitiatedShutdownBehavior", "InstanceType", "MaxCount"),
        *("MetadataOptions", "MinCount", "NetworkInterfaces", "SecurityGroupIds", "SubnetId"),
        *("TagSpecifications", "UserData"),
    }
)
# An instance here has IMDSv2 and nothing else.
_IMDS: Mapping[str, frozenset[Any]] = {
    "HttpTokens": frozenset({"required"}),
    "HttpEndpoint": frozenset({"enabled"}),
    "InstanceMetadataTags": frozenset({"disabled"}),
    "HttpPutResponseHopLimit": frozenset(range(1, 65)),
}
_VOLUME = frozenset({"DeleteOnTermination", "Encrypted", "VolumeSize", "VolumeType"})
_INTERFACE = frozenset({"AssociatePublicIpAddress", "DeleteOnTermination", "Groups", "SubnetId"})
_TYPES_OF_VOLUME = ("gp2", "gp3")
_LARGEST_GIB = 16_384  # EBS: a gp3 volume


@dataclass(frozen=True, slots=True)
class RequestedLaunch:
    """A launch that may be done. ``document``: what is kept of it, JSON."""

    kind: str
    image: str
    enclave: bool
    tags: Mapping[str, Tags]
    document: Mapping[str, Any]

    @property
    def subnet(self) -> str:
        """Return the id of the subnet."""
        return str(self.document["subnet"])

    @property
    def groups(self) -> Sequence[str]:
        """Return the ids of the security groups."""
        return list(self.document["groups"])


def read_launch(services: Services, call: Call) -> RequestedLaunch:
    """Check what the launch says.

    Raises `ServiceFault`: UnsupportedOperation for what is not done, Invalid… otherwise.
    """
    params = call.params
    _check_done(params)
    kind = params.get("InstanceType", DEFAULT_TYPE)
    enclave = bool(params.get("EnclaveOptions", {}).get("Enabled", False))
    check_type(kind, enclave=enclave)
    if not 1 <= params["MinCount"] <= params["MaxCount"]:
        text = f"Invalid value '{params['MinCount']}' for minCount: 1 to maxCount."
        raise ServiceFault("InvalidParameterValue", text)
    if "ClientToken" in params and not _TOKEN.fullmatch(params["ClientToken"]):
        raise ServiceFault("InvalidParameterValue", "ClientToken: 64 printable letters at most.")
    tags = tags_at_creation(call, "instance", "volume", "network-interface")
    document = {
        **_place(services, call),
        "digest": _digest(params),
        "hop_limit": params.get("MetadataOptions", {}).get("HttpPutResponseHopLimit", 1),
        "shutdown": params.get("InstanceInitiatedShutdownBehavior", "stop"),
        "user_data": _user_data(params.get("UserData", "")),
        "volume": _volume(params.get("BlockDeviceMappings", ())),
        "volume_tags": tags.get("volume", []),
    }
    return RequestedLaunch(kind, params.get("ImageId", DEFAULT_IMAGE), enclave, tags, document)


def _check_done(params: Mapping[str, Any]) -> None:
    undone = sorted(name for name in params if name not in _DONE)
    stated = params.get("MetadataOptions", {}).items()
    undone += [f"MetadataOptions.{k}" for k, value in stated if value not in _IMDS.get(k, ())]
    for name, done in (("BlockDeviceMappings", {"DeviceName", "Ebs"}), ("NetworkInterfaces", None)):
        listed = params.get(name, ())
        known = done or _INTERFACE | {"DeviceIndex", "Description"}
        undone += sorted({f"{name}.{member}" for one in listed for member in set(one) - known})
        if len(listed) > 1:
            undone.append(f"more than one of {name}")
    if undone:
        text = f"This local cloud does not do RunInstances with {', '.join(undone)}."
        raise ServiceFault("UnsupportedOperation", text)


def _place(services: Services, call: Call) -> dict[str, Any]:
    """Return subnet and groups: the launch's own, or those of its one network interface."""
    params, (subnets, default) = call.params, default_ids(call)
    listed = params.get("NetworkInterfaces", ())
    interface: Mapping[str, Any] = listed[0] if listed else {}
    if interface and {"SubnetId", "SecurityGroupIds"} & set(params):
        text = (
            "Network interfaces and an instance-level subnet ID or security groups may not be "
            "specified on the same request"
        )
        raise ServiceFault("InvalidParameterCombination", text)
    subnet = interface.get("SubnetId") or params.get("SubnetId", subnets[0])
    if subnet not in subnets:
        text = f"The subnet ID '{subnet[:64]}' does not exist"
        raise ServiceFault("InvalidSubnetID.NotFound", text)
    groups = interface.get("Groups") or params.get("SecurityGroupIds") or [default]
    known = {one["GroupId"]: one["GroupName"] for one in group_shapes(services, call)}
    for name in groups:
        if name not in known:
            raise no_group(name)
    names = [known[name] for name in groups]
    zone = zones(call)[subnets.index(subnet)]
    return {"subnet": subnet, "zone": zone, "groups": list(groups), "group_names": names}


def _user_data(text: str) -> str:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        text = "Invalid BASE64 encoding of user data."
        raise ServiceFault("InvalidParameterValue", text) from None
    if len(data) > USER_DATA_BYTES:
        text = f"User data is limited to {USER_DATA_BYTES} bytes"
        raise ServiceFault("InvalidParameterValue", text)
    return text


def _volume(listed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings of the root volume, the only one that an instance has here."""
    if not listed:
        return {}
    device, ebs = listed[0].get("DeviceName"), dict(listed[0].get("Ebs", {}))
    undone = sorted(set(ebs) - _VOLUME)
    if device != "/dev/xvda" or undone:
        told = f"Ebs.{undone[0]}" if undone else "a volume other than /dev/xvda"
        raise ServiceFault("UnsupportedOperation", f"This local cloud does not do {told}.")
    if ebs.get("VolumeType", "gp3") not in _TYPES_OF_VOLUME:
        text = f"This local cloud has volumes of {', '.join(_TYPES_OF_VOLUME)}."
        raise ServiceFault("UnsupportedOperation", text)
    if not 1 <= ebs.get("VolumeSize", 8) <= _LARGEST_GIB:
        raise ServiceFault("InvalidParameterValue", f"A volume has 1 to {_LARGEST_GIB} GiB.")
    return ebs


def _digest(params: Mapping[str, Any]) -> str:
    """Return what tells one request from another that has the same ClientToken."""
    said = {k: v for k, v in params.items() if k not in ("ClientToken", "DryRun")}
    text = json.dumps(said, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
