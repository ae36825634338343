"""Lesson 11: solutions, likely mistakes with what is said to them, wrong predictions."""

from __future__ import annotations

P = "kms:RecipientAttestation:"
ORDER = 'order = ["policy: both", "start new", "end old", "policy: new only"]\ncheck.order(order)'
PCR8 = (
    "import hashlib\n"
    "inner = hashlib.sha384(certificate).digest()\n"
    "pcr8 = hashlib.sha384(bytes(48) + inner).hexdigest()\n"
)
ROTATED = (
    'rotated = {{"tomorrow\'s data key": True, "yesterday\'s data key": {old}, '
    '"the file in S3": False}}\ncheck.rotated(rotated)'
)
RECALLED = (
    'recalled = {{"the next Decrypt": True, "a data key open in an enclave": {memory}, '
    '"a result already delivered": False, "a grant made before": True}}\n'
    "check.recalled(recalled)"
)
HEX = (
    "import base64\n"
    'seen = base64.b64decode(recipient["attestationDocumentEnclaveImageDigest"])\n'
)
OFFSET = (
    "from datetime import datetime\n"
    'clock, document = (datetime.fromisoformat(times[n]) for n in ("clock", "document"))\n'
)
PATTERN = (
    'pattern = {{{source}"detail-type": ["AWS API Call via CloudTrail"], "detail": '
    '{{"eventName": {names}}}}}\ncheck.alarm(pattern)'
)
TOUCHING = '["PutKeyPolicy", "CreateGrant", "ScheduleKeyDeletion", "DisableKey"]'
KMS = '"source": ["aws.kms"], '
GLASS = (
    "about = [{'AttributeKey': 'ResourceName', 'AttributeValue': key.arn}]\n"
    "found = owner.client('cloudtrail').lookup_events(LookupAttributes=about)\n"
    "names = [event['EventName'] for event in found['Events']]\n"
)
TPM = "condition = {{'StringEqualsIgnoreCase': {{{keys}}}}}\ncheck.tpm(condition)"
PCR4 = f"'{P}NitroTPMPCR4': '4a' * 48"
PCR12 = f"'{P}NitroTPMPCR12': 'c1' * 48"

SOLUTIONS = {
    "write-order": ORDER,
    "write-both": 'policy = key.policy("practice-before.eif", "practice.eif")\n'
    "check.both(key, policy)",
    "compute-pcr8": PCR8 + "check.pcr8(key, pcr8)",
    "write-rotated": ROTATED.format(old=False),
    "write-recalled": RECALLED.format(memory=False),
    "compute-hex": HEX + "pcr0 = seen.hex()\ncheck.hexadecimal(key, pcr0)",
    "compute-offset": OFFSET + "check.offset((clock - document).total_seconds())",
    "write-pattern": PATTERN.format(source=KMS, names=TOUCHING),
    "write-glass": GLASS + "check.glass(names[:3][::-1])",
    "write-tpm": TPM.format(keys=f"{PCR4}, {PCR12}"),
}

_TWO_DENYS = (
    'policy = key.policy("practice.eif")\n'
    'before = key.policy("practice-before.eif")["Statement"]\n'
    'policy["Statement"] += before[1:]\n'
    "check.both(key, policy)"
)
_NO_DENY = (
    'policy = key.policy("practice-before.eif", "practice.eif")\n'
    'policy["Statement"][1].pop("Condition")\n'
    "del policy['Statement'][2]\n"
    "check.both(key, policy)"
)

MISTAKES = [
    (
        "write-order",
        'check.order(["policy: new only", "start new", "end old", "policy: both"])',
        "write-order",
        "the old image runs, and the policy does not let it in",
    ),
    (
        "write-order",
        'check.order(["policy: both", "end old", "start new", "policy: new only"])',
        "write-order",
        "nothing runs",
    ),
    (
        "write-order",
        'check.order(["start new", "policy: both", "end old", "policy: new only"])',
        "write-order",
        "the new image runs, and the policy does not let it in",
    ),
    ("write-order", 'check.order(["policy: both"])', "write-order", "Each of the four steps once"),
    ("write-both", 'check.both(key, key.policy("practice.eif"))', "write-both", "release 1 is"),
    ("write-both", _TWO_DENYS, "write-both", "is refused under it"),
    ("write-both", _NO_DENY, "write-both", "a request without a document gets the key"),
    ("write-both", 'check.both(key, {"Statement": []})', "write-both", "KMS does not take it"),
    (
        "compute-pcr8",
        PCR8 + "check.pcr8(key, inner.hex())",
        "compute-pcr8",
        "Extend it",
    ),
    (
        "compute-pcr8",
        PCR8 + "check.pcr8(key, hashlib.sha256(certificate).hexdigest())",
        "compute-pcr8",
        "64 characters",
    ),
    ("write-rotated", ROTATED.format(old=True), "write-rotated", "2 of 3"),
    ("write-rotated", "check.rotated({})", "write-rotated", "Missing"),
    ("write-recalled", RECALLED.format(memory=True), "write-recalled", "nobody asks KMS again"),
    (
        "compute-hex",
        'check.hexadecimal(key, recipient["attestationDocumentEnclaveImageDigest"])',
        "compute-hex",
        "64 characters of base64",
    ),
    (
        "compute-hex",
        HEX + "check.hexadecimal(key, seen.hex().upper())",
        "compute-hex",
        "in capitals",
    ),
    (
        "compute-offset",
        OFFSET + "check.offset((document - clock).total_seconds())",
        "compute-offset",
        "the wrong sign",
    ),
    ("compute-offset", "check.offset(times)", "compute-offset", "not of the form"),
    (
        "write-pattern",
        PATTERN.format(source=KMS, names='["PutKeyPolicy"]'),
        "write-pattern",
        "No alarm at ScheduleKeyDeletion",
    ),
    (
        "write-pattern",
        PATTERN.format(source=KMS, names='[{"prefix": ""}]'),
        "write-pattern",
        "It rings at Decrypt",
    ),
    (
        "write-pattern",
        PATTERN.format(source=KMS, names='"PutKeyPolicy"'),
        "write-pattern",
        "no event pattern",
    ),
    (
        "write-pattern",
        PATTERN.format(source='"source": ["kms"], ', names=TOUCHING),
        "write-pattern",
        "source is “aws.kms”",
    ),
    ("write-glass", GLASS + "check.glass(names)", "write-glass", "an emergency that ends has"),
    ("write-tpm", TPM.format(keys=PCR4), "write-tpm", "another command line gets in"),
    (
        "write-tpm",
        TPM.format(keys=f"'{P}PCR4': '4a' * 48"),
        "write-tpm",
        "The attestable AMI itself stays out",
    ),
]

WRONG = {"policy-first": 1, "sign-pcr0": 1, "rotate": 1, "revoke": 1, "break-glass": 1}
