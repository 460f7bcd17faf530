"""Every metric of retrieval, audit and facts agrees with an independent implementation on random inputs, and has no value where there is none."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from sklearn import metrics
from torchmetrics.classification import BinaryAccuracy, MultilabelPrecision
from torchmetrics.functional.retrieval import retrieval_hit_rate, retrieval_recall, retrieval_reciprocal_rank

from bridge.evaluate.audit import permutation_p, share_better, sign_test, wilson
from bridge.evaluate.facts import phenotype_scores, region_scores, summary
from bridge.evaluate.retrieval import bootstrap_interval, cosine_similarity, embedding_retrieval, paired_difference, ranks, retrieval_scores

SEEDS = range(3)
NAMES = tuple(f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "precuneus", "insula", "pallidum", "hippocampus", "amygdala", "caudate"))
ENDS = "highest", "lowest"
VOCABULARY = {"inheritance": ("autosomal recessive", "autosomal dominant"), "organ_systems": ("nervous system", "eye", "skin", "kidney")}
ITEMS = [(column, item) for column, items in VOCABULARY.items() for item in items]


def gallery(seed, queries=40, candidates=30, *, tied=False):
    """Similarities with a signal, and the right candidate of each query; several queries share a candidate."""
    random = np.random.default_rng(seed)
    target = random.integers(0, candidates, queries)
    similarity = random.normal(size=(queries, candidates))
    similarity[np.arange(queries), target] += 1.5
    return (np.round(similarity) if tied else similarity), target


def relevant(similarity, target):
    return np.arange(similarity.shape[1]) == target[:, None]


# Retrieval


@pytest.mark.parametrize("seed", SEEDS)
def test_ranks_with_ties_are_the_average_ranks_of_scipy(seed):
    similarity, target = gallery(seed, tied=True)
    expected = stats.rankdata(-similarity, method="average", axis=1)[np.arange(len(target)), target]
    assert (expected % 1).any()
    np.testing.assert_array_equal(ranks(similarity, target), expected)
    assert retrieval_scores(similarity, target=target)["median_rank"] == np.median(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mean_percentile_with_ties_is_the_mean_roc_auc_of_scikit_learn(seed):
    similarity, target = gallery(seed, tied=True)
    areas = [metrics.roc_auc_score(right, row) for right, row in zip(relevant(similarity, target), similarity, strict=True)]
    assert retrieval_scores(similarity, target=target)["mean_percentile"] == pytest.approx(np.mean(areas), abs=1e-12)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("k", [1, 5, 10])
def test_recall_is_that_of_scikit_learn_and_of_torchmetrics(k, seed):
    similarity, target = gallery(seed)
    recall = retrieval_scores(similarity, target=target, resamples=0)[f"r{k}"]
    assert 0 < recall < 1
    assert recall == pytest.approx(metrics.top_k_accuracy_score(target, similarity, k=k, labels=np.arange(similarity.shape[1])))
    # torchmetrics leaves out candidates whose score is not above 0; the exponential keeps the order and is positive.
    pairs = list(zip(torch.from_numpy(np.exp(similarity)), torch.from_numpy(relevant(similarity, target)), strict=True))
    for metric in (retrieval_recall, retrieval_hit_rate):
        assert recall == pytest.approx(np.mean([float(metric(*pair, top_k=k)) for pair in pairs]), abs=1e-6)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_mean_reciprocal_rank_is_that_of_scikit_learn_and_of_torchmetrics(seed):
    similarity, target = gallery(seed)
    reached = retrieval_scores(similarity, target=target, resamples=0)["mrr"]
    assert reached == pytest.approx(metrics.label_ranking_average_precision_score(relevant(similarity, target), similarity))
    pairs = zip(torch.from_numpy(np.exp(similarity)), torch.from_numpy(relevant(similarity, target)), strict=True)
    assert reached == pytest.approx(np.mean([float(retrieval_reciprocal_rank(*pair)) for pair in pairs]), abs=1e-6)


def test_the_cosine_is_that_of_scikit_learn_zero_vectors_included():
    random = np.random.default_rng(0)
    query, candidates = random.normal(size=(9, 5)), random.normal(size=(7, 5))
    query[2] = candidates[4] = 0
    np.testing.assert_allclose(cosine_similarity(query, candidates), metrics.pairwise.cosine_similarity(query, candidates), atol=1e-12)


def test_embeddings_are_scored_by_the_nearest_neighbours_of_scikit_learn():
    random = np.random.default_rng(1)
    query = random.normal(size=(50, 8))
    candidates = query + random.normal(size=(50, 8))
    order = np.argsort(metrics.pairwise.cosine_distances(query, candidates), axis=1)
    expected = np.mean([row in nearest[:5] for row, nearest in enumerate(order)])
    assert embedding_retrieval(query, candidates)["r5"] == pytest.approx(expected)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_of_single_samples_is_the_percentile_bootstrap_of_scipy(seed):
    """Two sets of 4,000 draws differ by chance: by less than a tenth of the width of the interval."""
    values = np.random.default_rng(seed).gamma(2.0, size=150)
    theirs = stats.bootstrap((values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(seed)).confidence_interval
    ours = bootstrap_interval(values, resamples=4000, seed=seed)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.1 * (theirs.high - theirs.low))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_interval_of_groups_is_that_of_drawing_the_groups_one_by_one(seed):
    random = np.random.default_rng(seed)
    groups = random.integers(0, 25, 150)
    values = random.normal(size=25)[groups] + 0.3 * random.normal(size=150)
    samples = [values[groups == group] for group in np.unique(groups)]
    drawn = [np.concatenate([samples[place] for place in random.integers(0, len(samples), len(samples))]).mean() for _ in range(4000)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    assert bootstrap_interval(values, groups, resamples=4000, seed=seed) == pytest.approx((low, high), abs=0.1 * (high - low))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_paired_difference_is_the_paired_bootstrap_of_scipy(seed):
    random = np.random.default_rng(seed)
    hard = random.random(300)
    first, second = (hard < 0.6).astype(float), (hard + 0.2 * random.random(300) < 0.6).astype(float)
    options = {"paired": True, "vectorized": False, "method": "percentile", "n_resamples": 2000, "rng": np.random.default_rng(seed)}
    theirs = stats.bootstrap((first, second), lambda one, other: np.mean(one) - np.mean(other), **options).confidence_interval
    difference, low, high = paired_difference(first, second, resamples=4000, seed=seed)
    assert difference == pytest.approx(metrics.accuracy_score(np.ones(300), first) - metrics.accuracy_score(np.ones(300), second))
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.15 * (theirs.high - theirs.low))


@pytest.mark.parametrize("shape", [(0, 0), (0, 9), (1, 1), (4, 1), (3, 9)])
def test_what_too_few_queries_or_candidates_leave_open_is_none(shape):
    queries, candidates = shape
    scores = retrieval_scores(np.random.default_rng(0).normal(size=shape), target=np.zeros(queries, dtype=np.int64))
    assert (scores["n"], scores["candidates"]) == shape
    assert scores["r10"] is scores["r10_low"] is scores["chance_r10"] is None
    assert (scores["mrr"] is None) == (scores["median_rank"] is None) == (queries == 0)
    assert (scores["mean_percentile"] is None) == (queries == 0 or candidates == 1)
    assert (scores["r1"] is None) == (queries == 0)
    assert (scores["r1_low"] is None) == (queries < 2)


def test_queries_of_one_group_have_scores_and_no_interval():
    similarity, target = gallery(0)
    scores = retrieval_scores(similarity, ["one site"] * len(target), target=target)
    assert scores["r10"] > 0
    assert scores["r10_low"] is scores["r10_high"] is None
    assert paired_difference(np.ones(4), np.zeros(4), ["one site"] * 4) == (1.0, None, None)


def test_queries_that_are_all_tied_have_the_mean_percentile_of_guessing_and_no_hit_below_the_middle():
    scores = retrieval_scores(np.zeros((30, 30)))
    assert scores["mean_percentile"] == 0.5
    assert all(scores[f"r{k}"] == 0 < scores[f"chance_r{k}"] for k in (1, 5, 10))


# Audit


@pytest.mark.parametrize("seed", SEEDS)
def test_the_permutation_p_is_the_exact_one_of_scipy(seed):
    """All 720 assignments of 6 truths against 4,000 drawn ones: their p differs by chance by about 0.008."""
    random = np.random.default_rng(seed)
    scores = random.random((6, 6)) + 0.2 * np.eye(6)
    rows = np.arange(6)
    exact = stats.permutation_test(
        (rows,), lambda order: scores[rows, order].mean(), permutation_type="pairings", alternative="greater", n_resamples=np.inf, vectorized=False
    )
    found = permutation_p(scores, resamples=4000, seed=seed)
    assert found["p"] == pytest.approx(exact.pvalue, abs=0.035)
    assert found["real"] == pytest.approx(exact.statistic)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_difference_of_the_audit_is_that_of_a_long_table(seed):
    random = np.random.default_rng(seed)
    scores = random.random((8, 8))
    scores[random.random((8, 8)) < 0.15] = np.nan
    np.fill_diagonal(scores, random.random(8))
    table = pd.DataFrame([(text, truth, scores[text, truth]) for text in range(8) for truth in range(8)], columns=["text", "truth", "score"]).dropna()
    own = table[table.text == table.truth].score.mean()
    others = table[table.text != table.truth].groupby("text").score.mean().mean()
    found = permutation_p(scores, resamples=10)
    assert (found["real"], found["shuffled"], found["difference"]) == pytest.approx((own, others, own - others))


@pytest.mark.parametrize("seed", SEEDS)
def test_wilson_and_the_sign_test_are_what_their_formulas_give(seed):
    random = np.random.default_rng(seed)
    for n in random.integers(2, 200, 20).tolist():
        successes = int(random.integers(0, n + 1))
        z, share = stats.norm.ppf(0.975), successes / n
        middle, half = share + z * z / (2 * n), z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        assert wilson(successes, n) == pytest.approx(((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)), abs=1e-12)
        tail = sum(math.comb(n, more) for more in range(successes, n + 1)) / 2**n
        assert sign_test(successes, n) == pytest.approx(tail, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_share_of_likelier_texts_is_the_accuracy_of_torchmetrics_and_by_group_that_of_pandas(seed):
    random = np.random.default_rng(seed)
    true, other = random.gamma(2.0, size=60), random.gamma(2.5, size=60)
    groups = random.integers(0, 12, 60)
    accuracy = float(BinaryAccuracy()(torch.from_numpy(true < other).int(), torch.ones(60, dtype=torch.int)))
    assert share_better(true, other)["share"] == pytest.approx(accuracy, abs=1e-6)
    means = pd.Series(other - true).groupby(groups).mean()
    grouped = share_better(true, other, groups)
    assert (grouped["n"], grouped["share"]) == (len(means), pytest.approx((means > 0).mean()))
    assert grouped["p"] == pytest.approx(stats.binomtest(int((means > 0).sum()), len(means), alternative="greater").pvalue)


def test_the_sign_test_of_one_group_and_of_ties_alone_is_undefined():
    alone = share_better(np.zeros(5), np.ones(5), ["one site"] * 5)
    assert (alone["n"], alone["share"], alone["low"], alone["high"], alone["p"]) == (1, None, None, None, None)
    tied = share_better(np.ones(5), np.ones(5))
    assert (tied["ties"], tied["p"]) == (5, None)


# Facts


def spoken(seed, texts=12):
    """Texts that name random regions at either end, and which (direction, name) each names."""
    random = np.random.default_rng(seed)
    said = random.random((texts, 2 * len(NAMES))) < 0.2
    said[:, 0] |= ~said.any(axis=1)
    written = []
    for row in said.reshape(texts, 2, -1):
        listed = {end: [name for name, named in zip(NAMES, ticks, strict=True) if named] for end, ticks in zip(ENDS, row, strict=True)}
        written.append(" ".join(f"{end.capitalize()} in the {', the '.join(names)}." for end, names in listed.items() if names))
    return written, said


def true_regions(values, k=3):
    """(direction, name) pairs that are true of each map, by sorting."""
    order = np.argsort(-values, axis=1)
    truth = np.zeros((len(values), 2, len(NAMES)), dtype=bool)
    np.put_along_axis(truth[:, 0], order[:, :k], True, axis=1)
    np.put_along_axis(truth[:, 1], order[:, -k:], True, axis=1)
    return truth.reshape(len(values), -1)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_precision_of_regions_is_that_of_scikit_learn_against_every_truth(seed):
    texts, said = spoken(seed)
    values = np.random.default_rng(seed + 100).normal(size=(len(texts), len(NAMES)))
    truth = true_regions(values)
    scores = region_scores(texts, values, NAMES)
    expected = [[metrics.precision_score(right, named) for right in truth] for named in said]
    np.testing.assert_allclose(scores.share, expected)
    np.testing.assert_array_equal(scores.named, said.sum(axis=1))
    found = summary(scores)
    assert found["precision"] == pytest.approx(metrics.precision_score(truth, said, average="samples"))
    assert found["shuffled"] == pytest.approx(np.mean([expected[i][j] for i in range(len(texts)) for j in range(len(texts)) if i != j]))


@pytest.mark.parametrize("seed", SEEDS)
def test_the_contradiction_rate_of_regions_is_the_precision_against_what_is_outside_the_third(seed):
    texts, said = spoken(seed)
    values = np.random.default_rng(seed + 100).normal(size=(len(texts), len(NAMES)))
    outside_the_third = ~true_regions(values, k=math.ceil(len(NAMES) / 3))
    expected = metrics.precision_score(outside_the_third, said, average="samples")
    assert 0 < expected < 1
    assert summary(region_scores(texts, values, NAMES))["contradiction_rate"] == pytest.approx(expected)


def listed(ticks):
    """The facts that are ticked."""
    return [item for item, ticked in zip(ITEMS, ticks, strict=True) if ticked]


def written(ticks):
    """A text that names the facts that are ticked."""
    return "; ".join(f"{column.replace('_', ' ')} {item}" for column, item in listed(ticks)) + "."


@pytest.mark.parametrize("seed", SEEDS)
def test_the_precision_of_facts_is_that_of_scikit_learn_and_of_torchmetrics(seed):
    random = np.random.default_rng(seed)
    said, truth = random.random((15, len(ITEMS))) < 0.4, random.random((15, len(ITEMS))) < 0.5
    said[:, 2] |= ~said.any(axis=1)
    truth[:, 0] |= ~truth[:, :2].any(axis=1)  # every column is told of every sample
    truth[:, 2] |= ~truth[:, 2:].any(axis=1)
    facts = [{column: tuple(item for group, item in listed(row) if group == column) for column in VOCABULARY} for row in truth]
    scores = phenotype_scores([written(row) for row in said], facts, VOCABULARY)
    np.testing.assert_allclose(scores.share, [[metrics.precision_score(right, named, zero_division=np.nan) for right in truth] for named in said])
    found = summary(scores)
    assert found["precision"] == pytest.approx(metrics.precision_score(truth, said, average="samples"))
    torchmetric = MultilabelPrecision(num_labels=len(ITEMS), average="micro", multidim_average="samplewise")
    by_sample = torchmetric(*(torch.from_numpy(ticks.astype(int))[..., None] for ticks in (said, truth)))
    assert found["precision"] == pytest.approx(float(by_sample.mean()), abs=1e-6)
    assert found["contradiction_rate"] == pytest.approx(1 - found["precision"])


@pytest.mark.parametrize("values", [np.full((3, len(NAMES)), np.nan), np.ones((3, len(NAMES)))], ids=["all missing", "all tied"])
def test_maps_that_tell_nothing_leave_every_score_of_a_report_undefined(values):
    found = summary(region_scores(["Highest in the left cuneus."] * 3, values, NAMES))
    assert (found["n"], found["silent"]) == (0, 3)
    assert found["precision"] is found["shuffled"] is found["contradiction_rate"] is found["not_in_input_rate"] is None


def test_facts_that_no_sample_has_leave_every_score_undefined():
    found = summary(phenotype_scores(["Organ systems eye."] * 2, [{}, {}], VOCABULARY))
    assert (found["n"], found["precision"], found["shuffled"], found["contradiction_rate"]) == (0, None, None, None)


def test_one_report_has_a_precision_and_nothing_to_be_shuffled_with():
    values = np.random.default_rng(0).normal(size=(1, len(NAMES)))
    top = NAMES[int(values.argmax())]
    found = summary(region_scores([f"Highest in the {top}."], values, NAMES))
    assert (found["n"], found["precision"], found["shuffled"]) == (1, 1.0, None)
    assert permutation_p(region_scores([f"Highest in the {top}."], values, NAMES).share)["p"] is None


def test_with_fewer_than_two_k_regions_measured_no_region_is_right_at_both_ends():
    values = np.full((1, len(NAMES)), np.nan)
    values[0, :3] = [1.0, 2.0, 3.0]
    share = {(end, name): region_scores([f"{end} in the {name}."], values, NAMES).share[0, 0] for end in ENDS for name in NAMES[:3]}
    assert [name for name in NAMES[:3] if share["highest", name] == 1] == [NAMES[2]]
    assert [name for name in NAMES[:3] if share["lowest", name] == 1] == [NAMES[0]]


def test_no_report_at_all_has_no_score():
    for scores in (region_scores([], np.zeros((0, len(NAMES))), NAMES), phenotype_scores([], [], VOCABULARY)):
        found = summary(scores)
        assert (found["n"], found["silent"]) == (0, 0)
        assert found["precision"] is found["shuffled"] is found["named_per_report"] is found["contradiction_rate"] is None
