"""Published sets in their true formats, and instruction files of others."""

import gzip
import json

import pytest

from bridge.instructions.build import build_instructions
from bridge.instructions.conversations import read_conversations
from bridge.instructions.dialogues import read_mts_dialog, read_question_entailment
from bridge.instructions.item import read_instructions

MTS = """ID,section_header,section_text,dialogue
0,GENHX,"The patient has had
low back pain for eight years.","Doctor: When did your pain begin?
Patient: About eight  years ago, ""I think""."
1,FAM/SOCHX,Noncontributory.,"Doctor: Any illness in the family?
Patient: No."
2,ROS,,"Doctor: Anything else?"
"""
RQE = """<?xml version="1.0" encoding="UTF-8"?>
<MEDIQA2019-Task2-RQE>
<pair pid="1" type="originalQ-shortQ" value="true">
<chq>
   Can a cut &amp; a burn hurt?
</chq>
<faq>Do burns hurt?</faq>
</pair>
<pair pid="2" value="false"> <chq>Can a cut &amp; a burn hurt?</chq> <faq>What is a cold?</faq> </pair>
<pair pid="3" value="true"> <chq>Is it new?</chq> <faq> </faq> </pair>
</MEDIQA2019-Task2-RQE>
"""


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return write


def test_a_dialogue_becomes_the_section_of_a_note(write):
    first, second = read_mts_dialog(write("TrainingSet.csv", MTS))
    assert first.answer == "The patient has had low back pain for eight years."
    assert 'Doctor: When did your pain begin?\nPatient: About eight years ago, "I think".' in first.question
    assert "history of present illness" in first.question
    assert "family and social history" in second.question
    assert (first.family, first.judged, first.licence, first.split) == ("summarisation", "text", "CC BY 4.0", "train")
    assert first.group != second.group


def test_an_unknown_section_and_a_missing_column_are_named(write):
    with pytest.raises(ValueError, match=r"ID 0, field section_header: found 'XYZ', expected one of ALLERGY"):
        list(read_mts_dialog(write("a.csv", MTS.replace("GENHX", "XYZ"))))
    with pytest.raises(ValueError, match=r"found no column 'dialogue'"):
        list(read_mts_dialog(write("b.csv", MTS.replace("dialogue", "talk"))))


@pytest.mark.parametrize("name", ["TrainingSet.xml", "TrainingSet.xml.gz"])
def test_a_question_entails_another_or_not(write, name):
    yes, no = read_question_entailment(write(name, RQE), "test")
    assert (yes.answer, no.answer) == ("yes", "no")
    assert set(yes.choices) == {"yes", "no"}
    assert "Can a cut & a burn hurt?" in yes.question
    assert "Do burns hurt?" in yes.question
    assert yes.group == no.group
    assert yes.template.split("/")[1] in ("4", "5")


def test_a_pair_without_a_value_is_named(write):
    with pytest.raises(ValueError, match=r"pair '2', field value: found 'maybe', expected true or false"):
        list(read_question_entailment(write("a.xml", RQE.replace('"false"', '"maybe"'))))


def test_published_sets_join_the_others_and_a_question_of_the_test_stays_out_of_train(write, release, tmp_path):
    for name, text in (
        ("TrainingSet.xml.gz", RQE),
        ("ValidationSet.xml", RQE.replace("cut", "bruise")),
        ("TestSet-wLabels.xml", RQE.replace("a cold", "a graze")),
    ):
        write(name, text)
    for name in ("TrainingSet.csv", "ValidationSet.csv", "TestSet-1-MEDIQA-Chat-2023.csv"):
        write(name, MTS if name == "TrainingSet.csv" else MTS.replace("back", name))
    out = tmp_path / "set"
    families = ("inference", "summarisation")
    card = build_instructions(out, families=families, limit_per_family=24, sources=release, mts_dialog=tmp_path, question_entailment=tmp_path)
    assert set(card["licences"]) == {"hpo", "mediqa-rqe", "mts-dialog"}
    asked = {split: [item for item in read_instructions(out / f"{split}.jsonl") if item.source == "mediqa-rqe"] for split in ("train", "test")}
    assert asked["test"]
    assert not asked["train"]


def test_a_missing_file_of_a_set_is_named(release, tmp_path):
    with pytest.raises(ValueError, match=r"found no TrainingSet.csv and no TrainingSet.csv.gz"):
        build_instructions(tmp_path / "set", families=("summarisation",), limit_per_family=2, sources=release, mts_dialog=tmp_path)


def test_alpaca_and_sharegpt_rows_are_read_each_by_its_fields(write):
    rows = [
        {"instruction": "Name it.", "input": "A fever.", "output": "Fever"},
        {"instruction": "Say hello.", "input": "", "output": "Hello"},
        {
            "conversations": [
                {"from": "human", "value": "Hi"},
                {"from": "gpt", "value": "Yes?"},
                {"from": "human", "value": "Why?"},
                {"from": "gpt", "value": "So."},
            ]
        },
        {"conversations": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
    ]
    lines = list(read_conversations(write("set.jsonl.gz", "\n".join(map(json.dumps, rows))), "question answering", licence="MIT"))
    whole = list(read_conversations(write("set.json", json.dumps(rows)), "question answering", licence="MIT"))
    assert lines == whole
    assert [(item.question, item.answer) for item in lines] == [
        ("Name it.\n\nA fever.", "Fever"),
        ("Say hello.", "Hello"),
        ("Hi", "Yes?"),
        ("Hi\n\nYes?\n\nWhy?", "So."),
        ("Be brief.\n\nHi", "Hello"),
    ]
    assert len({item.id for item in lines}) == 5
    assert lines[2].group == lines[3].group
    assert {item.source for item in lines} == {"set"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"prompt": "x"}', r"set.jsonl, row 1: found \['prompt'\], expected the fields instruction and output, or conversations"),
        ('{"conversations": [{"from": "bot", "value": "x"}]}', r"row 1, turn 1: found 'bot' with str, expected one of human, user, gpt"),
        ('{"instruction": ', r"row 1: .*expected JSON"),
    ],
)
def test_a_row_of_another_form_is_named(write, row, message):
    with pytest.raises(ValueError, match=message):
        list(read_conversations(write("set.jsonl", row), "inference"))
