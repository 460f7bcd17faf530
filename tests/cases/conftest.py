"""A tiny ontology with four OMIM diseases and one of ORPHA, in the true file formats, and cases over them."""

import gzip
import json

import pytest
from tiny_release import ATAXIA, GENES, HEADER, ROWS, TERMS

from bridge.cases.case import Case
from bridge.cases.knowledge import read_annotations
from bridge.cases.space import Profiles, Terms
from bridge.data.hpo import read_ontology


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    """Folder with hp.obo, phenotype.hpoa and genes_to_phenotype.txt."""
    folder = tmp_path_factory.mktemp("release")
    stanzas = [f"[Term]\nid: {term}\nname: {name}" + (f"\nis_a: {parent} ! up" if parent else "") for term, (name, parent) in TERMS.items()]
    stanzas[3] += '\nalt_id: HP:0001275\nsynonym: "Epilepsy" EXACT []'
    (folder / "hp.obo").write_text("format-version: 1.2\ndata-version: hp/releases/2025-01-16\n\n" + "\n\n".join(stanzas) + "\n")
    lines = ["\t".join((*row[:5], "PCS", "", row[5], "", "", row[6], "HPO:me")) for row in ROWS]
    (folder / "phenotype.hpoa").write_text("#version: 2025-01-16\n" + "\n".join(["\t".join(HEADER), *lines]) + "\n")
    genes = ["ncbi_gene_id\tgene_symbol\thpo_id\thpo_name\tfrequency\tdisease_id"]
    genes += [f"{number}\t{gene}\t{row[3]}\tname\t-\t{row[0]}" for number, (gene, disease) in enumerate(GENES.items()) for row in ROWS if row[0] == disease]
    (folder / "genes_to_phenotype.txt").write_text("\n".join(genes) + "\n")
    return folder


@pytest.fixture(scope="session")
def ontology(release):
    return read_ontology(release / "hp.obo")


@pytest.fixture(scope="session")
def annotations(release, ontology):
    return read_annotations(release / "phenotype.hpoa", release / "genes_to_phenotype.txt", ontology)


@pytest.fixture(scope="session")
def profiles(annotations, ontology):
    """With nothing removed."""
    return Profiles(annotations.without(()), Terms(ontology))


@pytest.fixture
def make_case():
    def make(name="case", present=(ATAXIA,), **more):
        return Case(id=name, present=tuple(present), **more)

    return make


@pytest.fixture
def packet():
    """A phenopacket as a dictionary."""
    variant = {
        "variationDescriptor": {
            "geneContext": {"valueId": "HGNC:1", "symbol": "ONE"},
            "expressions": [{"syntax": "hgvs.c", "value": "NM_1.1:c.1A>G"}, {"syntax": "iscn", "value": "x"}],
            "allelicState": {"id": "GENO:0000135", "label": "heterozygous"},
        },
        "acmgPathogenicityClassification": "PATHOGENIC",
    }
    diagnosis = {
        "disease": {"id": "OMIM:100001", "label": "Alpha ataxia 1"},
        "genomicInterpretations": [{"subjectOrBiosampleId": "p", "interpretationStatus": "CAUSATIVE", "variantInterpretation": variant}],
    }
    features = [{"type": {"id": "HP:0001275", "label": "Seizures"}}, {"type": {"id": ATAXIA, "label": "Ataxia"}, "excluded": True}]
    return {
        "id": "PMID_1_p",
        "subject": {"id": "p", "sex": "FEMALE", "timeAtLastEncounter": {"age": {"iso8601duration": "P3Y6M"}}},
        "phenotypicFeatures": features,
        "interpretations": [{"id": "i", "progressStatus": "SOLVED", "diagnosis": diagnosis}],
        "metaData": {"phenopacketSchemaVersion": "2.0", "externalReferences": [{"id": "PMID:1", "description": "A paper"}]},
    }


@pytest.fixture
def write_compact(tmp_path):
    def write(rows, name="cases.jsonl.gz"):
        path = tmp_path / name
        opened = gzip.open if name.endswith(".gz") else open
        with opened(path, "wt", encoding="utf-8") as file:
            file.writelines((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        return path

    return write
