"""What stands around an instance in a new account: images, the default network, zones.

Nothing of it is kept: an account has the same in every region, with ids that are its own there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.ec2.ec2_common import Shape, described, named, plain
from nitro_workflow.cloud.local.ec2.instance_types import TYPES
from nitro_workflow.cloud.local.handler import Handler, Services

__all__ = [
    "IMAGE_PARAMETERS",
    "OPERATIONS",
    "default_ids",
    "id_of",
    "image_of_parameter",
    "zones",
]

_AMAZON = "137112412989"  # the account that publishes Amazon Linux
_IMAGES = {
    architecture: f"al2023-ami-2023.9-kernel-6.12-{architecture}"
    for architecture in ("x86_64", "arm64")
}
IMAGE_PARAMETERS = {
    f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.12-{architecture}": number
    for number, architecture in enumerate(_IMAGES)
}
"""Public parameter of SSM → which image it names."""
_CIDR, _BLOCKS = "172.31.0.0/16", ("172.31.0.0/20", "172.31.16.0/20", "172.31.32.0/20")
_FREE = 4091  # addresses of a /20 without the five that AWS keeps


def id_of(call: Call, kind: str, number: int = 0, owner: str = "") -> str:
    """Return the id of something that an account always has, in the call's region."""
    text = f"{owner or call.caller.account}|{call.region}|{kind}|{number}"
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:17]}"


def zones(call: Call) -> list[str]:
    """Return the zones of the call's region."""
    return [call.region + letter for letter in "abc"]


def default_ids(call: Call) -> tuple[list[str], str]:
    """Return the default subnets, one a zone, and the default security group."""
    return [id_of(call, "subnet", n) for n in range(len(_BLOCKS))], id_of(call, "sg")


def _images(call: Call) -> list[Shape]:
    return [
        {
            "ImageId": id_of(call, "ami", number, owner=_AMAZON),
            "Name": name,
            "Description": "A record of this local cloud; it boots nothing",
            "OwnerId": _AMAZON,
            "ImageOwnerAlias": "amazon",
            "Architecture": architecture,
            "State": "available",
            "ImageType": "machine",
            "Public": True,
            "RootDeviceName": "/dev/xvda",
            "RootDeviceType": "ebs",
            "VirtualizationType": "hvm",
            "EnaSupport": True,
            "CreationDate": "2025-11-01T00:00:00.000Z",
        }
        for number, (architecture, name) in enumerate(_IMAGES.items())
    ]


def image_of_parameter(call: Call, name: str) -> str:
    """Return the id of the image that a public parameter names; raises KeyError for another."""
    return id_of(call, "ami", IMAGE_PARAMETERS[name], owner=_AMAZON)


def describe_images(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe the two images there are: Amazon Linux 2023 on both architectures."""
    images, owners = _images(call), call.params.get("Owners", ())
    if owners and not {"amazon", _AMAZON} & set(owners):
        images = []
    # Amazon's images are everybody's ("all"); nobody was given one by name.
    if "all" not in call.params.get("ExecutableUsers", ["all"]):
        images = []
    images = named(images, call.params.get("ImageIds", ()), "ImageId", "InvalidAMIID.NotFound")
    filters = plain(
        "Architecture",
        "ImageId",
        "Name",
        "OwnerId",
        "State",
        "RootDeviceType",
        "VirtualizationType",
    ) | {
        "owner-alias": lambda item: [item["ImageOwnerAlias"]],
        "is-public": _true,
        "ena-support": _true,
    }
    return described(services, call, "Images", images, filters)


def describe_vpcs(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe the default VPC."""
    vpc = {
        "VpcId": id_of(call, "vpc"),
        "CidrBlock": _CIDR,
        "State": "available",
        "IsDefault": True,
        "OwnerId": call.caller.account,
        "InstanceTenancy": "default",
        "DhcpOptionsId": id_of(call, "dopt"),
    }
    found = named([vpc], call.params.get("VpcIds", ()), "VpcId", "InvalidVpcID.NotFound")
    filters = plain("VpcId", "State", "OwnerId") | {
        "cidr": lambda item: [item["CidrBlock"]],
        "is-default": _true,
        "isDefault": _true,
    }
    return described(services, call, "Vpcs", found, filters)


def describe_subnets(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe the default subnets, one in each zone."""
    ids, _ = default_ids(call)
    subnets = [
        {
            "SubnetId": name,
            "VpcId": id_of(call, "vpc"),
            "CidrBlock": block,
            "AvailabilityZone": zone,
            "AvailableIpAddressCount": _FREE,
            "DefaultForAz": True,
            "MapPublicIpOnLaunch": True,
            "OwnerId": call.caller.account,
            "State": "available",
        }
        for name, block, zone in zip(ids, _BLOCKS, zones(call), strict=True)
    ]
    wanted = call.params.get("SubnetIds", ())
    found = named(subnets, wanted, "SubnetId", "InvalidSubnetID.NotFound")
    filters = plain("SubnetId", "VpcId", "AvailabilityZone", "State", "OwnerId") | {
        "default-for-az": _true,
        "defaultForAz": _true,
        "map-public-ip-on-launch": _true,
        "cidr-block": lambda item: [item["CidrBlock"]],
    }
    return described(services, call, "Subnets", found, filters)


def describe_route_tables(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe the default VPC's main table: the VPC itself, and out by its internet gateway."""
    name, vpc = id_of(call, "rtb"), id_of(call, "vpc")
    local = {"DestinationCidrBlock": _CIDR, "GatewayId": "local"}
    out = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": id_of(call, "igw")}
    active = {"State": "active", "Origin": "CreateRoute"}
    table = {
        "RouteTableId": name,
        "VpcId": vpc,
        "OwnerId": call.caller.account,
        "Associations": [
            {
                "Main": True,
                "RouteTableAssociationId": id_of(call, "rtbassoc"),
                "RouteTableId": name,
                "AssociationState": {"State": "associated"},
            }
        ],
        "Routes": [{**local, **active, "Origin": "CreateRouteTable"}, {**out, **active}],
    }
    wanted = call.params.get("RouteTableIds", ())
    found = named([table], wanted, "RouteTableId", "InvalidRouteTableID.NotFound")
    filters = plain("RouteTableId", "VpcId", "OwnerId") | {"association.main": _true}
    return described(services, call, "RouteTables", found, filters)


def describe_availability_zones(services: Services, call: Call) -> Mapping[str, Any]:
    """Describe the region's three zones."""
    listed = [
        {
            "ZoneName": name,
            "RegionName": call.region,
            "State": "available",
            "ZoneType": "availability-zone",
            "OptInStatus": "opt-in-not-required",
        }
        for name in zones(call)
    ]
    code = "InvalidParameterValue"
    if "ZoneIds" in call.params:
        text = "This local cloud does not do DescribeAvailabilityZones with ZoneIds."
        raise ServiceFault("UnsupportedOperation", text)
    found = named(listed, call.params.get("ZoneNames", ()), "ZoneName", code)
    filters = plain("ZoneName", "State", "RegionName", "ZoneType")
    return described(services, call, "AvailabilityZones", found, filters)


def describe_offerings(services: Services, call: Call) -> Mapping[str, Any]:
    """Say where the types are offered: in every zone."""
    kind = call.params.get("LocationType", "region")
    places = {"region": [call.region], "availability-zone": zones(call)}.get(kind)
    if places is None:
        text = f"This local cloud does not do offerings by {kind}."
        raise ServiceFault("UnsupportedOperation", text)
    found = [
        {"InstanceType": name, "LocationType": kind, "Location": place}
        for name in TYPES
        for place in places
    ]
    filters = plain("InstanceType", "Location")
    return described(services, call, "InstanceTypeOfferings", found, filters)


def _true(_item: Shape) -> Sequence[str]:
    return ["true"]


OPERATIONS: Mapping[str, Handler] = {
    "DescribeAvailabilityZones": describe_availability_zones,
    "DescribeImages": describe_images,
    "DescribeInstanceTypeOfferings": describe_offerings,
    "DescribeRouteTables": describe_route_tables,
    "DescribeSubnets": describe_subnets,
    "DescribeVpcs": describe_vpcs,
}
