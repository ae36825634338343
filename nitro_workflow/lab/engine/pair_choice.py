"""Which cloud and host a lab is opened with: chosen when it is made, and checked to be a pair."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from nitro_workflow.cloud import AwsSettings
from nitro_workflow.errors import UsageError
from nitro_workflow.lab.aws.aws_pair import AwsPair
from nitro_workflow.lab.processes import HOST_SETTING, LocalPair

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nitro_workflow.lab.lab_folder import LabFolder
    from nitro_workflow.lab.pair import Pair

__all__ = ["CLOUDS", "choose_pair", "open_pair"]

CLOUDS: Final[Mapping[str, tuple[str, ...]]] = {
    "local": ("sandbox", "qemu"),
    "aws": ("ec2", "nitro_cli"),
}
"""Cloud → the hosts that it can be opened with; the first where none is named."""

_WHY: Final = {
    "local": "the local cloud takes no document under AWS's root, and a parent instance on EC2 "
    "has no other",
    "aws": "AWS takes no document of a lab's hypervisor: its root is the lab's own",
}


def choose_pair(
    folder: LabFolder, *, cloud: str = "", host: str = "", aws: AwsSettings | None = None
) -> None:
    """Keep in the lab what it is opened with, where that is said; raises `UsageError`.

    ``host``: else that of the environment, for a lab of the local cloud. A lab's cloud, and its
    place there, are chosen when it is made and stay: what it has made would be lost otherwise.
    """
    settings = folder.settings()
    chosen = _cloud_of(folder, cloud, settings)
    wanted = host or (os.environ.get(HOST_SETTING, "") if chosen == "local" else "")
    if wanted:
        _check_host(chosen, wanted)
    changes: dict[str, Any] = {"host": wanted} if wanted else {}
    if chosen == "aws":
        changes |= {"cloud": "aws", "aws": _place(settings.get("aws"), aws)}
        changes.setdefault("host", settings.get("host") or CLOUDS["aws"][0])
    if changes:
        folder.change_settings(**changes)


def open_pair(folder: LabFolder, say: Callable[[str], None]) -> Pair:
    """Return the pair that the lab was made with."""
    if folder.settings().get("cloud") == "aws":
        return AwsPair(folder, say)
    return LocalPair(folder, say)


def _cloud_of(folder: LabFolder, cloud: str, settings: Mapping[str, Any]) -> str:
    if cloud and cloud not in CLOUDS:
        raise UsageError(
            f"no cloud {cloud!r}",
            expected=", ".join(CLOUDS),
            where="--cloud",
            next="name one of these",
        )
    used = bool(settings.get("cloud") or folder.recorded() or settings.get("host"))
    now = str(settings.get("cloud") or "local")
    if used and cloud and cloud != now:
        raise UsageError(
            f"a lab of the {now} cloud",
            expected=f"one of {cloud}: keys, data and images of a lab belong to one cloud",
            where=str(folder.path),
            next="name another folder with --lab",
        )
    return cloud or now


def _check_host(cloud: str, host: str) -> None:
    if host not in CLOUDS[cloud]:
        known = any(host in hosts for hosts in CLOUDS.values())
        raise UsageError(
            f"host {host!r} with cloud {cloud!r}",
            expected=f"{' or '.join(CLOUDS[cloud])}{': ' + _WHY[cloud] if known else ''}",
            where="--host",
            next="name one of these, or another cloud",
        )


def _place(known: Mapping[str, Any] | None, given: AwsSettings | None) -> dict[str, Any]:
    """Return the settings of AWS: those that are kept, else those that are given."""
    if known is None and given is None:
        raise UsageError(
            "no region",
            expected="the region of AWS where the lab is to be",
            where="--region",
            next="name it: `--cloud aws --region us-east-1`",
        )
    if known is not None and given is not None:
        usual = AwsSettings(given.region).to_json()
        asked = {name: value for name, value in given.to_json().items() if value != usual[name]}
        asked["region"] = given.region
        strange = [name for name, value in asked.items() if value != known.get(name)]
        if strange:
            raise UsageError(
                f"another {strange[0].replace('_', ' ')}: {asked[strange[0]]}",
                expected=f"{known.get(strange[0]) or 'none'}, as the lab was made with",
                where="lab.json",
                next="`nitro-workflow aws teardown` first, or name another folder with --lab",
            )
    if known is not None:
        return dict(known)
    return given.to_json() if given else {}
