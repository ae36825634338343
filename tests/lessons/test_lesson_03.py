"""Lesson 03's engine: a statement of a bucket policy, tried with requests nobody thought of."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.lessons.checks.bucket_statements import Reading, judge_reading
from nitro_workflow.lessons.practice_reader import open_reader

ASKED = Reading("arn:aws:iam::444455556666:role/PracticeReader", "records", "111122223333")
OBJECTS = "arn:aws:s3:::records/practice/1/*"


def made(**changes):
    return ASKED.finished() | changes


RIGHT = [
    made(),
    made(Principal={"AWS": [ASKED.reader]}),
    made(Action=["s3:GetObject", "s3:GetObjectVersion"]),
    made(Resource=[OBJECTS]),
    made(Condition={"StringEquals": {"aws:SecureTransport": "true"}}),
    made(Condition={"BoolIfExists": {"aws:SecureTransport": "true"}}),
]
WRONG = [
    (made(Principal="*"), "Everybody gets in"),
    (made(Principal={"AWS": "444455556666"}), "you named the account"),
    (made(Principal={"AWS": "arn:aws:iam::444455556666:root"}), "you named the account"),
    (made(Principal={"AWS": "arn:aws:iam::444455556666:role/Other"}), "Look at Principal"),
    (made(Condition={}), "without TLS"),
    (made(Condition={"Null": {"aws:SecureTransport": "false"}}), "without TLS"),
    (made(Condition={"Bool": {"aws:SecureTransport": "false"}}), "Look at Condition"),
    (made(Resource="arn:aws:s3:::records/*"), "The whole bucket"),
    (made(Resource="arn:aws:s3:::records/practice/1*"), "end it with /"),
    (made(Resource="arn:aws:s3:::other/practice/1/*"), "Look at Resource"),
    (made(Action="s3:*"), "may also s3:PutObject"),
    (made(Action="s3:Get*"), "may also s3:GetObjectTagging"),
    (made(Action="s3:Put*", Resource=OBJECTS[:-1]), "More than one field"),
    (made(Action="s3:GetObjectVersion"), "Look at Action"),
    (made(Action=["s3:GetObject", "s3:DeleteObject"]), "may also s3:DeleteObject"),
    (
        made(Action=["s3:GetObject", "s3:ListBucket"], Resource=[OBJECTS, "arn:aws:s3:::records"]),
        "may also s3:ListBucket",
    ),
    (made(Effect="Deny"), "Look at Effect"),
]


@pytest.mark.parametrize("statement", RIGHT)
def test_a_right_statement(statement):
    assert judge_reading(statement, ASKED).outcome == "right"


@pytest.mark.parametrize(("statement", "words"), WRONG)
def test_a_wrong_statement_is_told_where_to_look(statement, words):
    said = judge_reading(statement, ASKED)
    assert said.outcome == "wrong"
    assert words in said.text


def test_nothing_is_made_on_aws_for_practice():
    bench = SimpleNamespace(
        cloud=SimpleNamespace(kind="aws"), policies=SimpleNamespace(account=lambda _: "4")
    )
    with pytest.raises(UsageError, match="a lab on AWS"):
        open_reader(SimpleNamespace(bench=bench))
