"""The files of an export: each template filled with names and policies, each with what it is for.

Templates are the files of ``data/``, readable as what they become; ``@name@`` stands for a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, Final

from nitro_workflow.host import VOLUME_GIB, start_script
from nitro_workflow.lab.export.export_facts import ExportFacts, names_of
from nitro_workflow.lab.export.export_policies import (
    TAG,
    Form,
    cloudformation,
    exported_policies,
    instance_pcr3,
    plain,
    terraform,
)

__all__ = ["FILES", "exported_files"]

FILES: Final[Mapping[str, str]] = {
    "README.md": "this page: what each file is, what you decide, in which order",
    "RUNBOOK.md": "a new image without a gap, rotation, revocation, break-glass, alarms, the end",
    "policies/key-policy.json": "of the data key: only the measured images decrypt",
    "policies/results-key-policy.json": "of the key that wraps what opens results: its owner's",
    "policies/owner.json": "what the data owner's role may",
    "policies/developer.json": "what the application developer's role may",
    "policies/administrator.json": "what the parent administrator's role may",
    "policies/instance.json": "what the parent instance's role may",
    "policies/trust-owner.json": "who may become the data owner",
    "policies/trust-developer.json": "who may become the developer",
    "policies/trust-administrator.json": "who may become the administrator",
    "policies/trust-instance.json": "EC2 alone",
    "policies/bucket-policy.json": "of the data's bucket: the instance reads, TLS only",
    "policies/images-bucket-policy.json": "of the images' bucket: TLS only",
    "cloudformation/compute-account.json": "roles, images' bucket, parent instance, alarm",
    "cloudformation/data-account.json": "the owner's role, the data's bucket, alarms",
    "cloudformation/data-key.json": "the data key and its alias, made by the owner",
    "cloudformation/results-key.json": "the results key and its alias, made by the owner",
    "terraform/compute-account/main.tf": "the same as CloudFormation's",
    "terraform/data-account/main.tf": "the same as CloudFormation's",
    "terraform/data-key/main.tf": "the same as CloudFormation's",
    "terraform/results-key/main.tf": "the same as CloudFormation's",
    "instance/user-data.sh": "the parent's start: nitro-cli, allocator, proxy; cloud-init runs it",
    "instance/allocator.yaml": "for /etc/nitro_enclaves/: what the parent sets apart for enclaves",
    "instance/vsock-proxy.yaml": "for /etc/nitro_enclaves/: the proxy reaches KMS and nothing else",
    "ci/gate.sh": "what must hold before an image is released",
    "ci/enclave-release.yml": "the job that calls it",
}
"""Path → what it is. ``measurements/image-N.json`` come to them, one for each image."""

MEASUREMENTS: Final = "measurements/image-{}.json"

DENIED_DECRYPT: Final = (
    '{ ($.eventSource = "kms.amazonaws.com") && ($.eventName = "Decrypt")'
    ' && ($.errorCode = "AccessDenied*") }'
)
"""KMS writes AccessDenied, other services AccessDeniedException."""

KEY_CHANGES: Final = {
    "source": ["aws.kms"],
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {
        "eventSource": ["kms.amazonaws.com"],
        "eventName": [
            "CancelKeyDeletion",
            "CreateGrant",
            "DeleteAlias",
            "DisableKey",
            "DisableKeyRotation",
            "EnableKey",
            "PutKeyPolicy",
            "ReplicateKey",
            "RetireGrant",
            "RevokeGrant",
            "ScheduleKeyDeletion",
            "UpdateAlias",
            "UpdatePrimaryRegion",
        ],
    },
}

_PAUSE: Final = 10
"""Seconds between tries for packages."""
_LEFT_OUT: Final = object()
_MARK: Final = re.compile(r"@([a-z][a-z0-9-]*)@")


def exported_files(facts: ExportFacts) -> dict[str, bytes]:
    """Return path → content of the whole export; it asks nobody and writes nothing."""
    images = {
        MEASUREMENTS.format(number): _json({"Measurements": dict(image)})
        for number, image in enumerate(facts.images, 1)
    }
    policies = exported_policies(facts, plain(facts))
    named = {f"policies/{name}.json": _json(policy) for name, policy in policies.items()}
    named.pop("policies/topic-policy.json")  # the templates' alone
    texts = {
        **{
            name: _text(name, _page_values(facts, tuple(images)))
            for name in ("README.md", "RUNBOOK.md")
        },
        **{f"cloudformation/{stack}.json": _stack(facts, stack, side) for stack, side in _STACKS},
        **{f"terraform/{stack}/main.tf": _configuration(facts, stack) for stack, _ in _STACKS},
        "instance/user-data.sh": _user_data(facts),
        "instance/allocator.yaml": _allocator(facts),
        "instance/vsock-proxy.yaml": _allow_list(facts),
        "ci/gate.sh": _data("ci/gate.sh"),
        "ci/enclave-release.yml": _data("ci/enclave-release.yml"),
    }
    return {**images, **named, **{name: text.encode() for name, text in texts.items()}}


def _allocator(facts: ExportFacts) -> str:
    return f"---\nmemory_mib: {facts.memory_mib}\ncpu_count: {facts.cpus}\n"


def _allow_list(facts: ExportFacts) -> str:
    return f"allowlist:\n- {{address: {facts.kms_host}, port: 443}}\n"


def _user_data(facts: ExportFacts) -> str:
    """Return a parent's start: that of the host ``ec2``, with AWS's proxy in our parent's place.

    It does not end itself, and takes no program: how the image reaches it is the operator's.
    """
    values = {
        "MEMORY_MIB": str(facts.memory_mib),
        "CPUS": str(facts.cpus),
        "PAUSE": str(_PAUSE),
    }
    proxy = _text("proxy_step.sh", {"allow-list": _allow_list(facts).rstrip()})
    return start_script(values, _STEPS) + proxy


_STEPS: Final = ("packages", "module", "allocator", "pages")

_STACKS: Final = (
    ("compute-account", "compute"),
    ("data-account", "data"),
    ("data-key", "data"),
    ("results-key", "data"),
)


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def _data(name: str) -> str:
    return resources.files("nitro_workflow.lab.export").joinpath("data", name).read_text("utf-8")


def _values(facts: ExportFacts, form: Form) -> dict[str, Any]:
    """Return what templates of any kind may name: names, sizes, alarms' patterns, policies."""
    names = names_of(facts.name, form.data, form.compute)
    return {
        **exported_policies(facts, form),
        **{f"role-{party}": role for party, role in names.roles.items()},
        "name": facts.name,
        "region": facts.region,
        "tag": TAG,
        "data-bucket": names.data_bucket,
        "images-bucket": names.images_bucket,
        "data-alias": names.data_alias,
        "results-alias": names.results_alias,
        "instance-profile": names.instance_profile,
        "instance-type": facts.instance_type,
        "machine-image": facts.machine_image,
        "volume-gib": VOLUME_GIB,
        "denied-decrypt": DENIED_DECRYPT,
        "key-changes": KEY_CHANGES,
    }


# -- CloudFormation --------------------------------------------------------------------------------


def _stack(facts: ExportFacts, stack: str, side: str) -> str:
    """Return a template; what names its parameters is wrapped for Fn::Sub."""
    values = {name: _substituted(it) for name, it in _values(facts, cloudformation(side)).items()}
    known = facts.accounts_given
    values |= {
        "data-account": facts.accounts.data if known else _LEFT_OUT,
        "compute-account": facts.accounts.compute if known else _LEFT_OUT,
        "pcr3": instance_pcr3(facts) if known else _LEFT_OUT,
        "user-data": _user_data(facts),
    }
    filled = _filled(json.loads(_data(f"cloudformation/{stack}.json")), values)
    return json.dumps(filled, indent=2) + "\n"


def _substituted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _substituted(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_substituted(entry) for entry in value]
    return {"Fn::Sub": value} if isinstance(value, str) and "${" in value else value


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        pairs = ((key, _filled(entry, values)) for key, entry in value.items())
        return {key: entry for key, entry in pairs if entry is not _LEFT_OUT}
    if isinstance(value, list):
        return [_filled(entry, values) for entry in value]
    if not isinstance(value, str):
        return value
    whole = _MARK.fullmatch(value)
    return values[whole[1]] if whole else _MARK.sub(lambda mark: str(values[mark[1]]), value)


# -- Terraform and pages ---------------------------------------------------------------------------


def _configuration(facts: ExportFacts, stack: str) -> str:
    """Return a Terraform file; policies stand in it as JSON between marks."""
    values = {
        name: value if isinstance(value, str | int) else _indented(value)
        for name, value in _values(facts, terraform()).items()
    }
    values["denied-decrypt"] = f"    {DENIED_DECRYPT}"
    for name, known in (
        ("data-account", facts.accounts.data),
        ("compute-account", facts.accounts.compute),
        ("pcr3", instance_pcr3(facts)),
    ):
        given = f'\n  default = "{known}"' if facts.accounts_given else ""
        values[f"{name}-default"] = (
            given.replace("default", "default    ") if name == "pcr3" else given
        )
    return _text(f"terraform/{stack}.tf", values)


def _indented(value: Any) -> str:
    return "\n".join(f"    {line}" for line in json.dumps(value, indent=2).splitlines())


def _text(name: str, values: Mapping[str, Any]) -> str:
    return _MARK.sub(lambda mark: str(values[mark[1]]), _data(name))


def _page_values(facts: ExportFacts, images: tuple[str, ...]) -> dict[str, str]:
    names = names_of(facts.name, facts.accounts.data, facts.accounts.compute)
    known = facts.accounts_given
    listed = {**FILES, **dict.fromkeys(images, "PCRs of an image that the key policy lets decrypt")}
    return {
        **{f"role-{party}": role for party, role in names.roles.items()},
        "name": facts.name,
        "region": facts.region,
        "measured-by": facts.measured_by,
        "warnings": "\n\n".join(facts.warnings) or "The PCRs are of an image for AWS.",
        "files": "\n".join(f"| `{path}` | {what} |" for path, what in listed.items()),
        "accounts-line": (
            "known: defaults of the templates' parameters"
            if known
            else "parameters `DataAccount`, `ComputeAccount`, `Pcr3`; or export again with "
            "`--data-account` and `--compute-account`, which writes them"
        ),
        "compute-account-shown": facts.accounts.compute,
    }
