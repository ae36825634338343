"""Lesson 10, in the order in which it is printed: solutions, likely mistakes, a wrong prediction."""

from __future__ import annotations

KEY = '"kms:RecipientAttestation:PCR0"'
DENY = '"StringNotEqualsIgnoreCase"'

CAUSES = {
    1: "debug-mode",
    2: "no-recipient",
    3: "ifexists-deny",
    4: "rebuilt-image",
    5: "wrong-context",
    6: "swapped-envelope",
    7: "capitals",
    8: "skewed-clock",
    9: "two-denys",
    10: "wrong-role",
    11: "unsigned-image",
    12: "stale-document",
}

READ = 'policy = denials.ask({case}, "kms get-key-policy").value\ntext = policy["Statement"]\n'
MEASURE = (
    'now = denials.ask({case}, "nitro-cli describe-eif").value["Measurements"]["PCR0"]\n'
)
POLICY = 'change = {"policy": policy}'

CHANGES = {
    1: 'change = {"launch": {"debug_mode": False}}',
    2: 'change = {"client": {"attested": True}}',
    3: 'change = {"client": {"runs_in": "enclave"}}',
    4: READ.format(case=4)
    + MEASURE.format(case=4)
    + f'text[1]["Condition"]["StringEqualsIgnoreCase"][{KEY}] = now\n'
    + f'text[2]["Condition"][{DENY}][{KEY}] = now\n'
    + POLICY,
    5: 'change = {"request": {"EncryptionContext": {"dataset": "practice", "version": "1"}}}',
    6: "change = {\"client\": {\"opens_with\": \"document's key\"}}",
    7: READ.format(case=7)
    + 'equals = text[1]["Condition"]["StringEquals"]\n'
    + f"equals[{KEY}] = equals[{KEY}].lower()\n"
    + POLICY,
    8: 'change = {"client": {"clock_minutes": 0}}',
    9: READ.format(case=9)
    + f'both = [text[3]["Condition"][{DENY}][{KEY}], text[4]["Condition"][{DENY}][{KEY}]]\n'
    + f'text[3]["Condition"][{DENY}][{KEY}] = both\n'
    + "del text[4]\n"
    + POLICY,
    10: 'change = {"client": {"credentials": "instance"}}',
    11: 'change = {"launch": {"eif_path": "practice-signed.eif"}}',
    12: 'change = {"client": {"document": "each request"}}',
}


def answer(case: int, cause: str, change: str) -> str:
    return f'cause = "{cause}"\n{change}\ncheck.case_{case}(denials, cause, change)'


CLOSE_A = (
    READ.format(case='"A"')
    + 'keys = text[1]["Condition"].pop("StringEqualsIgnoreCaseIfExists")\n'
    + 'text[1]["Condition"]["StringEqualsIgnoreCase"] = keys\n'
    + 'deny = {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt"}\n'
    + f'condition = {{"Condition": {{{DENY}: keys}}}}\n'
    + 'policy["Statement"] = [*text, {**deny, "Resource": "*", **condition}]\n'
    + "check.closed_a(denials, policy)"
)
CLOSE_B = (
    READ.format(case='"B"')
    + f'pcr0 = text[2]["Condition"][{DENY}][{KEY}]\n'
    + f'text[2]["Condition"][{DENY}] = {{{KEY}: pcr0}}\n'
    + "check.closed_b(denials, policy)"
)

SOLUTIONS = {
    **{f"case-{case}": answer(case, CAUSES[case], CHANGES[case]) for case in CAUSES},
    "policy-a": CLOSE_A,
    "policy-b": CLOSE_B,
}

_CLIENT = 'change = {"client": {"document": "kept"}}'
_NOT_MENDED = {
    1: (_CLIENT, "The program still gets AccessDeniedException"),
    2: ('change = "attested"', "Not a change"),
    3: (READ.format(case=3) + "del text[3]\n" + POLICY, "a caller without a document"),
    4: (READ.format(case=4) + "del text[2]\n" + POLICY, "still gets AccessDeniedException"),
    5: ('change = {"request": {"EncryptionContext": {}}}', "still gets AccessDeniedException"),
    6: ('change = {"client": {"opens_with": "my key"}}', "one of \"document's key\", 'newest key'"),
    7: ('change = {"launch": {"eif_path": "other.eif"}}', "Not a launch"),
    8: ('change = {"client": {"clock_minutes": 0, "attested": True}}', "2 settings at once"),
    9: (READ.format(case=9) + "del text[3:]\n" + POLICY, "a caller without a document"),
    10: (_CLIENT, "because no resource-based policy allows"),
    11: ('change = {"policy": {"Statement": []}}', "KMS does not take this policy"),
    12: (_CLIENT, "The program still gets ValidationException"),
}
_NOT_IT = {
    1: ("rebuilt-image", "the PCR0 that runs would be another than the policy's"),
    2: ("wrong-role", "the caller's role would not be the Principal"),
    3: ("no-recipient", "the request from the enclave would have no Recipient"),
    4: ("debug-mode", "in the document would be zeros"),
    5: ("capitals", "the policy would hold A to F under StringEquals"),
    6: ("wrong-context", "would differ from that of GenerateDataKey"),
    7: ("misspelt-key", "a key that is not in AWS's list"),
    8: ("expired-credentials", "the code would be ExpiredTokenException"),
    9: ("rebuilt-image", "from the first digit on"),
    10: ("no-iam-permission", "because no identity-based policy allows"),
    11: ("unsigned", "none of the sixteen causes"),
    12: ("skewed-clock", "KMS would speak of the signature"),
}

MISTAKES = [
    entry
    for case, cause in CAUSES.items()
    for entry in (
        (f"case-{case}", answer(case, _NOT_IT[case][0], "change = ..."), f"case-{case}",
         _NOT_IT[case][1]),
        (f"case-{case}", answer(case, cause, "change = ..."), f"case-{case}", "Now mend it"),
        (f"case-{case}", answer(case, cause, _NOT_MENDED[case][0]), f"case-{case}",
         _NOT_MENDED[case][1]),
    )
]  # fmt: skip
MISTAKES += [
    ("policy-a", "check.closed_a(denials, 'a policy')", "policy-a", "Not a policy"),
    (
        "policy-a",
        READ.format(case='"A"') + "check.closed_a(denials, policy)",
        "policy-a",
        "is still answered",
    ),
    (
        "policy-b",
        READ.format(case='"B"') + "del text[1]\ncheck.closed_b(denials, policy)",
        "policy-b",
        "so is the one that you promised",
    ),
]

WRONG = {"explicit-deny": 1}
