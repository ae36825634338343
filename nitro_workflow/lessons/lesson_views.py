"""From the lab to a view model: where a lesson's view takes its facts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from nitro_workflow import policy
from nitro_workflow.attestation import Expected, exactly
from nitro_workflow.errors import LabError, UntrustedAnswer
from nitro_workflow.image import measure_file, open_image
from nitro_workflow.lab import (
    Workbench,
    document_of,
    image_of,
    newest_records,
    policy_of,
)
from nitro_workflow.widgets import (
    Ask,
    Head,
    ImageModel,
    Inquiry,
    PcrsModel,
    PlainModel,
    PolicyModel,
    View,
    file_count,
    found_in,
    image_answers,
    inquire,
    make_image,
    make_pcrs,
    make_policy,
    make_reach,
    recognise,
    size,
    view_of,
)

LOGGED = 200
"""Records that a lesson's log shows: more than a walk makes."""

MAY: Mapping[str, str] = {
    "owner": "administer the key and its policy, make data keys, put and get objects",
    "developer": "build, sign and publish images",
    "administrator": "run and stop the instance and its enclaves",
    "instance": "Decrypt with the right PCRs and encryption context; get the ciphertext",
}
MAY_NOT: Mapping[str, str] = {
    "owner": "Decrypt, CreateGrant, ReEncrypt",
    "developer": "anything with the key",
    "administrator": "use the key, change its policy, become the owner, change roles",
    "instance": "Decrypt otherwise, and everything else",
}


def evidence(bench: Workbench, step: str) -> Mapping[str, Any]:
    """Return the evidence of a step's last run; raises `LabError` where there is none."""
    result = bench.result(step)
    if result is None:
        raise LabError(
            f"step {step} has not run",
            expected=f"the record of {step}",
            where="this lesson",
            next=f'run lesson.run("{step}") first',
        )
    return result.evidence


def key_policy(bench: Workbench) -> dict[str, Any]:
    """Return the key policy as the owner reads it from KMS."""
    kms = bench.parties.session("owner").client("kms")
    return policy_of(kms, bench.produced("P1", "key_arn"))


def who_can_decrypt(bench: Workbench) -> PolicyModel:
    """Return what `policy.analyse` finds: every way to a plaintext, and who can change that."""
    return make_reach(policy.parse_policy(key_policy(bench), name="key policy"))


def what_if(bench: Workbench) -> Inquiry:
    """Return the instance's Decrypt from its enclave as a question, put to the policies as set."""
    own = bench.policies.identity_policy("instance")
    asked_for = evidence(bench, "P7")["pcrs"]
    context = {f"kms:RecipientAttestation:{name}": value for name, value in asked_for.items()}
    request = policy.Request(
        policy.Principal.parse(bench.policies.role_arn("instance")),
        "kms:Decrypt",
        bench.produced("P1", "key_arn"),
        bench.cloud.accounts.data,
        policy.RequestContext.what_if({**context, **_context(bench)}),
    )
    name = "ParentInstance's own policy"
    policies = policy.Policies(
        resource=policy.parse_policy(key_policy(bench), kind="resource", name="key policy"),
        identity=(policy.parse_policy(own, kind="identity", name=name),),
    )
    return inquire(request, policies, title="What if the instance asked now?")


def _context(bench: Workbench) -> dict[str, str]:
    context = evidence(bench, "P3")["encryption_context"]
    return {f"kms:EncryptionContext:{key}": str(value) for key, value in context.items()}


def measured(bench: Workbench) -> dict[str, Any]:
    """Return the configuration that is measured with the image."""
    return dict(evidence(bench, "P5")["measured_configuration"])


def image(bench: Workbench) -> View:
    """Return the developer's image, with the files inside."""
    path, label = image_of(bench), "Stand-in boot parts: measured, never booted."
    answers = image_answers(path, name="the developer's image", label=label)
    return View(make_image(path, label=label), answers=answers)


def origins(bench: Workbench) -> PlainModel:
    """Return where the files of the root filesystem come from, the wheels taken together."""
    sums: dict[str, list[int]] = {}
    for name, found in evidence(bench, "P5")["origins"].items():
        kind = "locked wheels" if name.startswith("wheel ") else name
        kind = "this machine's Python" if name.startswith("python ") else kind
        total = sums.setdefault(kind, [0, 0])
        total[0] += found["files"]
        total[1] += found["bytes"]
    rows = ((kind, file_count(count), size(total)) for kind, (count, total) in sums.items())
    files, length = (sum(found[at] for found in sums.values()) for at in (0, 1))
    head = Head(
        f"Root filesystem, {file_count(files)}, {size(length)}",
        f"Its files come from {len(sums)} places",
        "neutral",
        why="Every file of it is measured into PCR0 and PCR2.",
    )
    return PlainModel(head, columns=("from", "files", "size"), rows=tuple(rows))


def changed_image(bench: Workbench) -> PcrsModel:
    """Flip one bit of a copy, in its last ramdisk, and return how the PCRs of the two differ."""
    path = image_of(bench)
    data = bytearray(path.read_bytes())
    with open_image(path) as opened:
        data[opened.ramdisks[-1].end - 1] ^= 1
    before, after = measure_file(path).hex(), measure_file(io.BytesIO(data)).hex()
    return make_pcrs({"as built": before, "one bit flipped": after}, image=path)


def truncated_image(bench: Workbench) -> ImageModel:
    """Read a copy that lacks its last byte, and return the reader's refusal."""
    model = make_image(io.BytesIO(image_of(bench).read_bytes()[:-1]))
    if model.head.tone != "bad":
        raise UntrustedAnswer(
            "a truncated image was read",
            expected="a refusal",
            where="open_image",
            next="report this: the reader misses something",
        )
    return model


def measurements(bench: Workbench) -> PcrsModel:
    """Return the PCRs of the build beside those that the owner computed from the file.

    Without the recipe for PCR0: the learner is to write these lines in the cell above.
    """
    found = evidence(bench, "P6")
    built, read = found["measurements"], found["owner_measurements"]
    columns = {"developer's build": built, "owner's own reading": read}
    return replace(make_pcrs(columns, image=image_of(bench)), recipe=())


def _indexed(pcrs: Mapping[str, str]) -> dict[int, str]:
    return {int(name.removeprefix("PCR")): value for name, value in pcrs.items()}


def document(bench: Workbench) -> View:
    """Return the attestation document of the last job, checked as the owner would check it."""
    wanted = _indexed(evidence(bench, "P7")["pcrs"])
    root = bench.cloud.trust()
    expected = Expected(
        max_age=timedelta(hours=1),
        pcrs=exactly({i: bytes.fromhex(pcr) for i, pcr in wanted.items()}, "what P7 asks for"),
    )
    trust = f"this lab's, {root.root_name}; not AWS's"
    ask = Ask(datetime.now(UTC), root.root_der, expected, trust)
    return view_of(recognise(document_of(bench)), ask)


def chain(bench: Workbench) -> View:
    """Return the certificates of the last job's document, at the document's own time."""
    ask = Ask("document", bench.cloud.trust().root_der)
    return view_of(recognise(document_of(bench)), ask).chain


def decision(bench: Workbench) -> PolicyModel:
    """Return the cloud's own record of the decision of D4."""
    return make_policy(evidence(bench, "D4")["encryption-sdk"]["decision_record"])


def log(bench: Workbench) -> View:
    """Return the owner's newest records of what the cloud decided, as the log's inspector."""
    records = newest_records(bench, LOGGED)
    if not records:
        raise LabError(
            "the cloud has recorded nothing yet",
            expected="a call of the owner's account",
            where="cloudtrail:LookupEvents",
            next='run a step first: lesson.run("P1")',
        )
    (found,) = found_in({"Records": records})
    return view_of(found, Ask())


def pcr_columns(bench: Workbench) -> dict[str, Any]:
    """Return the PCRs of the document that KMS saw, of the image, and of the key policy."""
    return {
        "document": evidence(bench, "D4")["encryption-sdk"]["pcrs"],
        "image": evidence(bench, "P6")["measurements"],
        "key policy": evidence(bench, "P7")["pcrs"],
    }
