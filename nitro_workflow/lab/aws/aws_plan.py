"""The plan of a lab on AWS: everything that will be made, by name, and what it costs.

Pure: it asks nobody and makes nothing. `nitro-workflow aws check --plan` prints it.

>>> from nitro_workflow.cloud import AwsSettings
>>> made = plan(AwsSettings("us-east-1"), "0011223344556677", machine="x86_64")
>>> len(made.things), made.instance_type
(15, 'c5a.xlarge')
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from nitro_workflow.cloud import AwsSettings, Names, aws_names, security_group
from nitro_workflow.host import VOLUME_GIB
from nitro_workflow.lab.aws import aws_prices as prices
from nitro_workflow.lab.party_policies import PARTIES

__all__ = ["NO_LAB", "Plan", "PlannedThing", "plan"]

NO_LAB: Final = "<lab id>"
"""Stands in names for the id that a lab gets when its folder is made."""


@dataclass(frozen=True, slots=True)
class PlannedThing:
    """One thing that will be made. ``account``: ``data`` or ``compute``; ``by``: who makes it.

    ``hour`` is in US dollars. ``step``: when it is made.
    """

    kind: str
    name: str
    account: str
    by: str
    step: str
    hour: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be made, what is given and stays as it is, and what all of it costs."""

    settings: AwsSettings
    identity: str
    instance_type: str
    things: tuple[PlannedThing, ...]

    @property
    def priced(self) -> bool:
        """Tell whether the table has the price of the instance."""
        return "instance" in self.settings.given or self.instance_type in prices.INSTANCE_HOUR

    @property
    def an_hour(self) -> float:
        """Return US dollars an hour while the instance runs."""
        return sum(thing.hour for thing in self.things)

    @property
    def forgotten_month(self) -> float:
        """Return US dollars of a month in which nobody tears it down and the instance ends itself.

        Its own end is after ``stop_after_minutes``; volume and address go with it.
        """
        hours = self.settings.stop_after_minutes / 60
        return sum(
            thing.hour * (hours if thing.step == "P8" else prices.HOURS_A_MONTH)
            for thing in self.things
        )

    @property
    def worst_month(self) -> float:
        """Return US dollars of a month in which the instance does not end itself either."""
        return self.an_hour * prices.HOURS_A_MONTH

    def to_json(self) -> dict[str, Any]:
        """Return the plan as `nitro-workflow aws check --plan --json` prints it."""
        return {
            "region": self.settings.region,
            "lab": self.identity,
            "instance_type": self.instance_type,
            "made": [thing.to_json() for thing in self.things],
            "given": dict(self.settings.given),
            "priced": self.priced,
            "usd_an_hour": round(self.an_hour, 4),
            "usd_forgotten_month": round(self.forgotten_month, 2),
            "usd_worst_month": round(self.worst_month, 2),
            "prices": {
                "of": prices.PRICES_OF,
                "region": prices.PRICES_REGION,
                "source": prices.PRICES_SOURCE,
            },
        }

    def lines(self) -> Iterator[str]:
        """Yield the plan for a terminal."""
        yield f"Plan for {self.settings.region}, lab {self.identity}: nothing is made yet"
        yield ""
        widest = max((len(thing.name) for thing in self.things), default=0)
        for thing in self.things:
            cost = f"${thing.hour:.4f}/h" if thing.hour else ""
            yield (
                f"  {thing.step:<6} {thing.kind:<17} {thing.name:<{widest}} "
                f"{thing.account:<8} {cost}".rstrip()
            )
        for name, value in self.settings.given.items():
            yield f"  given  {name:<17} {value}: neither made nor removed"
        yield ""
        hours = self.settings.stop_after_minutes / 60
        yield f"  ${self.an_hour:.3f} an hour while the instance runs; its end is {hours:g} h after"
        if not self.priced:
            yield f"  The price of {self.instance_type} is not in the table, and not in these sums"
        yield f"  ${self.forgotten_month:.2f} if forgotten for a month: the keys stay"
        yield f"  ${self.worst_month:.2f} for a month in which it does not end itself"
        yield (
            f"  Prices of {prices.PRICES_REGION}, {prices.PRICES_OF}, without S3's cents: "
            f"{prices.PRICES_SOURCE}"
        )
        if self.settings.region != prices.PRICES_REGION:
            yield f"  {self.settings.region} costs more or less than that: look there"
        yield "  `nitro-workflow aws teardown` removes all of it; keys after 7 days at the earliest"


def plan(settings: AwsSettings, identity: str = NO_LAB, *, machine: str = "") -> Plan:
    """Return the plan of a lab. ``machine``: the owner's, as `platform.machine` names it."""
    names = aws_names(settings, identity)
    _, types = prices.candidates_for(machine or platform.machine())
    kind = settings.instance_type or types[0]
    made = (*_roles(settings, names), *_keys(settings, names), *_buckets(settings, names))
    return Plan(settings, identity, kind, (*made, *_instance(settings, identity, kind)))


def _roles(settings: AwsSettings, names: Names) -> Iterator[PlannedThing]:
    for party in PARTIES:
        if f"role-{party}" not in settings.given:
            account = "data" if party == "owner" else "compute"
            yield PlannedThing("role", names.roles[party], account, "operator", "set-up")
    if "instance" not in settings.given:
        profile = names.instance_profile
        yield PlannedThing("instance profile", profile, "compute", "operator", "set-up")


def _keys(settings: AwsSettings, names: Names) -> Iterator[PlannedThing]:
    hour = prices.KEY_MONTH / prices.HOURS_A_MONTH
    if "key" not in settings.given:
        yield PlannedThing("KMS key", f"of {names.data_alias}", "data", "owner", "P1", hour)
        yield PlannedThing("alias", names.data_alias, "data", "owner", "P1")
    yield PlannedThing("KMS key", f"of {names.results_alias}", "data", "owner", "P1", hour)
    yield PlannedThing("alias", names.results_alias, "data", "owner", "P1")


def _buckets(settings: AwsSettings, names: Names) -> Iterator[PlannedThing]:
    if "bucket" not in settings.given:
        yield PlannedThing("bucket", names.data_bucket, "data", "owner", "P4")
    yield PlannedThing("bucket", names.images_bucket, "compute", "developer", "P8")


def _instance(settings: AwsSettings, identity: str, kind: str) -> Iterator[PlannedThing]:
    if "instance" in settings.given:
        return
    by, step = "administrator", "P8"
    group = security_group(identity)
    yield PlannedThing("security group", f"{group}, nothing in", "compute", by, step)
    hour = prices.INSTANCE_HOUR.get(kind, 0.0)
    yield PlannedThing("instance", kind, "compute", by, step, hour)
    disk = VOLUME_GIB * prices.VOLUME_GIB_MONTH / prices.HOURS_A_MONTH
    yield PlannedThing("volume", f"{VOLUME_GIB} GiB gp3, encrypted", "compute", by, step, disk)
    address = "public IPv4, way out only"
    yield PlannedThing("address", address, "compute", by, step, prices.ADDRESS_HOUR)
