"""Labels with groups left out: nothing of a held-out group is learned from, a planted relation is found, and a confound is shown."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from bridge.benchmark import labels as harness
from bridge.benchmark import predictors as tuned
from bridge.benchmark.labels import group_folds, group_from_features, group_mean, label_benchmark, residual
from bridge.benchmark.predictors import Label, label_of, predictors, without_group_means
from bridge.benchmark.results import Record
from bridge.benchmark.subjects import Subjects, people
from bridge.benchmark.task import Skipped
from bridge.benchmark.zero_shot import Alignment, sentences, zero_shot
from bridge.data.cohort import Cohort
from bridge.evaluate.concordance import balanced, concordance, pooled, within
from bridge.language.llm import LLM
from encoders.region_table import RegionTable

N, SITES = 84, 6


class World:
    """People of six sites: eight features that tell sex and age, beside what they tell of the site."""

    def __init__(self, seed=0, site_effect=0.0):
        random = np.random.default_rng(seed)
        self.site = np.array([f"site {number % SITES}" for number in range(N)])
        self.sex, self.age = random.integers(0, 2, N).astype(float), random.uniform(20, 70, N).round(2)
        cause = np.c_[self.sex, (self.age - 45) / 15]
        shift = random.normal(size=(SITES, 8))[np.arange(N) % SITES]
        self.values = cause @ random.normal(size=(2, 8)) + 0.3 * random.normal(size=(N, 8)) + site_effect * shift
        self.labels = [Label("sex", self.sex, ("woman", "man")), Label("age", self.age)]


@pytest.fixture(autouse=True)
def few_settings(monkeypatch):
    """What is tuned has two settings, so that a test takes a second."""
    monkeypatch.setattr(tuned, "PENALTIES", {"class": ("model__C", (1e-2, 1e-1)), "number": ("model__alpha", (1.0, 1e2))})
    monkeypatch.setattr(tuned, "DECAYS", {"class": ("model__alpha", (1.0,)), "number": ("model__regressor__alpha", (1.0,))})


@pytest.fixture
def world():
    return World()


@pytest.fixture
def record(tmp_path):
    return Record("subjects", tmp_path / "runs" / "subjects", seed=0)


@pytest.fixture
def alignment(tiny_llm):
    return Alignment(llm=LLM(str(tiny_llm())), layers=(0, 1), dim=16, dropout=0.0, batch_size=100, epochs=60, learning_rate=1e-2)


def write_people(folder, world, **columns):
    """The people as the FreeSurfer table of the benchmark."""
    folder.mkdir(parents=True)
    names = [f"{side}h_region{number}_thickness" for side in "lr" for number in range(4)]
    table = pd.DataFrame(world.values, columns=names, index=pd.Index([f"{site}_{row}" for row, site in enumerate(world.site)], name="sub_id"))
    table = table.assign(eTIV=1.5e6, lh_MeanThickness_thickness=2.4, age=world.age, sex=world.sex.astype(int), site=world.site, **columns)
    table.to_csv(folder / "fcon1000.csv")
    return folder / "fcon1000.csv"


def test_folds_never_divide_a_group_and_hold_out_every_sample_once(world):
    folds = group_folds(world.site, 5, seed=0)
    assert sorted(np.concatenate([test for _, test in folds]).tolist()) == list(range(N))
    assert all(not set(world.site[train]) & set(world.site[test]) for train, test in folds)
    with pytest.raises(ValueError, match="found 1 group, expected at least 2"):
        group_folds(np.zeros(5, dtype=int), 5, seed=0)


@pytest.mark.parametrize("method", ["chance", "ridge", "nearest neighbour", "mlp"])
def test_what_is_learned_of_a_planted_relation_does_not_look_at_held_out_labels(method, world):
    folds = group_folds(world.site, 2, seed=0)
    for label in world.labels:
        predict = predictors(label.kind)[method]
        scores = harness._held_out(predict, world.values, label, world.site, folds)
        blocks = harness.fold_of(folds, N)
        assert pooled(concordance(scores, label.values, world.site, blocks))[0] > 0.85 or method == "chance"
        train, test = folds[0]
        changed = label.values.copy()
        changed[test] = changed[test][::-1] + (0 if label.classes else 100)
        again = predict(world.values[train], changed[train], world.site[train], world.values[test])
        np.testing.assert_array_equal(again, scores[test])


def test_chance_is_half_of_the_pairs(world, record):
    label_benchmark(record, world.values, world.labels[1:], world.site, folds=2, permutations=0)
    chance = [row for row in record.rows if row.method == "chance" and row.metric.startswith("concordance")]
    assert len(chance) == 2
    assert {(row.value, row.low, row.high) for row in chance} == {(0.5, 0.5, 0.5)}


def test_inner_folds_hold_whole_groups_and_one_group_needs_none(world):
    ridge = predictors("number")["ridge"]
    alone = ridge(world.values[:40], world.age[:40], np.zeros(40), world.values[40:])
    assert np.isfinite(alone).all()
    knn = predictors("class")["nearest neighbour"](world.values[:9], world.sex[:9], world.site[:9], world.values[9:])
    assert np.isfinite(knn).all()  # more neighbours than samples are not asked for


def test_missing_features_are_filled_from_training_alone(world):
    holed = world.values.copy()
    holed[::7, 2], holed[:, 5] = np.nan, np.nan
    label = world.labels[0]
    scores = harness._held_out(predictors("class")["ridge"], holed, label, world.site, group_folds(world.site, 3, 0))
    assert roc_auc_score(label.values, scores) > 0.8


def test_without_group_means_no_group_differs_in_its_mean(world):
    freed = without_group_means(world.values, world.site)
    means = pd.DataFrame(freed).groupby(world.site).mean().to_numpy()
    np.testing.assert_allclose(means, np.tile(world.values.mean(axis=0), (SITES, 1)), atol=1e-12)


def test_ridge_inside_groups_survives_sites_whose_mean_says_the_opposite():
    """Age rises with the feature inside each site, and falls over sites: what transfers is the inside."""
    random = np.random.default_rng(0)
    site = np.repeat(np.arange(8), 15)
    inside = random.normal(size=120)
    label = Label("age", 50 + inside - 6 * site)
    values = np.c_[inside + 6 * site, random.normal(size=120)]
    folds = group_folds(site, 4, 0)
    plain = harness._held_out(predictors("number")["ridge"], values, label, site, folds)
    assert within(concordance(residual(values, label, site, folds), label.values, site))[0] > 0.95
    assert within(concordance(plain, label.values, site))[0] < 0.5


def test_the_mean_of_a_group_says_nothing_of_a_group_that_was_left_out_nor_inside_one(world):
    label = Label("age", world.age + 20 * (np.arange(N) % SITES))
    left_out = group_mean(label, world.site, group_folds(world.site, 3, 0))
    assert len(set(left_out.tolist())) == 3
    random = [(np.setdiff1d(np.arange(N), test), test) for test in np.array_split(np.random.default_rng(0).permutation(N), 4)]
    counts = concordance(group_mean(label, world.site, random), label.values, world.site, harness.fold_of(random, N))
    assert pooled(counts)[0] > 0.8
    assert within(counts)[0] == 0.5


def test_the_group_is_told_from_features_only_where_they_hold_it():
    chance, known = group_from_features(World().values, World().site)
    assert known == SITES
    assert balanced(chance)[0] < 0.35
    assert balanced(group_from_features(World(site_effect=8.0).values, World().site)[0])[0] > 0.95
    assert group_from_features(np.ones((6, 2)), np.arange(6)) is None


def test_a_column_is_two_classes_or_a_number():
    classes = label_of(pd.Series(["control", "patient", "control"], name="diagnosis"))
    assert (classes.classes, classes.values.tolist(), classes.said) == (("control", "patient"), [0, 1, 0], ["control", "patient", "control"])
    assert label_of(pd.Series([1, 2, 3.5], name="age")).values.tolist() == [1, 2, 3.5]
    assert label_of(pd.Series(["a", "b"], name="x", dtype="category")).kind == "class"
    for values, message in ((["a", "b", "c"], "found 3 classes such as 'a'"), ([1.0, None], "found 1 missing"), ([2, 2], "found 1 different value")):
        with pytest.raises(ValueError, match=rf"obs column 'x': {message}"):
            label_of(pd.Series(values, name="x"))


def test_a_sentence_says_the_labels_of_its_sample(world):
    assert sentences(world.labels, "A {sex} of {age:.0f} years.")[0] == f"A {world.labels[0].said[0]} of {world.age[0]:.0f} years."
    assert sentences(world.labels, "")[0] == f"sex: {world.labels[0].said[0]}. age: {world.age[0]:.0f}."
    with pytest.raises(ValueError, match=r"template 'A {species}.*\['sex', 'age'\]"):
        sentences(world.labels, "A {species}.")


@pytest.mark.filterwarnings("ignore:.*")  # Lightning's, which the commands quieten
def test_stage_1_reads_labels_back_by_comparing_with_sentences(world, alignment):
    train, test = group_folds(world.site, 3, seed=0)[0]
    texts = sentences(world.labels, "A {sex} of {age:.0f} years.")
    found = zero_shot(world.values, world.labels, texts, train, test, alignment=alignment)
    assert roc_auc_score(world.sex[test], found["sex"]) > 0.8
    assert ((found["sex"] >= 0) & (found["sex"] <= 1)).all()
    assert ((found["age"] >= world.age[train].min()) & (found["age"] <= world.age[train].max())).all()
    swapped = [Label(label.name, np.where(np.isin(np.arange(N), test), label.values[::-1], label.values), label.classes) for label in world.labels]
    other = zero_shot(world.values, swapped, sentences(swapped, "A {sex} of {age:.0f} years."), train, test, alignment=alignment)
    np.testing.assert_allclose(other["age"], found["age"], atol=1e-3)  # labels of held-out samples are not looked at


def bridge_of(world):
    """A stand-in for our scores: the label itself with noise."""
    random = np.random.default_rng(1)
    return lambda train, test: {label.name: label.values[test] + random.normal(0, 0.1, len(test)) * label.values.std() for label in world.labels}


def guesses(train, test):
    """A stand-in for the LLM, which says the same of everyone."""
    return {"sex": np.full(len(test), 0.6), "age": np.full(len(test), 30.0)}


def test_a_run_leaves_the_ladder_the_confound_and_a_verdict(world, record):
    scorers = {"bridge": bridge_of(world), "plain": guesses, "drawn": 30, "permutations": 20}
    label_benchmark(record, World(site_effect=8.0).values, world.labels, world.site, group="site", folds=2, **scorers)
    record.write()
    rows = json.loads((record.out / "results.json").read_text())
    ladder = {row["method"] for row in rows if row["direction"] == "sex, site left out"}
    assert ladder == {"chance", "ridge", "cca", "nearest neighbour", "mlp", "plain text", "ridge (group means taken off)", "bridge"}
    metrics = {(row["direction"], row["metric"]) for row in rows if row["method"] == "bridge"}
    assert metrics == {
        *(("sex, site left out", metric) for metric in ("auroc", "auroc_within_groups", "balanced_accuracy")),
        *(("age, site left out", metric) for metric in ("concordance", "concordance_within_groups", "within_5")),
    }
    assert {row["direction"] for row in rows} >= {"sex, random split", "age, random split", "site from features, random split"}
    assert all(row["low"] <= row["high"] for row in rows if row["low"] is not None)
    verdicts = [part.words for part in record.parts if part.heading == "Verdict"]
    assert [words.split(":")[0] for words in verdicts] == ["sex", "age"]
    assert "age: bridge justified on this data: yes; better than the best baseline" in verdicts[1]
    assert (record.out / "figures" / "labels.png").stat().st_size > 10_000
    assert {row["n"] for row in rows if row["method"] == "plain text"} == {30}
    found = {(row["direction"], row["method"]): row["p"] for row in rows if row["p"] is not None}
    assert found == {("sex, site left out", "cca"): 1 / 21, ("age, site left out", "cca"): 1 / 21}


def test_as_many_samples_are_put_to_the_llm_as_were_asked_for_each_in_its_own_fold(world):
    folds = group_folds(world.site, 3, seed=0)
    drawn = harness._drawn(folds, N, 20, seed=0)
    rows = np.concatenate([test for _, test in drawn])
    assert len(set(rows.tolist())) == len(rows) == 20
    assert all(set(few) <= set(test) and train is whole for (train, few), (whole, test) in zip(drawn, folds, strict=True))
    scores = harness._in_folds("plain text", guesses, drawn, world.labels, N)
    assert sorted(np.flatnonzero(np.isfinite(scores["age"]))) == sorted(rows)
    assert [len(test) for _, test in harness._drawn(folds, N, 1000, seed=0)] == [len(test) for _, test in folds]


def test_a_bridge_that_guesses_is_not_justified(world, record):
    random = np.random.default_rng(2)
    scorers = {"bridge": lambda train, test: {"age": random.normal(45, 1, len(test))}, "permutations": 0}
    label_benchmark(record, world.values, world.labels[1:], world.site, folds=2, **scorers)
    (verdict,) = [part.words for part in record.parts if part.heading == "Verdict"]
    assert "bridge justified on this data: no; worse than the best baseline" in verdict


def test_shuffled_labels_leave_chance_inside_the_interval(world):
    order = np.random.default_rng(5).permutation(N)
    shuffled = [Label(label.name, label.values[order], label.classes) for label in world.labels]
    folds = group_folds(world.site, 2, seed=0)
    for label in shuffled:
        scores = harness._held_out(predictors(label.kind)["ridge"], world.values, label, world.site, folds)
        _, low, high = pooled(concordance(scores, label.values, world.site, harness.fold_of(folds, N)))
        assert low <= 0.5 <= high


def test_the_people_are_read_with_their_regions_and_without_head_size(world, tmp_path):
    values, names, obs = people(write_people(tmp_path / "subject_level", world))
    np.testing.assert_allclose(values, world.values)
    assert names[:2] == ("lh_region0_thickness", "lh_region1_thickness")
    assert obs["sex"].tolist() == [{0: "woman", 1: "man"}[sex] for sex in world.sex.astype(int)]
    assert obs["site"].tolist() == world.site.tolist()


def test_people_that_lack_something_are_refused_by_file_and_field(world, tmp_path):
    file = write_people(tmp_path / "subject_level", world)
    table = pd.read_csv(file)
    for columns, message in (({"sex": 2}, "field sex: found 2, expected one of"), ({"age": None}, "field age: is missing")):
        changed = table.assign(**columns)
        (changed.drop(columns="age") if "age" in columns else changed).to_csv(file, index=False)
        with pytest.raises(ValueError, match=rf"fcon1000\.csv, {message}"):
            people(file)
    with pytest.raises(ValueError, match=r"nothing\.csv: no such file"):
        people(tmp_path / "nothing.csv")


def test_the_task_reads_the_benchmark_data_and_a_limit_draws_from_them(world, record, tmp_path, monkeypatch):
    write_people(tmp_path / "data" / "subject_level", world)
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path / "data"))
    asked = {}
    monkeypatch.setattr(
        "bridge.benchmark.subjects.label_benchmark", lambda record, values, labels, groups, **more: asked.update(more, values=values, labels=labels)
    )
    Subjects(limit=50, plain=0).run(record)
    assert asked["values"].shape == (50, 8)
    assert [label.name for label in asked["labels"]] == ["sex", "age"]
    assert (asked["group"], asked["folds"]) == ("site", 5)
    assert asked["plain"] is None
    assert "50 samples of 6 sites, 8 features" in record.parts[1].words
    assert "plain text is left out: it was not asked for" in record.parts[1].words
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path))
    with pytest.raises(Skipped, match="subject_level: no such folder"):
        Subjects().run(record)


def test_a_cohort_of_ones_own_runs_through_the_same_task(world, record, tmp_path, monkeypatch, alignment):
    obs = pd.DataFrame(
        {"split": "train", "group": [str(row) for row in range(N)], "clinic": world.site, "score": world.age}, index=[f"s{row}" for row in range(N)]
    )
    obs.loc["s3", "score"] = np.nan
    names = [f"region {number}" for number in range(8)]
    Cohort.assemble(obs, {"thickness": (RegionTable(names, modality="thickness"), world.values)}).write(tmp_path / "own.h5ad")
    monkeypatch.setattr("bridge.benchmark.subjects.zero_shot", lambda values, labels, texts, train, test, **more: {"score": labels[0].values[test]})
    settings = {"folds": 2, "plain": 10, "permutations": 0, "bridge": alignment}
    Subjects(cohort=str(tmp_path / "own.h5ad"), labels=["score"], group="clinic", modality="thickness", **settings).run(record)
    found = [row for row in record.rows if row.method == "bridge" and row.metric == "concordance"]
    assert [(row.value, row.n, row.direction) for row in found] == [(1.0, N - 1, "score, clinic left out")]
    assert [row.n for row in record.rows if row.method == "plain text" and row.metric == "concordance"] == [10]
    assert "the 8 features of a sample that lie farthest" in record.parts[1].words
    assert "1 more lack features, a label or the clinic" in record.parts[1].words
    with pytest.raises(ValueError, match="obs column 'diagnosis' is missing"):
        Subjects(cohort=str(tmp_path / "own.h5ad"), labels=["diagnosis"], modality="thickness").run(record)
    with pytest.raises(ValueError, match="no modality 'brain'"):
        Subjects(cohort=str(tmp_path / "own.h5ad"), labels=["score"]).run(record)
    with pytest.raises(ValueError, match="field labels: found none"):
        Subjects(cohort="own.h5ad")
