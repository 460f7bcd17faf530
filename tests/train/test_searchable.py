"""A bundle of either stage carries a gallery, made without reading a text twice; what cannot be searched does not stop a bundle."""

import json

import numpy as np
import pytest

from bridge.bundle import load, save
from bridge.data.cohort import Cohort
from bridge.language.textbank import TextBank
from bridge.retrieve.schema import CandidateKind
from bridge.train import searchable


@pytest.fixture
def aligned(align, data, fit):
    """``aligned(**settings)``: stage 1 after one epoch."""

    def make(**settings):
        batches = data(16)
        module = align(batches.cohort, **settings)
        fit(module, batches, max_epochs=1)
        return module

    return make


def test_stage_one_reads_no_text_again_and_writes_what_a_sample_is_compared_with(aligned, tmp_path, monkeypatch):
    module = aligned(linear=2)
    monkeypatch.setattr(TextBank, "embed", lambda *arguments, **settings: pytest.fail("a text was read again"))
    module.searchable = "named"
    module.write(module.whole(), tmp_path / "bundle", {})
    again = load(tmp_path / "bundle", language=module.bridge.language)
    cohort = module.cohort
    found = again.gallery.search(again, {modality: cohort.values(modality)[28] for modality in cohort.modalities})
    assert {each.query for each in found} == {"gene", "brain"}
    assert {CandidateKind.SAMPLE, CandidateKind.PHENOTYPE, CandidateKind.TEXT} == {each.kind for each in found}
    assert again.gallery.columns == ("anatomy", "clinical")


def test_where_samples_must_not_leave_there_is_none(aligned, tmp_path):
    module = aligned(gallery="none")
    module.write(module.whole(), tmp_path / "bundle", {})
    assert load(tmp_path / "bundle", language=module.bridge.language).gallery is None


def test_lists_that_are_declared_wrongly_are_told_and_the_bundle_is_written(aligned, tmp_path):
    module = aligned()
    module.cohort.about["notes"]["candidates"] = {"phenotype": {"column": "nowhere"}}
    with pytest.warns(UserWarning, match="gallery: left out; .*found 'nowhere'"):
        module.write(module.whole(), tmp_path / "bundle", {})
    assert load(tmp_path / "bundle", language=module.bridge.language).gallery is None


def test_stage_two_compares_with_its_own_cohort_in_the_space_of_stage_one(aligned, tune, data, fit, tmp_path):
    first = aligned()
    first.write(first.whole(), tmp_path / "aligned", {})
    batches = data(8)
    table = batches.cohort.table.copy()
    about = json.loads(table.uns["bridge"])
    table.uns["bridge"] = json.dumps(about | {"notes": about["notes"] | {"samples": {"kind": "gene"}}})
    second = tune(Cohort(table, "other.h5ad"), start=str(tmp_path / "aligned"))
    fit(second, batches, max_steps=2)
    found = second.gallery(second.whole())
    assert found.space == first.bridge.gallery.space
    assert found.lists[0].kind is CandidateKind.GENE
    np.testing.assert_array_equal(found.lists[0].stored, first.bridge.gallery.lists[0].stored)


def test_divided_weights_keep_the_gallery_of_stage_one_while_its_space_holds(aligned, tune, tmp_path, monkeypatch):
    first = aligned()
    first.write(first.whole(), tmp_path / "aligned", {})
    second = tune(first.cohort, start=str(tmp_path / "aligned"))
    monkeypatch.setattr("bridge.train.tune.is_divided", lambda bridge: True)
    monkeypatch.setattr(searchable, "is_divided", lambda bridge: True)
    started = second.bridge.gallery
    assert second.gallery(second.bridge) is started
    second.bridge.gallery = None
    with pytest.warns(UserWarning, match="divided over cards"):
        assert second.gallery(second.bridge) is None


def test_a_stage_drops_a_gallery_whose_space_has_changed(aligned, tmp_path):
    module = aligned()
    save(module.bridge, tmp_path / "bundle")
    module.bridge.gallery = module.gallery(module.bridge)
    assert super(type(module), module).gallery(module.bridge) is module.bridge.gallery
    module.bridge.space.text_mean += 1
    assert super(type(module), module).gallery(module.bridge) is None
