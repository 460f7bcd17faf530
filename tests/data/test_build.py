"""``bridge data build``: files of the user's own become a cohort, or an error that says what to do."""

import hashlib
import json

import anndata
import nibabel
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.data.build import build_cohort, from_table
from bridge.data.cohort import SPLITS, Cohort
from bridge.data.splits import twins
from encoders.base import Encoder, Raw, masked_tokens

FEATURES = 10


class Vectors(Encoder):
    """One vector per sample, from a csv with the ids in the first column."""

    def __init__(self, modality="gene", dim=FEATURES, names=(), provenance=None):
        super().__init__(modality, dim, names, provenance)

    def read(self, source):
        table = pd.read_csv(source, dtype={"id": str}, keep_default_na=False, na_values={f"f{n}": [""] for n in range(self.dim)})
        return Raw(table["id"].tolist(), table.drop(columns="id").to_numpy(float))

    def forward(self, values):
        return masked_tokens(values.unsqueeze(1))

    @classmethod
    def example(cls):
        return cls()


class Misnamed(Vectors):
    """Forgets the name of its modality."""

    def __init__(self, modality="gene"):
        super().__init__("other")


TRUST = [Vectors.__module__]


def class_path(kind=Vectors):
    return f"{kind.__module__}.{kind.__qualname__}"


def vectors(path, ids, *, seed=0, features=FEATURES):
    """Write a csv of vectors whose first value tells the number in the id, and give the modality's description."""
    drawn = np.random.default_rng(seed).normal(size=(len(ids), features))
    drawn[:, 0] = [int("".join(filter(str.isdigit, each)) or 0) for each in ids]
    table = pd.DataFrame(drawn, columns=[f"f{number}" for number in range(features)])
    table.insert(0, "id", ids)
    table.to_csv(path, index=False)
    return {"class_path": class_path(), "init_args": {"dim": features, "provenance": {"licence": "CC0"}}, "source": path}


def named(count, first=0):
    return [f"p{number}" for number in range(first, first + count)]


@pytest.fixture
def files(tmp_path):
    """Genes p0..p29, brains p5..p34, notes p0..p32."""
    notes = pd.DataFrame({"id": named(33), "note": [f"note of {each}" for each in named(33)], "family": [f"f{n // 3}" for n in range(33)]})
    notes["traits"], notes["age"], notes["code"] = "high; low", np.arange(33) + 0.5, [f"{n:03d}" for n in range(33)]
    notes.to_csv(tmp_path / "notes.csv", index=False)
    modalities = {"gene": vectors(tmp_path / "genes.csv", named(30)), "brain": vectors(tmp_path / "brains.csv", named(30, first=5)[::-1], seed=1)}
    return {"out": tmp_path / "cohort.h5ad", "modalities": modalities, "table": tmp_path / "notes.csv", "trust": TRUST}


def edit(path, change):
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    change(table)
    table.to_csv(path, index=False)


def listed(files):
    return pd.read_csv(files["out"].with_suffix(".unjoined.csv"), keep_default_na=False).set_index("id")


def produced(files):
    return sorted(path.name for path in files["out"].parent.iterdir() if path.name.startswith("cohort"))


def test_every_value_and_note_is_at_its_sample(files):
    cohort = build_cohort(**files, texts=["note"], facts={"traits": "gene"}, group="family")
    numbers = [int(each[1:]) for each in cohort.ids]
    for modality, known in (("gene", range(30)), ("brain", range(5, 35))):
        first = cohort.raw(modality)[:, 0]
        assert [number for number, value in zip(numbers, first, strict=True) if np.isfinite(value)] == [n for n in numbers if n in known]
        assert all(np.isnan(value) or value == number for number, value in zip(numbers, first, strict=True))
    assert cohort.text("note") == [f"note of p{number}" for number in numbers]
    assert cohort.fact("traits")[0] == ("high", "low")


def test_a_cohort_on_disk_is_the_one_returned_with_cards_covariates_and_settings(files):
    made = build_cohort(**files, texts=["note"], group="family", normalise={"brain": "global"})
    back = Cohort.read(files["out"])
    assert back.ids == made.ids
    assert back.about == made.about
    assert back.card("gene").licence == "CC0"
    assert back.card("brain").normalisation["method"] == "global"
    for modality in back.modalities:
        np.testing.assert_array_equal(back.values(modality), made.values(modality))
    assert back.table.obs["age"].tolist() == [int(each[1:]) + 0.5 for each in back.ids]
    assert back.table.obs["code"].tolist() == [f"{int(each[1:]):03d}" for each in back.ids]
    assert back.about["notes"]["group"] == "family"
    assert back.about["notes"]["files"] == {"table": "notes.csv", "gene": "genes.csv", "brain": "brains.csv"}
    assert isinstance(back.encoder("gene", TRUST), Vectors)


def test_a_cohort_is_written_with_its_digest_split_and_list_and_nothing_partial(files):
    build_cohort(**files)
    assert produced(files) == ["cohort.h5ad", "cohort.h5ad.sha256", "cohort.split.json", "cohort.unjoined.csv"]


def test_every_sample_that_did_not_join_is_listed_with_where_and_the_nearest_ids(files):
    build_cohort(**files)
    table = listed(files)
    assert set(table.index) == {*named(5), *named(5, first=30)}
    assert table.loc["p0", ["in_cohort", "found_in", "missing_in"]].tolist() == ["yes", "table; gene", "brain"]
    assert len(table.loc["p0", "nearest_ids"].removeprefix("brain: ").split(", ")) == 3
    assert table.loc["p34", "found_in"] == "brain"


def test_an_inner_join_keeps_samples_with_all_modalities_and_lists_the_rest(files):
    cohort = build_cohort(**files, join="inner")
    assert sorted(cohort.ids) == sorted(named(25, first=5))
    assert listed(files).loc["p0", "left_out_because"] == "a modality is missing and join is 'inner'"
    assert not np.isnan(cohort.raw("gene")).any()


def test_a_sample_whose_group_is_unknown_is_left_out_and_listed(files):
    cohort = build_cohort(**files, group="family")
    assert {"p33", "p34"}.isdisjoint(cohort.ids)
    assert listed(files).loc["p33", ["in_cohort", "left_out_because"]].tolist() == ["no", "not in the table, so its family is unknown"]
    assert {"p33", "p34"} <= set(build_cohort(**files).ids)


def test_a_row_of_the_table_without_any_modality_is_left_out_and_listed(files):
    edit(files["table"], lambda table: table.__setitem__("id", [*table["id"][:-1], "q1"]))
    cohort = build_cohort(**files)
    assert "q1" not in cohort.ids
    assert listed(files).loc["q1", "left_out_because"] == "no modality"


def test_groups_stay_whole_and_the_split_file_says_so(files):
    cohort = build_cohort(**files, group="family")
    obs = cohort.table.obs
    assert obs.groupby("group", observed=True)["split"].nunique().max() == 1
    manifest = json.loads(files["out"].with_suffix(".split.json").read_text())
    for split in SPLITS:
        ids = sorted(obs.index[obs["split"] == split])
        digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
        groups = sorted(set(obs.loc[ids, "group"].astype(str)))
        of_groups = hashlib.sha256("\n".join(groups).encode()).hexdigest()
        assert manifest[split] == {"samples": len(ids), "groups": len(groups), "sha256_of_sorted_ids": digest, "sha256_of_sorted_groups": of_groups}
        assert ids
    assert manifest["drawn"] == {"group": "family", "split": None, "seed": 0, "validation": 0.1, "test": 0.2}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_rows_in_any_file_changes_nothing(files, random):
    first = build_cohort(**files, texts=["note"], group="family")
    for path in (files["table"], *(spec["source"] for spec in files["modalities"].values())):
        header, *rows = path.read_text().splitlines()
        random.shuffle(rows)
        path.write_text("\n".join([header, *rows]) + "\n")
    second = build_cohort(**files, texts=["note"], group="family")
    pd.testing.assert_frame_equal(first.table.obs, second.table.obs)
    for modality in first.modalities:
        np.testing.assert_array_equal(first.raw(modality), second.raw(modality))


def test_rows_of_test_do_not_change_the_normalisation(files):
    first = build_cohort(**files, group="family")
    held_out = {first.ids[row] for row in first.rows("test")}
    edit(files["modalities"]["gene"]["source"], lambda table: table.__setitem__("f3", table["f3"].mask(table["id"].isin(held_out), "999")))
    second = build_cohort(**files, group="family")
    assert (second.raw("gene")[second.rows("test"), 3] == 999).any()
    assert first.card("gene").normalisation == second.card("gene").normalisation


def test_a_split_column_is_taken_as_it_is(files):
    splits = ["train"] * 20 + ["validation"] * 6 + ["test"] * 7
    edit(files["table"], lambda table: table.__setitem__("part", splits))
    cohort = build_cohort(**files, split="part")
    assert dict(zip(cohort.ids, cohort.table.obs["split"], strict=True)) == dict(zip(named(33), splits, strict=True))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("dev", "column 'part': sample 'p32' has 'dev', expected one of train, validation, test"),
        ("", "column 'part': 1 samples have no value, for example 'p32'"),
    ],
)
def test_an_unknown_or_missing_split_is_refused(files, value, message):
    edit(files["table"], lambda table: table.__setitem__("part", ["train"] * 32 + [value]))
    with pytest.raises(ValueError, match=message):
        build_cohort(**files, split="part")


def test_a_split_column_that_parts_a_group_is_refused(files):
    edit(files["table"], lambda table: table.__setitem__("part", ["train", "test"] + ["train"] * 31))
    with pytest.raises(ValueError, match=r"notes.csv, field obs\['split'\]: group 'f0' is in 2 splits"):
        build_cohort(**files, split="part", group="family")


def test_a_sample_without_a_group_is_refused(files):
    edit(files["table"], lambda table: table.__setitem__("family", ["n/a", "", *table["family"][2:]]))
    with pytest.raises(ValueError, match=r"notes.csv, column 'family': 2 samples have no value, for example 'p0'; .* the groups"):
        build_cohort(**files, group="family")


def test_a_column_of_participants_makes_the_groups_and_a_warning_says_so(files):
    edit(files["table"], lambda table: table.__setitem__("Subject_ID", table["family"]))
    with pytest.warns(UserWarning, match="notes.csv: samples that share 'Subject_ID' stay in one split; .*--group id"):
        cohort = build_cohort(**files)
    assert set(cohort.table.obs["group"]) == set(cohort.table.obs["Subject_ID"])
    assert len(set(build_cohort(**files, group="id").groups)) == 35


def test_sessions_of_a_participant_in_bids_names_stay_together(tmp_path):
    ids = [f"sub-{number:02d}_ses-{session}" for number in range(12) for session in (1, 2)]
    files = {"out": tmp_path / "cohort.h5ad", "modalities": {"brain": vectors(tmp_path / "brains.csv", ids)}, "trust": TRUST}
    with pytest.warns(UserWarning, match="'sub-00_ses-1' name a participant and a session"):
        cohort = build_cohort(**files)
    assert set(cohort.table.obs["group"]) == {f"sub-{number:02d}" for number in range(12)}
    assert len(set(build_cohort(**files, group="id").groups)) == 24


def test_too_few_groups_for_a_split_are_refused(files):
    edit(files["table"], lambda table: table.__setitem__("diagnosis", ["patient"] * 20 + ["control"] * 13))
    with pytest.raises(
        ValueError, match="2 groups, the largest 'patient' with 20 of 33 samples, leave nothing for validation and test; choose a finer --group"
    ):
        build_cohort(**files, group="diagnosis")


def test_a_column_named_group_or_split_that_was_not_asked_for_is_kept_beside(files):
    edit(files["table"], lambda table: table.insert(1, "group", ["patient", "control", "control"] * 11))
    obs = build_cohort(**files).table.obs
    assert set(obs["table_group"]) == {"patient", "control", ""}
    assert obs["group"].tolist() == obs.index.tolist()


def test_nearly_equal_values_in_two_splits_are_counted_and_an_example_named(files):
    cohort = build_cohort(**files)
    source = files["modalities"]["brain"]["source"]
    table = pd.read_csv(source).set_index("id")
    split = cohort.table.obs.loc[table.index, "split"]
    train, test = split.index[split == "train"][0], split.index[split == "test"][0]
    table.loc[test] = table.loc[train] + 1e-6
    table.reset_index().to_csv(source, index=False)
    with pytest.warns(UserWarning, match=rf"brain: 1 samples outside train .*'{test}' \(test\) and '{train}' \(train\)"):
        build_cohort(**files)


def test_maps_that_share_a_large_mean_are_not_called_equal(files):
    source = files["modalities"]["brain"]["source"]
    table = pd.read_csv(source).set_index("id")
    (table + 1000).reset_index().to_csv(source, index=False)
    cohort = build_cohort(**files)
    assert twins(cohort, "brain") == []


def test_ids_in_another_spelling_are_refused_and_join_by_the_rule_that_is_named(files, tmp_path):
    files["modalities"]["brain"] = vectors(tmp_path / "brains.csv", [f"sub-{each}" for each in named(30)])
    with pytest.raises(ValueError, match=r"table \(notes.csv\) and brain \(brains.csv\): 0 of 30 join, 30 more (.|\n)*--id-rule sub-prefix"):
        build_cohort(**files)
    cohort = build_cohort(**files, id_rule=["sub-prefix"])
    assert sorted(cohort.ids) == sorted(named(30))
    np.testing.assert_array_equal(cohort.raw("gene")[:, 0], cohort.raw("brain")[:, 0])
    assert cohort.about["notes"]["id_rule"] == ["sub-prefix"]


def test_an_id_that_is_twice_in_a_file_is_refused(files):
    edit(files["modalities"]["gene"]["source"], lambda table: table.__setitem__("id", ["p1", *table["id"][1:]]))
    with pytest.raises(ValueError, match=r"ids of gene \(genes.csv\): 'p1' is in rows \[1, 2\]"):
        build_cohort(**files)


def test_ids_that_look_like_numbers_or_like_nothing_stay_as_written(tmp_path):
    ids = ["001", "01", "1", "NA", "nan", *named(10)]
    pd.DataFrame({"id": ids, "note": [f"note {each}" for each in ids]}).to_csv(tmp_path / "notes.tsv", index=False, sep="\t")
    modalities = {"gene": vectors(tmp_path / "genes.csv", ids[::-1])}
    cohort = build_cohort(tmp_path / "cohort.h5ad", modalities, table=tmp_path / "notes.tsv", texts=["note"], trust=TRUST)
    assert cohort.ids == sorted(ids)
    assert cohort.text("note") == [f"note {each}" for each in cohort.ids]


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "h5ad"])
def test_a_table_gives_the_same_cohort_in_every_format(files, tmp_path, ending):
    expected = build_cohort(**files, texts=["note"], group="family").table.obs
    table = pd.read_csv(files["table"], dtype={"code": str}, keep_default_na=False)
    files["table"] = tmp_path / f"again.{ending}"
    if ending == "parquet":
        table.to_parquet(files["table"])
    elif ending == "h5ad":
        anndata.AnnData(obs=table.set_index("id")).write_h5ad(files["table"])
    else:
        table.to_csv(files["table"], index=False, sep="," if ending == "csv" else "\t")
    pd.testing.assert_frame_equal(build_cohort(**files, texts=["note"], group="family").table.obs, expected)


def test_column_names_an_h5ad_cannot_hold_are_changed(files):
    edit(files["table"], lambda table: table.rename(columns={"age": "BMI kg/m2"}, inplace=True))
    assert "BMI kg_m2" in build_cohort(**files).table.obs


def test_another_id_column_is_used_when_named(files):
    edit(files["table"], lambda table: table.insert(0, "row", [str(n) for n in range(33)]))
    with pytest.raises(ValueError, match=r"ids of table \(notes.csv\): none is in gene .*--id-column"):
        build_cohort(**files)
    assert "p3" in build_cohort(**files, id_column="id").ids


def test_a_sample_that_has_only_nan_counts_as_missing(files):
    def blank(table):
        table.iloc[0, 1:] = ""

    edit(files["modalities"]["gene"]["source"], blank)
    with pytest.warns(UserWarning, match=r"gene .*: 1 samples have no value \(first 'p0'\)"):
        cohort = build_cohort(**files)
    assert "p0" not in cohort.ids


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"texts": ["letter"]}, r"table .*: no column 'letter' for the texts and facts; found \[\"note\", "),
        ({"facts": {"organ": "gene"}}, "no column 'organ'"),
        ({"facts": {"traits": "eye"}}, "facts: no modality 'eye'; expected one of gene, brain"),
        ({"normalise": {"eye": "zscore"}}, "normalise: no modality 'eye'"),
        ({"group": "household"}, "no column 'household' for the groups"),
        ({"split": "part"}, "no column 'part' for the split"),
        ({"id_column": "subject"}, "no id column 'subject'"),
        ({"join": "left"}, "join: found 'left', expected outer or inner"),
        ({"table": "missing.csv"}, "table missing.csv: no such file"),
        ({"table": None, "texts": ["note"]}, r"texts: found \['note'\] and no table"),
        ({"table": None, "group": "family"}, "group: found 'family' and no table"),
        ({"trust": []}, "outside the 'encoders' package; pass --trust"),
        ({"id_rule": ["lower"]}, "id rule: found"),
        ({"validation": 0.6, "test": 0.4}, "expected fractions that leave a part for train"),
        ({"modalities": {}}, "modalities: found none"),
        ({"modalities": {"table": {"class_path": "a.B", "source": "c"}}}, "modality 'table': expected a name"),
        ({"modalities": {"gene": {"class_path": "a.B", "file": "c"}}}, r"modality 'gene': found \['class_path', 'file'\], expected class_path and source"),
        ({"modalities": {"gene": {"class_path": "a.B", "source": "none.csv"}}}, "modality 'gene': source none.csv does not exist"),
    ],
)
def test_a_wrong_setting_is_an_error_of_one_or_two_lines_and_writes_nothing(files, change, message):
    with pytest.raises(ValueError, match=message) as refusal:
        build_cohort(**(files | change))
    assert len(str(refusal.value).splitlines()) <= 2
    assert produced(files) == []


@pytest.mark.parametrize("name", ["cohort.csv", "notes.h5ad"])
def test_the_output_is_an_h5ad_and_never_one_of_the_inputs(files, name):
    table = files["table"].rename(files["table"].with_name("notes.h5ad"))
    with pytest.raises(ValueError, match=r"expected .h5ad|is one of the files the cohort is made from"):
        build_cohort(**(files | {"table": table, "out": table.with_name(name)}))


def test_arguments_an_encoder_does_not_have_are_refused_by_name(files):
    files["modalities"]["gene"]["init_args"]["width"] = 3
    with pytest.raises(ValueError, match=r"modality 'gene', init_args of .*'width'"):
        build_cohort(**files)


def test_an_encoder_with_another_modality_is_refused(files):
    files["modalities"]["gene"] |= {"class_path": class_path(Misnamed), "init_args": {}}
    with pytest.raises(ValueError, match="modality 'gene': its encoder says 'other'"):
        build_cohort(**files)


def test_infinite_values_are_refused_by_sample(files):
    edit(files["modalities"]["gene"]["source"], lambda table: table.__setitem__("f2", ["1e60", *table["f2"][1:]]))
    with pytest.raises(ValueError, match=r"'gene', .*: sample 'p0', feature 3: found an infinite value"):
        build_cohort(**files)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,note\np1,a,b\n", "expected a UTF-8 table with a header and as many fields in every row"),
        ("id,note\n", "found no rows"),
        ("", "No columns to parse"),
        ("id,note,note\np1,a,b\n", "column 'note' is found twice"),
        ("id,note\n,a\n", "row 1: found an empty id"),
    ],
)
def test_a_damaged_table_is_refused(files, text, message):
    files["table"].write_text(text)
    with pytest.raises(ValueError, match=message):
        build_cohort(**files)


@pytest.mark.parametrize("ending", ["csv", "parquet", "h5ad", "docx"])
def test_a_file_that_is_no_table_is_refused(files, tmp_path, ending):
    files["table"] = tmp_path / f"notes.{ending}"
    files["table"].write_bytes(b"\xff\xfe\x00not a table")
    with pytest.raises(ValueError, match=f"table .*notes.{ending}: "):
        build_cohort(**files)


def test_an_error_while_writing_leaves_the_earlier_cohort(files, monkeypatch):
    build_cohort(**files)
    before = {path.name: path.read_bytes() for path in files["out"].parent.iterdir()}
    monkeypatch.setattr(pd.DataFrame, "to_csv", lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        build_cohort(**files, join="inner")
    assert {path.name: path.read_bytes() for path in files["out"].parent.iterdir()} == before


def test_progress_and_a_summary_are_shown(files, capsys):
    build_cohort(**files)
    shown = capsys.readouterr().err
    assert "gene: 30 samples x 10 values from genes.csv" in shown
    assert "35 samples (gene 30, brain 30); 10 not found everywhere, see cohort.unjoined.csv" in shown


def region_files(folder):
    """Region values of p0..p23 as a table, as tokens and as images with their atlas; gene vectors of the same samples."""
    drawn = np.random.default_rng(2).normal(2.0, 0.5, (24, 3))
    pd.DataFrame(drawn, columns=["left cuneus", "right cuneus", "brainstem"], index=pd.Index(named(24), name="id")).to_csv(folder / "regions.csv")
    np.savez(folder / "tokens.npz", ids=np.array(named(24)), values=drawn[:, :, None])
    genes = np.column_stack([np.arange(24), np.random.default_rng(4).normal(size=(24, 8))])
    np.savez(folder / "genes.npz", ids=np.array(named(24)[::-1]), values=genes[::-1])
    labels = np.zeros((4, 4, 4), dtype=np.int16)
    labels[0], labels[1], labels[2] = 1, 2, 3
    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), folder / "atlas.nii.gz")
    (folder / "scans").mkdir()
    for sample, values in zip(named(24), drawn, strict=True):
        nibabel.save(nibabel.Nifti1Image(np.array([0, *values], dtype=np.float32)[labels], np.eye(4)), folder / "scans" / f"{sample}.nii.gz")
    return drawn


@pytest.mark.parametrize(
    ("name", "source", "init_args"),
    [
        ("region_table.RegionTable", "regions.csv", {}),
        ("brain_tokens.BrainTokens", "tokens.npz", {}),
        ("brain_volume.BrainVolume", "scans", {"names": ["left cuneus", "right cuneus", "brainstem"], "indices": [1, 2, 3]}),
    ],
)
def test_files_of_every_kind_join_with_gene_vectors(tmp_path, name, source, init_args):
    drawn = region_files(tmp_path)
    if source == "scans":
        init_args = init_args | {"atlas": str(tmp_path / "atlas.nii.gz")}
    gene = {"class_path": "encoders.gene_table.GeneTable", "source": tmp_path / "genes.npz"}
    brain = {"class_path": f"encoders.{name}", "init_args": init_args, "source": tmp_path / source}
    cohort = build_cohort(tmp_path / "cohort.h5ad", {"gene": gene, "brain": brain})
    rows = [int(each[1:]) for each in cohort.ids]
    np.testing.assert_allclose(cohort.raw("brain"), drawn[rows], rtol=1e-5)
    np.testing.assert_array_equal(cohort.raw("gene")[:, 0], rows)
    assert cohort.encoder("brain").card().tokens == 3
    assert cohort.encoder("gene").card().dim == 9


def test_an_expression_matrix_joins_with_regions(tmp_path):
    region_files(tmp_path)
    levels = np.random.default_rng(3).gamma(1.0, 1.0, (24, 5)).astype(np.float32)
    table = anndata.AnnData(X=levels, obs=pd.DataFrame(index=named(24)), var=pd.DataFrame(index=["SNAP25", "GFAP", "MBP", "APOE", "TREM2"]))
    table.write_h5ad(tmp_path / "expression.h5ad")
    gene = {"class_path": "encoders.expression.Expression", "init_args": {"names": ["GFAP", "APOE"]}, "source": tmp_path / "expression.h5ad"}
    brain = {"class_path": "encoders.region_table.RegionTable", "source": tmp_path / "regions.csv"}
    cohort = build_cohort(tmp_path / "cohort.h5ad", {"gene": gene, "brain": brain}, join="inner")
    np.testing.assert_array_equal(cohort.raw("gene"), levels[[int(each[1:]) for each in cohort.ids]][:, [1, 3]])
    assert cohort.card("gene").names == ("GFAP", "APOE")


@pytest.fixture
def embedded(tmp_path):
    """An .h5ad of somebody else: two embeddings in obsm, notes and a donor in obs."""
    obs = pd.DataFrame({"note": [f"note of {each}" for each in named(30)], "donor": [f"d{n // 2}" for n in range(30)]}, index=named(30))
    table = anndata.AnnData(X=np.ones((30, 2), dtype=np.float32), obs=obs)
    drawn = np.random.default_rng(0).normal(size=(30, 18)).astype(np.float32)
    drawn[4, 9:] = np.nan
    table.obsm["X_scgpt"], table.obsm["X_brain"] = drawn[:, :9], drawn[:, 9:]
    table.write_h5ad(tmp_path / "mine.h5ad")
    return tmp_path / "mine.h5ad"


def test_an_h5ad_with_embeddings_in_obsm_is_a_cohort_after_one_call(embedded):
    out = embedded.with_name("cohort.h5ad")
    with pytest.warns(UserWarning, match="share 'donor'"), pytest.warns(UserWarning, match=r"1 samples have no value \(first 'p4'\)"):
        from_table(embedded, out, {"gene": "obsm:X_scgpt", "brain": "obsm:X_brain"}, texts=["note"])
    cohort, mine = Cohort.read(out), anndata.read_h5ad(embedded)
    for modality, key in (("gene", "X_scgpt"), ("brain", "X_brain")):
        np.testing.assert_array_equal(cohort.raw(modality), mine[cohort.ids].obsm[key])
    assert np.isnan(cohort.values("brain")[cohort.ids.index("p4")]).all()
    assert cohort.text("note") == [f"note of {each}" for each in cohort.ids]
    assert set(cohort.table.obs["group"]) == set(mine.obs["donor"])
    assert len(cohort.ids) == 30


def test_token_grids_in_obsm_name_their_encoder(embedded):
    grid = {"class_path": "encoders.brain_tokens.BrainTokens", "init_args": {"key": "obsm:X_scgpt", "tokens": 3}}
    cohort = from_table(embedded, embedded.with_name("cohort.h5ad"), {"brain": grid}, group="donor")
    assert (cohort.card("brain").tokens, cohort.card("brain").dim) == (3, 3)


def test_a_key_that_is_not_in_the_file_is_refused_with_those_that_are(embedded):
    with pytest.raises(ValueError, match=r"mine.h5ad: key 'obsm:X_pca' is not in the file; found .*obsm:X_brain"):
        from_table(embedded, embedded.with_name("cohort.h5ad"), {"gene": "obsm:X_pca"}, group="donor")


def test_a_cohort_is_not_written_over_the_file_it_is_made_from(embedded):
    with pytest.raises(ValueError, match="is one of the files the cohort is made from"):
        from_table(embedded, embedded, {"gene": "obsm:X_scgpt"}, group="donor")
