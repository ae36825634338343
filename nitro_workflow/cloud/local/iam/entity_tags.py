"""Tags of roles and users: TagRole, UntagRole, ListRoleTags, and the same of users."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.iam.iam_common import (
    check_tags,
    entity_row,
    page,
    request_tags,
    require_entity,
)

__all__ = ["OPERATIONS"]

_Half = Callable[[Services, Call, str], Mapping[str, Any]]


def _tag(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    given = check_tags(call.params["Tags"])
    return _change(services, call, kind, given, request_tags(given))


def _untag(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    names = list(call.params["TagKeys"])
    return _change(services, call, kind, dict.fromkeys(names), {"aws:TagKeys": names})


def _change(
    services: Services,
    call: Call,
    kind: str,
    changes: Mapping[str, str | None],
    context: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Put the tags, and take those away whose value is None. IAM's tag keys ignore case."""
    row = entity_row(services, call, kind.lower(), call.params[f"{kind}Name"], context)
    with services.store.transaction() as db:
        require_entity(db, row)
        query = "SELECT tags FROM entities WHERE arn = ?"
        found = db.execute(query, (row["arn"],)).fetchone()
        tags = {tag["Key"]: tag["Value"] for tag in json.loads(found["tags"])}
        gone = {name.lower() for name in changes}
        kept = {name: value for name, value in tags.items() if name.lower() not in gone}
        kept |= {name: value for name, value in changes.items() if value is not None}
        listed = [{"Key": name, "Value": value} for name, value in kept.items()]
        check_tags(listed)
        query = "UPDATE entities SET tags = ? WHERE arn = ?"
        db.execute(query, (json.dumps(listed), row["arn"]))
    return {}


def _list(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row = entity_row(services, call, kind.lower(), call.params[f"{kind}Name"])
    return page(call, json.loads(row["tags"]), "Tags")


def _of(half: _Half, kind: str) -> Handler:
    return lambda services, call: half(services, call, kind)


OPERATIONS: Mapping[str, Handler] = {
    name.format(kind): _of(half, kind)
    for kind in ("Role", "User")
    for name, half in (("Tag{}", _tag), ("Untag{}", _untag), ("List{}Tags", _list))
}
