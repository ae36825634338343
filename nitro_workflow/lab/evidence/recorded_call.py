"""A call that another process made, as the cloud recorded it: what the enclave or the parent asked.

The cloud's record has AWS's own form (CloudTrail's ``requestParameters``): blobs are lengths and
digests, and an answer holds no plaintext, since the record holds none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nitro_workflow.lab.call_record import CallRecord
from nitro_workflow.lab.cut_values import cut_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitro_workflow.lab.workbench import Workbench

__all__ = ["note_event_call", "recorded_call"]


def note_event_call(bench: Workbench, event: Mapping[str, Any], *, party: str) -> None:
    """Take the call of a record for the step that is running."""
    service = str(event.get("eventSource", "")).partition(".")[0]
    model = bench.parties.session("owner").client(service).meta.service_model
    operation = model.operation_model(str(event["eventName"]))
    bench.calls.add(recorded_call(event, operation, party=party))


def recorded_call(event: Mapping[str, Any], model: Any, *, party: str) -> CallRecord:
    """Return the call of a CloudTrail record; ``model`` is botocore's, of the operation."""
    parameters = _named(event.get("requestParameters") or {}, model.input_shape)
    extra = event.get("additionalEventData") or {}
    body: dict[str, Any] = dict(event.get("responseElements") or {})
    if envelope := extra.get("envelope"):
        body["CiphertextForRecipient"] = {
            name: envelope[name] for name in ("bytes", "sha256") if name in envelope
        }
    error = str(event.get("errorCode") or "")
    if error:
        body = {"__type": error, "message": str(event.get("errorMessage") or "")}
    return CallRecord(
        kind="aws",
        party=party,
        service=str(model.service_model.service_name),
        operation=str(model.name),
        parameters=cut_value(parameters, model.input_shape),
        answer={
            "headers": {"x-amzn-RequestId": str(event.get("requestID", ""))},
            "body": cut_value(body, model.output_shape),
        },
        error=error,
        source="the cloud's record of it",
        at=str(event.get("eventTime", "")),
    )


def _named(value: Any, shape: Any) -> Any:
    """Return the parameters with the API's names: CloudTrail writes their first letter small."""
    members = getattr(shape, "members", None)
    if not isinstance(value, dict) or not members:
        return value
    known = {name.lower(): name for name in members}
    named = {known[name.lower()]: one for name, one in value.items() if name.lower() in known}
    return {name: _named(one, members[name]) for name, one in named.items() if one not in ([], {})}
