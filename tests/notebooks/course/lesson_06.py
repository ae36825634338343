"""Lesson 06 as its learners run it."""

from __future__ import annotations

PCR = '"kms:RecipientAttestation:PCR'

_ALLOW = """
ours = {{
    "Sid": "OurImageDecrypts", "Effect": "Allow",
    "Principal": {{"AWS": lesson.arn("instance")}}, "Action": "kms:Decrypt", "Resource": "*",
    "Condition": condition,
}}
"""
_DENY = """
deny = {{
    "Sid": "NobodyElse", "Effect": "{effect}", "Principal": {principal},
    "Action": "{action}", "Resource": "*", "Condition": {condition},
}}
"""


def allow(condition: str) -> str:
    return f"condition = {condition}{_ALLOW.format()}"


def deny(
    condition: str,
    *,
    effect: str = "Deny",
    action: str = "kms:Decrypt",
    principal: str = '{"AWS": "*"}',
) -> str:
    return _DENY.format(effect=effect, principal=principal, action=action, condition=condition)


def judged(**changes: str) -> str:
    right = {
        "harbour": "no yes no",
        "lantern": "no yes yes",
        "meadow": "yes no no",
        "orchard": "no no no",
        "quarry": "yes yes yes",
    }
    return f"answers = {({**right, **changes})!r}"


def mended(statement: str) -> str:
    return f"""
harbour = lesson.policy("harbour").document()
harbour["Statement"][2] = {statement}
"""


NOT_OURS = f'{{"StringNotEqualsIgnoreCase": {{{PCR}0": pcrs["PCR0"]}}}}'
FENCE = '{"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*", '

SOLUTIONS = {
    "write-condition": allow(f'{{"StringEqualsIgnoreCase": {{{PCR}0": pcrs["PCR0"]}}}}'),
    "write-deny": deny(NOT_OURS),
    "judge": judged(),
    "repair-harbour": mended(f'{FENCE}"Condition": {NOT_OURS}}}'),
}

WRONG = {"pin-pcr1": 1, "owner-without-document": 3}


def _conditions() -> list[tuple[str, str, str, str]]:
    table = {
        f'{{"StringEquals": {{{PCR}1": pcrs["PCR1"]}}}}': "it has your kernel",
        f'{{"StringEquals": {{{PCR}2": pcrs["PCR2"]}}}}': "on a kernel you never saw",
        f'{{"StringLike": {{{PCR}0": "*"}}}}': "Any enclave gets in",
        f'{{"Null": {{{PCR}0": "false"}}}}': "Any enclave gets in",
        f'{{"StringEqualsIfExists": {{{PCR}0": pcrs["PCR0"]}}}}': "satisfied by nothing",
        f'{{"StringNotEquals": {{{PCR}0": pcrs["PCR0"]}}}}': "Upside down",
        "{}": "No condition at all",
        f'{{"StringEquals": {{{PCR}0": pcrs["PCR0"].upper()}}}}': "you wrote capitals",
        '{"StringEquals": {"PCR0": pcrs["PCR0"]}}': "no request carries a key named PCR0",
        f'{{"StringEquals": {{{PCR}0": [pcrs["PCR0"], "0" * 96]}}}}': "A debug enclave gets in",
        'pcrs["PCR0"]': "cannot be looked at",
        "{...: 1}": "",
        "None": "",
    }
    return [
        ("write-condition", allow(made), "check-condition", words) for made, words in table.items()
    ]


def _denies() -> list[tuple[str, str, str, str]]:
    pcr0 = f'{{{PCR}0": pcrs["PCR0"]}}'
    three = f'{{{PCR}0": pcrs["PCR0"], {PCR}1": pcrs["PCR1"], {PCR}2": pcrs["PCR2"]}}'
    absent = f'{{{PCR}0": "true"}}'
    present = f'{{{PCR}0": "false"}}'
    table = {
        deny("{}"): "your enclave included",
        deny(f'{{"StringEquals": {pcr0}}}'): "Upside down",
        deny(f'{{"StringNotEquals": {three}}}'): "joined by and",
        deny(f'{{"Null": {absent}}}'): "Only requests without a document are stopped",
        deny(f'{{"Null": {absent}, "StringNotEquals": {pcr0}}}'): "now only absence is stopped",
        deny(f'{{"Null": {present}, "StringNotEquals": {pcr0}}}'): "the laptop still gets the key",
        deny(f'{{"ForAnyValue:StringNotEquals": {pcr0}}}'): "ForAnyValue is false",
        deny(NOT_OURS, principal='{"AWS": lesson.arn("instance")}'): "You fence in the one",
        deny(NOT_OURS, action="kms:Encrypt"): "which action gives the plaintext?",
        deny(NOT_OURS, action="kms:*"): "Nobody could ever change this policy again",
        deny(NOT_OURS, effect="Allow"): "it opens what you meant to close",
        deny(NOT_OURS, principal="..."): "Still to fill in: Principal.",
        "deny = None": "cannot be looked at",
    }
    return [("write-deny", made, "check-deny", words) for made, words in table.items()]


MISTAKES = [
    *_conditions(),
    *_denies(),
    ("judge", judged(harbour="no no no"), "check-answers", "your PCR1"),
    ("judge", judged(quarry="no no no"), "check-answers", "who got a grant?"),
    ("judge", judged(meadow="perhaps"), "check-answers", "three times"),
    ("judge", 'answers = "no yes no"', "check-answers", "Answer by name"),
    (
        "repair-harbour",
        mended(f'{FENCE}"Condition": {{"StringNotEquals": {{{PCR}1": pcrs["PCR1"]}}}}}}'),
        "check-closed",
        "open to an image with your kernel",
    ),
    (
        "repair-harbour",
        mended(f'{FENCE}"Condition": {{"StringEquals": {{{PCR}0": pcrs["PCR0"]}}}}}}'),
        "check-closed",
        "Upside down",
    ),
    ("repair-harbour", mended("None"), "check-closed", "cannot be looked at"),
]
