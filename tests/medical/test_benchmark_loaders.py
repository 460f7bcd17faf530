"""Every benchmark is read from its publisher's own files, and an answerer that knows the truth scores 1 on it."""

import json
import shutil

import pytest

from bridge.medical.ask import likeliest, written
from bridge.medical.asking import options_of, passage, shortened
from bridge.medical.benchmarks import BENCHMARKS, drawn, splits
from bridge.medical.scores import figure

COUNTS = {
    "pubmedqa": (4, 0, 4),
    "medqa": (0, 0, 3),
    "medmcqa": (0, 0, 3),
    "emrqa": (0, 0, 2),
    "i2b2-2010": (3, 0, 3),
    "i2b2-2010-relations": (4, 0, 4),
    "i2b2-2010-assertions": (2, 0, 2),
    "ddi-2013": (48, 4, 12),
    "hoc": (35, 0, 2),
    "pubmed-summarisation": (1, 0, 2),
    "mimic-cxr": (0, 0, 2),
    "bionli": (0, 0, 2),
    "mednli": (3, 0, 3),
    "bc5cdr": (3, 3, 3),
    "ncbi-disease": (0, 0, 2),
}


class Oracle:
    """Knows the answers, one question after the other; a note of two specialties is asked twice."""

    name = "oracle"

    def __init__(self, items):
        self.items = items

    def generate(self, questions, *, max_new_tokens):
        assert list(questions) == [item.question for item in self.items]
        return [item.answer for item in self.items]

    def log_likelihoods(self, questions, choices):
        right = (options_of(item)[item.choices.index(item.answer)] if options_of(item) else item.answer for item in self.items)
        return [[-1.0 if choice in (item.answer, text) else -99.0 for choice in each] for item, text, each in zip(self.items, right, choices, strict=True)]


@pytest.fixture
def test_of(folder_of):
    """``test_of(name)``: the test items of a benchmark."""
    return lambda name: splits(name, folder_of(name))["test"]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_an_oracle_scores_one(name, test_of):
    items = test_of(name)
    found = written(Oracle(items), items)
    about = BENCHMARKS[name]
    assert {metric: figure(found, metric, negative=about.negative) for metric in about.metrics} == pytest.approx(dict.fromkeys(about.metrics, 1.0))
    assert figure(found, "unparsed") == 0.0


@pytest.mark.parametrize("name", [name for name, about in BENCHMARKS.items() if "accuracy" in about.metrics])
def test_an_oracle_scores_one_by_likelihood_too(name, test_of):
    items = test_of(name)
    ways = likeliest(Oracle(items), items)
    assert set(ways) == {"likelihood", "likelihood of text"}
    assert all(figure(found, "accuracy") == 1.0 for found in ways.values())


@pytest.mark.parametrize(("name", "counts"), COUNTS.items())
def test_items_come_in_the_published_splits(name, counts, folder_of):
    found = splits(name, folder_of(name))
    assert (len(found["train"]), len(found["validation"]), len(found["test"])) == counts


def test_questions_show_their_options_and_the_form_of_the_answer(test_of):
    first = test_of("medqa")[0]
    assert first.question.splitlines()[1:4] == ["(A) Rest", "(B) Surgery of the left knee", "(C) Aspirin"]
    assert first.answer == "(B)"
    assert test_of("pubmedqa")[3].question.endswith("Does compound 103 help?\nAnswer with one of: yes; no; maybe.")
    assert [item.answer for item in test_of("medmcqa")] == ["(A)", "(C)", "(D)"]


def test_mentions_are_those_of_the_tags(test_of):
    assert [item.answer for item in test_of("bc5cdr")] == ["chemical: Morphine; disease: heart failure; disease: chest pain", "none", "chemical: Morphine"]
    assert test_of("ncbi-disease")[0].answer == "Ataxia - telangiectasia"


def test_clinical_concepts_relations_and_assertions(test_of):
    assert [item.answer for item in test_of("i2b2-2010")] == [
        "none",
        "test: The chest x-ray; problem: Pneumonia",
        "treatment: Morphine; problem: her pain; problem: fever",
    ]
    expected = ["test is done to investigate problem", "treatment improves problem", "none of these", "none of these"]
    assert [item.answer for item in test_of("i2b2-2010-relations")] == expected
    assert [item.answer for item in test_of("i2b2-2010-assertions")] == ["absent", "associated with someone else"]


def test_texts_are_found_in_their_records(test_of):
    first, second = test_of("emrqa")
    assert (first.answer, first.choices, second.answer) == ("25 mg", ("25 mg", "25 mg daily"), "cough")
    assert "metoprolol 25 mg" in first.question
    assert [item.answer for item in test_of("mimic-cxr")] == ["No acute process."] * 2
    assert "Findings: Lungs are clear." in test_of("mimic-cxr")[0].question
    assert test_of("pubmed-summarisation")[0].answer == "mice grew . food helps ."


def test_a_split_of_studies_is_kept_where_it_is_there(folder_of, tmp_path):
    folder = tmp_path / "mimic"
    shutil.copytree(folder_of("mimic-cxr"), folder)
    (folder / "mimic-cxr-2.0.0-split.csv").write_text("dicom_id,study_id,subject_id,split\na,50000001,10000001,train\nb,50000003,10000002,test\n")
    found = splits("mimic-cxr", folder)
    assert (len(found["train"]), len(found["test"])) == (1, 1)


@pytest.mark.parametrize("name", [name for name, about in BENCHMARKS.items() if about.credentialed])
def test_credentialed_items_do_not_name_their_subjects(name, folder_of):
    names = {part.split(".")[0] for path in folder_of(name).rglob("*") for part in (path.name,)} - {""}
    known = {each for each in names if any(sign.isdigit() for sign in each)} | {"10000001", "50000001"}
    items = [item for each in splits(name, folder_of(name)).values() for item in each]
    assert not [item.id for item in items for each in known if each in item.id or each in item.group]


def test_a_note_under_two_specialties_stays_in_one_split(folder_of):
    found = splits("mtsample", folder_of("mtsample"))
    assert len(found["train"]) + len(found["test"]) == 30
    assert not {item.group for item in found["train"]} & {item.group for item in found["test"]}
    assert all(item.question.count("Radiology") == 0 for item in found["test"])


def test_a_document_in_training_and_test_is_refused(folder_of, tmp_path):
    folder = tmp_path / "ddi"
    shutil.copytree(folder_of("ddi-2013"), folder)
    shutil.copy(folder / "train_rebuilt.json.gz", folder / "test.json.gz")
    (folder / "test.json").unlink()
    with pytest.raises(ValueError, match="ddi-2013: 12 groups stand in training and test"):
        splits("ddi-2013", folder)


def test_the_development_part_of_ddi_shares_documents_and_the_test_part_does_not(folder_of):
    found = {split: {item.unit for item in items} for split, items in splits("ddi-2013", folder_of("ddi-2013")).items()}
    assert found["train"] & found["validation"]
    assert not found["test"] & (found["train"] | found["validation"])


@pytest.mark.parametrize(
    ("name", "file", "content", "message"),
    [
        ("medqa", "us_5opt_test.jsonl", '{"question": "Q", "options": {"A": "x", "B": "y"}, "answer_idx": "A"}\n', "line 1, field options: .* expected five"),
        ("medqa", "us_5opt_test.jsonl", '{"question": \n', "line 1: not JSON"),
        ("medqa", "us_5opt_test.jsonl", "[1]\n", "item 0: found int, expected an object"),
        (
            "medmcqa",
            "dev.json",
            '{"question": "Q", "opa": "1", "opb": "2", "opc": "3", "opd": "4", "cop": 5, "id": "x"}\n',
            "found '5', expected one of 1, 2, 3, 4",
        ),
        (
            "hoc",
            "test.json",
            '[{"index": "1", "sentence": "S.", "gold": "angiogenesis"}]',
            "item 0, field gold: found 'angiogenesis', expected one of activating",
        ),
        ("hoc", "test.json", '[{"index": "1", "gold": "cellular energetics"}]', "item 0, field sentence: found nothing"),
        ("ncbi-disease", "test.tsv", "A\tO\nB\tI-Disease\n", r"line 2: found 'B\\tI-Disease', expected a token"),
        ("emrqa", "data.json", '{"notes": []}', "field data: not there"),
        ("pubmedqa", "test_ground_truth.json", '{"1": "yes"}', "test_ground_truth.json has 1, which ori_pqal.json lacks"),
        ("pubmed-summarisation", "test.txt", '{"article_id": "1"}\n', "field article_text: not there"),
    ],
)
def test_a_file_of_another_form_is_refused_by_its_place(name, file, content, message, folder_of, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(folder_of(name), folder)
    (folder / file).write_text(content)
    with pytest.raises(ValueError, match=message):
        splits(name, folder)


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("concept/record-ref.con", 'c="x" 9:0 9:1||t="problem"', "words 0 to 1 of line 9, which the text does not have"),
        ("concept/record-ref.con", 'c="x" 1:0 1:1', "line 1: found .*expected c="),
        ("rel/record-ref.rel", 'c="x" 2:0 2:2||r="XX"||c="y" 2:5 2:5', "expected c=.* with one of TrIP"),
    ],
)
def test_annotations_that_do_not_fit_their_text_are_refused(file, line, message, folder_of, tmp_path):
    folder = tmp_path / "i2b2"
    shutil.copytree(folder_of("i2b2-2010"), folder)
    (folder / "reference_standard_for_test_data" / file).write_text(line + "\n")
    with pytest.raises(ValueError, match=message):
        splits("i2b2-2010-relations", folder)


def test_a_folder_without_the_test_part_and_a_wrong_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no file of the test split, expected dev with"):
        splits("medmcqa", tmp_path)
    with pytest.raises(ValueError, match="found 'medqb', expected some of pubmedqa, medqa"):
        splits("medqb", tmp_path)


def test_a_limit_draws_the_same_items_for_the_same_seed(test_of):
    items = test_of("ddi-2013")
    some = drawn(items, 5, 1)
    assert some == drawn(items, 5, 1) != drawn(items, 5, 2)
    assert len(some) == 5
    assert drawn(items, None, 0) == drawn(items, 99, 0) == items
    with pytest.raises(ValueError, match="field limit: found 0"):
        drawn(items, 0, 0)


def test_long_texts_are_cut_at_the_end_of_a_sentence():
    text = "One two three. Four five six? Seven eight nine ten."
    assert shortened(text, 6) == "One two three. Four five six?"
    assert shortened(text, 9) == "One two three. Four five six?"
    assert shortened(text, 2) == "One two"
    assert shortened(text, 99) == text
    note = "Nothing here. " * 50 + "She takes metoprolol daily. " + "Nothing there. " * 50
    assert "metoprolol" in passage(note, "What dose of metoprolol?", 20)
    assert len(passage(note, "What dose of metoprolol?", 20).split()) <= 20
    assert passage(text, "Unrelated asking", 6) == "One two three. Four five six?"


def test_fixtures_are_json_where_they_say_so(folder_of):
    assert len(json.loads((folder_of("pubmedqa") / "ori_pqal.json").read_text())) == 8
