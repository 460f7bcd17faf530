"""Which questions the inputs of a sample can answer, decided by the question before the model is asked."""

import numpy as np
import pytest
from ask_questions import ANSWERABLE, UNANSWERABLE
from desikan_killiany import REGIONS

from bridge.language.subject import RegionValues, Subject
from bridge.report.questions.answerable import Scope
from bridge.report.reference import Reference

FACTS = {
    "inheritance": ("autosomal recessive", "autosomal dominant", "X-linked"),
    "further_organ_systems": (
        "eye",
        "cardiovascular system",
        "musculoskeletal system",
        "growth",
        "digestive system",
        "blood and blood-forming tissues",
        "skin",
    ),
}
OWNERS = {"inheritance": "gene", "further_organ_systems": "gene"}
UNITS = "regional expression scaled to 0..1"


@pytest.fixture(scope="module")
def scope():
    """``scope(*given)``: a sample named SCN1A whose left cuneus was not measured."""

    def make(*given, words=(UNITS,)):
        values = np.linspace(2, -2, len(REGIONS))
        values[REGIONS.index("left cuneus")] = np.nan
        size = np.full(len(REGIONS), 1.0)
        reference = Reference({"brain": REGIONS}, {"brain": size * 0}, {"brain": size}, FACTS, OWNERS)
        return Scope(Subject("SCN1A", {"brain": RegionValues(REGIONS, values)}, {}, OWNERS, {}, frozenset(given)), reference, words)

    return make


def test_no_unanswerable_question_of_the_table_passes_and_nearly_no_answerable_one_is_refused(scope):
    passed = [question for question, given in UNANSWERABLE if not scope(*given).reason(question)]
    refused = [question for question, given in ANSWERABLE if "cuneus" not in question and scope(*given).reason(question)]
    assert len(UNANSWERABLE) >= 60
    assert len(ANSWERABLE) >= 60
    assert passed == []
    assert len(refused) <= 1, refused


@pytest.mark.parametrize(
    ("question", "given", "reason"),
    [
        ("What is the blood flow in the hippocampus?", ("brain", "gene"), "no input tells of 'flow'"),
        ("What is the troponin?", ("brain", "gene"), "no input tells of 'troponin'"),
        ("Is the hypothalamus large?", ("brain", "gene"), "brain map has no 'hypothalamus'"),
        ("Is the left hippocampus high?", ("gene",), "brain map not given"),
        ("What is the inheritance?", ("brain",), "gene not given"),
        ("Is the left cuneus high?", ("brain", "gene"), "brain map has no value for 'left cuneus'"),
        ("Has the hippocampus shrunk since the last scan?", ("brain",), "the input is one examination, and no input tells what was before or will be"),
        ("Who is the patient?", ("brain",), "no input tells who the sample is of"),
        ("?!", ("brain",), "the question holds no word"),
        ("Is that so?", ("brain",), "the question names nothing that the inputs tell; they tell values of the brain map"),
        ("Which regions of BRCA1 are highest?", ("brain", "gene"), "brain map has no 'BRCA1'"),
    ],
)
def test_the_reason_names_what_the_input_does_not_tell(scope, question, given, reason):
    assert scope(*given).reason(question) == reason


@pytest.mark.parametrize("question", ["What is known of the inheritance of SCN1A?", "Is growth affected?", "Which gyri are high?", "Is it autosomal?"])
def test_the_sample_itself_and_items_of_facts_are_understood(scope, question):
    assert scope("brain", "gene").reason(question) == ""


def test_what_the_units_and_the_note_speak_of_may_be_asked(scope):
    assert scope("brain", words=()).reason("Is expression high in the left insula?") == ""
    assert scope("brain").reason("Do the seizures fit the highest regions?") == "no input tells of 'seizures' and 'fit'"
    assert scope("brain", words=("Seizures from birth; a fit lasts minutes.",)).reason("Do the seizures fit the highest regions?") == ""


def test_a_part_that_was_not_given_is_told_beside_the_answer(scope):
    question = "Name the highest regions and the further organ systems."
    assert scope("gene").reason(question) == ""
    assert scope("gene").open_parts(question) == ("brain map: not given",)
    assert scope("gene", "brain").open_parts(question) == ()
