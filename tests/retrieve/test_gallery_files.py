"""A gallery in its files: the same when it is read, and refused when anything is not as it was written."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bridge.bundle import load, save
from bridge.retrieve.files import RECORD, VECTORS, read_gallery, write_gallery


@pytest.fixture
def written(gallery, tmp_path):
    write_gallery(gallery, tmp_path)
    return tmp_path


def record(folder, change):
    content = json.loads((folder / RECORD).read_text())
    change(content)
    (folder / RECORD).write_text(json.dumps(content))


def numbers(folder, change):
    tensors = load_file(folder / VECTORS)
    change(tensors)
    save_file(tensors, folder / VECTORS)


def test_what_is_read_finds_the_same(gallery, written, searched, sample):
    again = read_gallery(written, searched)
    values = sample(20)
    assert again.search(searched, values) == gallery.search(searched, values)
    assert again.agreement(searched, values) == gallery.agreement(searched, values)
    assert again.position(searched, values) == gallery.position(searched, values)


def test_a_bundle_carries_its_gallery_and_one_without_has_none(gallery, searched, sample, tmp_path):
    language = searched.language
    again = load(save(searched, tmp_path / "bundle"), language=language)
    assert again.gallery.search(again, sample(20)) == gallery.search(searched, sample(20))
    assert "15 of kind sample (training samples of tiny, by gene)" in (tmp_path / "bundle" / "README.md").read_text()
    searched.gallery = None
    assert load(save(searched, tmp_path / "without"), language=language).gallery is None
    assert not (tmp_path / "without" / RECORD).exists()


def test_a_space_that_has_learned_since_is_another(gallery, written, searched):
    with torch.no_grad():
        searched.space.heads["gene"][2].weight[0, 0] += 1e-3
    assert not gallery.fits(searched)
    with pytest.raises(ValueError, match="field space: made in the shared space of another bundle"):
        read_gallery(written, searched)


def test_a_projector_may_learn_what_the_space_does_not_read(gallery, searched):
    with torch.no_grad():
        searched.projectors["gene"].scale.log_scale += 1
        searched.tags["gene"] += 1
    assert gallery.fits(searched)
    with torch.no_grad():
        searched.projectors["gene"].skip.weight += 1e-3
    assert not gallery.fits(searched)


@pytest.mark.parametrize(("missing", "said"), [(RECORD, "no such file beside"), (VECTORS, "gallery.safetensors is missing")])
def test_half_a_gallery_is_refused(written, searched, missing, said):
    (written / missing).unlink()
    with pytest.raises(ValueError, match=said):
        read_gallery(written, searched)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.update(format=2), "field format: found 2"),
        (lambda content: content.update(more=1), "field more: Extra inputs"),
        (lambda content: content["lists"][0].update(kind="cell"), r"field lists\.0\.kind"),
        (lambda content: content["lists"][0]["ids"].__setitem__(0, content["lists"][0]["ids"][1]), "expected each id once"),
        (lambda content: content["lists"][0]["labels"].pop(), "expected each id once"),
        (lambda content: content["views"][0].update(list=99), "field views: found list 99"),
        (lambda content: content["planes"][0].update(list=99), "field planes: found list 99"),
        (lambda content: content["planes"][0].update(shown=2.0), r"field planes\.0\.shown"),
        (lambda content: content["views"][0].update(list=1), "expected torch.float32 of shape"),
        (lambda content: content["views"].pop(), "unknown tensors"),
        (lambda content: content["lists"][0].update(ids=[], labels=[]), r"field lists\.0\.ids"),
    ],
)
def test_a_record_that_was_changed_is_refused(written, searched, change, said):
    record(written, change)
    with pytest.raises(ValueError, match=said):
        read_gallery(written, searched)


@pytest.mark.parametrize("content", ["[]", "{", "[" * 100_000, "\udcff"], ids=["a list", "cut off", "deep", "not text"])
def test_a_record_that_is_none_is_refused(written, searched, content):
    (written / RECORD).write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"gallery\.json"):
        read_gallery(written, searched)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors["lists.0.vectors"].mul_(3), "expected unit vectors"),
        (lambda tensors: tensors["lists.0.vectors"][0, 0].fill_(torch.nan), "NaN or infinite"),
        (lambda tensors: tensors.update({"lists.0.vectors": tensors["lists.0.vectors"].float()}), "expected torch.float16"),
        (lambda tensors: tensors.update({"lists.0.vectors": tensors["lists.0.vectors"][:-1].clone()}), "of shape"),
        (lambda tensors: tensors.update({"lists.1.vectors": tensors["lists.1.vectors"][:, :-1].clone()}), "of shape"),
        (lambda tensors: tensors.pop("planes.0.axes"), "'planes.0.axes' is missing"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), r"unknown tensors \['more'\]"),
        (lambda tensors: tensors["views.0.scale"][0].fill_(torch.inf), "NaN or infinite"),
        (lambda tensors: tensors["views.1.prior"][0].fill_(2), "expected probabilities"),
        (lambda tensors: tensors["pairs.0.true"][0].fill_(0.99), "cosines in rising order"),
        (lambda tensors: tensors.update({"pairs.0.true": torch.zeros(0)}), "of shape"),
    ],
)
def test_numbers_that_were_changed_are_refused(written, searched, change, said):
    numbers(written, change)
    with pytest.raises(ValueError, match=said):
        read_gallery(written, searched)


def test_vectors_are_unit_after_half_precision(gallery):
    for listed in gallery.lists:
        assert listed.stored.dtype == np.float16
        np.testing.assert_allclose(np.linalg.norm(listed.vectors, axis=1), 1, rtol=1e-6)
