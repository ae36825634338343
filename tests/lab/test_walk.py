"""The 17 steps, run once for real; every claim of their evidence is looked at from another side."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from enclave_image.owner.dataset import expected_aggregates
from nitro_workflow.attestation import Verifier, parse_document, pcr3, pcr4
from nitro_workflow.cli import lab_state
from nitro_workflow.errors import LabError, UsageError
from nitro_workflow.host import SandboxHost
from nitro_workflow.image import measure_file
from nitro_workflow.lab import STEPS, Lab, StepResult, collect, document_of, image_of, policy_of
from nitro_workflow.lab.evidence import parent_of
from nitro_workflow.lab.steps import FORMS, jobs_of

Walked = dict[str, StepResult]


def test_all_seventeen_are_done_in_order(walked: Walked) -> None:
    assert list(walked) == [*(f"P{n}" for n in range(1, 9)), *(f"D{n}" for n in range(1, 10))]
    assert {result.status for result in walked.values()} == {"done"}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.number)
def test_each_step_shows_the_evidence_and_products_that_the_table_names(
    walked: Walked, step: object
) -> None:
    from nitro_workflow.lab import Step, key_facts

    assert isinstance(step, Step)
    result = walked[step.number]
    assert result.evidence["basis"].startswith("observed by")
    assert len(list(key_facts(result))) == len(step.evidence) <= 7
    assert set(step.produces) <= set(result.produced)
    json.dumps(result.to_record())


def test_needs_point_backwards_and_exist() -> None:
    numbers = [step.number for step in STEPS]
    for place, step in enumerate(STEPS):
        assert all(numbers.index(need) < place for need in step.needs), step.number


def test_p1_the_key_policy_has_no_root_and_no_star(lab: Lab, walked: Walked) -> None:
    kms = lab.bench.parties.session("owner").client("kms")
    policy = policy_of(kms, walked["P1"].produced["key_arn"])
    allows = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    assert {one["Principal"]["AWS"] for one in allows} == {
        lab.bench.policies.role_arn("owner"),
        lab.bench.policies.role_arn("instance"),
    }
    assert "kms:*" not in json.dumps(allows)


def test_p2_is_refused_first_and_no_plaintext_key_is_on_disk(lab: Lab, walked: Walked) -> None:
    evidence = walked["P2"].evidence
    assert evidence["refused_first"]["code"] == "AccessDeniedException"
    assert any(
        line.startswith("+") and "GenerateDataKey" in line for line in evidence["difference"]
    )
    assert evidence["plaintext_bytes"] == 32
    assert "data_key" not in lab.bench.memory, "used once, then gone"


def test_p4_and_d1_speak_of_the_same_bytes(walked: Walked) -> None:
    for name, put in walked["P4"].produced["objects"].items():
        got = walked["D1"].evidence["objects"][name]
        assert (got["sha256"], got["version_id"]) == (put["sha256"], put["version_id"])


def test_p6_the_owner_measures_the_very_file(lab: Lab, walked: Walked) -> None:
    measured = measure_file(image_of(lab.bench)).hex()
    assert walked["P6"].evidence["owner_measurements"] == measured
    assert walked["P6"].evidence["measurements"] == measured
    assert walked["P6"].evidence["same_as_inspected"] == walked["P5"].evidence["files"]


def test_p7_the_policy_names_these_pcrs_and_denies_all_others(lab: Lab, walked: Walked) -> None:
    statements = {one["Sid"]: one for one in walked["P7"].evidence["policy"]["Statement"]}
    allowed = statements["DecryptInsideTheEnclave"]["Condition"]["StringEqualsIgnoreCase"]
    for index, value in walked["P6"].produced["pcrs"].items():
        assert allowed[f"kms:RecipientAttestation:PCR{index}"] == value
    assert (
        allowed["kms:RecipientAttestation:PCR3"]
        == pcr3(lab.bench.policies.role_arn("instance")).hex()
    )
    assert statements["NoDecryptOutside"]["Effect"] == "Deny"


def test_p8_pcr3_and_pcr4_come_from_the_instance_record(lab: Lab, walked: Walked) -> None:
    document = parse_document(document_of(lab.bench))
    assert document.pcrs[3] == pcr3(lab.bench.policies.role_arn("instance"))
    assert document.pcrs[4] == pcr4(lab.bench.produced("P8", "instance_id"))
    assert not document.is_debug


def test_p8_shows_no_path_of_this_machine(lab: Lab, walked: Walked) -> None:
    for result in walked.values():
        text = json.dumps(result.evidence)
        assert str(lab.path) not in text, result.step
        assert str(lab.pair.processes.runtime) not in text, result.step


def test_d3_the_document_holds_and_is_the_one_that_the_cloud_saw(lab: Lab, walked: Walked) -> None:
    document, decided = document_of(lab.bench), lab.run("D4").evidence["encryption-sdk"]
    verified = Verifier.local(lab.bench.cloud.trust().root_der).verify(
        document, at=datetime.now(UTC)
    )
    assert hashlib.sha256(document).hexdigest() == decided["document_sha256"]
    assert verified.document.module_id == lab.bench.produced("P8", "enclave_id")
    assert "document" not in walked["D3"].evidence["encryption-sdk"], "kept, not printed"


@pytest.mark.parametrize("form", FORMS)
def test_d4_the_decision_names_the_statement_and_the_pcrs(walked: Walked, form: str) -> None:
    evidence = walked["D4"].evidence[form]
    assert evidence["decision"] == "allowed"
    assert "DecryptInsideTheEnclave" in evidence["summary"]
    assert evidence["decision_record"]["statements"]
    assert evidence["pcrs"]["PCR0"] == walked["P6"].produced["pcrs"]["0"]
    assert evidence["caller"].startswith("arn:aws:sts::444455556666:assumed-role/ParentInstance/i-")


@pytest.mark.parametrize("form", FORMS)
def test_d5_and_d7_are_the_same_envelope(walked: Walked, form: str) -> None:
    sealed, opened = walked["D5"].evidence[form], walked["D7"].evidence[form]
    assert sealed["envelope_sha256"] == opened["envelope_sha256"]
    assert sealed["plaintext_in_answer"] is False


def test_d6_the_proxy_saw_tls_records_and_nothing_else(walked: Walked) -> None:
    evidence = walked["D6"].evidence
    assert evidence["proxy_carried_bytes"] > 0
    assert set(evidence["proxy_saw_tls_records"]) <= {
        "alert",
        "application_data",
        "change_cipher_spec",
        "handshake",
    }


def test_d9_the_answer_is_right_and_small_groups_are_suppressed(lab: Lab, walked: Walked) -> None:
    right = expected_aggregates(seed=lab.bench.seed, size=lab.bench.size)
    evidence = walked["D9"].evidence
    assert {name: evidence[name] for name in right} == right
    assert evidence["suppressed"] >= 1
    assert set(evidence["receipt"]) == set(FORMS)


def test_no_content_and_no_key_lies_in_records_logs_or_traces(lab: Lab, walked: Walked) -> None:
    from enclave_image.owner.dataset import CustomerRecords

    canary = CustomerRecords(seed=lab.bench.seed, size=lab.bench.size).readlines()[2].strip()
    digests = walked["P2"].evidence["plaintext_sha256"]
    files = [path for path in lab.path.rglob("*") if path.is_file() and "rootfs" not in path.parts]
    files += [path for path in lab.pair.processes.runtime.rglob("*") if path.is_file()]
    assert len(files) > 30
    for path in files:
        data = path.read_bytes()
        assert canary not in data, path
        if path.stat().st_size == 32:
            assert hashlib.sha256(data).hexdigest() != digests, path


def test_the_trace_is_in_order_and_says_who_could_read(lab: Lab, walked: Walked) -> None:
    events = collect(lab.bench)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.at for event in events] == sorted(event.at for event in events)
    steps = {event.step for event in events}
    assert {"P1", "P2", "P3", "P4", "P7", "P8", "D1", "D2", "D3", "D6", "D9"} <= steps
    ciphertext = [event for event in events if event.step == "D2" and event.what == "ciphertext"]
    assert {event.sha256 for event in ciphertext} >= {walked["P3"].produced["sdk_sha256"]}
    for event in events:
        if event.what.startswith("TLS records"):
            assert set(event.visible_to) == {"enclave", "kms"}


def test_one_job_of_the_trace(lab: Lab, walked: Walked) -> None:
    job = jobs_of(lab.bench)["envelope"].id
    assert {event.job for event in collect(lab.bench, job=job)} == {"", job}


def test_a_second_kernel_reads_what_the_first_did(lab: Lab, walked: Walked) -> None:
    second = Lab.open(lab.path)
    assert second.bench.result("D9") is not None
    result = second.run("D9")
    assert result.caught_up == ()
    assert result.evidence["groups"] == walked["D9"].evidence["groups"]
    assert not second.ensure("P8"), "it holds: not run again"


def test_p2_again_in_another_kernel_says_that_the_key_is_new(lab: Lab, walked: Walked) -> None:
    copy = Lab.open(lab.path)
    said: list[str] = []
    copy.bench.say = said.append
    before = copy.bench.result("P3")
    result = copy.run("P3")
    try:
        assert result.caught_up == ("P2",)
        assert any("memory" in line for line in said)
        assert before is not None
        assert result.produced["envelope_sha256"] != before.produced["envelope_sha256"]
        assert not copy.rests(next(step for step in STEPS if step.number == "D9"))
    finally:
        again = copy.run("D9")
    assert again.caught_up[:2] == ("P4", "D1")
    assert "P8" not in again.caught_up, "the enclave still runs: it is not launched again"


def test_jobs_are_kept_when_the_parent_cannot_be_asked(lab: Lab, walked: Walked) -> None:
    jobs = jobs_of(lab.bench)
    for job in jobs.values():
        assert job.state()["status"] == "done"
        assert base64.b64decode(job.state()["receipt"])
    assert parent_of(lab.bench).alive()
    with pytest.raises(LabError, match="does not answer"):
        type(jobs["envelope"])(
            lab.bench, "no-such-job", "envelope", "", 1, "i-00000000000000000"
        ).state()


def test_an_unknown_step_is_a_usage_error(lab: Lab) -> None:
    with pytest.raises(UsageError, match="D10"):
        lab.run("D10")


def test_what_a_step_has_not_produced_is_a_lab_error(lab: Lab, walked: Walked) -> None:
    with pytest.raises(LabError, match="P1 has left no moon"):
        lab.bench.produced("P1", "moon")


def test_a_step_is_ended_when_its_enclave_is_gone(
    lab: Lab, walked: Walked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status` asks the hypervisor: a record outlives the enclave it speaks of."""

    def states() -> dict[str, str]:
        asked = CliRunner().invoke(lab_state.status, ["--lab", str(lab.path), "--json"])
        return dict(json.loads(asked.output)["steps"])

    before = states()
    assert "ended" not in before.values()
    monkeypatch.setattr(SandboxHost, "describe_instances", lambda _: [])
    after = states()
    expected = {
        number: "ended" if state == "done" and (number == "P8" or number[0] == "D") else state
        for number, state in before.items()
    }
    assert after == expected
    assert "ended" in after.values()
