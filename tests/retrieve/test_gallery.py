"""The gallery of a bridge: nothing of held-out samples in it, nothing of a sample beside itself, and every figure that of a plain computation."""

import numpy as np
import pytest
import torch

from bridge.data.cohort import Cohort
from bridge.retrieve.collect import collect
from bridge.retrieve.embed import shared_embeddings
from bridge.retrieve.gallery import SHOWN
from bridge.retrieve.lists import own_candidates
from bridge.retrieve.schema import CandidateKind

TRAINED = [f"sample-{row:02d}" for row in range(16)]


def shuffled(cohort, split):
    """The same cohort, with values, texts and facts of one split exchanged among its samples."""
    table, rows = cohort.table.copy(), cohort.rows(split)
    for modality in cohort.modalities:
        table.obsm[modality][rows] = 1.5 * table.obsm[modality][rows[::-1]]
    for column in (*cohort.texts, *cohort.facts):
        table.obs[column] = table.obs[column].astype(object)
        table.obs.iloc[rows, table.obs.columns.get_loc(column)] = [f"other {value}" for value in table.obs[column].iloc[rows[::-1]]]
    return Cohort(table, cohort.source)


def test_no_candidate_is_of_a_held_out_sample(gallery, tiny_cohort):
    ids = {each for listed in gallery.lists if listed.kind is not CandidateKind.PHENOTYPE for each in listed.ids}
    assert ids == set(TRAINED)
    held_out = {text for column in tiny_cohort.texts for row in range(16, 32) for text in [tiny_cohort.text(column)[row]]}
    trained = {text for column in tiny_cohort.texts for row in range(16) for text in [tiny_cohort.text(column)[row]]}
    shown = {label for listed in gallery.lists if listed.kind is CandidateKind.TEXT for label in listed.labels}
    assert shown
    assert not shown & {text[:160] for text in held_out - trained}


def test_the_test_split_leaves_no_trace(gallery, searched, tiny_cohort):
    other = collect(searched, shuffled(tiny_cohort, "test"), named=True)
    for ours, theirs in zip(gallery.lists, other.lists, strict=True):
        assert (ours.ids, ours.labels, ours.source) == (theirs.ids, theirs.labels, theirs.source)
        np.testing.assert_array_equal(ours.stored, theirs.stored)
    for ours, theirs in zip((*gallery.views, *gallery.pairs), (*other.views, *other.pairs), strict=True):
        for name, value in vars(ours).items():
            np.testing.assert_array_equal(value, getattr(theirs, name))


def test_of_the_validation_split_there_is_only_what_was_fitted(gallery, searched, tiny_cohort):
    other = collect(searched, shuffled(tiny_cohort, "validation"), named=True)
    kept = [(listed.ids, listed.labels) for listed in gallery.lists if listed.kind is CandidateKind.SAMPLE]
    assert kept == [(listed.ids, listed.labels) for listed in other.lists if listed.kind is CandidateKind.SAMPLE]
    assert any((ours.true != theirs.true).any() for ours, theirs in zip(gallery.pairs, other.pairs, strict=True))


def test_every_side_searches_samples_phenotypes_and_says_how_many(gallery, searched, sample):
    found = gallery.search(searched, sample(20), top=3)
    assert {each.query for each in found} == {"gene", "brain", "gene+brain"}
    for each in found:
        assert len(each.items) == 3 < each.candidates
        assert each.exact
        assert each.source
    phenotypes = next(each for each in found if each.kind is CandidateKind.PHENOTYPE)
    assert phenotypes.source == "organ_systems, inheritance of tiny; 6 of 6 that the training samples list"
    assert all(0 < item.probability < 1 and 0 < item.prior < 1 and item.here is None for item in phenotypes.items)
    assert [item.probability for item in phenotypes.items] == sorted((item.probability for item in phenotypes.items), reverse=True)
    assert all(item.probability is None and item.prior is None for each in found if each.kind is CandidateKind.SAMPLE for item in each.items)


def test_the_score_is_the_cosine_of_the_shared_space(gallery, searched, tiny_cohort, sample):
    embedded = shared_embeddings(searched, tiny_cohort, np.arange(32), [])["gene"]
    found = next(each for each in gallery.search(searched, sample(20), top=15) if (each.query, each.kind) == ("gene", CandidateKind.SAMPLE))
    assert len(found.items) == found.candidates == 15  # one training sample has no gene
    for item in found.items:
        assert item.score == pytest.approx(embedded[20] @ embedded[TRAINED.index(item.id)], abs=2e-3)


def test_a_training_sample_is_not_its_own_neighbour(gallery, searched, sample):
    own = {each.kind: each.items[0].id for each in gallery.search(searched, sample(4), top=1) if each.query == "gene"}
    assert own[CandidateKind.SAMPLE] == "sample-04"
    found = gallery.search(searched, sample(4), top=20, sample="sample-04")
    assert "sample-04" not in {item.id for each in found for item in each.items}


def test_a_list_says_what_the_sample_has(gallery, searched, tiny_cohort, sample):
    own = own_candidates(tiny_cohort, 20)
    found = gallery.search(searched, sample(20), top=6, own=own)
    items = [item for each in found if each.kind is CandidateKind.PHENOTYPE for item in each.items]
    assert {item.id for item in items if item.here} == own[CandidateKind.PHENOTYPE]
    assert all(item.here is None for each in found if each.kind is not CandidateKind.PHENOTYPE for item in each.items)


def test_a_side_that_is_not_given_or_missing_is_left_out(gallery, searched, sample):
    brain = {"brain": torch.from_numpy(sample(20)["brain"])[None]}
    assert {each.query for each in gallery.search(searched, brain)} == {"brain"}
    assert {each.query for each in gallery.search(searched, sample(3))} == {"brain"}  # sample 3 has no gene
    assert gallery.agreement(searched, brain) == ()
    assert gallery.position(searched, brain).query == "brain"
    assert gallery.position(searched, sample(20)).query == "gene+brain"


def test_agreement_stands_beside_true_and_mismatched_pairs_of_the_validation_split(gallery, searched, tiny_cohort, sample):
    rows, groups = tiny_cohort.rows("validation"), tiny_cohort.groups
    embedded = shared_embeddings(searched, tiny_cohort, np.arange(32), [])
    (found,) = gallery.agreement(searched, sample(26))
    cosine = embedded["gene"][26] @ embedded["brain"][26]
    table = embedded["gene"][rows] @ embedded["brain"][rows].T
    mismatched = table[groups[rows][:, None] != groups[rows][None, :]]
    assert found.between == ("gene", "brain")
    assert found.cosine == pytest.approx(cosine, abs=1e-6)
    assert found.pairs == 8
    assert found.above_true == pytest.approx((np.diagonal(table) < cosine).mean(), abs=1e-9)
    assert found.above_mismatched == pytest.approx((mismatched < cosine).mean(), abs=0.02)
    assert len(mismatched) == 8 * 7 - 8  # two samples a group


def test_the_position_is_that_of_the_principal_components_and_turns_no_other_way(gallery, searched, tiny_cohort, sample):
    found = gallery.position(searched, {"gene": sample(20)["gene"]})
    vectors = gallery.lists[gallery.planes[0].candidates].vectors
    centred = vectors - vectors.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred.astype(float))
    assert found.shown == pytest.approx((sizes[:2] ** 2).sum() / (sizes**2).sum(), abs=1e-4)
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in gallery.planes[0].axes)
    placed = np.array([[point.x, point.y] for point in found.others])
    assert np.abs(placed) == pytest.approx(np.abs(centred @ axes[:2].T), abs=1e-3)
    nearest = np.argsort(-(vectors @ shared_embeddings(searched, tiny_cohort, np.array([20]), [])["gene"][0]))[:10]
    assert {point.id for point in found.others if point.near} == {gallery.lists[0].ids[row] for row in nearest}


def test_at_most_two_hundred_others_are_shown_and_the_sample_is_none_of_them(gallery, searched, sample, monkeypatch):
    found = gallery.position(searched, sample(4), sample="sample-04")
    assert "sample-04" not in {point.id for point in found.others}
    monkeypatch.setattr("bridge.retrieve.gallery.SHOWN", 12)
    few = gallery.position(searched, sample(4))
    assert (SHOWN, len(few.others), sum(point.near for point in few.others)) == (200, 12, 10)
    assert few == gallery.position(searched, sample(4))


def test_two_samples_at_once_are_refused(gallery, searched, sample):
    with pytest.raises(ValueError, match="found 2 samples, expected one"):
        gallery.search(searched, {"gene": np.stack([sample(20)["gene"]] * 2)})


def test_without_validation_samples_there_is_a_gallery_without_probabilities(searched, tiny_cohort, sample):
    found = collect(searched, Cohort(tiny_cohort.table[tiny_cohort.table.obs["split"] != "validation"].copy(), "tiny"))
    assert not found.pairs
    assert all(item.probability is None for each in found.search(searched, sample(20)) for item in each.items)


def test_with_too_few_validation_samples_nothing_is_calibrated(searched, tiny_cohort, sample):
    assert all(view.prior is None for view in collect(searched, tiny_cohort).views)


def test_ids_and_texts_of_persons_stay_at_home_by_default(searched, tiny_cohort, sample):
    found = collect(searched, tiny_cohort)
    kept = [text for listed in found.lists for text in (*listed.ids, *listed.labels)]
    assert not any(name in text for text in kept for name in tiny_cohort.ids)
    assert not any(listed.kind is CandidateKind.TEXT for listed in found.lists)
    near = found.search(searched, sample(4), sample="sample-04")
    assert all(item.score < 0.9999 for each in near if each.kind is CandidateKind.SAMPLE for item in each.items)
