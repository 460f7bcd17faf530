"""Questions on variants out of ClinVar's table in its true format."""

import re

import pytest

from bridge.instructions.build import build_instructions
from bridge.instructions.clinvar import SIGNIFICANCE, read_variants
from bridge.instructions.item import read_instructions

COLUMNS = (
    "#AlleleID Type Name GeneID GeneSymbol HGNC_ID ClinicalSignificance ClinSigSimple LastEvaluated RS#_(dbSNP) nsv/esv_(dbVar) RCVaccession PhenotypeIDS "
    "PhenotypeList Origin OriginSimple Assembly ChromosomeAccession Chromosome Start Stop ReferenceAllele AlternateAllele Cytogenetic ReviewStatus "
    "NumberSubmitters Guidelines TestedInGTR OtherIDs SubmitterCategories VariationID PositionVCF ReferenceAlleleVCF AlternateAlleleVCF"
)


def row(number, gene, significance, conditions, ids, assembly="GRCh38", name=None):
    filled = {
        "#AlleleID": str(number),
        "Name": name or f"NM_00{number}.5({gene}):c.{number}G>A (p.Arg{number}His)",
        "GeneSymbol": gene,
        "ClinicalSignificance": significance,
        "PhenotypeIDS": ids,
        "PhenotypeList": conditions,
        "Assembly": assembly,
        "ReviewStatus": "criteria provided, single submitter",
    }
    return "\t".join(filled.get(column, "-") for column in COLUMNS.split(" "))


def table(rows):
    return "\n".join(["\t".join(column.replace("_(", " (") for column in COLUMNS.split(" ")), *rows]) + "\n"


@pytest.fixture
def variants_file(tmp_path, facts):
    """Five variants of each disorder with one gene, one of each class, each allele in two assemblies."""
    rows = []
    for disorder in facts.disorders.values():
        for significance in SIGNIFICANCE if len(disorder.genes) == 1 else ():
            number = 1000 + len(rows)
            rows += [
                row(number, disorder.genes[0], significance.capitalize(), disorder.name, f"MedGen:C1,{disorder.id}", each) for each in ("GRCh37", "GRCh38")
            ]
    path = tmp_path / "variant_summary.txt"
    path.write_text(table(rows))
    return path


def test_alleles_are_read_once_and_only_those_that_can_be_asked_about(tmp_path):
    path = tmp_path / "variant_summary.txt"
    rows = [
        row(1, "SCN1A", "Pathogenic", "not provided|Dravet syndrome", "MedGen:CN1|MONDO:MONDO:1,OMIM:607208", "GRCh37"),
        row(1, "SCN1A", "Pathogenic", "not provided|Dravet syndrome", "MedGen:CN1|MONDO:MONDO:1,OMIM:607208"),
        row(2, "SCN1A", "Conflicting classifications of pathogenicity", "Dravet syndrome", "-"),
        row(3, "SCN1A;TTN", "Benign", "Dravet syndrome", "-"),
        row(4, "TTN", "Benign", "not provided", "-"),
        row(5, "TTN", "Benign", "Dravet syndrome", "-", name="GRCh38/hg38 2q24.3(chr2:1-2)x1"),
    ]
    path.write_text(table(rows))
    (variant,) = read_variants(path)
    assert variant.said == "SCN1A c.1G>A (p.Arg1His)"
    assert (variant.significance, variant.conditions, variant.disorders) == ("pathogenic", ("Dravet syndrome",), ("OMIM:607208",))


def test_a_table_without_a_column_is_refused(tmp_path):
    path = tmp_path / "variant_summary.txt"
    path.write_text(table([]).replace("PhenotypeIDS", "Phenotypes"))
    with pytest.raises(ValueError, match="field PhenotypeIDS: no such column"):
        list(read_variants(path))


def test_answers_are_those_of_the_record_and_splits_are_those_of_the_genes(variants_file, release, tmp_path):
    families = ("question answering", "relation extraction", "gene disease")
    card = build_instructions(tmp_path / "set", families=families, limit_per_family=60, sources=release, clinvar_file=variants_file, validation=0.2, test=0.3)
    items = [item for split in ("train", "validation", "test") for item in read_instructions(tmp_path / "set" / f"{split}.jsonl") if item.source == "clinvar"]
    assert {(item.family, item.split) for item in items} >= {(family, split) for family in families for split in ("train", "test")}
    assert "clinvar" in card["licences"]
    checked = 0
    for item in items:
        said = {variant: (kind, name) for variant, kind, name in re.findall(r"(\w+ c\.\S+ \(p\.\w+\)): ([a-z ]+), (\w+)\.", item.question)}
        asked = re.search(r"(?<!\.)(?<!: )\b([A-Z]+1 c\.\S+ \(p\.\w+\))(?!:)", item.question)
        if item.template.startswith("clinvar-significance"):
            assert said[asked[1]][0] == item.answer
            checked += 1
        if item.template.startswith("clinvar-relation"):
            variant, condition = re.findall(r"\[(.*?)\]", item.question)
            kind = {"pathogenic": "pathogenic for", "likely pathogenic": "pathogenic for", "uncertain significance": "uncertain for"}.get(
                said[variant][0], "benign for"
            )
            assert item.answer == (kind if said[variant][1] == condition else "no relation")
            checked += 1
        if item.template.startswith("clinvar-condition"):
            (gene,) = {gene for gene in re.findall(r"[A-Z]+1", item.question) if item.question.count(gene) == 2}
            assert item.answer == next(name for variant, (_, name) in said.items() if variant.startswith(gene))
            checked += 1
    assert checked == len(items) > 40
