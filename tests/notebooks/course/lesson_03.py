"""Lesson 03, as its learners answer it."""

from __future__ import annotations

_SEES = """
sees = {
    "the rows": "no", "how many bytes": "yes", "data set and version": "yes",
    "whose KMS key opens it": "yes", "the plain data key": "no",
}
"""
_STATEMENT = """
statement = {
    "Sid": "ReaderGetsTheCiphertext", "Effect": "Allow",
    "Principal": {"AWS": reader.arn},
    "Action": ["s3:GetObject"],
    "Resource": f"arn:aws:s3:::{bucket}/practice/1/*",
    "Condition": {"Bool": {"aws:SecureTransport": "true"}},
}
"""
_COUNT = 'consents = {"same account": 1, "other account": 2}'
_FIRST = 'first = s3.get_object(**wanted, VersionId=versions[-1]["VersionId"])["Body"].read()'

SOLUTIONS = {
    "judge-sees": _SEES,
    "write-statement": _STATEMENT,
    "count-consents": _COUNT,
    "read-first": _FIRST,
}


def _sees(name: str, said: str) -> tuple[str, str, str]:
    return ("judge-sees", f"{_SEES}\nsees[{name!r}] = {said!r}", "check-sees")


def _statement(field: str, made: str) -> tuple[str, str, str]:
    return ("write-statement", f"{_STATEMENT}\nstatement[{field!r}] = {made}", "check-statement")


def _count(old: str, new: str) -> tuple[str, str, str]:
    return ("count-consents", _COUNT.replace(old, new), "check-consents")


def _first(source: str) -> tuple[str, str, str]:
    return ("read-first", f"first = {source}", "check-first")


_ARN = 'f"arn:aws:s3:::{bucket}/'

MISTAKES = [
    (*_sees("the rows", "yes"), "first line of the file"),
    (*_sees("how many bytes", "no"), "What does head_object answer"),
    (*_sees("data set and version", "no"), "in clear?"),
    (*_sees("whose KMS key opens it", "no"), "stands its ARN"),
    (*_sees("the plain data key", "yes"), "Only KMS could open"),
    (*_sees("the rows", "perhaps"), "neither yes nor no"),
    ("judge-sees", "sees = {}", "check-sees", "not of the form"),
    (*_statement("Principal", 'lesson.arn("instance")'), "cannot be looked at"),
    (*_statement("Principal", '{"AWS": lesson.arn("instance")}'), "Look at Principal"),
    (*_statement("Principal", '"*"'), "Everybody gets in"),
    (*_statement("Principal", '{"AWS": reader.arn.split(":")[4]}'), "you named the account"),
    (*_statement("Action", '"s3:*"'), "may also s3:PutObject"),
    (*_statement("Action", '["s3:GetObject", "s3:DeleteObject"]'), "may also s3:DeleteObject"),
    (*_statement("Action", '"s3:Get"'), "Look at Action"),
    (*_statement("Resource", f'{_ARN}*"'), "The whole bucket is open"),
    (*_statement("Resource", f'{_ARN}practice/1*"'), "a prefix is text"),
    (*_statement("Resource", f'{_ARN}practice/1/"'), "Look at Resource"),
    (*_statement("Resource", 'f"arn:aws:s3:::{bucket}"'), "Look at Resource"),
    (*_statement("Condition", "{}"), "without TLS, too"),
    (*_statement("Condition", '{"Bool": {"aws:SecureTransport": "false"}}'), "Look at Condition"),
    (*_statement("Effect", '"Deny"'), "Look at Effect"),
    ("write-statement", "statement = 'allow'", "check-statement", "cannot be looked at"),
    (*_count("1", "2"), "which bucket policy named the owner"),
    (*_count(": 2", ": 1"), "Who said no in the last two refusals"),
    ("count-consents", "consents = 2", "check-consents", "not of the form"),
    (*_first('s3.get_object(**wanted)["Body"].read()'), "the newest bytes"),
    (*_first('s3.get_object(**wanted, VersionId=versions[-1]["VersionId"])'), "the whole answer"),
    (*_first('versions[-1]["VersionId"]'), "no version of it"),
]

WRONG = {"whose-consent": 1, "iam-side-gone": 2, "presigned": 1}
