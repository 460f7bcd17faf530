"""What a gallery's probabilities are worth, against plain computations."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from bridge.evaluate.gallery import agreement_scores, gallery_scores
from bridge.retrieve.embed import shared_embeddings
from bridge.retrieve.items import members
from bridge.retrieve.lists import known_lists


@pytest.fixture
def scored(searched, gallery, tiny_cohort):
    return {row["query"]: row for row in gallery_scores(searched, tiny_cohort, resamples=20)}


def test_every_side_that_gives_probabilities_is_scored_on_the_split(scored):
    assert set(scored) == {"gene", "brain", "gene+brain"}
    assert all((row["kind"], row["split"], row["n"], row["candidates"]) == ("phenotype", "test", 8, 6) for row in scored.values())


def test_brier_is_that_of_what_a_search_says(scored, searched, gallery, tiny_cohort):
    (known,) = known_lists(tiny_cohort)
    said, own = [], []
    for row in tiny_cohort.rows("test"):
        (found,) = (each for each in gallery.search(searched, {"gene": tiny_cohort.values("gene")[row]}, top=6) if each.kind == "phenotype")
        said += [item.probability for item in found.items]
        own += [item.id in known.items[row] for item in found.items]
    assert scored["gene"]["brier"] == pytest.approx(brier_score_loss(own, said), abs=1e-4)
    assert scored["gene"]["brier_gain"] == pytest.approx(scored["gene"]["brier_prior"] - scored["gene"]["brier"])
    assert sum(each["n"] for each in scored["gene"]["reliability"]) == 48


def test_hits_stand_beside_blind_draws_and_what_is_common(scored, gallery, tiny_cohort):
    (known,) = known_lists(tiny_cohort)
    view = next(view for view in gallery.views if view.prior is not None)
    own = members(known, tiny_cohort.rows("test"), gallery.lists[view.candidates].ids).toarray()
    assert scored["gene"]["with_own"] == 8
    assert scored["gene"]["chance_hit1"] == pytest.approx(own.mean())
    assert scored["gene"]["common_hit1"] == pytest.approx(own[:, np.argmax(view.prior)].mean())
    assert scored["gene"]["hit1_low"] <= scored["gene"]["hit1"] <= scored["gene"]["hit1_high"]
    assert scored["gene"]["hit10"] == scored["gene"]["chance_hit10"] == 1  # there are six


def test_agreement_is_scored_by_how_well_it_tells_pairs(searched, gallery, tiny_cohort):
    (found,) = agreement_scores(searched, tiny_cohort, resamples=20)
    rows, groups = tiny_cohort.rows("test"), tiny_cohort.groups
    sides = shared_embeddings(searched, tiny_cohort, rows, [])
    table, kept = sides["gene"] @ sides["brain"].T, np.eye(8, dtype=bool) | (groups[rows][:, None] != groups[rows][None, :])
    assert found["auroc"] == pytest.approx(roc_auc_score(np.eye(8)[kept], table[kept]))
    assert found["low"] <= found["auroc"] <= found["high"]
