"""`nitro-workflow aws`: the plan, the pre-flight, what labs have left, and their end."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitro_workflow.cli.aws_options import aws_options, settings_of
from nitro_workflow.cli.lab_options import json_option, lab_option, open_lab
from nitro_workflow.cli.termination import Terminated
from nitro_workflow.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from nitro_workflow.cloud import AwsCloud, AwsSettings
    from nitro_workflow.lab import AwsPair, Lab

__all__ = ["aws", "offer_teardown"]

SIGNS = {"ok": "✓", "no": "✗", "unknown": "?"}


@click.group()
def aws() -> None:
    """Plan, check, list and remove what a lab makes on AWS."""


@aws.command()
@lab_option
@json_option
@aws_options
@click.option("--plan", "only_plan", is_flag=True, help="The plan alone; needs no credentials.")
@click.option("--roles", "only_roles", is_flag=True, help="The four roles' policies, analysed.")
@click.option("--policy", "only_policy", is_flag=True, help="The IAM policies an operator needs.")
@click.pass_context
def check(
    ctx: click.Context,
    /,
    folder: Path | None,
    as_json: bool,
    only_plan: bool,
    only_roles: bool,
    only_policy: bool,
    **options: Any,
) -> None:
    """Ask AWS whether the walk can run, and show what it will make and cost. Makes nothing.

    Exit code: 0 where nothing is in the way, 1 for a finding.
    """
    settings, identity = _place(folder, options)
    if only_policy:
        ctx.exit(_print_policies(settings))
    if only_roles:
        ctx.exit(_print_roles(settings, identity))
    if only_plan:
        ctx.exit(_print_plan(settings, identity, as_json=as_json))
    from nitro_workflow.cloud import cloud_errors
    from nitro_workflow.lab import cloud_of, pre_flight

    with cloud_errors("aws check"):
        cloud = cloud_of(settings, identity, _tell)
        findings = list(_printed(cloud, as_json=as_json, ask=pre_flight))
        _print_plan(_with_choice(cloud), identity, as_json=as_json)
    ctx.exit(1 if "no" in findings else 0)


def _printed(cloud: AwsCloud, *, as_json: bool, ask: Any) -> Iterable[str]:
    for one in ask(cloud):
        if as_json:
            click.echo(json.dumps(one.to_json(), ensure_ascii=False))
        else:
            colour = {"ok": "green", "no": "red"}.get(one.state)
            click.secho(f"{SIGNS[one.state]} {one.question:<30} {one.found}", fg=colour)
            if one.next and one.state != "ok":
                click.echo(f"  {'':<30} next: {one.next}")
        yield one.state


def _with_choice(cloud: AwsCloud) -> AwsSettings:
    """Return the settings with the type that is offered, where the API may be asked."""
    from botocore.exceptions import ClientError

    from nitro_workflow.lab import chosen

    try:
        return chosen(cloud)
    except ClientError:
        return cloud.settings


def _print_plan(settings: AwsSettings, identity: str, *, as_json: bool) -> int:
    from nitro_workflow.lab import plan

    made = plan(settings, identity)
    if as_json:
        click.echo(json.dumps(made.to_json(), ensure_ascii=False))
    else:
        click.echo("\n" + "\n".join(made.lines()))
    return 0


def _print_policies(settings: AwsSettings) -> int:
    from nitro_workflow.lab import operator_policy

    for side in ("data", "compute"):
        account = getattr(settings, f"{side}_account") or "*"
        click.echo(f"The {side} account's operator:", err=True)
        click.echo(json.dumps(operator_policy(side, settings.region, account), indent=2))
    return 0


def _print_roles(settings: AwsSettings, identity: str) -> int:
    """Print what the set-up will put, then what our evaluator says of it; 1 for a finding."""
    from nitro_workflow.lab import PARTIES, planned_policies, review

    policies = planned_policies(settings, identity)
    for party in PARTIES:
        click.echo(f"{policies.role_name(party)}:")
        click.echo(json.dumps(policies.identity_policy(party), indent=2))
    claims = list(review(policies))
    for claim in claims:
        sign = SIGNS["ok"] if claim.holds else SIGNS["no"]
        must = "may" if claim.allowed else "may not"
        colour = None if claim.holds else "red"
        click.secho(f"{sign} {claim.party} {must} {claim.action}: {claim.why}", fg=colour)
    return 0 if all(claim.holds for claim in claims) else 1


def _place(folder: Path | None, options: Mapping[str, Any]) -> tuple[AwsSettings, str]:
    """Return settings and id: of the lab in the folder, else of one that is to be made."""
    from nitro_workflow.lab import NO_LAB, AwsPair, LabFolder, default_folder

    given = settings_of(folder, options)
    place = (folder or default_folder()).expanduser()
    if (place / "lab.json").exists():
        opened = LabFolder.open(place, make=False)
        if opened.settings().get("cloud") == "aws":
            return AwsPair(opened).settings, opened.identity
    if given is None:
        raise UsageError(
            "no region",
            expected="the region of AWS where the lab is to be",
            where="--region",
            next="name it: --region us-east-1",
        )
    return given, NO_LAB


# -- list and teardown -----------------------------------------------------------------------------


@aws.command("list")
@lab_option
@json_option
@aws_options
@click.pass_context
def list_command(ctx: click.Context, /, folder: Path | None, as_json: bool, **options: Any) -> None:
    """List what any lab has left in the accounts. Exit code: 1 where there is something."""
    from nitro_workflow.cloud import cloud_errors
    from nitro_workflow.lab import cloud_of, leftovers, tagged_keys

    settings, identity = _place(folder, options)
    with cloud_errors("aws list"):
        cloud = cloud_of(settings, identity, _tell)
        found = leftovers(cloud)
        found += tagged_keys(cloud, found)
    for one in found:
        if as_json:
            click.echo(json.dumps(one.to_json(), ensure_ascii=False))
        else:
            mine = "  (this lab)" if one.lab == identity else ""
            click.echo(f"{one.lab:<17} {one.kind:<17} {one.name}  {one.state}{mine}".rstrip())
    if not found and not as_json:
        click.echo(f"Nothing of any lab is left in {settings.region}.")
    ctx.exit(1 if found else 0)


@aws.command()
@lab_option
@json_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def teardown(ctx: click.Context, folder: Path | None, as_json: bool, yes: bool) -> None:
    """Remove all that the lab has made on AWS; its keys end after seven days.

    Exit code: 0 where nothing is left, 4 where something could not be removed: it says why.
    """
    pair = _pair(folder)
    if not yes:
        click.confirm(
            f"Remove all of lab {pair.folder.identity}, its data and keys too?",
            abort=True,
            err=True,
        )
    ctx.exit(4 if end_lab(pair, as_json=as_json) else 0)


def end_lab(pair: AwsPair, *, as_json: bool = False) -> int:
    """Remove what the lab has made; print what became of each thing; return how many failed."""
    from nitro_workflow.cloud import cloud_errors
    from nitro_workflow.lab import teardown as removals

    left = 0
    with cloud_errors("aws teardown"), pair.folder.lock("removing the lab from AWS"):
        for one in removals(pair.aws):
            left += one.state == "failed" or (one.state == "kept" and "given" not in one.why)
            if as_json:
                click.echo(json.dumps(one.to_json(), ensure_ascii=False))
            else:
                why = f": {one.why}" if one.why else ""
                colour = "red" if one.state == "failed" else None
                click.secho(f"{one.state:<10} {one.kind:<17} {one.name}{why}", fg=colour)
        if not left:
            pair.forget()
    return left


def offer_teardown(opened: Lab, stop: KeyboardInterrupt) -> None:
    """Ask, after Ctrl-C in a lab of AWS, whether what it has made is to be removed; else say so."""
    from nitro_workflow.lab import AwsPair

    pair = opened.pair
    if not isinstance(pair, AwsPair) or not pair.agreed:
        return
    hours = pair.settings.stop_after_minutes / 60
    click.echo(
        "\nStopped. What the lab has made on AWS is still there and costs money; its instance "
        f"ends itself {hours:g} h after its start. `nitro-workflow aws teardown` removes it all.",
        err=True,
    )
    if isinstance(stop, Terminated) or not sys.stdin.isatty():
        return
    with contextlib.suppress(click.Abort):
        if click.confirm("Remove all of it now, its data and keys too?", err=True):
            end_lab(pair)


def _pair(folder: Path | None) -> AwsPair:
    from nitro_workflow.lab import AwsPair

    pair = open_lab(folder, make=False).pair
    if not isinstance(pair, AwsPair):
        raise UsageError(
            "a lab of the local cloud",
            expected="a lab of AWS",
            where="--lab",
            next="`nitro-workflow down` ends what runs for this one",
        )
    return pair


def _tell(text: str) -> None:
    click.secho(text, dim=True, err=True)
