"""Where a client of AWS may go, and whom it believes there: a constant, not a setting.

Everything that turns an SDK elsewhere ends here: a configured endpoint (environment, profile,
services section), another data path with endpoint rules of its own, a CA bundle of the machine, a
redirect. A request is looked at once more as it is about to be sent.
"""

from __future__ import annotations

import re
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from nitro_workflow.cloud.aws.amazon_trust import amazon_roots_file
from nitro_workflow.errors import UntrustedAnswer, UsageError

__all__ = ["AmazonReach", "Reach", "checked_region"]

_REGION: Final = re.compile(r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]{4,12}-\d")
"""Regions of the partition ``aws``: China, GovCloud and others have roots and ARNs of theirs."""

_HOST: Final = re.compile(r"([a-z0-9-]+\.){1,6}amazonaws\.com")


class Reach(Protocol):
    """Where clients of a cloud go. `AmazonReach` is the product's only one."""

    def arguments(self, service: str, region: str) -> dict[str, Any]:
        """Return what ``Session.client`` is given, whatever its caller says."""

    def check(self, url: str) -> None:
        """Raise `UntrustedAnswer` for a request that is about to go elsewhere."""


class AmazonReach:
    """AWS's own endpoints, under the roots of Amazon Trust Services; see the module."""

    def arguments(self, service: str, region: str) -> dict[str, Any]:
        """Return the CA file, the region, and no endpoint: the SDK's own rules know it."""
        return {
            "verify": str(amazon_roots_file()),
            "region_name": region,
            "endpoint_url": None,
            "use_ssl": True,
        }

    def check(self, url: str) -> None:
        """Raise `UntrustedAnswer` for what is not https to a host of amazonaws.com, port 443."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https" and _HOST.fullmatch(host) and parts.port in (None, 443):
            return
        raise UntrustedAnswer(
            f"a request to {parts.scheme}://{parts.netloc}",
            expected="https to a host of amazonaws.com",
            where="a session of AWS",
            next="look at AWS_ENDPOINT_URL, AWS_DATA_PATH, ~/.aws/config and ~/.aws/models: "
            "something there sends this elsewhere",
        )


def checked_region(region: str) -> str:
    """Return the region's name; raises `UsageError` for what is none of AWS's main partition."""
    if not _REGION.fullmatch(region):
        raise UsageError(
            f"region {region!r}",
            expected="a region of AWS's main partition, such as us-east-1 or eu-central-1",
            where="--region",
            next="name the region where the lab is to be; China and GovCloud are not done",
        )
    return region
