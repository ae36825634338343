"""What an export rests on: the lab's measurements and the operator's names, before any text."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nitro_workflow.cloud import (
    Accounts,
    Names,
    checked_region,
    machine_image_parameter,
)
from nitro_workflow.errors import UsageError
from nitro_workflow.host import LEAST_ON_AWS_MIB
from nitro_workflow.lab.aws.aws_prices import candidates_for
from nitro_workflow.lab.steps.p1_p2_keys import CONTEXT
from nitro_workflow.lab.workbench import ENCLAVE_CPUS

if TYPE_CHECKING:
    from nitro_workflow.lab.workbench import Workbench

__all__ = ["ExportFacts", "export_facts", "names_of"]

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{1,30}[a-z0-9]")
_LABS: Final = "nitro-workflow"
_REGISTERS: Final = ("PCR0", "PCR1", "PCR2", "PCR8")
_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ExportFacts:
    """What the files are written from.

    ``images``: PCR0 to PCR2 (and PCR8) in hex of each image that may decrypt. ``accounts_given``:
    whether the ids are the operator's; else they are those of AWS's documentation.
    ``measured_by`` says where the images' PCRs come from, ``of_aws`` whether AWS's KMS could ever
    see them.
    """

    name: str
    region: str
    accounts: Accounts
    accounts_given: bool
    images: tuple[Mapping[str, str], ...]
    measured_by: str
    of_aws: bool
    context: Mapping[str, str]
    memory_mib: int
    cpus: int
    instance_type: str
    machine_image: str

    @property
    def kms_host(self) -> str:
        """Return KMS's regional name, which the proxy may reach."""
        return f"kms.{self.region}.amazonaws.com"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what must be known before anything is used."""
        found = []
        if not self.of_aws:
            found.append(
                "**These PCRs let nobody in on AWS.** They are of the lab's own image: it trusts "
                "the lab's KMS and certificates, and holds the lab's key ARN. The set-up can be "
                "made with them, and refuses everybody, until the image of step 5 below takes "
                "their place."
            )
        if not self.accounts_given:
            found.append(
                f"**The account ids in `policies/` are not yours**: {self.accounts.data} and "
                f"{self.accounts.compute} are of AWS's documentation. Export again with "
                "`--data-account` and `--compute-account`."
            )
        return tuple(found)


def export_facts(
    bench: Workbench,
    *,
    name: str,
    region: str = "",
    data_account: str = "",
    compute_account: str = "",
    measured: Mapping[str, Mapping[str, str]] | None = None,
    machine: str = "",
) -> ExportFacts:
    """Return the facts of a lab. ``machine``: the image's, as `platform.machine` names it.

    ``measured``: registers of images by where they come from; they take the lab's image's place.
    Raises `UsageError` for a bad name, region or account, `LabError` where the lab has measured
    nothing yet and no registers are given.
    """
    if not _NAME.fullmatch(name) or name.startswith(_LABS):
        raise UsageError(
            f"the name {name!r}",
            expected=f"3 to 32 of a-z, 0-9 and -, not beginning with {_LABS}: that is how what a "
            "lab left is found and removed",
            where="--name",
            next="name the set-up as your company would: --name payments",
        )
    accounts, given = _accounts(bench, data_account, compute_account)
    architecture, types = candidates_for(machine or platform.machine())
    images, measured_by = _images(bench, measured or {})
    return ExportFacts(
        name=name,
        region=checked_region(region or bench.cloud.region),
        accounts=accounts,
        accounts_given=given,
        images=images,
        measured_by=measured_by,
        of_aws=bool(measured) or bench.cloud.kind == "aws",
        context=dict(CONTEXT),
        memory_mib=max(bench.application.memory_mib, LEAST_ON_AWS_MIB),
        cpus=ENCLAVE_CPUS,
        instance_type=types[0],
        machine_image=machine_image_parameter(architecture),
    )


def names_of(name: str, data_account: str, compute_account: str) -> Names:
    """Return what the set-up's things are called; accounts may be a template's placeholders."""
    parties = ("owner", "developer", "administrator", "instance")
    return Names(
        data_bucket=f"{name}-data-{data_account}",
        images_bucket=f"{name}-images-{compute_account}",
        data_alias=f"alias/{name}-data",
        results_alias=f"alias/{name}-results",
        instance_profile=f"{name}-instance",
        machine_image="",
        roles={party: f"{name}-{party}" for party in parties},
    )


def _accounts(bench: Workbench, data: str, compute: str) -> tuple[Accounts, bool]:
    """Return the accounts, and whether they are the operator's own."""
    for option, value in (("--data-account", data), ("--compute-account", compute)):
        if value and not _ACCOUNT.fullmatch(value):
            raise UsageError(
                f"{value!r}",
                expected="an account's id: 12 digits",
                where=option,
                next="`aws sts get-caller-identity` prints it",
            )
    if bool(data) != bool(compute):
        raise UsageError(
            "one account of two",
            expected="both --data-account and --compute-account, or neither",
            where="--data-account, --compute-account",
            next="name both; one id twice is one account",
        )
    if data:
        return Accounts(data, compute), True
    return bench.cloud.accounts, bench.cloud.public


def _images(
    bench: Workbench, measured: Mapping[str, Mapping[str, str]]
) -> tuple[tuple[Mapping[str, str], ...], str]:
    """Return the registers of each image, and in words who measured them."""
    if not measured:
        lab = bench.produced("P6", "pcrs")
        image = {f"PCR{index}": str(value) for index, value in lab.items()}
        return (image,), f"step P6 of lab {bench.folder.identity}"
    images = tuple(
        {name: one[name] for name in _REGISTERS if one.get(name)} for one in measured.values()
    )
    return images, ", ".join(measured)
