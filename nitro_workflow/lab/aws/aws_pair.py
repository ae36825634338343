"""AWS with a real parent instance: the pair that a lab of AWS is opened with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from nitro_workflow.cloud import AwsCloud, AwsSettings
from nitro_workflow.errors import HostError, LabError
from nitro_workflow.lab.aws.role_review import planned_policies, review

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nitro_workflow.cloud import Cloud
    from nitro_workflow.host import Host
    from nitro_workflow.lab.lab_folder import LabFolder
    from nitro_workflow.lab.parties import Parties

__all__ = ["AwsPair", "cloud_of"]

HOSTS: Final[Mapping[str, Callable[[AwsPair], Host]]] = {}
"""Name of a host on AWS → what makes it. A host asks the pair for what it needs."""


def cloud_of(
    settings: AwsSettings, identity: str, say: Callable[[str], None] | None = None
) -> AwsCloud:
    """Return AWS as a lab of that id has it, or will have it."""
    return AwsCloud(settings, identity, say)


class AwsPair:
    """One lab's AWS. Nothing is asked of it before `up`, and nothing made before `agree`."""

    def __init__(self, folder: LabFolder, say: Callable[[str], None] | None = None) -> None:
        self.folder = folder
        self.say = say or (lambda _: None)
        self._cloud: AwsCloud | None = None
        self._host: Host | None = None
        self._parties: Parties | None = None

    @property
    def settings(self) -> AwsSettings:
        """Return what the lab was told when it was made."""
        return AwsSettings.from_json(self.folder.settings()["aws"])

    @property
    def cloud(self) -> Cloud:
        """Return AWS, as it is for this lab."""
        return self.aws

    @property
    def aws(self) -> AwsCloud:
        """Return the same, with what only AWS has."""
        if self._cloud is None:
            self._cloud = cloud_of(self.settings, self.folder.identity, self.say)
        return self._cloud

    @property
    def host(self) -> Host:
        """Return the host; raises `HostError` where this version has none of that name."""
        if self._host is None:
            name = str(self.folder.settings().get("host") or "ec2")
            if name not in HOSTS:
                raise HostError(
                    f"no host {name} for AWS",
                    expected=", ".join(HOSTS) or "a later version of the package",
                    where="host",
                    next="steps P1 to P5 need none; the plan shows the rest",
                )
            self._host = HOSTS[name](self)
        return self._host

    def meet(self, parties: Parties) -> None:
        """Take the parties: the host acts as the administrator, or as the developer."""
        self._parties = parties
        self._host = None

    @property
    def parties(self) -> Parties:
        """Return the parties of the lab that was opened; raises `HostError` before that."""
        if self._parties is None:
            raise HostError(
                "nobody to act for",
                expected="a lab that was opened with this pair",
                where="host",
                next="`Lab.open` makes both",
            )
        return self._parties

    def agree(self) -> None:
        """Keep that the person said yes to the plan, and for which accounts.

        Raises `LabError` where a role's policy would do what it must not, by our own evaluator.
        """
        accounts = self.aws.accounts
        planned = replace(
            self.settings, data_account=accounts.data, compute_account=accounts.compute
        )
        for claim in review(planned_policies(planned, self.folder.identity)):
            if not claim.holds:
                raise LabError(
                    f"{claim.party}, {claim.action}: {claim.why}",
                    expected="allowed" if claim.allowed else "refused",
                    where=claim.on,
                    next="this is a fault of the package: report it, and make nothing",
                )
        self.folder.change_settings(aws=planned.to_json(), agreed=True)
        self._cloud = None

    def forget(self) -> None:
        """Take the yes back, and drop the records of what was removed: a new walk asks again."""
        self.folder.change_settings(agreed=False)
        for number in self.folder.recorded():
            self.folder.forget(number)
        (self.folder.path / "cloud" / "roles-made").unlink(missing_ok=True)

    @property
    def agreed(self) -> bool:
        """Tell whether the person has said yes to the plan."""
        return bool(self.folder.settings().get("agreed"))

    def up(self) -> None:
        """Check who the operators are. Raises `LabError` before anybody has said yes."""
        if not self.agreed:
            raise LabError(
                "nothing was made on AWS yet, and nobody has said yes to it",
                expected="a yes to the plan: what is made, and what it costs",
                where="aws",
                next="`nitro-workflow aws check` shows the plan; `walk --cloud aws` asks",
            )
        self.aws.up()

    def down(self, *, new_port: bool = False) -> list[str]:
        """End nothing: what costs money ends with `nitro-workflow aws teardown`."""
        return []

    def status(self) -> dict[str, str]:
        """Return where the lab is; asks nobody."""
        return {"AWS": f"{self.settings.region}, {'agreed' if self.agreed else 'not agreed to'}"}
