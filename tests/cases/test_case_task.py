"""The benchmark of cases from files to rows, without a language model and with each of its modes."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_release import ATAXIA, BLIND, CATARACT, GENES, SEIZURE, compact

from bridge.benchmark import case_llm
from bridge.benchmark.case_modes import best_weight, nearest, preferences, reordered, retrieval_questions, usual_likelihoods, written_preferences, written_ranks
from bridge.benchmark.case_scores import measures
from bridge.benchmark.cases import Cases
from bridge.benchmark.results import Record
from bridge.benchmark.task import Skipped
from bridge.cases.rank import positions
from bridge.cases.split import split_of
from bridge.cases.words import Diagnoses
from bridge.data.releases import SourceFiles


def symbols(split):
    return [name for name in (f"GENE{number}" for number in range(200)) if split_of(name) == split]


@pytest.fixture
def files(release, tmp_path, monkeypatch):
    """The tiny release with genes of every split, as the sources of a run."""
    disease = {"OMIM:100001": "train", "OMIM:100002": "validation", "OMIM:100003": "test", "OMIM:100004": "test"}
    wanted = {gene: symbols(disease[name])[place] for place, (gene, name) in enumerate(GENES.items())}
    text = (release / "genes_to_phenotype.txt").read_text()
    for gene, name in wanted.items():
        text = text.replace(f"\t{gene}\t", f"\t{name}\t")
    (tmp_path / "genes.txt").write_text(text)
    nowhere = Path("nowhere")
    found = SourceFiles(nowhere, nowhere, nowhere, release / "hp.obo", tmp_path / "genes.txt", release / "phenotype.hpoa", nowhere)
    monkeypatch.setattr("bridge.benchmark.cases.source_files", lambda: found)
    return wanted


@pytest.fixture
def lines(files, write_compact):
    rows = [
        compact("a", [ATAXIA, CATARACT], files["ONE"], "OMIM:100001", "PMID:11"),
        compact("b", [ATAXIA], files["TWO"], "OMIM:100002", "PMID:12"),
        compact("c", [SEIZURE], files["THREE"], "OMIM:100003", "PMID:4"),
        compact("d", [CATARACT, BLIND], files["FOUR"], "OMIM:100004", "PMID:14", neuro=False),
        compact("e", [BLIND], files["FOUR"], "OMIM:999999", "PMID:14"),
    ]
    return str(write_compact(rows))


@pytest.fixture
def record(tmp_path):
    return Record("cases", tmp_path / "out" / "cases", title="t")


def found_in(record):
    return {(row.direction, row.metric, row.method): row for row in record.rows}


def test_a_run_scores_every_method_withheld_and_given_apart(lines, record):
    Cases(cases=lines).run(record)
    record.write()
    rows = found_in(record)
    directions = {row.direction for row in record.rows}
    assert directions == {f"{gene}, {kind}" for gene in ("gene withheld", "gene given", "gene withheld, nothing removed") for kind in ("all", "neurological")}
    assert rows["gene withheld, all", "mrr", "simGIC"].n == 2
    assert rows["gene withheld, neurological", "mrr", "simGIC"].n == 1
    assert {row.candidates for row in record.rows} == {4}
    # PMID:4 is the publication of test case c: without it no annotation of its disease is left, and no link of its gene
    assert rows["gene withheld, neurological", "top_1", "simGIC"].value == 0.0
    assert rows["gene given, neurological", "top_1", "simGIC"].value == 0.0
    assert rows["gene withheld, nothing removed, neurological", "top_1", "simGIC"].value == 1.0
    words = {part.heading: part.words for part in record.parts}
    assert "less 2 that cite a publication of a test case" in words["Protocol"]
    assert "2 of 3 test cases have a diagnosis that the release knows" in words["Protocol"]
    assert "phenotypes of another case" in words["Control"]
    assert words["Imaging phenotypes with a region"] == "No case has an imaging phenotype."
    assert "against simGIC" in words["Verdict"]
    assert json.loads((record.out / "results.json").read_text())


def test_a_run_without_data_is_skipped(files, record, monkeypatch, tmp_path):
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path / "none"))
    with pytest.raises(Skipped, match="cases: no such folder"):
        Cases().run(record)


def test_a_split_without_a_known_diagnosis_is_refused(files, write_compact, record):
    path = write_compact([compact("a", [ATAXIA], files["ONE"], "OMIM:100001", "PMID:11"), compact("b", [ATAXIA], files["TWO"], "OMIM:100002", "PMID:12")])
    with pytest.raises(ValueError, match="found 0 cases of a split and no diagnosis"):
        Cases(cases=str(path)).run(record)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"llm": "x", "bundle": "y"}, "found both"),
        ({"bundle": "y"}, "found one of them"),
        ({"endpoint": "x"}, "field llm: found nothing"),
    ],
)
def test_models_that_cannot_both_be_meant_are_refused(settings, told, lines, record):
    with pytest.raises(ValueError, match=told):
        Cases(cases=lines, **settings).run(record)


class Knowing:
    """An answerer that finds one disease likely wherever the case has ataxia and writes it first."""

    name = "knowing"

    def generate(self, questions, *, max_new_tokens):
        return ["1. Nonsense\n2. Beta seizure disorder" if "seizure" in question else "Gamma eye disease" for question in questions]

    def log_likelihoods(self, questions, choices):
        return [[0.0 if ("seizure" in question) == ("seizure" in name) else -9.0 for name in names] for question, names in zip(questions, choices, strict=True)]


def test_a_model_is_read_in_every_mode_and_never_told_a_gene_that_is_withheld(lines, record, monkeypatch):
    seen = []

    class Watched(Knowing):
        def log_likelihoods(self, questions, choices):
            seen.extend(questions)
            return super().log_likelihoods(questions, choices)

        def generate(self, questions, *, max_new_tokens):
            seen.extend(questions)
            return super().generate(questions, max_new_tokens=max_new_tokens)

    monkeypatch.setattr("bridge.benchmark.cases.reader", lambda *names: case_llm.Reader(Watched()))
    conditions, put = [], case_llm.put_modes

    def watched(*arguments, condition, k):
        seen.clear()
        put(*arguments, condition=condition, k=k)
        conditions.append((condition, any("GENE" in question for question in seen)))

    monkeypatch.setattr("bridge.benchmark.cases.put_modes", watched)
    Cases(cases=lines, limit=0, k=4).run(record)
    assert conditions == [("gene withheld", False), ("gene given", True)]
    rows = found_in(record)
    place = "gene withheld, read by knowing, all"
    assert rows[place, "top_1", "knowing, zero-shot"].value == 0.5  # c is in the second place
    assert rows[place, "top_3", "knowing, zero-shot"].value == 1.0
    assert {method for direction, _, method in rows if direction == place} > {"knowing, zero-shot", "knowing, retrieval-augmented"}


def test_a_bare_model_is_opened_by_its_folder_and_none_is_none(tiny_llm):
    assert case_llm.reader(None, None, None, None) is None
    read = case_llm.reader(str(tiny_llm()), None, None, None)
    assert (read.answerer.name, read.likelihoods, read.bridge) == ("checkpoint", True, None)
    read = case_llm.reader("big", "http://localhost:1", None, None)
    assert (read.answerer.name, read.likelihoods) == ("big", False)


def test_a_model_that_only_writes_puts_the_candidates_into_an_order(lines, record, monkeypatch):
    class Writer:
        name = "writer"

        def generate(self, questions, *, max_new_tokens):
            return ["1. Gamma eye disease\n2. Alpha ataxia 1"] * len(questions)

        def log_likelihoods(self, questions, choices):
            raise ValueError("it only writes")

    monkeypatch.setattr("bridge.benchmark.cases.reader", lambda *names: case_llm.Reader(Writer(), likelihoods=False))
    Cases(cases=lines, limit=0, k=4, released=False).run(record)
    assert ("gene withheld, read by writer, all", "mrr", "writer, retrieval-augmented") in found_in(record)
    found = written_preferences(["1. Beta\n2. Alpha\nBeta", ""], [["Alpha", "Beta", "Gamma"], ["Alpha", "Beta"]])
    assert np.argsort(found[0]).tolist() == [2, 0, 1]
    assert len(set(found[1])) == 1


def test_a_bundle_is_asked_with_soft_tokens_of_genes_it_was_not_trained_on(bridge, tiny_cohort, make_case):
    read = case_llm.Reader(Knowing(), True, bridge, tiny_cohort)
    trained, held_out = tiny_cohort.ids[int(tiny_cohort.rows("train")[0])], tiny_cohort.ids[int(tiny_cohort.rows("test")[0])]
    values = case_llm.gene_values(read, [make_case(gene=name) for name in (trained, held_out, "NONE", "")])
    assert set(values) == set(bridge.projectors)
    for modality, found in values.items():
        assert np.isnan(found[[0, 2, 3]].numpy()).all()
        np.testing.assert_array_equal(found[1].numpy(), tiny_cohort.values(modality)[int(tiny_cohort.rows("test")[0])])


def test_a_tiny_bundle_runs_through_every_mode(bridge, tiny_cohort, lines, record, monkeypatch):
    from bridge.medical.answer import BundleAnswerer

    monkeypatch.setattr("bridge.benchmark.cases.reader", lambda *names: case_llm.Reader(BundleAnswerer(bridge, "tiny"), True, bridge, tiny_cohort))
    monkeypatch.setattr(case_llm, "MAX_NEW_TOKENS", 3)
    Cases(cases=lines, limit=1, k=2, released=False).run(record)
    methods = {row.method for row in record.rows if row.direction == "gene given, read by tiny, all"}
    assert {"tiny, zero-shot", "tiny, retrieval-augmented", "bridge, soft tokens and retrieval"} < methods
    withheld = {row.method for row in record.rows if row.direction == "gene withheld, read by tiny, all"}
    assert "bridge, soft tokens and retrieval" not in withheld


def test_a_written_diagnosis_has_the_rank_of_its_line(annotations):
    diagnoses = Diagnoses(annotations.without(()).diseases)
    names = ["OMIM:100001", "OMIM:100002", "OMIM:100003"]
    found = written_ranks(["Alpha ataxia 2\nAlpha ataxia 1", "no idea", "x\nBeta seizure disorder"], [0, 1, 2], names, diagnoses)
    assert found.tolist() == [2.0, np.inf, 2.0]


def test_the_models_preference_moves_candidates_among_the_best_alone():
    scores = np.array([[5.0, 4.0, 3.0, 2.0]])
    best = nearest(scores, 2)
    assert best == [[0, 1]]
    assert np.argsort(-reordered(scores, best, [[0.0, 1.0]], 0.0)[0]).tolist() == [0, 1, 2, 3]
    assert np.argsort(-reordered(scores, best, [[0.0, 1.0]], 2.0)[0]).tolist() == [1, 0, 2, 3]
    assert np.argsort(-reordered(scores, best, [[1.0, 1.0]], 2.0)[0]).tolist() == [0, 1, 2, 3]  # no preference
    assert positions(reordered(scores, best, [[0.0, 1.0]], 1.0), [0]).tolist() == [1.5]  # both are equal


def test_the_weight_is_chosen_on_validation_and_is_0_where_the_model_only_harms():
    scores, best = np.array([[2.0, 1.0], [2.0, 1.0]]), [[0, 1], [0, 1]]
    assert best_weight(scores, best, [[1.0, 0.0], [0.0, 1.0]], [0, 1]) == 2.0
    assert best_weight(scores, best, [[0.0, 1.0], [0.0, 1.0]], [0, 0]) == 0.0


def test_a_name_that_is_likely_without_any_case_is_no_preference():
    def ask(questions, choices):
        prior = {"common": -1.0, "rare": -8.0}
        return [[prior[name] + 2.0 * (name in question) for name in names] for question, names in zip(questions, choices, strict=True)]

    usual = usual_likelihoods(ask, [["common", "rare"], ["common"]])
    assert usual == {"common": -1.0, "rare": -8.0}
    questions = retrieval_questions(["a rare thing"], [["rare", "common"]])
    assert questions[0].index("- common") < questions[0].index("- rare")
    assert preferences(lambda asked, names: ask(["rare"], names), questions, [["rare", "common"]], usual) == [[2.0, 0.0]]


def test_what_is_not_ranked_counts_as_a_miss():
    found = measures(np.array([1.0, 2.5, np.inf]))
    assert found["top_1"].tolist() == [1, 0, 0]
    assert found["top_3"].tolist() == [1, 1, 0]
    assert found["mrr"].tolist() == [1, 0.4, 0]
