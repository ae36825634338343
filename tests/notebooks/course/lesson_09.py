"""Lesson 09 as its learners run it."""

from __future__ import annotations

PCR = "kms:RecipientAttestation:PCR"

_MEANS = {
    "put-key-policy": "own",
    "assume-owner": "own",
    "decrypt-without-document": "role",
    "decrypt-other-root": "role",
    "replayed-request": "role",
    "own-kms": "machine",
    "tampered-ciphertext": "machine",
    "read-enclave-through-proc": "machine",
}
_OUTCOMES = {
    "put-bucket-policy": "refused",
    "owner-decrypt": "refused",
    "decrypt-wrong-context": "refused",
    "replayed-request": "useless",
    "image-truncated": "refused",
    "read-enclave-through-proc": "refused",
    "tampered-ciphertext": "refused",
    "other-dataset": "refused",
    "old-version": "detected",
    "replayed-receipt": "detected",
}


def means(**changes: str) -> str:
    return f"means = {_MEANS | {name.replace('_', '-'): said for name, said in changes.items()}!r}"


def outcomes(**changes: str) -> str:
    changed = {name.replace("_", "-"): said for name, said in changes.items()}
    return f"outcomes = {_OUTCOMES | changed!r}"


def request(
    key: str = "lesson.key_arn()",
    blob: str = 'lesson.bytes("data-key")',
    context: str = '{"dataset": "customers", "version": "1"}',
    more: str = "",
) -> str:
    return (
        f'request = {{"KeyId": {key}, "CiphertextBlob": {blob}, '
        f'"EncryptionContext": {context}{more}}}'
    )


def weak(policy: str) -> str:
    return f'import json\npcrs = key.images["practice.eif"]\nweak = {policy}'


def statements(*which: str) -> str:
    return f'{{**sound, "Statement": [{", ".join(which)}]}}'


def fence(statement: str) -> str:
    return f"""
fence = {statement}
mended = {{**weakened, "Statement": [*weakened["Statement"], fence]}}
"""


def deny(condition: str, *, effect: str = "Deny", principal: str = "*") -> str:
    return (
        f'{{"Effect": "{effect}", "Principal": {{"AWS": "{principal}"}}, "Action": "kms:Decrypt", '
        f'"Resource": "*", "Condition": {condition}}}'
    )


OWNER, ALLOW, DENY = (f'sound["Statement"][{place}]' for place in range(3))
ANYWHERE = f'{{**{ALLOW}, "Condition": {{}}}}'
SAME_KERNEL = (
    'json.loads(json.dumps(sound).replace("PCR0", "PCR1").replace(pcrs["PCR0"], pcrs["PCR1"]))'
)
NOT_OURS = f'{{"StringNotEqualsIgnoreCase": {{"{PCR}0": pcrs["PCR0"]}}}}'

SOLUTIONS = {
    "sort-means": means(),
    "guess-outcomes": outcomes(),
    "write-theft": request(),
    "write-weak": weak(SAME_KERNEL),
    "write-fence": fence(deny(NOT_OURS)),
}

WRONG = {"genuine-document": 1, "own-key": 1, "deny-out": 1}

MISTAKES = [
    ("sort-means", means(put_key_policy="role"), "check-means", "not one that the instance's role"),
    ("sort-means", means(own_kms="own"), "check-means", "no call to AWS"),
    ("sort-means", means(replayed_request="machine"), "check-means", "which credentials"),
    ("sort-means", means(own_kms="root"), "check-means", "is none of own, role, machine"),
    ("sort-means", 'means = {"put-key-policy": "own"}', "check-means", "Still to say"),
    ("sort-means", 'means = ["own"]', "check-means", "not of the form"),
    (
        "guess-outcomes",
        outcomes(replayed_request="refused"),
        "check-outcomes",
        "What did the attacker have in the end?",
    ),
    ("guess-outcomes", outcomes(old_version="useless"), "check-outcomes", "Who looks at that?"),
    ("guess-outcomes", outcomes(other_dataset="detected"), "check-outcomes", "Somebody said no"),
    ("guess-outcomes", outcomes(other_dataset="denied"), "check-outcomes", "is none of refused"),
    ("guess-outcomes", "outcomes = None", "check-outcomes", "not of the form"),
    (
        "write-theft",
        request(more=', "Recipient": {"AttestationDocument": b"x"}'),
        "check-theft",
        "three members are enough",
    ),
    (
        "write-theft",
        request(context='{"dataset": "customers"}'),
        "check-theft",
        "not for the missing document",
    ),
    ("write-theft", request(context='"customers"'), "check-theft", "boto3 does not send it"),
    ("write-theft", request(blob='b"guess"'), "check-theft", "KMS said InvalidCiphertextException"),
    ("write-theft", "request = 3", "check-theft", "not of the form"),
    ("write-weak", weak(statements(OWNER, ALLOW)), "check-weak", "No Allow says yes yet"),
    ("write-weak", weak("sound"), "check-weak", "The Deny still stands in the way"),
    ("write-weak", weak(statements(OWNER)), "check-weak", "your own image is refused, too"),
    (
        "write-weak",
        weak(statements(OWNER, f'{{**{ANYWHERE}, "Principal": {{"AWS": "*"}}}}')),
        "check-weak",
        "Too much",
    ),
    ("write-weak", weak(statements(ALLOW)), "check-weak", "KMS does not take it"),
    ("write-weak", weak('"none"'), "check-weak", "KMS does not take it"),
    (
        "write-fence",
        fence(deny(f'{{"StringNotEquals": {{"{PCR}1": pcrs["PCR1"]}}}}')),
        "check-fence",
        "another image still gets the key",
    ),
    ("write-fence", fence(deny("{}")), "check-fence", "Whom do you deny?"),
    ("write-fence", fence("None"), "check-fence", "KMS does not take it"),
]
