"""What vectors of notes hold: files of one's own, pairs that find each other, and MTS-Dialog as published."""

import json

import numpy as np
import pandas as pd
import pytest

from bridge.__main__ import main
from bridge.benchmark.dialogues import read_dialogues
from bridge.benchmark.embeddings import Embeddings, of_cohort, put_probe
from bridge.benchmark.results import Record
from bridge.benchmark.task import Skipped
from bridge.benchmark.text_pairs import limited, read_pairs
from bridge.data.cohort import Cohort
from bridge.language.llm import LLM, load_llm
from bridge.language.note_files import read_notes, write_embeddings, write_vectors
from bridge.language.notes import note_bank

WARDS = ("left cuneus", "right insula", "skin and kidney")
SPLIT = ["train"] * 60 + ["validation"] * 18 + ["test"] * 30


@pytest.fixture
def record(tmp_path):
    return Record("embeddings", tmp_path / "run", seed=0)


@pytest.fixture
def table(tmp_path):
    """Notes that name their ward, the ward, a random one, and a number."""
    random = np.random.default_rng(0)
    ward = random.integers(3, size=len(SPLIT))
    notes = [f"Note {random.integers(1000)}: the {WARDS[each]} is small." for each in ward]
    columns = {"id": [f"n{row}" for row in range(len(SPLIT))], "note": notes, "ward": [WARDS[each] for each in ward], "split": SPLIT}
    frame = pd.DataFrame(columns | {"random": random.permutation(columns["ward"]), "group": [f"g{row}" for row in range(len(SPLIT))]})
    frame.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


@pytest.fixture
def bank(tiny_llm, tmp_path):
    found = note_bank(load_llm(tiny_llm("chatml")), (0, 1))
    found.folder = tmp_path / "vectors"
    return found


def rows_of(record):
    return {(row.metric, row.method, row.direction): row for row in record.rows}


def test_a_label_is_told_from_vectors_beside_words_and_majority_and_a_random_one_is_not(record, table, bank, tmp_path):
    samples = read_notes(table, ["note"])
    write_embeddings(tmp_path / "notes.h5ad", samples, ["note"], bank, 64, split="split", group="group")
    Embeddings(embeddings=str(tmp_path / "notes.h5ad"), labels=["ward", "random"], resamples=100).run(record)
    found = rows_of(record)
    for method in ("bridge", "tf-idf"):
        assert found["accuracy", method, "ward"].low > 0.8
        assert found["accuracy", method, "random"].low < 0.45
    assert found["accuracy", "majority", "ward"].value < 0.6
    assert {row.n for row in record.rows} == {30}
    assert all(0 <= row.value <= 1 for row in record.rows)


def test_a_parquet_file_and_its_table_give_what_the_cohort_gives(table, bank, tmp_path):
    samples = read_notes(table, ["note"])
    scores = []
    for name in ("notes.h5ad", "notes.parquet"):
        given = {"split": "split", "group": "group"} if name.endswith("h5ad") else {}
        write_embeddings(tmp_path / name, samples, ["note"], bank, 64, **given)
        record = Record("embeddings", tmp_path / name.replace(".", "-"), seed=0)
        Embeddings(embeddings=str(tmp_path / name), labels=["ward"], table=str(table), text="note", resamples=50).run(record)
        scores.append(record.rows)
    assert scores[0] == scores[1]


def test_what_a_parquet_file_needs_beside_it_is_asked_for(table, tmp_path, record):
    write_vectors(tmp_path / "v.parquet", ["n0", "elsewhere"], np.arange(8, dtype=np.float32).reshape(2, 4))
    with pytest.raises(ValueError, match=r"embeddings, field table: found none, expected one beside .*v\.parquet"):
        Embeddings(embeddings=str(tmp_path / "v.parquet"), labels=["ward"]).run(record)
    with pytest.raises(ValueError, match=r"id 'elsewhere' is not in table\.csv"):
        Embeddings(embeddings=str(tmp_path / "v.parquet"), labels=["ward"], table=str(table), text="note").run(record)


def test_settings_that_belong_together_are_asked_for_together():
    for given, field in (
        ({"embeddings": "x.h5ad"}, "labels"),
        ({"labels": ["a"]}, "labels"),
        ({"pairs": "p.csv", "query": "a"}, "target"),
        ({"query": "a"}, "query"),
    ):
        with pytest.raises(ValueError, match=f"embeddings, field {field}"):
            Embeddings(**given)


def test_a_label_that_is_not_there_is_named(tiny_cohort, record):
    with pytest.raises(ValueError, match=r"field labels: no column 'ward'; found"):
        put_probe(record, "ward", of_cohort(tiny_cohort, "brain", "anatomy"), "tiny")
    with pytest.raises(ValueError, match="no modality 'text'"):
        of_cohort(tiny_cohort, "text")


def pair_file(tmp_path, **columns):
    pd.DataFrame({"id": [f"p{row}" for row in range(12)]} | columns).to_csv(tmp_path / "pairs.csv", index=False)
    return tmp_path / "pairs.csv"


def test_pairs_find_each_other_and_a_text_of_several_pairs_is_one_candidate(record, tmp_path, tiny_llm):
    texts = [f"Seizures {WARDS[row % 3]} {chr(97 + row) * 9} {row}" for row in range(11)]
    texts[0] = " ".join(texts)  # in training: words that it has not got are not looked at
    path = pair_file(tmp_path, section=[*texts, texts[10]], dialogue=[*texts, texts[10]], split=["train"] * 4 + ["test"] * 7 + ["test"])
    llm = LLM(str(tiny_llm("chatml")))
    Embeddings(pairs=str(path), query="section", target="dialogue", llm=llm, layers=[0], resamples=50).run(record)
    found = rows_of(record)
    for method in ("bridge", "tf-idf"):
        for direction in ("section->dialogue", "dialogue->section"):
            assert found["r1", method, direction].value == 1.0
            assert found["mrr", method, direction].value == 1.0
    assert (found["r1", "chance", "section->dialogue"].value, found["r1", "bridge", "section->dialogue"].candidates) == (1 / 7, 7)
    assert found["r10", "bridge", "section->dialogue"].value is None
    repeated = pair_file(tmp_path, section=[texts[row % 3] for row in range(12)], dialogue=["Same."] * 6 + ["Other."] * 6)
    again = Record("embeddings", tmp_path / "again", seed=0)
    Embeddings(pairs=str(repeated), query="section", target="dialogue", llm=llm, layers=[0], resamples=0).run(again)
    assert rows_of(again)["r1", "bridge", "section->dialogue"].candidates == 2
    assert rows_of(again)["r1", "bridge", "section->dialogue"].n == 12


def test_shuffled_pairs_are_at_chance(tmp_path, record, tiny_llm):
    random = np.random.default_rng(1)
    texts = [" ".join(random.choice(["left", "right", "cuneus", "insula", "skin", "kidney", "report"], 6)) + f" {row}" for row in range(60)]
    frame = pd.DataFrame({"id": range(60), "a": texts, "b": random.permutation(texts), "split": ["train"] * 20 + ["test"] * 40})
    frame.to_csv(tmp_path / "p.csv", index=False)
    Embeddings(pairs=str(tmp_path / "p.csv"), query="a", target="b", llm=LLM(str(tiny_llm("chatml"))), layers=[0, 1], resamples=50).run(record)
    assert rows_of(record)["r1", "bridge", "a->b"].value < 0.15
    assert rows_of(record)["r10", "bridge", "a->b"].value < 0.55


def test_pairs_without_a_side_are_left_out_and_some_must_be_in_test(tmp_path):
    path = pair_file(tmp_path, a=["x"] * 11 + [""], b=["y"] * 12, split=["train"] * 6 + ["test"] * 6)
    assert len(read_pairs(path, "a", "b").split) == 11
    with pytest.raises(ValueError, match="is in the split 'test', expected some"):
        read_pairs(pair_file(tmp_path, a=["x"] * 12, b=["y"] * 12, split=["train"] * 12), "a", "b")


def test_a_limit_is_drawn_per_split_with_the_seed():
    split = np.array(SPLIT, dtype=object)
    rows = limited(split, 20, 0)
    assert [int((split[rows] == name).sum()) for name in ("train", "validation", "test")] == [20, 18, 20]
    assert np.array_equal(rows, limited(split, 20, 0))
    assert not np.array_equal(rows, limited(split, 20, 1))
    assert np.array_equal(limited(split, 0, 0), np.arange(len(split)))


@pytest.fixture
def dialogues(tmp_path, monkeypatch):
    """MTS-Dialog's files in small; the second test set has a conversation of training in another spelling."""
    folder = tmp_path / "data" / "medical" / "mts_dialog"
    folder.mkdir(parents=True)
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path / "data"))
    sizes = {"TrainingSet": 30, "ValidationSet": 8, "TestSet-1-MEDIQA-Chat-2023": 8, "TestSet-2-MEDIQA-Sum-2023": 6}
    for name, size in sizes.items():
        kinds = [("GENHX", "ALLERGY")[row % 2] for row in range(size)]
        talk = [f'Doctor: {kind}, {name} {row}?\nPatient: "Yes, {row}."' for row, kind in enumerate(kinds)]
        talk[0] = 'Doctor:  GENHX, trainingset 0? Patient: "yes, 0."' if "Sum" in name else talk[0]
        frame = pd.DataFrame(
            {"ID": range(size), "section_header": kinds, "section_text": [f"{kind} {name} {row}." for row, kind in enumerate(kinds)], "dialogue": talk}
        )
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder


def test_mts_dialog_is_read_as_published_and_copies_of_training_are_dropped(dialogues):
    frame, dropped = read_dialogues(dialogues)
    assert dropped == 1
    assert frame["split"].value_counts().to_dict() == {"train": 30, "test": 13, "validation": 8}
    assert frame.index.is_unique
    assert frame.loc["train-1-3", "section_header"] == "ALLERGY"


def test_the_command_writes_both_scores_of_mts_dialog(dialogues, tiny_llm, tmp_path, capsys):
    line = f"evaluate embeddings --llm.path {tiny_llm('chatml')} --limit 12 --resamples 50 --out {tmp_path / 'runs'} --layers [0,1]"
    assert main(line.split()) == 0
    rows = json.loads((tmp_path / "runs" / "embeddings" / "results.json").read_text())
    assert {row["metric"] for row in rows} == {"accuracy", "macro_f1", "r1", "r5", "r10", "mrr"}
    assert {row["direction"] for row in rows} == {"section_header", "dialogue->section_text", "section_text->dialogue"}
    assert {row["n"] for row in rows} == {12}
    assert "1 held-out pairs were dropped" in capsys.readouterr().out


def test_without_the_data_the_benchmark_is_skipped_with_the_reason(record, tmp_path, monkeypatch):
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(Skipped, match="set BRIDGE_DATA"):
        Embeddings().run(record)
    (tmp_path / "data" / "medical").mkdir(parents=True)
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path / "data"))
    with pytest.raises(Skipped, match="mts_dialog"):
        Embeddings().run(record)


def test_the_splits_of_a_cohort_are_those_of_its_file(tiny_cohort):
    samples = of_cohort(Cohort(tiny_cohort.table), "gene", "clinical")
    assert samples.texts[9] == ""
    assert list(samples.split) == tiny_cohort.table.obs["split"].tolist()
