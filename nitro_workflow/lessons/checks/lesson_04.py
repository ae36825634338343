"""Lesson 04: what is measured and what is carried, what a betrayal takes, which file betrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Final

from enclave_image import CONFIG_PATH, JobRequest, MeasuredConfig, parse_config
from nitro_workflow.errors import InputError
from nitro_workflow.image import diff_images
from nitro_workflow.lab import Lab, build_inputs
from nitro_workflow.lessons import worlds
from nitro_workflow.lessons.checking import LessonChecks, StandIn, marks
from nitro_workflow.lessons.offered_image import BETRAYS, DECOY, build_changed, make_offered
from nitro_workflow.lessons.truth import Truth
from nitro_workflow.lessons.verdict import Verdict

__all__ = ["SORTED", "Checks"]

_CONFIG: Final = CONFIG_PATH.removeprefix("/")
SORTED: Final[Mapping[str, str]] = {
    "KMS's host name": "kms_host",
    "the CA certificates": "ca_pem",
    "the KMS key's ARN": "key_arn",
    "the encryption context": "encryption_context",
    "the threshold": "threshold",
    "the owner's public key": "owner_public_key_pem",
    "the role's credentials": "credentials",
    "the ciphertext's size": "size",
    "the owner's nonce": "nonce",
}
"""What the learner sorts → the field, of `MeasuredConfig` or of `JobRequest`, that holds it."""


def where_it_is(thing: str) -> str:
    """Return "measured" or "carried", as the application's own types have it."""
    measured = {one.name for one in fields(MeasuredConfig)}
    carried = {one.name for one in fields(JobRequest)}
    name = SORTED[thing]
    return "measured" if name in measured else "carried" if name in carried else "nowhere"


def _config(lab: Lab) -> dict[str, Any]:
    rootfs: Path = build_inputs(lab.bench)["rootfs"]
    config: dict[str, Any] = json.loads((rootfs / _CONFIG).read_bytes())
    return config


def _scratch(lab: Lab, name: str) -> Path:
    folder = lab.path / "course" / "scratch"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / name


def _ours(lab: Lab) -> tuple[Path, Mapping[str, str]]:
    """Build the image as the folder of P5 has it; return it and its PCRs."""
    path = _scratch(lab, "ours.eif")
    return path, build_changed(lab.bench, path, {})


def _effect(config: Mapping[str, Any], change: Mapping[str, Any]) -> str:
    """Return what a change of the configuration gives to whom; "" for nothing."""
    if change.get("threshold", config["threshold"]) < config["threshold"]:
        return f"Groups of {change['threshold']} would be shown."
    told = {
        "owner_public_key_pem": "The result would be sealed to whoever holds that other key.",
        "ca_pem": "Another KMS, with a certificate of that CA, would be believed.",
        "kms_host": "Another host would be asked as if it were KMS.",
        "query": "Another question would be asked of the data.",
        "key_arn": "Another key would be asked for.",
        "encryption_context": "Another data set would be opened.",
    }
    return next((told[name] for name in change if name in told), "")


class Checks(LessonChecks):
    """Checks of lesson 04."""

    truths: ClassVar[Mapping[str, Truth]] = {
        "show-small-groups": Truth(
            "a file of the image, and so its PCRs",
            "the threshold is read from a measured file, and nothing that comes over vsock has it",
        ),
        "read-every-source": Truth(
            "nothing for certain: compiled files lie beside them",
            "Python runs the compiled file and, as its header says, compares it with nothing",
        ),
    }
    stand_ins: ClassVar[Mapping[str, StandIn]] = {
        "backdoor": StandIn("path", lambda _: BETRAYS, lambda _, made: made == BETRAYS),
    }

    def sorted(self, places: Any) -> Verdict:
        """Compare a sorting with the fields of the application's own types."""
        odd = [thing for thing in SORTED if places[thing] not in ("measured", "carried")]
        if odd:
            return Verdict.wrong(f'{odd[0]}: write "measured" or "carried".')
        wrong = [thing for thing in SORTED if places[thing] != where_it_is(thing)]
        if not wrong:
            return Verdict.right("So do MeasuredConfig and JobRequest, the types that hold them.")
        why = (
            "Would a wrong one give the data, or the result, to somebody else?"
            if where_it_is(wrong[0]) == "measured"
            else "What is the worst that a wrong one can do? KMS refuses, or the receipt tells."
        )
        return Verdict.wrong(f"{wrong[0]} is not {places[wrong[0]]}.", why)

    @marks("show-small-groups")
    def betrayal(self, change: Any) -> Verdict:
        """Put a change into the configuration, build that image, and ask the policy for it."""
        config = _config(self.lab)
        unknown = sorted(set(change) - set(config))
        if unknown:
            return Verdict.wrong(
                f"The configuration has no {unknown[0]}.", f"It has: {', '.join(sorted(config))}."
            )
        if {**config, **change} == config:
            return Verdict.wrong("Nothing is changed by that.", "Look at the values once more.")
        new = json.dumps({**config, **change}, sort_keys=True, indent=2).encode()
        try:
            parse_config(new)
        except InputError as error:
            return Verdict.wrong(
                f"The application does not start: {error.found}, {error.where}.",
                f"It wants {error.expected}.",
            )
        effect = _effect(config, change)
        if not effect:
            return Verdict.wrong("It runs, and tells nobody more than before.", "Who would gain?")
        return Verdict.right(effect, self._refused(new))

    def _refused(self, config: bytes) -> str:
        """Return in words what a policy with the true PCR0 says to the changed image."""
        _, true = _ours(self.lab)
        other = build_changed(self.lab.bench, _scratch(self.lab, "betrayal.eif"), {_CONFIG: config})
        who = worlds.callers_of(self.lab.bench)["ParentInstance"]
        pinned = {"StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": true["PCR0"]}}
        allow = {"Effect": "Allow", "Principal": {"AWS": who}, "Action": "kms:Decrypt",
                 "Resource": "*", "Condition": pinned}  # fmt: skip
        said = worlds.in_words(worlds.ask_policy(allow, who, dict(other)))
        moved = " and ".join(name for name in ("PCR0", "PCR1", "PCR2") if other[name] != true[name])
        return f"That image was built: {moved} are others. A policy with your PCR0: it is {said}."

    def backdoor(self, path: Any) -> Verdict:
        """Look whether a file of the offered image is changed, and whether it is executed."""
        offered = make_offered(self.lab.bench, _scratch(self.lab, "offered.eif"))
        changed = {file.path for file in diff_images(_ours(self.lab)[0], offered).files}
        name = str(path).lstrip("/")
        name = name if name.startswith("rootfs/") else f"rootfs/{name}"
        if name == BETRAYS:
            return Verdict.right("This file is executed, and it is not what its source says.")
        if name == DECOY:
            return Verdict.wrong(
                "This source is another one, but nobody executes it.",
                "Its compiled file is the same in both images. Look at the other change.",
            )
        if name not in changed:
            return Verdict.wrong(
                "This file is the same in both images, or in neither.",
                "diff_images(...).files lists what differs.",
            )
        return Verdict.wrong("This is not it.")

    @marks("read-every-source")
    def recompiled(self, genuine: Any, offered: Any) -> Verdict:
        """Look at the two comparisons of a compiled file with its source."""
        if (genuine, offered) == (True, False):
            return Verdict.right("The true image holds what its source says, the offered does not.")
        if genuine is True and offered is True:
            return Verdict.wrong(
                "The offered image would be sound.",
                "Is what you read the file of the offered image, and not of the folder?",
            )
        return Verdict.wrong(
            "The true image fails your comparison.",
            "Skip the 16 bytes of the header; compile with dont_inherit=True.",
        )
