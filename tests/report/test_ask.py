"""Questions on one sample: its inputs are read once, every answer is checked, and what the input does not tell is said to be not in it."""

import numpy as np
import pytest

from bridge.language.subject import subjects
from bridge.report.checked import checked_report
from bridge.report.generation.confidence import Generation
from bridge.report.generation.generate import generate
from bridge.report.page.ask_markdown import answer_markdown
from bridge.report.questions import ask
from bridge.report.questions.answer import Answer
from bridge.report.questions.ask import Session
from bridge.report.schema import Verdict
from bridge.report.write import tensors

ASKED = ["Which regions are highest?", "Which organ systems are involved?", "Write the report."]


@pytest.fixture
def sample(tiny_cohort):
    """``sample(row, *given)``: a subject and its normalised values."""

    def take(row=0, *given):
        (subject,) = subjects(tiny_cohort, [row])
        subject = subject.given(given or subject.present)
        return subject, {modality: tiny_cohort.values(modality)[row] for modality in sorted(subject.present)}

    return take


@pytest.fixture
def answered(bridge, sample, monkeypatch):
    """``answered(question, text, *given)``: the answer when the model writes this text."""

    def answer(question, text, *given):
        said = [Generation(text, (text,), (0.5,))]
        monkeypatch.setattr(ask, "generation", lambda *_: said[0])
        session = Session(bridge, *sample(0, *given), max_new_tokens=2)
        return session.ask([question])[0]

    return answer


def test_answers_are_those_of_prompts_read_as_a_whole(bridge, sample):
    subject, values = sample()
    session = Session(bridge, subject, values, note="Seizures.", max_new_tokens=12)
    batch = {modality: rows.repeat(len(ASKED), 1) for modality, rows in tensors(bridge, values).items()}
    expected = generate(bridge, batch, ASKED, note="Seizures.", max_new_tokens=12)
    assert [answer.said for answer in session.ask(ASKED)] == expected
    assert [session.ask([question])[0].said for question in reversed(ASKED)] == expected[::-1]


def test_the_inputs_are_read_once_for_all_questions(bridge, sample, monkeypatch):
    read = []
    monkeypatch.setattr(bridge, "prefix", lambda values, prefix=bridge.prefix: read.append(1) or prefix(values))
    session = Session(bridge, *sample(), max_new_tokens=3)
    before = len(read)
    session.ask(ASKED)
    session.ask(ASKED[:1])
    assert len(read) == before


def test_a_question_that_the_input_cannot_answer_never_reaches_the_model(bridge, sample, monkeypatch):
    session = Session(bridge, *sample(), max_new_tokens=3)
    monkeypatch.setattr(session.prefix, "answers", lambda *_, **__: pytest.fail("the model was asked"))
    (answer,) = session.ask(["What is the blood pressure?"])
    assert answer.not_in_input == "no input tells of 'blood' and 'pressure'"
    assert answer.text == "Not in the input: no input tells of 'blood' and 'pressure'."
    assert (answer.claims, answer.said) == ((), "")


def test_questions_of_both_kinds_keep_their_order(bridge, sample):
    session = Session(bridge, *sample(), max_new_tokens=3)
    asked = [ASKED[0], "How old is the patient?", ASKED[1], "What is the weight?"]
    answers = session.ask(asked)
    assert [answer.question for answer in answers] == asked
    assert [bool(answer.said) for answer in answers] == [True, False, True, False]


def test_a_true_answer_stands_with_its_evidence_and_a_false_one_is_struck(answered, sample):
    regions = sample()[0].regions["brain"]
    highest, lowest = regions.extremes("highest")[0], regions.extremes("lowest")[0]
    answer = answered("Which regions are highest?", f"Highest in the {highest}; highest in the {lowest}.")
    assert [claim.entity for claim in answer.claims] == [highest]
    assert answer.claims[0].evidence[0].rank == 1
    assert [claim.entity for claim in answer.struck] == [lowest]
    assert answer.text == f"Highest in the {highest}."
    assert Answer.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Which regions are highest?", "All is well."),
        ("Which regions are highest?", "Highest in the right hippocampus."),
        ("Which regions are highest?", "Organ systems eye."),
        ("Which organ systems are involved?", "Highest in the left cuneus."),
        ("Which organ systems are involved?", "Organ systems lung."),
        ("Write the report.", "No statement."),
    ],
)
def test_where_nothing_in_answer_to_it_can_be_checked_no_answer_stands_and_what_was_measured_is_told(answered, sample, question, text):
    answer = answered(question, text)
    assert (answer.unanswered, answer.not_in_input, answer.claims) == (ask.CANNOT_CHECK, "", ())
    assert answer.text == f"No answer that stands: {ask.CANNOT_CHECK}."
    regions, told = sample()[0].regions["brain"], [evidence.feature for evidence in answer.named]
    if question.startswith("Which regions"):
        assert told == [*regions.extremes("highest"), *reversed(regions.extremes("lowest"))]
    elif question.startswith("Which organ"):
        assert told == ["organ_systems"]
    else:
        assert {"organ_systems", "inheritance", regions.extremes("highest")[0]} <= {*told}


def test_of_a_region_that_the_question_names_the_measured_value_is_told_whatever_the_model_says(answered, sample):
    answer = answered("Is the insula high?", "All is well.")
    assert [evidence.feature for evidence in answer.named] == ["left insula", "right insula"]
    regions = sample()[0].regions["brain"]
    assert answer.named[0].value == pytest.approx(float(regions.raw[regions.names.index("left insula")]))
    assert (answer.not_in_input, answer.unanswered) == ("", ask.CANNOT_CHECK)


def test_a_fact_that_no_list_tells_is_the_models_inference(bridge, sample, monkeypatch):
    subject, values = sample(0, "gene")
    monkeypatch.setattr(ask, "generation", lambda *_: Generation("Organ systems eye.", ("Organ systems eye.",), (0.5,)))
    subject = type(subject)(subject.id, subject.regions, {}, subject.fact_modality, {}, subject.present)
    (answer,) = Session(bridge, subject, values, max_new_tokens=2).ask(["Which organ systems are involved?"])
    assert [(claim.entity, claim.verdict) for claim in answer.claims] == [("eye", Verdict.UNCHECKABLE)]


def test_an_unfit_input_is_refused_before_any_question(bridge, sample):
    subject, values = sample()
    with pytest.raises(ValueError, match="root mean square"):
        Session(bridge, subject, values | {"gene": values["gene"] * np.float32(1e4)})


def test_model_output_and_question_are_text_in_markdown(answered):
    page = answer_markdown(answered("Which regions are highest? <script>x</script>", "All is well."))
    assert "<script>" not in page
    assert "Not in the input" in page


def test_an_answer_rests_on_the_same_check_as_a_report(bridge, sample):
    subject, values = sample()
    session = Session(bridge, subject, values, max_new_tokens=12)
    (answer,) = session.ask(["Write the report."])
    written = Generation(answer.said, (answer.said,), (0.5,))
    report = checked_report(written, subject, session.reference, modalities=bridge.projectors, provenance=session.made)
    assert [claim.statement for claim in answer.struck] == [claim.statement for claim in report.struck]
