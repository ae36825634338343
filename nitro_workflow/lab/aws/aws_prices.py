"""What things cost on AWS: a dated table. A plan says its date; AWS's own pages say today's price.

US dollars, on demand, Linux, without taxes, of us-east-1. Other regions cost up to about half as
much again; the plan says so rather than guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = [
    "ADDRESS_HOUR",
    "CANDIDATES",
    "HOURS_A_MONTH",
    "INSTANCE_HOUR",
    "KEY_MONTH",
    "PRICES_OF",
    "PRICES_REGION",
    "PRICES_SOURCE",
    "VOLUME_GIB_MONTH",
    "candidates_for",
]

PRICES_OF: Final = "2026-11-28"
PRICES_REGION: Final = "us-east-1"
PRICES_SOURCE: Final = "https://aws.amazon.com/ec2/pricing/on-demand/ (and ebs, kms, vpc)"

HOURS_A_MONTH: Final = 730

INSTANCE_HOUR: Final[Mapping[str, float]] = {
    # A size costs twice the one below it: c6g.large 0.068, c7g.large 0.0725, m7g.large 0.0816.
    "c6g.xlarge": 0.136,
    "c7g.xlarge": 0.145,
    "m7g.xlarge": 0.1632,
    "c5a.xlarge": 0.154,
    "m5.xlarge": 0.192,
}
KEY_MONTH: Final = 1.0
ADDRESS_HOUR: Final = 0.005
VOLUME_GIB_MONTH: Final = 0.08
"""Of gp3. A public IPv4 address and this were not read again on the day of the table."""

CANDIDATES: Final[Mapping[str, tuple[str, ...]]] = {
    "x86_64": ("c5a.xlarge", "m5.xlarge"),
    "arm64": ("c6g.xlarge", "c7g.xlarge", "m7g.xlarge"),
}
"""Architecture → types that hold an enclave of 2 CPUs, the cheapest first.

4 vCPUs each: two stay with the parent. Types of 2 vCPUs are left out, some fail in the allocator.
"""


def candidates_for(machine: str) -> tuple[str, tuple[str, ...]]:
    """Return EC2's name of a machine's architecture, and the types for it.

    The enclave carries the owner's Python, so its machine decides.

    >>> candidates_for("aarch64")[0]
    'arm64'
    """
    architecture = {"aarch64": "arm64", "arm64": "arm64"}.get(machine, "x86_64")
    return architecture, CANDIDATES[architecture]
