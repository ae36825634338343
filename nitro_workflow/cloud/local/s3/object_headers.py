"""What a client says of an object beside its bytes: kept and given back, or refused by name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from nitro_workflow.cloud.local.call import Call, ServiceFault

__all__ = [
    "check_key",
    "check_tags",
    "existing_tags",
    "given_headers",
    "no_acls",
    "not_implemented",
    "read_tagging",
    "refuse_acl",
    "refuse_another_owner",
    "refuse_not_done",
    "request_tags",
    "stored_headers",
    "write_context",
]

_MAX_KEY_BYTES = 1024  # S3: an object key, in UTF-8
_MAX_METADATA_BYTES = 2048  # S3: user metadata, names and values together
_MAX_TAGS = 10  # S3: tags of one object
_TAG_LENGTHS = {"Key": 128, "Value": 256}  # S3: characters
# XML 1.0 §2.2: what no answer of S3 that names the key could carry.
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_HEADERS = (
    *("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType"),
    *("Expires", "Metadata", "WebsiteRedirectLocation"),
)
# What a client asks for so that its object is safer; this cloud has none of it.
_SAFEGUARDS = (
    *("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5", "SSEKMSKeyId"),
    *("SSEKMSEncryptionContext", "ObjectLockMode", "ObjectLockRetainUntilDate"),
    *("ObjectLockEventHold", "ObjectLockEventHoldDurationDays"),
    *("ObjectLockEventHoldDurationYears", "CopySourceSSECustomerAlgorithm"),
    *("CopySourceSSECustomerKey", "CopySourceSSECustomerKeyMD5"),
)
# Bucket owner enforced, as every new bucket of S3: these say what is so anyway.
_CANNED = frozenset({"private", "bucket-owner-full-control"})
_GRANTS = ("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP")


def check_key(key: str) -> None:
    """Refuse a key that S3 refuses, or that no answer in XML could name.

    Raises `ServiceFault`: KeyTooLongError, InvalidURI.
    """
    size = len(key.encode("utf-8", "surrogatepass"))
    if size > _MAX_KEY_BYTES:
        members = {"Size": size, "MaxSizeAllowed": _MAX_KEY_BYTES}
        raise ServiceFault("KeyTooLongError", "Your key is too long", 400, members)
    found = _NO_XML.search(key)
    if found:
        text = f"This cloud keeps no key with U+{ord(found[0]):04X}: XML 1.0 cannot name it."
        raise ServiceFault("InvalidURI", text, 400)


def refuse_not_done(params: Mapping[str, Any]) -> None:
    """Refuse to keep in clear, deletable or open what its owner wanted otherwise.

    ``AES256`` is what S3 does at rest by itself, with a key that it gives to nobody.

    Raises `ServiceFault`: NotImplemented, AccessControlListNotSupported, InvalidStorageClass.
    """
    named = [name for name in _SAFEGUARDS if params.get(name)]
    if params.get("ServerSideEncryption", "AES256") != "AES256":
        named.insert(0, "ServerSideEncryption")
    if params.get("ObjectLockLegalHoldStatus") == "ON":
        named.append("ObjectLockLegalHoldStatus")
    if "WriteOffsetBytes" in params:  # 0 too: whoever appends wants to keep what is there
        named.append("WriteOffsetBytes")
    if named:
        raise not_implemented(named[0])
    refuse_acl(params)
    kind = params.get("StorageClass", "STANDARD")
    if kind != "STANDARD":
        text = f"The storage class {kind} is not done: this cloud keeps objects as STANDARD."
        raise ServiceFault("InvalidStorageClass", text, 400, {"StorageClassRequested": kind})


def refuse_acl(params: Mapping[str, Any]) -> None:
    """Refuse to grant anything by a new object's ACL; two canned ones grant nothing to others.

    Raises `ServiceFault`: AccessControlListNotSupported.
    """
    if params.get("ACL", "private") not in _CANNED or any(params.get(n) for n in _GRANTS):
        raise no_acls()


def refuse_another_owner(call: Call, account: str) -> None:
    """Refuse ``private`` of another account than the bucket's: the object would be its own alone.

    Of the bucket's account it says the same as ``bucket-owner-full-control``, which S3 takes (User
    Guide, "Controlling ownership of objects": "an equivalent form of this ACL").

    Raises `ServiceFault`: AccessControlListNotSupported.
    """
    if call.params.get("ACL") == "private" and call.caller.account != account:
        raise no_acls()


def no_acls() -> ServiceFault:
    """Return S3's refusal of an ACL where the bucket's owner is enforced."""
    return ServiceFault("AccessControlListNotSupported", "The bucket does not allow ACLs", 400)


def not_implemented(header: str) -> ServiceFault:
    """Return S3's refusal of a header that asks for what is not done."""
    text = f"A header you provided implies functionality that is not implemented: {header}"
    return ServiceFault("NotImplemented", text, 501, {"Header": header})


def stored_headers(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return what S3 gives back with an object, as JSON: content headers, metadata, tags.

    Raises `ServiceFault`: MetadataTooLarge, InvalidArgument for tags that are none.
    """
    kept = {name: params[name] for name in _HEADERS if name in params}
    # aws-chunked says how the request was sent, not what the object is (S3 API Reference).
    codings = [c.strip() for c in kept.pop("ContentEncoding", "").split(",")]
    encoding = ",".join(c for c in codings if c and c != "aws-chunked")
    if encoding:
        kept["ContentEncoding"] = encoding
    _check_metadata(kept.get("Metadata", {}))
    tags = read_tagging(params.get("Tagging", ""))
    return kept | ({"Tags": tags} if tags else {})


def given_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of S3's answers for what `stored_headers` kept."""
    shape = {name: headers[name] for name in _HEADERS if name in headers}
    if headers.get("Tags"):
        shape["TagCount"] = len(headers["Tags"])
    return shape


def _check_metadata(metadata: Mapping[str, str]) -> None:
    size = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size > _MAX_METADATA_BYTES:
        members = {"Size": size, "MaxSizeAllowed": _MAX_METADATA_BYTES}
        text = "Your metadata headers exceed the maximum allowed metadata size"
        raise ServiceFault("MetadataTooLarge", text, 400, members)


def read_tagging(text: str) -> dict[str, str]:
    """Return the tags of an ``x-amz-tagging`` header (``a=1&b=2``, percent-encoded).

    Raises `ServiceFault`: InvalidArgument, InvalidTag, BadRequest.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_TAGS + 1)
    except ValueError:
        raise _too_many_tags(_MAX_TAGS) from None
    if len(dict(pairs)) != len(pairs):
        told = (
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
            "parameters without tag name duplicates."
        )
        raise ServiceFault("InvalidArgument", told, 400, {"ArgumentName": "x-amz-tagging"})
    return check_tags([{"Key": key, "Value": value} for key, value in pairs])


def check_tags(tags: Sequence[Mapping[str, str]], most: int = _MAX_TAGS) -> dict[str, str]:
    """Return tags as a mapping, within S3's limits.

    Raises `ServiceFault`: BadRequest for too many, InvalidTag for one that is not allowed.
    """
    if len(tags) > most:
        raise _too_many_tags(most)
    if len({tag["Key"] for tag in tags}) != len(tags):
        raise ServiceFault("InvalidTag", "Cannot provide multiple Tags with the same key")
    for tag in tags:
        for name, longest in _TAG_LENGTHS.items():
            text = tag[name]
            if len(text) > longest or not all(map(_in_tags, text)) or (name == "Key" and not text):
                told = f"The Tag{name} you have provided is invalid"
                raise ServiceFault("InvalidTag", told, 400, {"TagKey": tag["Key"]})
        if tag["Key"].lower().startswith("aws:"):
            raise ServiceFault("InvalidTag", "System tags cannot be added or updated by requester")
    return {tag["Key"]: tag["Value"] for tag in tags}


def _in_tags(letter: str) -> bool:
    """Whether a tag may hold this (S3 User Guide, "Categorizing your objects using tags")."""
    return letter in "+-=._:/@" or unicodedata.category(letter)[0] in "LNZ"


def _too_many_tags(most: int) -> ServiceFault:
    return ServiceFault("BadRequest", f"Tags cannot be greater than {most}", 400)


# Condition keys of a write (Service Authorization Reference, "Amazon S3").
_CONTEXT = {
    "ACL": "s3:x-amz-acl",
    "CopySource": "s3:x-amz-copy-source",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "StorageClass": "s3:x-amz-storage-class",
}


def write_context(call: Call) -> dict[str, Any]:
    """Return the condition keys of a write: what its headers ask for.

    Raises `ServiceFault`: a tagging header that is none.
    """
    context: dict[str, Any] = {
        key: str(call.params[name]) for name, key in _CONTEXT.items() if name in call.params
    }
    creates = call.operation not in ("CreateMultipartUpload", "UploadPart", "UploadPartCopy")
    context["s3:ObjectCreationOperation"] = str(creates).lower()
    return context | request_tags(read_tagging(call.params.get("Tagging", "")))


def request_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    """Return the condition keys of tags in a request."""
    named: dict[str, Any] = {f"s3:RequestObjectTag/{key}": value for key, value in tags.items()}
    return named | ({"s3:RequestObjectTagKeys": list(tags)} if tags else {})


def existing_tags(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the condition keys of tags that an object has."""
    return {f"s3:ExistingObjectTag/{key}": value for key, value in tags}
