"""Tags of keys: TagResource, UntagResource, ListResourceTags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nitro_workflow.cloud.local.call import Call, ServiceFault
from nitro_workflow.cloud.local.handler import Services
from nitro_workflow.cloud.local.kms import access, paging

__all__ = [
    "MAX_TAGS",
    "check",
    "list_resource_tags",
    "request_conditions",
    "tag_resource",
    "untag_resource",
]

Answer = Mapping[str, Any]
MAX_TAGS = 50


def tag_resource(services: Services, call: Call) -> Answer:
    """Add tags, or replace their values."""
    check(call.params["Tags"])
    wanted = {tag["TagKey"]: tag["TagValue"] for tag in call.params["Tags"]}
    key = access.manage(services, call, conditions=request_conditions(wanted))
    with services.store.transaction() as db:
        db.executemany(
            "INSERT INTO kms_tags VALUES (?, ?, ?)"
            " ON CONFLICT (key_id, name) DO UPDATE SET value = excluded.value",
            [(key.key_id, name, value) for name, value in wanted.items()],
        )
        rows = db.execute("SELECT name FROM kms_tags WHERE key_id = ?", (key.key_id,))
        check([{"TagKey": row["name"]} for row in rows])
    return {}


def untag_resource(services: Services, call: Call) -> Answer:
    """Remove tags; one that is not there is no error."""
    gone = list(call.params["TagKeys"])
    key = access.manage(services, call, conditions={"aws:TagKeys": gone})
    with services.store.transaction() as db:
        db.executemany(
            "DELETE FROM kms_tags WHERE key_id = ? AND name = ?",
            [(key.key_id, name) for name in gone],
        )
    return {}


def list_resource_tags(services: Services, call: Call) -> Answer:
    """List a key's tags."""
    key = access.manage(services, call, while_pending=True)
    page = paging.Page.of(call, default=50, most=50)
    rows = services.store.read().execute(
        "SELECT name, value FROM kms_tags WHERE key_id = ? AND name > ? ORDER BY name LIMIT ?",
        (key.key_id, page.after, page.limit + 1),
    )
    found = [{"TagKey": row["name"], "TagValue": row["value"]} for row in rows]
    return page.answer("Tags", found, lambda tag: str(tag["TagKey"]))


def check(tags: Sequence[Mapping[str, str]]) -> None:
    """Refuse duplicate keys, AWS's own prefix, and too many."""
    keys = [tag["TagKey"] for tag in tags]
    # Condition keys ignore case, so tags that differ in case alone could not be told apart.
    if len({key.lower() for key in keys}) != len(keys):
        raise ServiceFault("TagException", "Duplicate tag keys")
    if any(key.lower().startswith("aws:") for key in keys):
        raise ServiceFault("TagException", "Tag keys must not begin with aws:")
    if len(keys) > MAX_TAGS:
        raise ServiceFault("TagException", "Too many tags")


def request_conditions(wanted: Mapping[str, str]) -> dict[str, Any]:
    """Return the condition keys of tags in a request."""
    conditions: dict[str, Any] = {f"aws:RequestTag/{key}": value for key, value in wanted.items()}
    return conditions | ({"aws:TagKeys": list(wanted)} if wanted else {})
