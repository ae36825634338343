"""A walk's state up to a step, kept to be begun from again and again: the lab's, and its AWS's.

The stand-in goes on running: its tables and objects are put back in place.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from nitro_workflow.cloud import COMPUTE_ACCOUNT, DATA_ACCOUNT
from nitro_workflow.lab import Lab
from tests.aws.stand_in import StandIn


def open_lab(at: StandIn, folder: Path) -> Lab:
    """Open a lab of the stand-in with host `ec2`, agreed to."""
    lab = Lab.open(folder, cloud="aws", aws=at.settings, size=20_000, host="ec2")
    lab.pair.agree()
    return lab


@dataclass(frozen=True)
class SavedState:
    """What `begin` puts back. ``kept`` is a folder of its own."""

    at: StandIn
    kept: Path

    @classmethod
    def after(cls, at: StandIn, step: str, kept: Path) -> SavedState:
        """Walk a new lab up to a step, and keep what there is then."""
        lab = open_lab(at, kept / "lab")
        lab.run(step)
        _copy_tables(_tables(at), kept / "state.sqlite3")
        shutil.copytree(at.folder / "cloud" / "objects", kept / "objects")
        return cls(at, kept)

    def begin(self, folder: Path) -> Lab:
        """Return the lab as it was, in ``folder``; its AWS is as it was, too."""
        _copy_tables(self.kept / "state.sqlite3", _tables(self.at))
        objects = self.at.folder / "cloud" / "objects"
        shutil.rmtree(objects)
        shutil.copytree(self.kept / "objects", objects)
        # What the cloud remembers of its tables goes with its next transaction.
        iam = self.at.client("iam", COMPUTE_ACCOUNT)
        iam.create_instance_profile(InstanceProfileName="forget")
        iam.delete_instance_profile(InstanceProfileName="forget")
        shutil.copytree(self.kept / "lab", folder)
        return open_lab(self.at, folder)


def left(at: StandIn) -> list[str]:
    """Return everything that any lab has left in both accounts, asked behind its back."""
    found: list[str] = []
    for account in (DATA_ACCOUNT, COMPUTE_ACCOUNT):
        iam, s3, ec2, kms = (at.client(name, account) for name in ("iam", "s3", "ec2", "kms"))
        found += [one["RoleName"] for one in iam.list_roles()["Roles"]]
        profiles = iam.list_instance_profiles()["InstanceProfiles"]
        found += [one["InstanceProfileName"] for one in profiles]
        found += [one["Name"] for one in s3.list_buckets()["Buckets"]]
        found += [one["AliasName"] for one in kms.list_aliases()["Aliases"]]
        groups = ec2.describe_security_groups()["SecurityGroups"]
        found += [one["GroupName"] for one in groups if one["GroupName"] != "default"]
        launches = ec2.describe_instances()["Reservations"]
        found += [
            one["InstanceId"]
            for launch in launches
            for one in launch["Instances"]
            if one["State"]["Name"] != "terminated"
        ]
    with contextlib.closing(sqlite3.connect(_tables(at), timeout=60)) as db:
        keys = db.execute("SELECT arn FROM kms_keys WHERE deletion IS NULL")
        found += [str(row[0]) for row in keys]
    return [one for one in found if not one.startswith("alias/aws/")]


def _tables(at: StandIn) -> Path:
    return at.folder / "cloud" / "state.sqlite3"


def _copy_tables(source: Path, target: Path) -> None:
    with (
        contextlib.closing(sqlite3.connect(source, timeout=60)) as old,
        contextlib.closing(sqlite3.connect(target, timeout=60)) as new,
    ):
        old.backup(new)
