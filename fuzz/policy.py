"""Fuzzing of the policy room: `python fuzz/policy.py [--count 1000000] [--seed 1]`.

Needs nothing beside the package. Good policies are bent in two ways, as text (bytes flipped, cut,
doubled) and as values (any node of the document replaced by any other, by deep nesting, by long
lists, by hostile patterns). What is read is put to a decision, to an explanation and, now and then,
to the analysis. Findings: an error outside the package's tree, an input that takes more than a
second of processor time, an explanation that disagrees with the decision, a witness that is not
decided as claimed.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nitro_workflow.errors import NitroWorkflowError
from nitro_workflow.policy import (
    Policies,
    Policy,
    Principal,
    Request,
    RequestContext,
    analyse,
    author,
    evaluate,
    explain,
    parse_policy,
    parse_policy_leniently,
    render_analysis,
    render_explanation,
)

SAMPLES = Path(__file__).parents[1] / "tests" / "vectors" / "policies"
LIMIT_SECONDS = 1.0
ROLE = "arn:aws:iam::111122223333:role/Instance"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1"
PCR = "ab" * 48
LEAVES: list[Any] = [
    "", "*", "?*?*?*", "*a" * 400, "?" * 3000, "${aws:username}", "${", "${aws:Tag/x, 'y'}",
    "arn:aws:iam::111122223333:root", "arn:::::", "kms:*", "kms:Decrypt", "a:b", ":", "Allow",
    "Deny", ROLE, KEY, "arn:aws:kms", "anything", "1", "0",
    PCR, PCR.upper(), "0" * 96, "true", "false", "203.0.113.0/24", "2026-01-01T00:00:00Z", "1e400",
    "9" * 400, "\ud800", "\x00", "é" * 50, 0, -1, 1.5, 10**40, True, None, [], {},
]  # fmt: skip
NAMES = [
    "Version", "Id", "Statement", "Sid", "Effect", "Principal", "NotPrincipal", "Action",
    "NotAction", "Resource", "NotResource", "Condition", "AWS", "Service", "Federated",
    "CanonicalUser",
    "StringEquals", "StringNotLike", "ForAllValues:StringLike", "ForAnyValue:ArnLikeIfExists",
    "Null",
    "NumericLessThan", "DateGreaterThan", "BinaryEquals", "NotIpAddress", "Bool", "x",
    "kms:RecipientAttestation:PCR0", "kms:EncryptionContext:dataset", "aws:SourceIp", "",
]  # fmt: skip


def seeds() -> list[dict[str, Any]]:
    """Return good documents to bend."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(SAMPLES.glob("*.json"))]
    walk = author.allow_data_keys(author.initial_key_policy(ROLE), ROLE)
    found.append(author.attestation_policy(walk, ROLE, [{"PCR0": PCR}]))
    return found


def nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key) of a document."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    for key, inner in pairs:
        yield value, key
        yield from nodes(inner)


def leaf(source: random.Random, document: Any) -> Any:
    """Return something to put in a node's place."""
    kind = source.randrange(6)
    if kind == 0:
        deep: Any = "x"
        for _ in range(source.choice([3, 30, 60])):
            deep = [deep] if source.random() < 0.5 else {source.choice(NAMES): deep}
        return deep
    if kind == 1:
        return [source.choice(LEAVES) for _ in range(source.choice([0, 2, 5, 200]))]
    if kind == 2:
        return {source.choice(NAMES): source.choice(LEAVES) for _ in range(source.randrange(4))}
    if kind == 3:
        container, key = source.choice(list(nodes(document)))
        return copy.deepcopy(container[key])
    return source.choice(LEAVES)


def bend_value(source: random.Random, document: dict[str, Any]) -> dict[str, Any]:
    """Replace, add or remove a few nodes."""
    bent = copy.deepcopy(document)
    for _ in range(source.randint(1, 3)):
        places = list(nodes(bent))
        if not places:
            break
        container, key = source.choice(places)
        if isinstance(container[key], str) and source.random() < 0.7:
            container[key] = source.choice([text for text in LEAVES if isinstance(text, str)])
            continue
        action = source.randrange(5)
        if action == 0:
            del container[key]
        elif action == 1 and isinstance(container, dict):
            container[source.choice(NAMES)] = container.pop(key)
        elif action == 2 and isinstance(container, list):
            container.append(leaf(source, bent))
        else:
            container[key] = leaf(source, bent)
    return bent


def bend_text(source: random.Random, text: bytes) -> bytes:
    """Flip, cut or double some bytes."""
    data = bytearray(text)
    for _ in range(source.randint(1, 6)):
        at = source.randrange(len(data)) if data else 0
        action = source.randrange(4)
        if action == 0 and data:
            data[at] = source.randrange(256)
        elif action == 1:
            del data[at : at + source.randrange(40)]
        elif action == 2:
            data[at:at] = data[at : at + source.randrange(80)]
        else:
            data[at:at] = source.choice([b"[", b"{", b'"', b"\\", b"\xff", b"1e9999", b"NaN", b","])
    return bytes(data)


def request(source: random.Random) -> Request:
    """Return any request."""
    context = {
        name: source.choice(["a", PCR, "203.0.113.7", "5", "2026-01-01", ["a", "b"], []])
        for name in source.sample([n for n in NAMES if ":" in n and "Values" not in n], 2)
    }
    who = source.choice([ROLE, "anonymous", "ec2.amazonaws.com", "arn:aws:iam::111122223333:root"])
    action = source.choice(["kms:Decrypt", "kms:ReEncryptFrom", "s3:GetObject"])
    return Request(Principal.parse(who), action, KEY, context=RequestContext.what_if(context))


def one(source: random.Random, good: list[dict[str, Any]]) -> str:
    """Try one input; return what became of it."""
    document = source.choice(good)
    kind = source.choice(["resource", "resource", "identity", "trust", "session"])
    read = source.choice([parse_policy, parse_policy_leniently])
    try:
        if source.random() < 0.25:
            parsed = read(bend_text(source, json.dumps(document).encode()), kind=kind)
        else:
            bent = bend_value(source, document)
            parsed = read(bent if source.random() < 0.5 else json.dumps(bent), kind=kind)
    except NitroWorkflowError as error:
        error.diagnostics()
        return "refused"
    return use(source, parsed)


def use(source: random.Random, parsed: Policy) -> str:
    """Put what was read to work."""
    asked = request(source)
    attached = parsed.kind in ("identity", "session")
    policies = Policies(identity=(parsed,)) if attached else Policies(parsed)
    explanation = explain(asked, policies)
    if explanation.decision != evaluate(asked, policies):
        raise AssertionError("the explanation disagrees with the decision")
    render_explanation(explanation)
    json.dumps(explanation.to_json())
    if not attached and source.random() < 0.1:
        analysis = analyse(parsed)
        if not all(finding.witness.holds for finding in analysis.findings):
            raise AssertionError("a witness is not decided as claimed")
        render_analysis(analysis)
        return "analysed"
    return "decided"


def main() -> int:
    """Run, and print what became of the inputs."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--count", type=int, default=1_000_000)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    good, tally, slowest = seeds(), {"refused": 0, "decided": 0, "analysed": 0}, 0.0
    begin = time.process_time()
    for number in range(chosen.count):
        source = random.Random(chosen.seed * 1_000_003 + number)
        before = time.process_time()
        try:
            tally[one(source, good)] += 1
        except Exception:
            print(f"input {number} of seed {chosen.seed}", file=sys.stderr)
            raise
        taken = time.process_time() - before
        slowest = max(slowest, taken)
        if taken > LIMIT_SECONDS:
            print(f"input {number} of seed {chosen.seed} took {taken:.1f} s", file=sys.stderr)
            return 1
    seconds = time.process_time() - begin
    print(f"{chosen.count} inputs in {seconds:.0f} s, slowest {slowest * 1000:.0f} ms: {tally}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
