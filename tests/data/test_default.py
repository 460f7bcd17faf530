"""The default data, on a small release and on the real one where it has been downloaded."""

import json
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from bridge.data import default_maps
from bridge.data.anatomy import SIDE_MARGIN
from bridge.data.cohort import Cohort
from bridge.data.default import build_default
from bridge.data.default_maps import render
from bridge.data.releases import MEMBERS, choose, read_releases, source_files, usable_genes
from bridge.data.sources import cached_paths
from bridge.retrieve.lists import known_lists, own_candidates, sample_labels
from bridge.retrieve.schema import CandidateKind


def spelled(names):
    """A stand-in for the sentence model: letter counts."""
    return np.array([[name.count(letter) + 0.1 * row for letter in "aeinort"] for row, name in enumerate(names)], dtype=np.float32)


def build(files, out, **settings):
    return build_default(out, files=files, embedder=spelled, provenance={"encoder": "letter counts"}, **settings)


@pytest.fixture
def cohort(small_files, tmp_path):
    return build(small_files, tmp_path / "out", full=True)


def test_a_gene_needs_a_map_a_nervous_system_phenotype_and_a_name(small_files, cohort):
    usable, counts = usable_genes(read_releases(small_files))
    assert list(usable) == cohort.ids == ["MECP2", "PC", "REST", "RP2", "SCN1A", "SCN2A"]
    assert counts == {"in HPO": 10, "with a brain map": 9, "with a nervous-system phenotype": 7, "with an official name": 6}
    assert cohort.about["notes"]["genes"] == counts | {"taken here": 6}


def test_the_cohort_says_what_else_its_genes_are_called(cohort, tmp_path):
    notes = Cohort.read(tmp_path / "out" / "cohort.h5ad").about["notes"]
    assert notes["gene_aliases"] == {
        "FEB3": "SCN1A",
        "NAC1": "SCN1A",
        "PPMX": "MECP2",
        "RTT": "MECP2",
        "PCB": "PC",
        "XRP2": "RP2",
        "NRSF": "REST",
        "XBR": "REST",
    }
    assert notes["gene_aliases_left_out"] == {}


def test_the_written_cohort_reads_back_with_texts_facts_and_cards(cohort, tmp_path):
    read = Cohort.read(tmp_path / "out" / "cohort.h5ad")
    assert read.texts == ["anatomy", "clinical"]
    assert read.facts == {"further_organ_systems": "gene", "inheritance": "gene"}
    assert read.fact("further_organ_systems")[read.ids.index("RP2")] == ("eye",)
    assert read.card("gene").encoder == "letter counts"
    assert read.card("gene").normalisation["method"] == "zscore"
    assert read.card("brain").normalisation["method"] == "global"
    assert read.card("brain").space == "MNI152, mm, RAS+"


def test_the_cohort_declares_what_its_genes_may_share(cohort):
    assert sample_labels(cohort) == (CandidateKind.GENE, cohort.text("official_name"))
    lists = {known.kind: known for known in known_lists(cohort)}
    assert set(lists) == {CandidateKind.PHENOTYPE, CandidateKind.DISORDER}
    row = cohort.ids.index("SCN1A")
    for known in lists.values():
        assert known.items[row]
        assert {item for items in known.items for item in items} == set(known.names)
        assert known.source == "Human Phenotype Ontology, release 2025-01-16"
    assert [lists[CandidateKind.DISORDER].names[item] for item in lists[CandidateKind.DISORDER].items[row]] == cohort.text("disorders")[row].split("; ")


def test_a_cohort_that_declares_none_is_built_again(small_files, tmp_path, capsys):
    old = build(small_files, tmp_path, full=True)
    old.about["notes"].pop("candidates")
    old.table.uns["bridge"] = json.dumps(old.about)
    old.write(tmp_path / "cohort.h5ad")
    assert "candidates" in build(small_files, tmp_path, full=True).about["notes"]
    assert "used again" not in capsys.readouterr().out


def test_terms_of_use_and_the_release_stand_in_cards_notes_and_page(cohort, tmp_path):
    page = (tmp_path / "out" / "ATTRIBUTION.md").read_text()
    notes = " ".join(cohort.about["notes"]["acknowledgements"])
    for text in (page, notes, cohort.card("brain").licence):
        assert "Human Phenotype Ontology (version 2025-01-16)" in text
        assert "non-commercial research" in text
    assert "2025-01-16" in cohort.card("gene").licence
    assert "not clinical" in page or "nothing made from them is clinical" in page


def test_values_follow_the_labels_and_not_the_order_of_the_rows(small_files, cohort):
    table = pd.read_csv(small_files.expression, encoding="utf-8-sig").set_index("label")
    names = cohort.card("brain").names
    assert names[:3] == ("left cuneus", "left precuneus", "left pallidum")
    row = cohort.raw("brain")[cohort.ids.index("SCN1A")]
    assert row[names.index("left pallidum")] == pytest.approx(table.loc[3, "SCN1A"])
    assert row[names.index("brain stem")] == pytest.approx(table.loc[7, "SCN1A"])


def test_maps_on_disk_are_read_back_to_the_values_of_the_cohort(cohort, tmp_path):
    ids, values = cohort.encoder("brain").read(tmp_path / "out" / "maps")
    assert sorted(ids) == cohort.ids
    assert np.abs(values - cohort.raw("brain")[[cohort.ids.index(symbol) for symbol in ids]]).max() < 1e-4


def test_any_gene_can_be_rendered_later_and_an_unknown_one_is_refused(cohort, tmp_path):
    path = render(cohort, "PC", tmp_path / "later" / "PC.nii.gz")
    assert cohort.encoder("brain").values(path) == pytest.approx(cohort.raw("brain")[1], abs=1e-4)
    with pytest.raises(ValueError, match="no gene 'XYZ'"):
        render(cohort, "XYZ", tmp_path / "xyz.nii.gz")


def test_a_map_that_reads_back_differently_stops_the_build(small_files, tmp_path, monkeypatch):
    monkeypatch.setattr(default_maps, "MAP_TOLERANCE", 1e-9)
    with pytest.raises(ValueError, match=r"maps: values read back differ from the table by"):
        build(small_files, tmp_path / "out", full=True)
    assert not (tmp_path / "out" / "cohort.h5ad").exists()


def test_the_same_settings_use_what_is_there_and_others_build_again(cohort, small_files, tmp_path, capsys):
    small_files.genes.unlink()
    again = build(small_files, tmp_path / "out", full=True)
    assert again.ids == cohort.ids
    assert "is used again" in capsys.readouterr().out
    with pytest.raises(OSError, match="genes_to_phenotype"):
        build(small_files, tmp_path / "out", full=True, seed=1)


def test_an_embedder_without_a_name_is_refused(small_files, tmp_path):
    with pytest.raises(ValueError, match="no 'encoder' for the embedder given"):
        build_default(tmp_path / "out", files=small_files, embedder=spelled)


def test_a_folder_whose_atlas_is_gone_is_built_again(cohort, small_files, tmp_path):
    (tmp_path / "out" / "atlas" / "atlas-DesikanKilliany_dseg.nii.gz").unlink()
    assert build(small_files, tmp_path / "out", full=True).encoder("brain").read(tmp_path / "out" / "maps").ids


def test_a_subset_takes_whole_families_and_follows_the_seed():
    symbols = [f"SCN{number}A" for number in range(1, 6)] + ["HTT", "RELN", "GRIN1", "GRIN2A", "TTN", "DCX", "BDNF", "PC"]
    for seed in range(20):
        chosen = choose(symbols, 6, seed)
        assert len(chosen) <= 6
        assert sum(symbol.startswith("SCN") for symbol in chosen) in (0, 5)
        assert sum(symbol.startswith("GRIN") for symbol in chosen) in (0, 2)
        assert chosen == choose(symbols, 6, seed)
    assert len({tuple(choose(symbols, 6, seed)) for seed in range(20)}) > 5


def test_a_table_that_does_not_fit_the_atlas_is_refused(small_files, tmp_path):
    small_files.expression.write_text("label,Region,PC\n1,L_cuneus,0.5\n")
    with pytest.raises(ValueError, match=r"expression.csv: found columns .* and 1 rows, expected label, Region and a row per region"):
        build(small_files, tmp_path / "out")


missing = [path for package, members in MEMBERS.items() for path in cached_paths(package, members).values() if not path.is_file()]
needs_real_data = pytest.mark.skipif(bool(missing), reason="the default data is not in the cache; 'make demo' or 'bridge data default' puts it there")


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """The data as the demo builds it, but for the sentence model."""
    return build(source_files(), tmp_path_factory.mktemp("default"))


@pytest.fixture(scope="module")
def real_names():
    return usable_genes(read_releases(source_files()))[0]


@needs_real_data
def test_real_about_3300_genes_pass_the_filter_and_the_demo_takes_1000(real):
    counts = real.about["notes"]["genes"]
    assert 3250 <= counts["with an official name"] <= 3400
    assert counts["taken here"] == real.table.n_obs == 1000
    assert real.raw("brain").shape == (1000, 83)


@needs_real_data
def test_real_a_gene_of_twenty_kinds_of_seizure_has_seizures(real):
    """The list names the kinds alone, which is no reason to say that the gene lacks what they are kinds of."""
    row, seizure = real.ids.index("SCN1A"), "HP:0001250"
    (listed,) = (known.items for known in known_lists(real) if known.kind is CandidateKind.PHENOTYPE)
    assert seizure not in listed[row]
    having = [seizure in own_candidates(real, number)[CandidateKind.PHENOTYPE] for number in range(len(real.ids))]
    assert having[row]
    assert 0.3 < np.mean(having) < 0.95


@needs_real_data
def test_real_no_family_is_in_two_splits_and_none_is_a_crowd(real):
    obs = real.table.obs
    assert obs.groupby("group", observed=True)["split"].nunique().max() == 1
    assert obs["split"].value_counts(normalize=True).to_dict() == pytest.approx({"train": 0.7, "test": 0.2, "validation": 0.1}, abs=0.03)
    assert obs["group"].value_counts().max() < 100


@needs_real_data
def test_real_no_clinical_text_names_its_gene(real, real_names):
    # Written apart from the code that scrubs: whole words, codes without digits in their own case only.
    for symbol, text in zip(real.ids, real.text("clinical"), strict=True):
        record = real_names[symbol].names
        for code in {symbol, record.symbol, *record.aliases}:
            flags = re.IGNORECASE if re.search(r"\d", code) else 0
            assert not (len(code) > 1 and re.search(rf"(?<![A-Za-z0-9]){re.escape(code)}(?![A-Za-z0-9])", text, flags)), (symbol, code, text)
        assert not (len(record.name) > 5 and record.name.lower() in text.lower()), (symbol, record.name, text)


@needs_real_data
def test_real_no_anatomy_sentence_names_a_disorder_or_a_gene(real):
    frame = "expression is highest lowest in the and it higher than cortex subcortex on left right"
    words = {word for text in (frame, *real.card("brain").names) for word in text.split()}
    for text in real.text("anatomy"):
        assert set(re.findall(r"[\w-]+", text.lower())) <= words


@needs_real_data
def test_real_sides_are_claimed_only_beyond_the_margin(real):
    names, values = real.card("brain").names, real.raw("brain").astype(np.float64)
    left = [names.index(name) for name in names if name.startswith("left ")]
    right = [names.index(names[row].replace("left ", "right ")) for row in left]
    contrast = (values[:, left] - values[:, right]).mean(axis=1) / values.std(axis=1)
    claims = np.array([("higher on the left" in text) - ("higher on the right" in text) for text in real.text("anatomy")])
    np.testing.assert_array_equal(claims, np.where(contrast > SIDE_MARGIN, 1, np.where(contrast < -SIDE_MARGIN, -1, 0)))
    assert 0 < np.abs(claims).mean() < 0.1


@needs_real_data
def test_real_named_regions_are_the_true_extremes_in_order(real):
    names = real.card("brain").names
    for text, values in zip(real.text("anatomy"), real.raw("brain"), strict=True):
        highest = re.match(r"Expression is highest in the (.+), and lowest in the", text)[1]
        order = np.argsort(-values, kind="stable")[:3]
        assert re.split(r", | and (?=left|right|brain)", highest) == [names[row] for row in order]


@needs_real_data
def test_real_left_regions_lie_at_negative_x(real):
    image = nib.load(real.encoder("brain").atlas)
    labels = np.asarray(image.dataobj)
    for index, name in zip(real.encoder("brain").indices, real.card("brain").names, strict=True):
        x = nib.affines.apply_affine(image.affine, np.argwhere(labels == index)).mean(axis=0)[0]
        assert {"left": x < -2, "right": x > 2}.get(name.split()[0], abs(x) < 2), (name, x)
