"""Decisions, explanations and analyses of key policies, and how long the proof holds.

    python benchmarks/policy.py [--requests 100000] [--policies 2000] [--json]

- *decision*, *explanation*: of the walk's policy, microseconds of processor time, the best of many
  rounds. Limits 50 and 300.
- *large*: a policy of 200 statements and 32 KB or more; a decision (limit 5 ms), its explanation,
  the analysis (limit 2 s).
- *walk*: the analysis of the walk's policy, limit 20 ms.
- *generated*: random key policies and grants, half of them of the whole language and half of the
  fragment, each analysed and then tried by brute force (tests/policy/policy_brute_force.py): the
  median time of an analysis (limit 5 ms), the share of policies with an "unknown" answer (inside
  the fragment none may have one), false "none"s and witnesses that the evaluator refuses (none).
- *samples*: published policies with an "unknown" answer, none.
- *proof*: random requests without a document put to policies whose analysis finds no path without
  attestation, as if all callers' own policies allowed everything. None may be allowed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nitro_workflow.policy import (
    Grant,
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
    render_explanation,
)
from nitro_workflow.policy.reach.witness import worst_case

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS / "policy"))
import policy_brute_force as brute  # noqa: E402 - the tests' generator is no package

OWNER = "arn:aws:iam::111122223333:role/DataOwner"
INSTANCE = "arn:aws:iam::444455556666:role/ParentInstance"
CALLER = "arn:aws:sts::444455556666:assumed-role/ParentInstance/i-0123456789abcdef0"
KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PCRS = {f"PCR{index}": f"{index}a" * 48 for index in (0, 1, 2, 3)}
CONTEXT = {"dataset": "customers", "version": "1"}


def walk() -> Policy:
    """Return the key policy of the walk after step P7."""
    start = author.allow_data_keys(author.initial_key_policy(OWNER), OWNER)
    text = author.attestation_policy(start, INSTANCE, [PCRS], encryption_context=CONTEXT)
    return parse_policy(text, name="key policy")


def large() -> tuple[Policy, str]:
    """Return a policy of 200 statements, and its text."""
    base = walk().to_json()
    for number in range(195):
        base["Statement"].insert(number, {
            "Sid": f"Team{number}", "Effect": "Allow", "Action": ["kms:Decrypt", "kms:Describe*"],
            "Principal": {"AWS": f"arn:aws:iam::444455556666:role/team/Team{number}"},
            "Resource": "*", "Condition": {
                "StringEqualsIgnoreCase": {"kms:RecipientAttestation:PCR0": f"{number:02x}" * 48},
                "StringLike": {"kms:EncryptionContext:dataset": f"team-{number}-*"}},
        })  # fmt: skip
    text = json.dumps(base)
    return parse_policy(text), text


def inside(pcrs: dict[str, str]) -> Request:
    """Return the instance's Decrypt with these PCRs."""
    values: dict[str, Any] = {f"kms:RecipientAttestation:{key}": v for key, v in pcrs.items()}
    values |= {f"kms:EncryptionContext:{key}": value for key, value in CONTEXT.items()}
    values |= {"aws:SourceIp": "203.0.113.7", "aws:SecureTransport": "true"}
    return Request(Principal.parse(CALLER), "kms:Decrypt", KEY, "", RequestContext.what_if(values))


def best(call: Callable[[], object], rounds: int, times: int) -> float:
    """Return microseconds of processor time for one call, the best of the rounds."""
    found = []
    for _ in range(rounds):
        begin = time.process_time()
        for _ in range(times):
            call()
        found.append((time.process_time() - begin) / times)
    return min(found) * 1e6


def unattested(count: int) -> Iterator[Request]:
    """Yield random requests without a document."""
    source = random.Random(7)
    callers = [Principal.parse(text) for text in (
        CALLER, "arn:aws:iam::111122223333:root", "arn:aws:iam::444455556666:user/u", "anonymous",
        "arn:aws:sts::111122223333:assumed-role/DataOwner/s", "ec2.amazonaws.com",
        "arn:aws:sts::444455556666:assumed-role/Team7/s", "arn:aws:iam::999999999999:root",
    )]  # fmt: skip
    keys = ["kms:EncryptionContext:dataset", "kms:EncryptionContext:version", "aws:SourceIp",
            "kms:ViaService", "aws:PrincipalArn", "aws:PrincipalTag/team", "kms:CallerAccount",
            "aws:PrincipalOrgID", "kms:GrantIsForAWSResource", "aws:SecureTransport"]  # fmt: skip
    values = ["customers", "1", "team-7-x", "203.0.113.7", "true", "s3.us-east-1.amazonaws.com", "",
              INSTANCE, OWNER, "444455556666", "*"]  # fmt: skip
    for _ in range(count):
        context: dict[str, Any] = {
            key: source.choice(values) if source.random() < 0.9 else source.sample(values, 2)
            for key in source.sample(keys, source.randrange(len(keys) + 1))
        }
        action = source.choice(["kms:Decrypt", "kms:ReEncryptFrom"])
        yield Request(source.choice(callers), action, KEY, "", RequestContext.what_if(context))


def proof(policy: Policy, count: int) -> int:
    """Return how many requests without a document are allowed: none, or the proof is wrong."""
    grants = (Grant(INSTANCE, ("Decrypt",)),)
    verdict = analyse(policy, grants=grants, key_arn=KEY).without_attestation
    if verdict != "none":
        raise SystemExit(f"the analysis says {verdict!r}")
    policies = worst_case(Policies(policy, grants=grants))
    return sum(evaluate(request, policies).allowed for request in unattested(count))


def generated(count: int, seed: int = 1) -> dict[str, float]:
    """Analyse random policies and try each by brute force."""
    source, times = random.Random(seed), []
    false_none = wrong = unknown = unknown_inside = nones = 0
    for number in range(count):
        inside = bool(number % 2)
        policy, grants = brute.random_policy(source, inside=inside), brute.random_grants(source)
        begin = time.process_time()
        analysis = analyse(policy, grants=grants, key_arn=brute.KEY)
        times.append(time.process_time() - begin)
        open_ = "unknown" in analysis.answers.values()
        unknown, unknown_inside = unknown + open_, unknown_inside + (open_ and inside)
        found = [w for witnesses in analysis.witnesses.values() for w in witnesses]
        wrong += sum(not evaluate(w.request, w.policies).allowed for w in found)
        closed = {q for q, answer in analysis.answers.items() if answer == "none"}
        nones += len(closed)
        policies = brute.set_of(policy, grants)
        false_none += any(
            question in closed and evaluate(request, policies).allowed
            for question, request in brute.requests(number, 1)
        )
    return {
        "generated_policies": count,
        "generated_none_answers": nones,
        "generated_median_ms": statistics.median(times) * 1e3,
        "generated_slowest_ms": max(times) * 1e3,
        "generated_unknown_percent": 100 * unknown / count,
        "generated_unknown_inside": unknown_inside,
        "generated_false_none": false_none,
        "generated_wrong_witness": wrong,
    }


def unknown_samples() -> int:
    """Return how many published policies have an answer "unknown"."""
    paths = (TESTS / "vectors" / "policies").glob("*.json")
    found = (analyse(parse_policy(path.read_bytes())) for path in paths)
    return sum("unknown" in analysis.answers.values() for analysis in found)


def measure(requests: int, policies: int) -> dict[str, Any]:
    """Return every figure."""
    key_policy, (big, text) = walk(), large()
    identity = parse_policy(
        {"Version": "2012-10-17", "Statement": {
            "Effect": "Allow", "Action": ["kms:Decrypt", "s3:GetObject"], "Resource": "*"}},
        kind="identity",
    )  # fmt: skip
    asked, many = Policies(key_policy, (identity,)), Policies(big, (identity,))
    good, bad = inside(PCRS), inside({**PCRS, "PCR3": "bb" * 48})
    if not evaluate(good, asked).allowed or evaluate(bad, asked).allowed:
        raise SystemExit("the walk's policy does not decide as it should")
    return {
        "decision_us": best(lambda: evaluate(good, asked), 20, 200),
        "explanation_us": best(lambda: explain(bad, asked), 20, 50),
        "explanation_with_text_us": best(lambda: render_explanation(explain(bad, asked)), 20, 50),
        "large_bytes": len(text),
        "large_statements": len(big.statements),
        "large_read_us": best(lambda: parse_policy(text), 5, 1),
        "large_decision_us": best(lambda: evaluate(bad, many), 10, 20),
        "large_explanation_us": best(lambda: explain(bad, many), 5, 4),
        "large_analysis_us": best(lambda: analyse(big, key_arn=KEY), 3, 1),
        "walk_analysis_us": best(lambda: analyse(key_policy, key_arn=KEY), 10, 3),
        **generated(policies),
        "unknown_samples": unknown_samples(),
        "proof_requests": requests,
        "proof_allowed": proof(key_policy, requests) + proof(big, requests // 10),
    }


LIMITS = {"decision_us": 50, "explanation_us": 300, "large_decision_us": 5_000,
          "large_analysis_us": 2_000_000, "proof_allowed": 0, "walk_analysis_us": 20_000,
          "generated_median_ms": 5, "generated_unknown_inside": 0, "generated_false_none": 0,
          "generated_wrong_witness": 0, "unknown_samples": 0}  # fmt: skip


def main() -> int:
    """Print the figures beside their limits."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--requests", type=int, default=100_000)
    options.add_argument("--policies", type=int, default=2_000)
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    figures = measure(chosen.requests, chosen.policies)
    if chosen.json:
        print(json.dumps(figures))
    for name, value in figures.items() if not chosen.json else ():
        limit = f"   limit {LIMITS[name]:,}" if name in LIMITS else ""
        print(f"{name:<26} {value:>12,.1f}{limit}")
    return 0 if all(figures[name] <= limit for name, limit in LIMITS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
