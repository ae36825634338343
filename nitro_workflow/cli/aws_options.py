"""The options that say where on AWS a lab is, and whose; shared by `walk` and `aws`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nitro_workflow.cloud import AwsSettings
    from nitro_workflow.lab import Lab

__all__ = ["agree", "aws_options", "settings_of"]

_UNITS: Final = {"m": 1, "h": 60, "d": 24 * 60}


class _Minutes(click.ParamType[int]):
    """A time such as ``90m``, ``2h`` or ``1d``."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"(\d{1,4})([mhd])", str(value))
        if not found:
            self.fail(f"{value!r} is not a time such as 90m or 2h", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


_GIVEN: Final = {
    "key": "ARN of a KMS key that is there already.",
    "bucket": "Bucket for the data that is there already.",
    "role-owner": "ARN of the data owner's role, where your company provides it.",
    "role-developer": "ARN of the application developer's role.",
    "role-administrator": "ARN of the parent administrator's role.",
    "role-instance": "ARN of the parent instance's role.",
    "instance": "Id of a parent instance that runs already.",
}


def aws_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--region``, the profiles, what is given, and when the instance ends itself."""
    for name, text in reversed(_GIVEN.items()):
        function = click.option(f"--{name}", help=text)(function)
    for option in reversed(
        (
            click.option("--region", help="Region of AWS, such as us-east-1."),
            click.option("--data-profile", help="Profile of the data account's operator."),
            click.option("--compute-profile", help="Profile of the compute account's operator."),
            click.option("--instance-type", help="Type of the parent instance."),
            click.option("--subnet", help="Subnet of the parent instance, with a way out."),
            click.option("--stop-after", type=_Minutes(), help="The instance ends itself [2h]."),
        )
    ):
        function = option(function)
    return function


def settings_of(folder: Path | None, options: Mapping[str, Any]) -> AwsSettings | None:
    """Return the settings that the options give; None where they give none.

    A lab that was made with settings keeps them: then the region need not be said again.
    """
    from nitro_workflow.cloud import AwsSettings

    fields = ("region", "data_profile", "compute_profile", "instance_type", "subnet")
    named = {name: options[name] for name in fields if options.get(name)}
    if options.get("stop_after"):
        named["stop_after_minutes"] = options["stop_after"]
    given = {
        name: options[name.replace("-", "_")]
        for name in _GIVEN
        if options.get(name.replace("-", "_"))
    }
    if given:
        named["given"] = given
    if not named:
        return None
    if "region" not in named:
        named["region"] = _region_of(folder)
    return AwsSettings(**named)


def _region_of(folder: Path | None) -> str:
    """Return the region of the lab in the folder; raises `UsageError` where there is none."""
    from nitro_workflow.errors import UsageError
    from nitro_workflow.lab import LabFolder, default_folder

    place = (folder or default_folder()).expanduser()
    known = (
        LabFolder.open(place, make=False).settings().get("aws")
        if (place / "lab.json").exists()
        else None
    )
    if not known:
        raise UsageError(
            "no region",
            expected="the region of AWS where the lab is to be",
            where="--region",
            next="name it: --region us-east-1",
        )
    return str(known["region"])


def agree(opened: Lab, *, yes: bool) -> None:
    """Show a lab of AWS's plan, where nobody has said yes to it, and ask; ``yes`` says it.

    Raises click's Abort for a no: nothing was made then. A lab of the local cloud is not asked.
    """
    from nitro_workflow.lab import AwsPair, plan

    pair = opened.pair
    if not isinstance(pair, AwsPair) or pair.agreed:
        return
    shown = plan(pair.settings, pair.folder.identity)
    click.echo("\n".join(shown.lines()), err=True)
    if not yes:
        click.confirm("\nMake this on AWS, step by step?", abort=True, err=True)
    pair.agree()
