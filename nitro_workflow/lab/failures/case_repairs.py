"""A learner's repair: one change, made for real, and the call tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from nitro_workflow.cloud import error_code
from nitro_workflow.errors import NitroWorkflowError, UsageError
from nitro_workflow.lab.failures.practice_enclaves import Launch
from nitro_workflow.lab.failures.practice_images import BEFORE, SIGNED, TODAY
from nitro_workflow.lab.failures.practice_policy import pcr_keys
from nitro_workflow.lab.failures.set_up import CONTEXT, Client

if TYPE_CHECKING:
    from nitro_workflow.lab.failures.failure_case import FailureCase
    from nitro_workflow.lab.failures.set_up import SetUp

__all__ = ["CHANGES", "CLIENT_SETTINGS", "Repair", "try_closing", "try_repair"]

CHANGES: Final[Mapping[str, str]] = {
    "policy": "a whole key policy, for PutKeyPolicy",
    "launch": "eif_path, debug_mode: as in run-enclave's --config",
    "request": "EncryptionContext, as Decrypt takes it",
    "client": "one setting of the program",
}
"""What may be changed → what that is."""

CLIENT_SETTINGS: Final[Mapping[str, tuple[Any, ...]]] = {
    "runs_in": ("enclave", "laptop"),
    "credentials": ("instance", "administrator"),
    "attested": (True, False),
    "document": ("each request", "kept"),
    "opens_with": ("document's key", "newest key"),
    "clock_minutes": (0,),
}
"""Setting of the program → the values that it takes."""

_OTHER_PCR0: Final = "5a" * 48
_DEBUG_PCR0: Final = "00" * 48

Result = Literal["mended", "refused", "open", "elsewhere", "unusable"]


@dataclass(frozen=True, slots=True)
class Repair:
    """How a repair ended, and the sentence for it.

    ``mended``; ``refused``: the call still fails; ``open``: it succeeds, and so would others;
    ``elsewhere``: it succeeds by changing what was right; ``unusable``: no change that can be made.
    """

    result: Result
    words: str


def try_repair(case: FailureCase, change: Any) -> Repair:
    """Make the one change, and the call; a change that does not mend is taken back."""
    try:
        what, wanted = _only_change(change)
        changed = _changed(case.set_up, what, wanted)
    except UsageError as error:
        return Repair("unusable", f"{error.found}: {error.expected}.")
    return _tried(case, what, wanted, changed)


def _tried(case: FailureCase, what: str, wanted: Any, changed: SetUp) -> Repair:
    policy = wanted if what == "policy" else case.broken_policy()
    if problem := _put(case, policy):
        return Repair("refused", f"KMS does not take this policy: {problem}")
    try:
        attempt = case.try_call(changed)
    except NitroWorkflowError as error:
        return Repair("refused", f"It does not start: {error.code}, {error.found}.")
    if attempt.has_key:
        return _judged(case, what, policy)
    _put(case, case.broken_policy())
    said = attempt.message or "with an empty message"
    return Repair("refused", f"Tried. The program still gets {attempt.code}: {said}")


def _judged(case: FailureCase, what: str, policy: Mapping[str, Any]) -> Repair:
    """Say whether a change that lets the call succeed is a repair."""
    holes = open_to(case, policy)
    if what not in case.set_up.mended_by:
        _put(case, case.broken_policy())
        return Repair("elsewhere", f"The call succeeds; but the {what} was right, and you bent it "
                      "to fit. Change what is wrong.")  # fmt: skip
    if holes:
        _put(case, case.broken_policy())
        return Repair("open", f"The call succeeds, and so would that of {holes[0]}: beside any "
                      "other Allow, nothing denies it.")  # fmt: skip
    return Repair("mended", "Mended: the call was made again, and the data key is there.")


def try_closing(case: FailureCase, policy: Any) -> Repair:
    """Put a policy where a denial is missing: that call must be refused, the rightful one not."""
    if not isinstance(policy, Mapping):
        return Repair("unusable", "Not a policy: the whole document, as get-key-policy gives it.")
    if problem := _put(case, policy):
        return Repair("refused", f"KMS does not take this policy: {problem}")
    if case.try_call(case.set_up).has_key:
        return Repair("open", "Tried: the call that should be refused is still answered.")
    if not case.look_call(rightful(case.set_up)).has_key:
        return Repair("refused", "That call is refused now; so is the one that you promised a key.")
    if holes := open_to(case, policy):
        return Repair("open", f"That call is refused now. {holes[0].capitalize()} still gets in "
                      "beside any other Allow.")  # fmt: skip
    return Repair("mended", "Closed: refused for them, answered for the image you promised it to.")


def rightful(set_up: SetUp) -> SetUp:
    """Return the call that a missing denial's policy was written for: the promised image's."""
    return replace(set_up, client=Client(), launch=set_up.promised)


def open_to(case: FailureCase, policy: Mapping[str, Any]) -> list[str]:
    """Return who gets past the policy's Denys, where an Allow for everybody stood beside them."""
    from nitro_workflow import policy as policies

    anything = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    everybody = {**anything, "Principal": {"AWS": "*"}}
    widened = {**policy, "Statement": [*_statements(policy), everybody]}
    own = {"Version": "2012-10-17", "Statement": [anything]}
    parsed = policies.Policies(
        resource=policies.parse_policy(widened, kind="resource", name="key policy"),
        identity=(policies.parse_policy(own, kind="identity", name="its own"),),
    )
    documents: dict[str, dict[str, Any]] = {
        "a caller without a document": {},
        "another image": pcr_keys({"PCR0": _OTHER_PCR0}),
        "an enclave in debug mode": pcr_keys({"PCR0": _DEBUG_PCR0}),
    }
    return [
        who
        for who, keys in documents.items()
        if policies.evaluate(_request(case, keys), parsed).effect == "allowed"
    ]


def _request(case: FailureCase, keys: Mapping[str, Any]) -> Any:
    from nitro_workflow import policy as policies

    context = {f"kms:EncryptionContext:{name}": value for name, value in CONTEXT.items()}
    return policies.Request(
        policies.Principal.parse(case.facts.arns["administrator"]),
        "kms:Decrypt",
        case.key,
        case.bench.cloud.accounts.data,
        policies.RequestContext.what_if({**keys, **context}),
    )


def _statements(policy: Mapping[str, Any]) -> list[Any]:
    listed = policy.get("Statement", [])
    return listed if isinstance(listed, list) else [listed]


def _put(case: FailureCase, policy: Any) -> str:
    """Put a policy; return what KMS says against it, "" where it takes it."""
    from botocore.exceptions import ClientError

    try:
        case.put_policy(policy)
    except ClientError as error:
        return f"{error_code(error)}: {error.response['Error'].get('Message', '')}"
    except (TypeError, ValueError) as error:  # what a learner wrote is no JSON
        return str(error)
    return ""


# -- reading what the learner wrote ----------------------------------------------------------------


def _only_change(change: Any) -> tuple[str, Any]:
    if not isinstance(change, Mapping) or not set(change) <= set(CHANGES):
        raise _unusable("Not a change", f"a dict with one of {', '.join(CHANGES)}")
    if len(change) != 1:
        raise _unusable(f"{len(change)} changes at once", "one, so that you know what mended it")
    what, wanted = next(iter(change.items()))
    if not isinstance(wanted, Mapping) or not wanted:
        raise _unusable(f"{what} without a dict", CHANGES[what])
    return what, wanted


def _changed(set_up: SetUp, what: str, wanted: Mapping[str, Any]) -> SetUp:
    if what == "launch":
        return replace(set_up, launch=_launch(set_up.launch, wanted))
    if what == "request":
        return replace(set_up, context=_context(wanted))
    if what == "client":
        return replace(set_up, client=_client(set_up.client, wanted))
    return set_up


def _launch(launch: Launch, wanted: Mapping[str, Any]) -> Launch:
    values = {**asdict(launch), **wanted}
    images = (TODAY, BEFORE, SIGNED)
    known = set(values) == {"eif_path", "debug_mode"} and isinstance(values["debug_mode"], bool)
    if not known or values["eif_path"] not in images:
        raise _unusable("Not a launch", f"eif_path of {', '.join(images)}; debug_mode True, False")
    return Launch(**values)


def _context(wanted: Mapping[str, Any]) -> dict[str, str]:
    context = wanted.get("EncryptionContext")
    usable = isinstance(context, Mapping) and all(
        isinstance(text, str) for pair in context.items() for text in pair
    )
    if set(wanted) != {"EncryptionContext"} or not usable or context is None:
        raise _unusable("Not this request's to change", "EncryptionContext, a dict of texts")
    return dict(context)


def _client(client: Client, wanted: Mapping[str, Any]) -> Client:
    if len(wanted) != 1:
        raise _unusable(f"{len(wanted)} settings at once", "one, so that you know what mended it")
    name, value = next(iter(wanted.items()))
    if name not in CLIENT_SETTINGS:
        raise _unusable(f"no setting {name!r}", ", ".join(CLIENT_SETTINGS))
    if value not in CLIENT_SETTINGS[name]:
        values = ", ".join(map(repr, CLIENT_SETTINGS[name]))
        raise _unusable(f"{name} {value!r}", f"one of {values}")
    return replace(client, **{name: value})


def _unusable(found: str, expected: str) -> UsageError:
    return UsageError(found, expected=expected, where="repair", next="write it so")
