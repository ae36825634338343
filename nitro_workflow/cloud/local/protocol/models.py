"""Botocore's service models, loaded when a service is first used."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

__all__ = ["load_model", "protocol_of", "regions"]


# An object's Expires is text: what comes is given back ("0" says: expired). So S3's own model says;
# botocore makes a time of it for callers who read one.
_AS_SENT = {"s3": {"Expires": {"type": "string"}}}
_FOLDERS = {"servicequotas": "service-quotas"}  # scope → botocore's folder, where they differ


@lru_cache(maxsize=16)
def load_model(service: str) -> Any:
    """Return the ``botocore.model.ServiceModel`` of a service (``kms``, ``s3`` …).

    The service is named as in a signature's scope.
    """
    from botocore.model import ServiceModel

    document = _loader().load_service_model(_FOLDERS.get(service, service), "service-2")
    bare = _without_prose(document)
    bare["shapes"].update(_AS_SENT.get(service, {}))
    return ServiceModel(bare, service_name=service)


def _loader() -> Any:
    from botocore.loaders import Loader

    # include_default_search_paths: a model in the user's ~/.aws/models must not change the cloud.
    return Loader(include_default_search_paths=False, extra_search_paths=[Loader.BUILTIN_DATA_PATH])


@cache
def regions() -> frozenset[str]:
    """Return the names of AWS's regions: of the partition ``aws``, whose ARNs this cloud writes."""
    (found,) = (p for p in _loader().load_data("partitions")["partitions"] if p["id"] == "aws")
    return frozenset(found["regions"]) - {"aws-global"}


def _without_prose(part: Any) -> Any:
    """Return a model without its documentation: half of it, and the collector walks the rest.

    (A member may have that name; what it says of it is no text.)
    """
    if isinstance(part, dict):
        return {
            name: _without_prose(value)
            for name, value in part.items()
            if name != "documentation" or not isinstance(value, str)
        }
    return [_without_prose(value) for value in part] if isinstance(part, list) else part


def protocol_of(model: Any) -> str:
    """Return ``json``, ``query``, ``ec2`` or ``rest-xml``."""
    return str(model.metadata["protocol"])
