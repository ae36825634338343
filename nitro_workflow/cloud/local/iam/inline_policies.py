"""Inline policies of users and roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.iam.iam_common import (
    INLINE_SIZES,
    check_document,
    check_size,
    entity_row,
    letters_of,
    page,
    require_entity,
    url_encoded,
)

__all__ = ["OPERATIONS"]

_Half = Callable[[Services, Call, str], Mapping[str, Any]]


def _put(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row = entity_row(services, call, kind.lower(), call.params[f"{kind}Name"])
    name, document = call.params["PolicyName"], call.params["PolicyDocument"]
    quota = INLINE_SIZES[kind.lower()]
    check_size(document, quota)
    check_document(document, "identity")
    values = (row["arn"], name, document)
    with services.store.transaction() as db:
        require_entity(db, row)
        query = "SELECT document FROM inline_policies WHERE entity = ? AND name != ?"
        others = db.execute(query, (row["arn"], name)).fetchall()
        if (
            letters_of(document) + sum(letters_of(other["document"]) for other in others)
            > quota.most
        ):
            whom = f"{kind.lower()} {row['name']}"
            text = f"Maximum policy size of {quota.most} bytes exceeded for {whom}"
            raise ServiceFault("LimitExceeded", text, 409)
        db.execute("INSERT OR REPLACE INTO inline_policies VALUES (?, ?, ?)", values)
    return {}


def _get(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row = entity_row(services, call, kind.lower(), call.params[f"{kind}Name"])
    name = call.params["PolicyName"]
    query = "SELECT document FROM inline_policies WHERE entity = ? AND name = ?"
    found = services.store.read().execute(query, (row["arn"], name)).fetchone()
    if found is None:
        raise _no_policy(kind, name)
    return {
        f"{kind}Name": row["name"],
        "PolicyName": name,
        "PolicyDocument": url_encoded(found["document"]),
    }


def _list(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row = entity_row(services, call, kind.lower(), call.params[f"{kind}Name"])
    query = "SELECT name FROM inline_policies WHERE entity = ? ORDER BY name"
    rows = services.store.read().execute(query, (row["arn"],)).fetchall()
    return page(call, [item["name"] for item in rows], "PolicyNames")


def _delete(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row = entity_row(services, call, kind.lower(), call.params[f"{kind}Name"])
    name = call.params["PolicyName"]
    with services.store.transaction() as db:
        query = "DELETE FROM inline_policies WHERE entity = ? AND name = ?"
        if db.execute(query, (row["arn"], name)).rowcount == 0:
            raise _no_policy(kind, name)
    return {}


def _no_policy(kind: str, name: str) -> ServiceFault:
    return ServiceFault(
        "NoSuchEntity", f"The {kind.lower()} policy with name {name} cannot be found.", 404
    )


def _of(half: _Half, kind: str) -> Handler:
    return lambda services, call: half(services, call, kind)


OPERATIONS: Mapping[str, Handler] = {
    f"{verb}{kind}{noun}": _of(half, kind)
    for kind in ("Role", "User")
    for verb, noun, half in (
        ("Put", "Policy", _put),
        ("Get", "Policy", _get),
        ("List", "Policies", _list),
        ("Delete", "Policy", _delete),
    )
}
