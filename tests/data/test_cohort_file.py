"""A bundle remembers the cohort that it was trained on, by its place from the bundle and by its digest."""

import shutil

import pytest

from bridge.bundle import load, save
from bridge.commands.sample import known_cohort
from bridge.data.cohort_file import CohortFile
from bridge.data.manifest import digest, digest_file


@pytest.fixture
def run(bridge, tiny_cohort, tmp_path):
    """A folder with a cohort and a bundle trained on it."""
    tiny_cohort.write(tmp_path / "run" / "data" / "cohort.h5ad")
    bridge.trained_on = CohortFile(tmp_path / "run" / "data" / "cohort.h5ad", digest(tmp_path / "run" / "data" / "cohort.h5ad"))
    save(bridge, tmp_path / "run" / "bundle")
    return tmp_path / "run"


@pytest.fixture
def loaded(bridge):
    """``loaded(folder)``: the bundle with the LLM that is in memory."""
    return lambda folder: load(folder / "bundle", language=bridge.language)


def test_bundle_and_cohort_may_move_together(run, loaded, tiny_cohort, tmp_path):
    moved = shutil.move(run, tmp_path / "elsewhere")
    assert known_cohort(loaded(moved), "bundle", None).ids == tiny_cohort.ids
    assert str(tmp_path) not in (moved / "bundle" / "config.json").read_text()


def test_a_cohort_that_is_gone_is_asked_for(run, loaded):
    (run / "data" / "cohort.h5ad").unlink()
    with pytest.raises(ValueError, match=r"cohort.h5ad: no such file, expected the cohort that the bundle was trained on; say where it is now with --cohort"):
        known_cohort(loaded(run), "bundle", None)


def test_another_cohort_in_its_place_is_refused_unless_it_is_named(run, loaded, tiny_cohort):
    path = run / "data" / "cohort.h5ad"
    table = tiny_cohort.table.copy()
    table.obs["more"] = "x"
    digest_file(path).unlink()
    table.write_h5ad(path)
    with pytest.raises(ValueError, match=rf"found SHA-256 .* of the cohort that the bundle was trained on; pass --cohort {path} if this is the one you mean"):
        known_cohort(loaded(run), "bundle", None)
    assert known_cohort(loaded(run), "bundle", str(path)).ids == tiny_cohort.ids


def test_a_bundle_of_a_cohort_that_was_no_file_says_so(bridge, tiny_cohort, loaded, tmp_path):
    assert CohortFile.of(tiny_cohort) is None
    assert CohortFile.of(None) is None
    save(bridge, tmp_path / "bundle")
    with pytest.raises(ValueError, match="runs/b: remembers no cohort that it was trained on; say which one holds the sample with --cohort"):
        known_cohort(loaded(tmp_path), "runs/b", None)
