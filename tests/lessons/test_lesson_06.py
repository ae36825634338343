"""Lesson 06: every row of what learners write, judged by the engine and told in the right words."""

from __future__ import annotations

import json

import pytest

from nitro_workflow.errors import UsageError
from nitro_workflow.lessons import lesson_keys, lesson_views
from nitro_workflow.lessons.checking import CheckDesk
from nitro_workflow.lessons.checks.five_judged import judge_answers
from nitro_workflow.lessons.checks.lesson_06 import Checks
from nitro_workflow.lessons.five_policies import FIVE
from nitro_workflow.lessons.kept_answers import KeptAnswers
from nitro_workflow.lessons.key_doors import QUESTIONS, doors_card
from tests.lessons.practice_lab import ARNS, PCRS, practice_lab

P = "kms:RecipientAttestation:"
A, B, C = PCRS.values()
ZEROS = "0" * 96


@pytest.fixture
def desk(tmp_path):
    return CheckDesk(Checks(practice_lab()), KeptAnswers(tmp_path, "06"))


def condition(operator, **values):
    return {operator: {P + name: value for name, value in values.items()}}


RIGHT = [
    (condition("StringEqualsIgnoreCase", PCR0=A), "Ours gets in; the other five do not."),
    (condition("StringEquals", PCR0=A), "Ours gets in"),
    (condition("StringEqualsIgnoreCase", PCR0=A.upper()), "Ours gets in"),
    (condition("StringEquals", PCR0=A, PCR1=B, PCR2=C), "Ours gets in"),
    (condition("StringEquals", ImageSha384=A), "ImageSha384 is the same value as PCR0."),
    (condition("StringEquals", PCR0=[A, B, C]), "can never match"),
]
WRONG = [
    ({}, "No condition at all"),
    (condition("StringEquals", PCR1=B), "it has your kernel"),
    (condition("StringEquals", PCR2=C), "on a kernel you never saw"),
    (condition("StringLike", PCR0="*"), "Any enclave gets in, a debug one too."),
    (condition("Null", PCR0="false"), "Any enclave gets in, a debug one too."),
    (condition("StringEqualsIfExists", PCR0=A), "IfExists is satisfied by nothing"),
    (condition("StringEqualsIgnoreCaseIfExists", PCR0=A), "IfExists is satisfied by nothing"),
    (condition("StringNotEquals", PCR0=A), "Upside down: everybody but your image"),
    (condition("StringEquals", PCR0=A.upper()), "you wrote capitals"),
    ({"StringEquals": {"PCR0": A}}, "no request carries a key named PCR0"),
    (condition("StringEquals", PCR0="0x" + A), "no document shows a value like that"),
    (condition("StringEquals", PCR0=A[:95]), "no document shows a value like that"),
    (condition("StringEquals", PCR0=[A, ZEROS]), "A debug enclave gets in: zeros"),
    (condition("StringEquals", PCR0=ZEROS), "Your own image stays out."),
    (condition("Null", PCR0="true"), "Your own image stays out."),
    ("text", "cannot be looked at"),
    ({"StringEquals": 3}, "cannot be looked at"),
    ({"NoOperator": {P + "PCR0": A}}, "cannot be looked at"),
]


@pytest.mark.parametrize(("made", "words"), RIGHT)
def test_a_right_condition(desk, made, words):
    said = desk.condition(made)
    assert said.outcome == "right"
    assert words in said.text


@pytest.mark.parametrize(("made", "words"), WRONG)
def test_a_wrong_condition(desk, made, words):
    said = desk.condition(made)
    assert said.outcome == "wrong", said.text
    assert words in said.text


def test_the_condition_marks_the_prediction_with_the_engines_answer(tmp_path):
    kept = KeptAnswers(tmp_path, "06")
    kept.predict("pin-pcr1", "no: its PCRs are its own")
    said = CheckDesk(Checks(practice_lab()), kept).condition(RIGHT[0][0])
    assert said.also[0].outcome == "wrong"
    assert "another image of your kernel: allowed." in said.text


def deny(made, **changes):
    statement = {
        "Sid": "NobodyElse", "Effect": "Deny", "Principal": {"AWS": "*"},
        "Action": "kms:Decrypt", "Resource": "*", "Condition": made,
    } | changes  # fmt: skip
    return {name: value for name, value in statement.items() if value is not None}


NOT_OURS = condition("StringNotEqualsIgnoreCase", PCR0=A)
RIGHT_DENY = [
    (deny(NOT_OURS), "only your image gets in."),
    (deny(condition("StringNotEquals", PCR0=A)), "only your image gets in."),
    (deny(condition("StringNotLike", PCR0=A)), "only your image gets in."),
    (deny(condition("StringNotEqualsIgnoreCaseIfExists", PCR0=A)), "IfExists changes nothing here"),
    (deny(condition("ForAllValues:StringNotEquals", PCR0=A)), "only your image gets in."),
    (deny(condition("StringNotEquals", ImageSha384=A)), "only your image gets in."),
    (deny(NOT_OURS, Principal="*"), "only your image gets in."),
]
WRONG_DENY = [
    (deny(None), "Nobody decrypts any more, your enclave included."),
    (deny(condition("StringEquals", PCR0=A)), "Upside down: you deny your own image"),
    (deny(condition("StringNotEquals", PCR0=A, PCR1=B, PCR2=C)), "joined by and"),
    (deny(condition("StringNotEquals", PCR0=A, PCR1=B)), "shares one of these PCRs"),
    (deny(condition("Null", PCR0="true")), "Only requests without a document are stopped"),
    (
        deny(NOT_OURS | condition("Null", PCR0="true")),
        "Two operators are joined by and: now only absence is stopped.",
    ),
    (deny(NOT_OURS | condition("Null", PCR0="false")), "the laptop still gets the key"),
    (deny(condition("ForAnyValue:StringNotEquals", PCR0=A)), "ForAnyValue is false"),
    (deny(NOT_OURS, Principal={"AWS": ARNS["instance"]}), "You fence in the one"),
    (deny(condition("StringNotEquals", PCR1=B)), "it has your kernel"),
    (deny(condition("StringNotEquals", PCR2=C)), "on a kernel you never saw"),
    (deny(condition("StringNotEquals", PCR0=A.upper())), "Your own enclave is denied too"),
    (deny({"StringNotEquals": {"PCR0": A}}), "Your own enclave is denied too"),
    (deny(condition("StringNotEquals", PCR0=A[:95])), "Your own enclave is denied too"),
    (deny(condition("StringNotEquals", PCR0=[A, ZEROS])), "A debug enclave gets in: zeros"),
    (deny(NOT_OURS, Action="kms:Encrypt"), "which action gives the plaintext?"),
    (deny(NOT_OURS, Action="kms:*"), "Nobody could ever change this policy again"),
    (deny(NOT_OURS, Effect="Allow"), "it opens what you meant to close"),
    ("text", "cannot be looked at: a string"),
    (deny(NOT_OURS, Principal=3), "cannot be looked at"),
]


@pytest.mark.parametrize(("made", "words"), RIGHT_DENY)
def test_a_right_deny(desk, made, words):
    said = desk.deny(made)
    assert said.outcome == "right", said.text
    assert words in said.text


@pytest.mark.parametrize(("made", "words"), WRONG_DENY)
def test_a_wrong_deny(desk, made, words):
    said = desk.deny(made)
    assert said.outcome == "wrong", said.text
    assert words in said.text


def test_what_is_left_of_a_deny_is_named(desk):
    said = desk.deny(deny(..., Principal=...))
    assert said.outcome == "unanswered"
    assert "Principal, Condition" in said.text


# -- five keys -------------------------------------------------------------------------------------

# What the course's authors found by hand, beside what the engine finds.
TRUTH = {
    "harbour": "no yes no",
    "lantern": "no yes yes",
    "meadow": "yes no no",
    "orchard": "no no no",
    "quarry": "yes yes yes",
}
WITNESS = {
    "harbour": "ParentInstance, with another image with your kernel",
    "lantern": "ParentInstance, with another image with your kernel",
    "meadow": "ParentInstance, with no document",
    "orchard": "",
    "quarry": "Backup, with no document",
}


@pytest.fixture(scope="module")
def doors():
    return {name: lesson_keys.doors_of(practice_lab().bench, name) for name in FIVE}


@pytest.mark.parametrize("name", FIVE)
def test_brute_force_finds_what_was_found_by_hand(doors, name):
    found = " ".join("yes" if doors[name].witness(one) else "no" for one in QUESTIONS)
    assert found == TRUTH[name]
    first = next((doors[name].witness(one) for one in QUESTIONS if doors[name].witness(one)), "")
    assert first == WITNESS[name]


def test_the_whole_table_of_doors(doors):
    who = {name: {caller for caller, found in one.decrypt.items() if "ours" in found}
           for name, one in doors.items()}  # fmt: skip
    assert who["harbour"] == who["lantern"] == who["meadow"] == {"ParentInstance"}
    assert who["orchard"] == {"ParentInstance", "DataOwner", "Backup", "account root"}
    assert who["quarry"] == {"ParentInstance", "Backup"}
    assert doors["orchard"].other["kms:PutKeyPolicy"] == ("DataOwner", "Backup", "account root")
    for one in doors.values():
        assert one.other["kms:ReEncryptFrom"] == one.other["kms:CreateGrant"] == ()


def test_what_closes_each(doors):
    bench = practice_lab().bench
    quarry = lesson_keys.case_of(bench, "quarry")
    mended = quarry.document()
    del mended["Statement"][2]["Condition"]["StringNotEquals"]
    found = lesson_keys.find_doors(
        mended, PCRS, lesson_keys.worlds.callers_of(bench), quarry.grants
    )
    assert not any(map(found.witness, QUESTIONS))
    orchard = lesson_keys.case_of(bench, "orchard").document()
    orchard["Statement"] = [one for one in orchard["Statement"] if one["Effect"] == "Allow"]
    opened = lesson_keys.doors_of(bench, orchard)
    assert opened.witness("without a document").startswith("DataOwner")


MISTAKES = [
    ("harbour", "no no no", "Try a document with another PCR0 and your PCR1."),
    ("harbour", "yes yes no", "when all three keys are absent"),
    ("harbour", "no yes yes", "Zeros differ from A"),
    ("lantern", "no no yes", "Does it ask which?"),
    ("lantern", "no yes no", "Does it ask which?"),
    ("lantern", "yes yes yes", "is then true, not false"),
    ("meadow", "no no no", "What does IfExists say"),
    ("meadow", "yes yes no", "it must be A"),
    ("meadow", "yes no yes", "it must be A"),
    ("orchard", "yes no no", "Does the Deny care who asks?"),
    ("orchard", "no yes no", "Does the Deny care who asks?"),
    ("orchard", "no no yes", "Does the Deny care who asks?"),
    ("quarry", "no yes yes", "who got a grant?"),
    ("quarry", "yes no yes", "who got a grant?"),
    ("quarry", "yes yes no", "who got a grant?"),
    ("quarry", "maybe", "three times"),
]


@pytest.mark.parametrize(("name", "said", "words"), MISTAKES)
def test_a_wrong_judgement_is_told_where_to_look(doors, name, said, words):
    verdict = judge_answers({name: said}, doors)
    assert verdict.outcome == "wrong"
    assert words in verdict.text
    others = [one for one in FIVE if one != name]
    assert f"Still to judge: {', '.join(others)}." in verdict.text


def test_right_judgements_in_any_spelling_and_what_is_kept(desk, tmp_path):
    blank = desk.answers(dict.fromkeys(FIVE, ...))
    assert blank.outcome == "unanswered"
    some = desk.answers({"harbour": "No, yes, no", "meadow": ...})
    assert some.outcome == "unanswered"
    assert KeptAnswers(tmp_path, "06").notes("answers") == {"harbour": "3 of 3"}
    said = desk.answers(TRUTH)
    assert said.outcome == "right"
    assert "the grant's holder" in said.text
    assert desk.answers({"port": "no no no"}).outcome == "wrong"
    assert desk.answers(["no no no"]).outcome == "wrong"


def test_a_policy_is_shown_with_letters_and_made_with_values():
    case = lesson_keys.case_of(practice_lab().bench, "harbour")
    assert A not in repr(case)
    assert '"kms:RecipientAttestation:PCR0": "A"' in repr(case)
    assert json.dumps(case.document()).count(A) == 1
    case.document()["Statement"].clear()
    assert len(case.document()["Statement"]) == 3
    with pytest.raises(UsageError, match="no policy"):
        lesson_keys.case_of(practice_lab().bench, "port")


def test_the_doors_are_told_in_words():
    bench = practice_lab().bench
    card = doors_card(lesson_keys.doors_of(bench, "quarry"), "quarry")
    assert "Backup, with no document" in card.head.verdict
    assert any("your kernel" in cell for row in card.rows for cell in row)
    assert doors_card(lesson_keys.doors_of(bench, "orchard"), "orchard").head.tone == "good"


# -- mending harbour -------------------------------------------------------------------------------


def harbour(*denies):
    policy = lesson_keys.case_of(practice_lab().bench, "harbour").document()
    policy["Statement"][2:] = denies
    return policy


MENDED = [
    (harbour(deny(NOT_OURS)), "PCR0 covers kernel and application already."),
    (
        harbour(*(deny(condition("StringNotEquals", **{n: v})) for n, v in PCRS.items())),
        "Statements are joined by or",
    ),
    (harbour(deny(condition("StringNotEquals", PCR0=[A, B, C]))), "can never match"),
]
NOT_MENDED = [
    (harbour(deny(condition("StringNotEquals", PCR1=B))), "open to an image with your kernel"),
    (harbour(deny(condition("StringNotEquals", PCR2=C))), "open to your application elsewhere"),
    (harbour(deny(condition("StringEquals", PCR0=A))), "Upside down"),
    (
        harbour(deny(condition("ForAnyValue:StringNotEquals", PCR0=A))),
        "Now a request without a document gets in.",
    ),
    (harbour(deny(None)), "Your own image stays out, too."),
    (harbour(), "Now a request without a document gets in."),
    (harbour(deny(NOT_OURS, Action="kms:*")), "can no longer change"),
]


@pytest.mark.parametrize(("made", "words"), MENDED)
def test_harbour_mended(desk, made, words):
    said = desk.closed(made, like="harbour")
    assert said.outcome == "right", said.text
    assert words in said.text


@pytest.mark.parametrize(("made", "words"), NOT_MENDED)
def test_harbour_not_mended(desk, made, words):
    said = desk.closed(made, like="harbour")
    assert said.outcome == "wrong", said.text
    assert words in said.text


def test_an_allow_that_was_changed_is_no_mending(desk):
    made = harbour(deny(NOT_OURS))
    made["Statement"][1]["Condition"] = condition("StringEquals", PCR0=A)
    assert "mend the Deny" in desk.closed(made, like="harbour").text


def test_the_workflows_own_deny_is_compared_by_the_engine(desk, monkeypatch):
    policy = {"Statement": [deny(condition("StringNotEquals", PCR0=[A]), Sid="NoDecryptOutside")]}
    monkeypatch.setattr(lesson_views, "key_policy", lambda _: policy)
    assert desk.same(deny(NOT_OURS)).outcome == "right"
    said = desk.same(deny(condition("StringNotEquals", PCR1=B)))
    assert "differ for ParentInstance" in said.text
    policy["Statement"].clear()
    assert desk.same(deny(NOT_OURS)).outcome == "unanswered"


def test_stand_ins_are_right(desk):
    lab = practice_lab()
    assert desk.deny(Checks.stand_ins["deny"].make(lab)).outcome == "right"
    assert desk.condition(Checks.stand_ins["ours"].make(lab)["Condition"]).outcome == "right"
