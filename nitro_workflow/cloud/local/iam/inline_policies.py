"""Inline policies of users and roles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Handler, Services
from nitro_workflow.cloud.local.iam.iam_common import (
    check_document,
    entity_row,
    page,
    url_encoded,
)

__all__ = ["OPERATIONS"]

_Half = Callable[[Services, Call, str], Mapping[str, Any]]


def _put(services: Services, call: Call, kind: str) -> Mapping[str, Any]:
    row = entity_row(services, call, kind.lower(), call.params[f"{kind}Name"])
    check_document(call.params["PolicyDocument"], "identity")
    values = (row["arn"], call.params["PolicyName"], call.params["PolicyDocument"])
    with services.store.transaction() as db:
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
