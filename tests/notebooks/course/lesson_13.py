"""Lesson 13, as its learners answer it."""

from __future__ import annotations

_MINE = """
mine = AwsSettings(
    "eu-central-1", data_profile="acme-data", compute_profile="acme-compute",
    stop_after_minutes=60, given={"bucket": "acme-patients"},
)
"""
_SUM = """
made = plan(lesson.use(mine, "mine"), "0011223344556677", machine="x86_64")
once = sum(thing.hour for thing in made.things if thing.step == "P8")
rest = sum(thing.hour for thing in made.things if thing.step != "P8")
forgotten = once * made.settings.stop_after_minutes / 60 + rest * 730
"""
_PASS = """
statement = {
    "Effect": "Allow", "Action": "iam:PassRole", "Resource": policies.role_arn("instance"),
}
"""
_APART = """
apart = replace(one, compute_account="444455556666", compute_profile="acme-compute")
"""
_ORDER = """
order = ["instance", "security group", "buckets", "KMS keys",
         "instance profile", "other roles", "owner's role"]
"""

SOLUTIONS = {
    "write-settings": _MINE,
    "compute-forgotten": _SUM,
    "write-statement": _PASS,
    "repair-accounts": _APART,
    "sort-teardown": _ORDER,
}


def _mine(old: str, new: str, words: str) -> tuple[str, str, str, str]:
    return ("write-settings", _MINE.replace(old, new), "check-settings", words)


def _sum(line: str, words: str) -> tuple[str, str, str, str]:
    return ("compute-forgotten", f"{_SUM}\nforgotten = {line}", "check-forgotten", words)


def _pass(old: str, new: str, words: str) -> tuple[str, str, str, str]:
    return ("write-statement", _PASS.replace(old, new), "check-statement", words)


def _apart(line: str, words: str) -> tuple[str, str, str, str]:
    return ("repair-accounts", f"apart = {line}", "check-apart", words)


def _order(line: str, words: str) -> tuple[str, str, str, str]:
    return ("sort-teardown", f"{_ORDER}\norder = {line}", "check-order", words)


_ROLE = 'policies.role_arn("instance")'

MISTAKES = [
    _mine("eu-central-1", "us-east-1", "The region is us-east-1"),
    _mine('"acme-data", compute_profile="acme-compute"',
          '"acme-compute", compute_profile="acme-data"', "are swapped"),
    _mine('compute_profile="acme-compute",', "", "The profiles are acme-data and none"),
    _mine("stop_after_minutes=60,", "", "after 120 minutes"),
    _mine('given={"bucket": "acme-patients"},', "", "What is given: nothing"),
    ("write-settings", "mine = {'region': 'eu-central-1'}", "check-settings", "of type dict"),
    _sum("made.worst_month", "does not run for a month"),
    _sum("rest * 730", "These are the keys"),
    _sum("once + rest", "The keys stay when the instance is gone"),
    _sum("made.an_hour * 720", "for 30 days"),
    _sum("0", "runs for stop_after_minutes"),
    _sum("'much'", "not of the form that was asked for"),
    _pass(_ROLE, '"*"', "the account's most powerful role"),
    _pass('"iam:PassRole"', '"iam:*"', "rewrite what the instance's role may do"),
    _pass('"Allow"', '"Deny"', "Nobody may hand the instance's role to EC2"),
    _pass('"iam:PassRole"', '"ec2:RunInstances"', "Nobody may hand"),
    _pass(_ROLE, 'policies.role_arn("owner")', "Nobody may hand"),
    ("write-statement", "statement = 'allow it'", "check-statement", "cannot be looked at"),
    _apart("one", "rewrites who may become the owner"),
    _apart('replace(one, compute_account="444455556666")', "Two accounts on paper"),
    _apart('replace(one, compute_account="acme")', "An account is 12 digits"),
    _apart('replace(one, compute_account="")', "An account is 12 digits"),
    _apart('"two"', "of type str"),
    _order("order[::-1]", "DependencyViolation"),
    _order('[*order[:4], "other roles", "instance profile", "owner\'s role"]', "DeleteConflict"),
    _order('["owner\'s role", *order[:6]]', "nobody of 5 callers"),
    _order("order[:6]", "Each of the seven, once"),
]  # fmt: skip

WRONG = {"foreign-document": 1, "one-account": 1, "only-a-word": 1}
