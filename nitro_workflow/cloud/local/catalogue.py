"""Which services there are: the name in the SigV4 scope, the model, the module that answers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from nitro_workflow.cloud.local.handler import Forget, Handler
from nitro_workflow.cloud.local.protocol import RawRequest

__all__ = ["SERVICES", "Service", "guess_service", "schemas", "who_forget"]

_HERE = "nitro_workflow.cloud.local"


@dataclass(frozen=True, slots=True)
class Service:
    """One service: `protocol` is botocore's word, `module` has OPERATIONS and SCHEMA."""

    name: str
    protocol: str
    module: str

    def load(self) -> ModuleType:
        """Import the service's module."""
        return importlib.import_module(self.module)

    @property
    def operations(self) -> Mapping[str, Handler]:
        """The operations that are done; all others of the model are named as not done."""
        found: Mapping[str, Handler] = self.load().OPERATIONS
        return found


SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service("cloudtrail", "json", f"{_HERE}.cloudtrail"),
        Service("ec2", "ec2", f"{_HERE}.ec2"),
        Service("iam", "query", f"{_HERE}.iam"),
        Service("kms", "json", f"{_HERE}.kms"),
        Service("s3", "rest-xml", f"{_HERE}.s3"),
        Service("servicequotas", "json", f"{_HERE}.servicequotas"),
        Service("ssm", "json", f"{_HERE}.ssm"),
        Service("sts", "query", f"{_HERE}.sts"),
    )
}


@cache
def schemas() -> str:
    """Return the SQL of all services."""
    from nitro_workflow.cloud.local.gate import SCHEMA

    return SCHEMA + "".join(service.load().SCHEMA for service in SERVICES.values())


def who_forget() -> tuple[Forget, ...]:
    """Return what is to be done in each service when a user or a role is deleted."""
    modules = [service.load() for service in SERVICES.values()]
    return tuple(module.forget for module in modules if hasattr(module, "forget"))


def guess_service(request: RawRequest) -> str:
    """Return the service of a request that is not signed, by how it looks."""
    target = request.headers.get("x-amz-target", "")
    if target.startswith("TrentService."):
        return "kms"
    if target:
        return "cloudtrail"
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return "sts" if form and request.path == "/" else "s3"
