"""The benchmark data as cohorts: on tiny folders of the same form, and on the real ones where they are."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bridge.benchmark.data import article_map, describe, gene_text, symbol_root, title_map
from bridge.data.cohort import Cohort, apply_normalisation

DATA = Path(os.environ.get("BRIDGE_DATA", "../shared/data"))
GENES = ["GRIN1", "GRIN2A", "FAS", "SET", "BRCA1"]


def real(name):
    """A folder of the real data, or a skip."""
    if not (DATA / name).is_dir():
        pytest.skip(f"{DATA / name}: no such folder; set BRIDGE_DATA to the folder that holds {name}")
    return DATA / name


def write_map(folder, table, **arrays):
    """A folder of articles with three regions."""
    folder.mkdir(parents=True)
    table.to_csv(folder / "articles.csv.gz", index=False)
    pd.DataFrame({"col": [0, 1, 2], "name": ["a", "b", "c"]}).to_csv(folder / "regions.csv", index=False)
    density = np.arange(3 * len(table), dtype=np.float16).reshape(-1, 3)
    np.savez(folder / "brain_regions.npz", **{"pmid": table["id"].to_numpy(), "density_x1e4": density, "n_peaks": np.ones(len(table), int)} | arrays)
    return folder


@pytest.fixture
def articles(tmp_path):
    table = pd.DataFrame({"id": [11, 12, 13, 14], "split": ["train", "val", "devtest", "train"], "title": ["On pain", "NA", "X", "Y"]})
    return write_map(tmp_path / "article_brain_map", table.assign(text=table["title"] + ". Abstract terms: pain."))


@pytest.fixture
def genes(tmp_path):
    folder = tmp_path / "gene_text"
    folder.mkdir()
    table = pd.DataFrame({"symbol": GENES, "entrez": range(5), "type": "protein-coding", "n_pubmed": 7, "split": ["train", "train", "val", "devtest", "train"]})
    table["name"] = ["glutamate receptor 1", "glutamate receptor 2A", "Fas cell surface death receptor", "SET nuclear proto-oncogene", ""]
    table = table.assign(bp="ion transport; set assembly", mf="", cc="SET complex; nucleus", hpo="Seizure")
    table.to_csv(folder / "gene_text.csv.gz", index=False)
    values = np.arange(10, dtype=np.float16).reshape(5, 2)
    np.savez(folder / "gene_embeddings.npz", symbol=np.array(GENES), split=table["split"].to_numpy(str), ahba182=values, gene2pubmed_lsa256=values[:, :1])
    return folder


def test_articles_keep_their_split_and_give_the_root_of_their_density(articles, tmp_path):
    cohort = article_map(articles)
    assert cohort.ids == ["11", "12", "13", "14"]
    assert cohort.table.obs["split"].tolist() == ["train", "validation", "test", "train"]
    assert cohort.table.obs["group"].tolist() == cohort.ids
    assert cohort.text("article")[1] == "NA. Abstract terms: pain."  # a title may be called NA
    np.testing.assert_allclose(cohort.raw("brain") ** 2 * 1e4, np.arange(12).reshape(4, 3), rtol=1e-5)
    np.testing.assert_allclose(cohort.values("brain")[[0, 3]].mean(axis=0), 0, atol=1e-6)
    assert cohort.encoder("brain").names == ("a", "b", "c")
    assert cohort.card("brain").licence == "BSD-3-Clause"
    cohort.write(tmp_path / "cohort.h5ad")
    assert Cohort.read(tmp_path / "cohort.h5ad").ids == cohort.ids


def test_titles_are_a_transfer_test_under_the_statistics_of_the_articles(articles):
    table = pd.DataFrame({"id": [1, 2], "doi": "", "space": "MNI", "title": ["Working memory", "Pain"], "year": [1999, 2001], "journal": "J"})
    titles = title_map(write_map(articles.parent / "title_brain_map", table))
    assert titles.table.obs["split"].unique().tolist() == ["test"]
    assert titles.text("article") == ["Working memory", "Pain"]
    assert titles.table.obs["year"].tolist() == ["1999", "2001"]
    np.testing.assert_array_equal(titles.values("brain"), titles.raw("brain"))
    same = article_map(articles)
    found = apply_normalisation(titles.raw("brain"), same.card("brain").normalisation)
    np.testing.assert_allclose(found, same.values("brain")[:2], atol=1e-5)


def test_genes_have_two_sides_and_a_text_without_their_symbol(genes):
    cohort = gene_text(genes)
    assert cohort.modalities == ["literature", "expression"]
    assert [cohort.encoder(side).dim for side in cohort.modalities] == [1, 2]
    texts = dict(zip(cohort.ids, cohort.text("description"), strict=True))
    assert (
        texts["GRIN1"]
        == "Glutamate receptor 1. Biological process: ion transport; set assembly. Cellular component: SET complex; nucleus. Clinical features: Seizure."
    )
    assert texts["FAS"].startswith("Cell surface death receptor. ")
    assert texts["SET"].startswith("Nuclear proto-oncogene. Biological process: ion transport; set assembly. Cellular component: complex; nucleus.")
    assert texts["BRCA1"].startswith("A gene without another name. ")
    assert cohort.table.obs["group"].tolist() == ["GRIN", "GRIN", "FAS", "SET", "BRCA"]
    assert cohort.table.obs["n_pubmed"].tolist() == [7] * 5


def test_paralogs_in_two_splits_are_refused(genes):
    table = pd.read_csv(genes / "gene_text.csv.gz", dtype=str, keep_default_na=False)
    table.loc[table["symbol"] == "GRIN2A", "split"] = "devtest"
    table.to_csv(genes / "gene_text.csv.gz", index=False)
    with pytest.raises(ValueError, match="group 'GRIN' is in 2 splits"):
        gene_text(genes)


@pytest.mark.parametrize(("symbol", "root"), [("GRIN2A", "GRIN"), ("SLC6A3", "SLC"), ("HLA-A", "HLA-A"), ("NKX2-1", "NKX2-"), ("FAS", "FAS")])
def test_the_root_of_a_symbol_is_what_its_paralogs_share(symbol, root):
    assert symbol_root(symbol) == root


def test_a_symbol_inside_a_word_stays():
    row = {"name": "setting protein", "bp": "GRIN1-like; GRIN12 binding", "mf": "", "cc": "", "hpo": ""}
    assert describe("GRIN1", row) == "Setting protein. Biological process: GRIN1-like; GRIN12 binding."
    assert describe("SET", row).startswith("Setting protein.")


BROKEN = {
    "articles.csv.gz, field text: is missing": lambda folder: pd.DataFrame({"id": [1], "split": ["train"], "title": [""]}).to_csv(
        folder / "articles.csv.gz", index=False
    ),
    "articles.csv.gz, field split: found 'dev'": lambda folder: pd.DataFrame({"id": [1], "split": ["dev"], "title": [""], "text": [""]}).to_csv(
        folder / "articles.csv.gz", index=False
    ),
    "articles.csv.gz, field id: '1' is found twice": lambda folder: pd.DataFrame({"id": [1, 1], "split": "train", "title": "", "text": ""}).to_csv(
        folder / "articles.csv.gz", index=False
    ),
    "articles.csv.gz: cannot be read": lambda folder: (folder / "articles.csv.gz").write_bytes(b"no gzip"),
    "brain_regions.npz: no such file": lambda folder: (folder / "brain_regions.npz").unlink(),
    "brain_regions.npz, field density_x1e4: is missing": lambda folder: np.savez(folder / "brain_regions.npz", pmid=np.arange(4)),
    "brain_regions.npz: cannot be read": lambda folder: (folder / "brain_regions.npz").write_bytes(b"no zip"),
    "brain_regions.npz, field pmid: 4 rows, expected the 4 of the table; they differ from row 3": lambda folder: np.savez(
        folder / "brain_regions.npz", pmid=np.array([11, 12, 14, 13]), density_x1e4=np.ones((4, 3)), n_peaks=np.ones(4)
    ),
    "brain_regions.npz, field density_x1e4: found 2 regions, expected 3": lambda folder: np.savez(
        folder / "brain_regions.npz", pmid=np.arange(11, 15), density_x1e4=np.ones((4, 2)), n_peaks=np.ones(4)
    ),
    "regions.csv: no such file": lambda folder: (folder / "regions.csv").unlink(),
}


@pytest.mark.parametrize(("message", "damage"), BROKEN.items(), ids=BROKEN)
def test_a_folder_that_is_not_whole_is_refused_by_file_and_field(message, damage, articles):
    damage(articles)
    with pytest.raises(ValueError, match=re.escape(message)):
        article_map(articles)


def test_the_real_articles_and_titles_are_those_of_the_protocol():
    cohort = article_map(real("article_brain_map"))
    assert {split: len(cohort.rows(split)) for split in ("train", "validation", "test")} == {"train": 10459, "validation": 1000, "test": 1000}
    assert cohort.raw("brain").shape == (12459, 441)
    assert not set(title_map(real("title_brain_map")).ids) & set(cohort.ids)


def test_the_real_genes_are_those_of_the_protocol():
    cohort = gene_text(real("gene_text"))
    assert {split: len(cohort.rows(split)) for split in ("train", "validation", "test")} == {"train": 7565, "validation": 1000, "test": 1000}
    assert [cohort.raw(side).shape[1] for side in cohort.modalities] == [256, 182]
    named = [name for name, text in zip(cohort.ids, cohort.text("description"), strict=True) if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]
    assert not named
