"""Retrieval inside strata: against torchmetrics and against drawn galleries, and what it says where a confound is planted."""

import numpy as np
import pytest
import torch
from scipy.stats import rankdata
from torchmetrics.retrieval import RetrievalHitRate

from bridge.evaluate.strata import strata_of, within_strata

SITES = np.repeat(["a", "b", "c", "d"], [40, 30, 20, 10])


def similar(own=1.5, site=0.0, seed=0, sites=SITES):
    """Noise, with an own-partner part and a part that only tells the site."""
    return np.random.default_rng(seed).normal(size=(len(sites), len(sites))) + own * np.eye(len(sites)) + site * (sites[:, None] == sites)


def drawn_recall(similarity, size, k, draws=3000):
    """Recall at k in galleries of the right candidate and others drawn at random."""
    random, n, hits = np.random.default_rng(1), len(similarity), []
    for query in range(n):
        others = random.permuted(np.tile(np.delete(similarity[query], query), (draws, 1)), axis=1)[:, : size - 1]
        hits.append(rankdata(np.column_stack([np.full(draws, -similarity[query, query]), -others]), axis=1)[:, 0] <= k)
    return np.mean(hits)


@pytest.mark.parametrize("k", [1, 5])
def test_recall_inside_strata_equals_the_hit_rate_of_torchmetrics(k):
    similarity, hits = similar(), []
    for site in np.unique(SITES):
        inside = np.flatnonzero(site == SITES)
        scores, n = np.exp(similarity[np.ix_(inside, inside)]), len(inside)
        index = torch.arange(n).repeat_interleave(n)
        hits.append(n * float(RetrievalHitRate(top_k=k)(torch.from_numpy(scores).flatten(), torch.eye(n, dtype=torch.bool).flatten(), indexes=index)))
    found = within_strata(similarity, SITES, k=k, resamples=0)
    assert found["within"] == pytest.approx(sum(hits) / len(SITES), abs=1e-6)
    assert found["chance"] == pytest.approx(np.mean([k / np.sum(site == SITES) for site in SITES]))


@pytest.mark.parametrize("rounded", [False, True], ids=["no ties", "ties"])
def test_the_matched_recall_is_the_mean_over_galleries_drawn_at_random(rounded):
    sites = np.repeat(["a", "b", "c"], 12)
    similarity = similar(sites=sites)
    similarity = similarity.round() if rounded else similarity
    found = within_strata(similarity, sites, k=3, resamples=0)
    assert found["matched"] == pytest.approx(drawn_recall(similarity, 12, 3), abs=0.005)


def test_a_score_that_only_tells_the_stratum_is_all_confound():
    found = within_strata(similar(own=0, site=10), SITES, k=5)
    assert found["pooled"] > 2 * found["chance_pooled"]
    assert found["within_low"] <= found["chance"] <= found["within_high"]
    assert found["confound_share_low"] > 0.1
    assert found["confound_share"] == pytest.approx(found["matched"] - found["within"])


def test_a_smaller_gallery_alone_is_no_confound():
    found = within_strata(similar(own=2), SITES, k=5)
    assert found["within"] > found["pooled"] + 0.1
    assert found["confound_share_low"] <= 0 <= found["confound_share_high"]
    assert abs(found["confound_share"]) < 0.08


def test_what_is_too_small_or_unknown_is_left_out_and_counted():
    sites = SITES.astype(object)
    sites[:3] = None, np.nan, " "
    found = within_strata(similar(), sites, k=10)
    assert (found["n"], found["strata"]) == (87, 3)
    assert (found["left_out_strata"], found["left_out"], found["unknown"]) == (1, 10, 3)
    assert (found["candidates_smallest"], found["candidates_largest"], found["candidates_pooled"]) == (20, 37, 100)
    assert found["candidates"] == pytest.approx((37**2 + 30**2 + 20**2) / 87)


@pytest.mark.parametrize("sites", [np.arange(20).astype(str), np.full(20, "")], ids=["all alone", "all unknown"])
def test_without_a_stratum_that_is_large_enough_nothing_is_defined(sites):
    found = within_strata(np.eye(20), sites, k=1)
    assert found["n"] == 0
    names = ("pooled", "matched", "within", "confound_share", "confound_share_low", "chance", "candidates")
    assert {found[name] for name in names} == {None}


def test_one_group_has_no_interval():
    found = within_strata(similar(), SITES, np.zeros(len(SITES)), k=5)
    assert found["within"] is not None
    assert found["within_low"] is found["confound_share_high"] is None


def test_the_interval_is_over_groups():
    similarity = similar()
    apart, together = (within_strata(similarity, SITES, groups, k=5) for groups in (None, np.arange(100) // 10))
    assert apart["within"] == together["within"]
    assert apart["within_low"] != together["within_low"]


def test_a_number_of_many_values_is_cut_at_its_quantiles():
    years = np.random.default_rng(0).permutation(np.arange(1900, 2000))
    codes = strata_of(years, bins=4)
    assert np.bincount(codes).tolist() == [25] * 4
    assert years[codes == 0].max() < years[codes == 3].min()
    assert np.array_equal(strata_of(years.astype(str), bins=4), codes)


def test_names_and_numbers_of_few_values_are_strata_as_they_are():
    assert strata_of(["x", "y", None, "x ", "", "z"]).tolist() == [0, 1, -1, 0, -1, 2]
    assert strata_of([3, 1, 3, np.nan]).tolist() == [0, 1, 0, -1]


@pytest.mark.parametrize(("strata", "k", "message"), [(SITES[:9], 5, "found 9 strata for a similarity of \\(100, 100\\)"), (SITES, 0, "field k: found 0")])
def test_what_does_not_fit_is_refused(strata, k, message):
    with pytest.raises(ValueError, match=message):
        within_strata(similar(), strata, k=k)
