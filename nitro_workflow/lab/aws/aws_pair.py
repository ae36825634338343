"""AWS with a real parent instance: the pair that a lab of AWS is opened with."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import enclave_image
from nitro_workflow.cloud import AwsCloud, AwsSettings, Endpoint, cloud_errors
from nitro_workflow.errors import HostError, LabError
from nitro_workflow.lab.aws.role_review import planned_policies, review
from nitro_workflow.lab.lab_folder import read_json, save
from nitro_workflow.lab.workbench import ENCLAVE_CPUS
from nitro_workflow.remove_tree import remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nitro_workflow.cloud import Cloud
    from nitro_workflow.host import Host, InstancePlace, ParentPrograms
    from nitro_workflow.lab.lab_folder import LabFolder
    from nitro_workflow.lab.parties import Parties

__all__ = ["AwsPair", "cloud_of"]

PLACE: Final = "aws-place.json"
"""In the lab's folder of the host: where its instance may be, asked once."""


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
                    expected=", ".join(HOSTS),
                    where="host",
                    next="make a new lab with --lab, and name one of these",
                )
            self._host = HOSTS[name](self)
        return self._host

    @property
    def parent(self) -> ParentPrograms:
        """Return what the instance runs: the application's parent."""
        from nitro_workflow.host import ParentPrograms

        folder = Path(enclave_image.__file__).parent
        return ParentPrograms(folder / "parent" / "__main__.py", (folder,))

    @property
    def memory_mib(self) -> int:
        """Return what the application's enclave is launched with."""
        from enclave_image.applications import application_of
        from nitro_workflow.host import LEAST_ON_AWS_MIB

        application = application_of(self.folder.settings().get("app"))
        return max(application.memory_mib, LEAST_ON_AWS_MIB)

    def place(self) -> InstancePlace:
        """Return where the instance may be, of what the API offered when it was asked first."""
        from nitro_workflow.host import InstancePlace
        from nitro_workflow.lab.aws.aws_check import choose_place

        if self._place.exists():
            known = read_json(self._place)
            return InstancePlace(**{**known, "subnets": tuple(known["subnets"])})
        with cloud_errors("instance types and subnets"):
            found = choose_place(self.aws)
        save(self._place, json.dumps(asdict(found)).encode())
        return found

    @property
    def host_folder(self) -> Path:
        """Return where host `ec2` keeps its records."""
        return self.folder.path / "hypervisor" / "ec2"

    @property
    def _place(self) -> Path:
        return self.folder.path / "hypervisor" / PLACE

    def client(self, party: str, service: str) -> Any:
        """Return a client of a party's session: its calls stand in the running step's record."""
        return self.parties.session(party).client(service)

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
        self._place.unlink(missing_ok=True)
        (self.folder.path / "launch.json").unlink(missing_ok=True)
        remove_tree(self.host_folder)
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
        """End the parent's program where this machine runs it; what costs money is teardown's."""
        from nitro_workflow.host import OwnParentHost

        ended = self.agreed and isinstance(self.host, OwnParentHost) and self.host.end_parent()
        return ["parent"] if ended else []

    def status(self) -> dict[str, str]:
        """Return where the lab is; asks nobody."""
        return {"AWS": f"{self.settings.region}, {'agreed' if self.agreed else 'not agreed to'}"}


def _ec2(pair: AwsPair) -> Host:
    """Return the host that launches a parent instance and drives it from here."""
    from nitro_workflow.host import Ec2Host

    return Ec2Host(
        pair.aws,
        client=pair.client,
        place=pair.place,
        folder=pair.host_folder,
        parent=pair.parent,
        memory_mib=pair.memory_mib,
        cpus=ENCLAVE_CPUS,
        say=pair.say,
    )


def _nitro_cli(pair: AwsPair) -> Host:
    """Return the host where this machine is the parent instance."""
    from nitro_workflow.host import OwnParentHost

    return OwnParentHost(
        pair.folder.path / "hypervisor" / "parent",
        role_arn=pair.parties.policies.role_arn("instance"),
        kms=Endpoint(pair.aws.url, ""),
        parent=pair.parent,
        region=pair.aws.region,
    )


HOSTS: Final[Mapping[str, Callable[[AwsPair], Host]]] = {"ec2": _ec2, "nitro_cli": _nitro_cli}
"""Name of a host on AWS → what makes it. A host asks the pair for what it needs."""
