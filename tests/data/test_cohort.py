"""A cohort refuses what would make its numbers wrong, and comes back from disk as it was."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.data.cohort import SPLITS, Cohort, apply_normalisation, fit_normalisation, split_by_group
from bridge.data.whole import whole_file
from encoders.base import Encoder, Raw, masked_tokens


class Vectors(Encoder):
    """One vector per sample."""

    def __init__(self, modality="gene", dim=4, names=(), provenance=None):
        super().__init__(modality, dim, names, provenance)

    def read(self, source):
        return Raw(["a"], np.zeros((1, self.dim)))

    def forward(self, values):
        return masked_tokens(values.unsqueeze(1))

    @classmethod
    def example(cls):
        return cls()


TRUST = [Vectors.__module__]


def observations(samples=12):
    splits = ["train"] * (samples - 4) + ["validation", "validation", "test", "test"]
    ids = [f"s{number}" for number in range(samples)]
    notes = [f"note {number}" if number % 3 else "" for number in range(samples)]
    return pd.DataFrame({"split": splits, "group": ids, "note": notes, "traits": ["high; low"] * samples}, index=ids)


def values(samples=12, features=4, seed=0):
    drawn = np.random.default_rng(seed).normal(3, 2, (samples, features))
    drawn[1] = np.nan
    return drawn


def cohort(obs=None, drawn=None, **settings):
    obs = observations() if obs is None else obs
    drawn = values() if drawn is None else drawn
    encoder = Vectors(provenance={"source": "a paper", "licence": "CC0", "layer": "12"})
    return Cohort.assemble(obs, {"gene": (encoder, drawn)}, texts=["note"], facts={"traits": "gene"}, **settings)


def test_a_cohort_comes_back_from_disk_as_it_was(tmp_path):
    made = cohort(notes={"release": "2025"})
    made.write(tmp_path / "folder" / "cohort.h5ad")
    back = Cohort.read(tmp_path / "folder" / "cohort.h5ad")
    assert back.ids == made.ids
    assert back.about == made.about
    assert back.card("gene") == made.card("gene")
    assert back.card("gene").licence == "CC0"
    assert back.card("gene").layer == "12"
    assert back.text("note") == made.text("note")
    assert back.fact("traits")[0] == ("high", "low")
    assert back.groups.tolist() == made.groups.tolist()
    for split in (*SPLITS, "all"):
        assert back.rows(split).tolist() == made.rows(split).tolist()
    np.testing.assert_array_equal(back.raw("gene"), made.raw("gene"))
    np.testing.assert_array_equal(back.values("gene"), made.values("gene"))
    assert back.encoder("gene", TRUST).init_args() == made.encoder("gene", TRUST).init_args()
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["cohort.h5ad", "cohort.h5ad.sha256"]


def test_a_sample_without_a_modality_is_a_row_of_nan_and_no_other_is():
    assert np.isnan(cohort().values("gene")[1]).all()
    assert np.isfinite(np.delete(cohort().values("gene"), 1, axis=0)).all()


@pytest.mark.parametrize("method", ["zscore", "global"])
def test_rows_outside_train_do_not_change_the_normalisation(method):
    changed = values()
    changed[8:] = 1e6
    first, second = cohort(normalise={"gene": method}), cohort(drawn=changed, normalise={"gene": method})
    assert first.card("gene").normalisation == second.card("gene").normalisation
    np.testing.assert_array_equal(first.values("gene")[:8], second.values("gene")[:8])


def test_rows_of_train_do_change_the_normalisation():
    changed = values()
    changed[0] += 1
    assert cohort().card("gene").normalisation != cohort(drawn=changed).card("gene").normalisation


def test_normalised_training_rows_have_mean_0_and_scale_1():
    train = cohort().values("gene")[:8]
    np.testing.assert_allclose(np.nanmean(train, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(train, axis=0), 1, atol=1e-6)


def test_one_mean_and_scale_keep_the_order_of_the_regions():
    drawn = values()
    kept = cohort(drawn=drawn, normalise={"gene": "global"}).values("gene")
    assert (np.argsort(kept[2:]) == np.argsort(drawn[2:])).all()


def test_a_constant_feature_becomes_0_and_not_infinite():
    drawn = values()
    drawn[:, 2] = 7.0
    assert (np.nan_to_num(cohort(drawn=drawn).values("gene"))[:, 2] == 0).all()


def test_a_feature_that_train_never_has_counts_as_missing_elsewhere():
    drawn = values()
    drawn[:8, 3] = np.nan
    kept = cohort(drawn=drawn).values("gene")
    assert np.isnan(kept[:, 3]).all()
    assert np.isfinite(kept[8:, :3]).all()


def test_none_leaves_values_as_they_are():
    drawn = values()
    np.testing.assert_array_equal(cohort(drawn=drawn, normalise={"gene": "none"}).values("gene"), drawn.astype(np.float32))


def test_an_unknown_normalisation_and_a_modality_without_training_samples_are_refused_by_name():
    with pytest.raises(ValueError, match="normalisation of gene: found 'robust', expected zscore, global, unit or none"):
        cohort(normalise={"gene": "robust"})
    drawn = values()
    drawn[:8] = np.nan
    with pytest.raises(ValueError, match="normalisation of gene: no training sample"):
        cohort(drawn=drawn)


def test_a_group_in_two_splits_is_refused():
    obs = observations()
    obs.loc[["s0", "s11"], "group"] = "family 7"
    with pytest.raises(ValueError, match=r"notes.csv, field obs\['split'\]: group 'family 7' is in 2 splits, expected 1"):
        cohort(obs, source="notes.csv")


def test_a_missing_column_is_refused_by_name():
    for column in ("split", "group", "note", "traits"):
        made = cohort().table.copy()
        del made.obs[column]
        with pytest.raises(ValueError, match=f"obs column '{column}' is missing"):
            Cohort(made)


def test_another_name_of_a_split_is_refused():
    obs = observations()
    obs.loc["s11", "split"] = "dev"
    with pytest.raises(ValueError, match="found 'dev', expected one of train, validation, test"):
        cohort(obs)


@pytest.mark.filterwarnings("ignore:Observation names are not unique")
def test_an_id_in_two_rows_is_refused():
    obs = observations().rename(index={"s3": "s2"})
    with pytest.raises(ValueError, match="sample 's2' is in more than one row"):
        cohort(obs)


def test_a_file_that_is_no_cohort_says_how_to_make_one(tmp_path):
    anndata.AnnData(obs=observations()).write_h5ad(tmp_path / "mine.h5ad")
    with pytest.raises(ValueError, match=r"mine.h5ad: uns\['bridge'\] is missing; make a cohort of this file with: bridge data build"):
        Cohort.read(tmp_path / "mine.h5ad")
    with pytest.raises(ValueError, match="no such file"):
        Cohort.read(tmp_path / "other.h5ad")


def test_an_unknown_modality_or_split_is_refused():
    with pytest.raises(ValueError, match=r"no modality 'brain'; expected one of \['gene'\]"):
        cohort().card("brain")
    with pytest.raises(ValueError, match="split 'dev'"):
        cohort().rows("dev")


def test_an_encoder_outside_the_package_is_built_only_when_trusted():
    with pytest.raises(ValueError, match="pass --trust"):
        cohort().encoder("gene")
    assert isinstance(cohort().encoder("gene", TRUST), Vectors)


def test_a_file_that_fails_while_it_is_written_leaves_the_old_one_and_nothing_else(tmp_path):
    (tmp_path / "kept.txt").write_text("old")

    def fail():
        with whole_file(tmp_path / "kept.txt") as partial:
            partial.write_text("half")
            raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        fail()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("kept.txt", "old")]


def test_cards_are_plain_json_in_the_file():
    about = json.loads(cohort().table.uns["bridge"])
    assert set(about) == {"cards", "encoders", "texts", "facts", "notes"}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=120), st.integers(0, 5))
def test_no_group_is_ever_in_two_splits(groups, seed):
    named = [f"family {number}" for number in groups]
    drawn = split_by_group(named, seed=seed)
    assert len({(group, split) for group, split in zip(named, drawn, strict=True)}) == len(set(named))
    assert set(drawn) <= set(SPLITS)
    assert drawn == split_by_group(named, seed=seed)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 8), min_size=3, max_size=60), st.integers(0, 5))
def test_a_test_split_is_never_empty_and_never_larger_than_asked_for_or_than_the_smallest_group(sizes, seed):
    named = [f"family {number}" for number, size in enumerate(sizes) for _ in range(size)]
    drawn = split_by_group(named, seed=seed)
    assert drawn.count("test") <= max(0.2 * len(named) + 1e-6, min(sizes))
    assert drawn.count("validation") <= max(0.1 * len(named) + 1e-6, min(sizes))
    assert "test" in drawn


def test_single_samples_are_split_in_the_parts_asked_for():
    drawn = split_by_group([f"s{number}" for number in range(1000)], validation=0.1, test=0.2)
    assert [drawn.count(split) for split in SPLITS] == [700, 100, 200]


@pytest.mark.parametrize("seed", range(10))
def test_one_large_group_goes_to_train_and_leaves_the_other_splits_their_share(seed):
    drawn = split_by_group(["site 1"] * 60 + [f"s{number}" for number in range(40)], seed=seed)
    assert set(drawn[:60]) == {"train"}
    assert drawn.count("test") == 20
    assert drawn.count("validation") == 10


def test_fractions_that_leave_nothing_for_train_are_refused():
    with pytest.raises(ValueError, match="expected fractions that leave a part for train"):
        split_by_group(["a", "b", "c"], validation=0.5, test=0.5)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.sampled_from(["zscore", "global"]), st.floats(0.1, 100), st.floats(-50, 50))
def test_scale_and_shift_of_the_units_do_not_change_normalised_values(seed, method, scale, shift):
    drawn = np.random.default_rng(seed).normal(size=(20, 3))
    first = apply_normalisation(drawn, fit_normalisation(drawn, method))
    second = apply_normalisation(drawn * scale + shift, fit_normalisation(drawn * scale + shift, method))
    np.testing.assert_allclose(first, second, atol=1e-4)
