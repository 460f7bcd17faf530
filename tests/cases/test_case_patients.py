"""A cohort of patients: who is in it and why not, what each side holds, and that no gene and no publication is in two splits."""

import json

import numpy as np
import pandas as pd
import pytest
from tiny_release import ATAXIA, BLIND, CATARACT, SEIZURE, SHRUNKEN, compact

from bridge.cases.case import Case, Variant
from bridge.cases.facts import variant_in_words
from bridge.cases.gene_vectors import read_gene_vectors
from bridge.cases.patients import build_patients
from bridge.cases.split import TEST, TRAIN, VALIDATION, groups_of, kin_of, split_cases, split_of
from bridge.data.cohort import Cohort

SYMBOLS = [f"GENE{number}" for number in range(60)]
OF = {split: [name for name in SYMBOLS if split_of(name) == split] for split in (TRAIN, VALIDATION, TEST)}


@pytest.fixture
def genes(tmp_path):
    """Vectors of all symbols but the second of training."""
    named = [name for name in SYMBOLS if name != OF[TRAIN][1]]
    values = np.random.default_rng(0).normal(size=(len(named), 3))
    pd.DataFrame(values, index=named).to_csv(tmp_path / "genes.csv", index_label="symbol")
    return tmp_path / "genes.csv"


@pytest.fixture
def rows():
    first, without, third = OF[TRAIN][:3]
    variant = {"hgvs": [f"NM_1.1({first}):c.1A>G"], "zygosity": "heterozygous", "acmg": "PATHOGENIC", "status": "CAUSATIVE"}
    return [
        compact("a", [ATAXIA, SHRUNKEN], first, "OMIM:100001", "PMID:1", variants=[variant], hpo_excluded=[["HP:0001274", "x"], [CATARACT, "x"]]),
        compact("b", [ATAXIA, SHRUNKEN], without, "OMIM:100002", "PMID:2"),
        compact("c", [SEIZURE], third, "OMIM:100003", "PMID:2"),
        compact("d", [SEIZURE], without, "OMIM:100003", "PMID:4"),
        compact("e", [SEIZURE], OF[TRAIN][3], "OMIM:100003", "PMID:9"),
        compact("f", [BLIND], OF[TEST][0], "OMIM:100004", "PMID:9"),
        compact("g", [BLIND], OF[VALIDATION][0], "OMIM:100004", "PMID:7"),
        compact("h", [SEIZURE, "HP:7777777"], "", "OMIM:100003", "PMID:8", hpo_excluded=[[SEIZURE, "x"], ["HP:0001274", "x"]]),
    ]


@pytest.fixture
def built(rows, genes, write_compact, ontology, tmp_path):
    return build_patients(tmp_path / "patients.h5ad", write_compact([*rows, "{"]), genes, ontology)


def reasons(patients):
    return {row.id: row.told for row in patients.listed if row.in_cohort == "no"}


def test_nobody_is_lost(built, tmp_path):
    found = reasons(built)
    assert built.cohort.ids == ["a", "b", "c", "f", "g", "h"]
    assert found.keys() == {"", "d", "e"}
    assert "line 9" in found[""]
    assert "no vector for its gene" in found["d"]
    assert "shares PMID:9" in found["e"]
    listed = pd.read_csv(tmp_path / "patients.patients.csv", keep_default_na=False)
    told = set(listed[listed.id == "h"].told)
    assert told == {
        "no gene: the gene side is missing",
        "phenotype HP:7777777 is not in HPO 2025-01-16: it counts for nothing",
        f"phenotype {SEIZURE} is both found and excluded: it counts as found",
    }
    assert listed[listed.id == "b"].told.item() == f"gene {OF[TRAIN][1]} has no vector in genes.csv: the gene side is missing"


def test_each_side_holds_what_the_record_says(built):
    cohort = Cohort.read(built.cohort.source)
    assert cohort.card("brain").units == "HPO finding"
    assert np.isfinite(cohort.raw("gene")).all(axis=1).tolist() == [True, False, True, True, True, False]
    brain = dict(zip(cohort.ids, cohort.raw("brain").reshape(6, -1, 2), strict=True))
    place = cohort.card("brain").names.index
    np.testing.assert_array_equal(brain["a"][place("left hippocampus")], [-1, 1])
    np.testing.assert_array_equal(brain["a"][place("corpus callosum")], [0, 0])
    assert np.isnan(brain["a"][place("left putamen")]).all()
    assert np.isnan(brain["c"]).all()
    assert (cohort.values("brain")[0][2 * place("left hippocampus")]) == -1  # findings are not standardised
    obs = cohort.table.obs
    assert obs.loc["a", "clinical"] == "A male patient aged 1 year. Findings: ataxia. Not found: cataract."
    assert obs.loc["a", "variants"] == "Heterozygous variant NM_1.1:c.1A>G, pathogenic, causative."
    assert cohort.fact("phenotypes")[0] == ("ataxia",)
    assert cohort.fact("imaging_findings")[0] == ("hippocampal atrophy",)
    assert cohort.facts == {"phenotypes": "gene", "disorders": "gene", "imaging_findings": "brain"}
    assert obs["brain_source"].tolist()[:3] == ["imaging phenotypes mapped to regions"] * 2 + [""]
    for column in ("clinical", "variants"):
        assert not any(gene and gene in text for gene, text in zip(obs["gene"], obs[column], strict=True))


def test_groups_connect_patients_who_share_a_gene_or_a_publication(built):
    group = dict(zip(built.cohort.ids, built.cohort.table.obs["group"], strict=True))
    assert group["b"] == group["c"]
    assert len(set(group.values())) == 5


def test_no_gene_and_no_publication_is_in_two_splits_or_two_groups():
    random = np.random.default_rng(1)
    cases = []
    for number in range(300):
        genes = [SYMBOLS[place] for place in random.integers(60, size=1 + (number % 9 == 0))]
        papers = tuple(f"PMID:{place}" for place in random.integers(150, size=number % 3))
        cases.append(Case(f"case-{number}", (), gene=genes[0], other_genes=tuple(genes[1:]), publications=papers))
    splits = split_cases(cases)
    assert all(len(some) > 5 for some in splits.values())
    kept = [case for some in splits.values() for case in some]
    groups = groups_of(kept)
    of_split = {case.id: name for name, some in splits.items() for case in some}
    owner = {}
    for case, group in zip(kept, groups, strict=True):
        for name in kin_of(case):
            assert owner.setdefault(name, (group, of_split[case.id])) == (group, of_split[case.id])


def test_a_measured_brain_stands_in_place_of_the_mapped_findings(rows, genes, write_compact, ontology, tmp_path):
    table = pd.DataFrame({"left hippocampus": [3.1, 2.9, 2.5], "right hippocampus": [3.0, 2.8, 2.4]}, index=["a", "g", "nobody"])
    table.to_csv(tmp_path / "volumes.csv", index_label="id")
    brain = {"class_path": "encoders.region_table.RegionTable", "source": tmp_path / "volumes.csv", "init_args": {"provenance": {"units": "ml"}}}
    built = build_patients(tmp_path / "patients.h5ad", write_compact(rows), genes, ontology, brain=brain)
    cohort = built.cohort
    assert cohort.card("brain").units == "ml"
    assert cohort.card("findings").units == "HPO finding"
    assert np.isfinite(cohort.raw("brain")).any(axis=1).tolist() == [True, False, False, False, True, False]
    assert np.isfinite(cohort.raw("findings")).any(axis=1).tolist() == [False, True, False, False, False, True]
    assert cohort.table.obs["brain_source"].tolist()[:2] == ["measured", "imaging phenotypes mapped to regions"]
    assert cohort.facts["imaging_findings"] == "findings"
    assert reasons(built)["nobody"] == "a measured brain of no case"


def test_vectors_of_genes_come_from_a_cohort_too(built, genes):
    patients = read_gene_vectors(built.cohort.source)
    file = read_gene_vectors(genes)
    np.testing.assert_allclose(patients.find(OF[TRAIN][0]), file.find(OF[TRAIN][0]), rtol=1e-6)
    assert patients.find(OF[TRAIN][1]) is None
    assert file._replace(aliases={"OLD": OF[TRAIN][0]}).find("OLD") is not None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"out": "patients.csv"}, r"found suffix '\.csv', expected \.h5ad"),
        ({"cases": "nowhere"}, "nowhere: no such file or folder"),
        ({"genes": "nowhere.csv"}, r"nowhere\.csv does not exist"),
    ],
)
def test_what_does_not_fit_is_named(rows, genes, write_compact, ontology, tmp_path, change, told):
    given = {"out": str(tmp_path / "patients.h5ad"), "cases": write_compact(rows), "genes": genes} | change
    with pytest.raises(ValueError, match=told):
        build_patients(ontology=ontology, **given)


def test_a_build_without_anybody_to_train_on_is_refused_and_leaves_nothing(genes, write_compact, ontology, tmp_path):
    path = write_compact([compact("f", [BLIND], OF[TEST][0], "OMIM:100004", "PMID:9")])
    with pytest.raises(ValueError, match="found 1 cases and 1 with a gene vector or an imaging finding, none of them for training"):
        build_patients(tmp_path / "patients.h5ad", path, genes, ontology)
    assert not list(tmp_path.glob("patients*"))


def test_a_variant_is_told_without_its_gene():
    assert variant_in_words(Variant()) == ""
    assert variant_in_words(Variant(("NM_000051.4(ATM):c.1A>G",))) == "Variant NM_000051.4:c.1A>G."
    assert json.dumps(variant_in_words(Variant(("NC_1:g.(?_1)_(2_?)del",), "homozygous"))) == '"Homozygous variant NC_1:g.(?_1)_(2_?)del."'
