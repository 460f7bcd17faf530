"""Variants, variables, genes and disorders from the files of their publishers, in words."""

import pytest
from corpus_files import CLINVAR_SUMMARY, CLINVAR_VCF, DBGAP, GENCODE, GENE_INFO, GENE_MAP, GENE_SUMMARY, MIM_TITLES, OBO, gzipped, summary_row

from bridge.corpora.formats import FORMATS, read_corpus


def read(path, text, format, **settings):
    path.write_text(text, encoding="utf-8")
    return list(read_corpus(format, path, **settings))


def test_a_variant_of_the_summary_is_told_once_whatever_assemblies_it_is_on(tmp_path):
    found = list(read_corpus("clinvar-summary", gzipped(tmp_path / "variant_summary.txt.gz", CLINVAR_SUMMARY)))
    assert [record.id for record in found] == ["AlleleID:101", "AlleleID:102"]
    assert found[0].text == (
        "The variant NM_001165963.4(SCN1A):c.2589+3A>T in the gene SCN1A is pathogenic for Severe myoclonic epilepsy in infancy."
        " Variant type: single nucleotide variant; origin: germline; review status: criteria provided, single submitter."
    )
    assert "is uncertain significance; no condition is named." in found[1].text
    assert "gene" not in found[1].text


def test_the_row_of_the_wanted_assembly_is_taken(tmp_path):
    rows = [summary_row("7", f"on {assembly}", "A", "Benign", "x", assembly) for assembly in ("GRCh37", "GRCh38")]
    text = "\n".join([CLINVAR_SUMMARY.split("\n")[0], *rows])
    assert read(tmp_path / "a.txt", text, "clinvar-summary")[0].text.startswith("The variant on GRCh38")
    assert read(tmp_path / "a.txt", text, "clinvar-summary", assembly="GRCh37")[0].text.startswith("The variant on GRCh37")


def test_a_variant_of_the_vcf_is_told_with_its_genes_and_conditions(tmp_path):
    (found,) = read(tmp_path / "clinvar.vcf", CLINVAR_VCF, "clinvar-vcf")
    assert (found.id, found.source) == ("ClinVar:98765", "clinvar.vcf (GRCh38)")
    assert found.text == (
        "The variant NC_000002.12:g.166000000A>T in the gene SCN1A and SCN1A-AS1 is likely pathogenic for Severe myoclonic epilepsy in infancy"
        " and Febrile seizures, familial, 3A. Variant type: single nucleotide variant; review status: reviewed by expert panel."
    )


def test_a_variable_of_a_study_is_told_with_unit_range_and_codes(tmp_path):
    age, sex, unknown = read(tmp_path / "phs.data_dict.xml", DBGAP, "dbgap")
    assert age.text == "Variable AGE (Visits of the ophthalmic study): Age at enrolment. Type: integer. Unit: years. Range: 55 to 80."
    assert sex.text.endswith("Type: encoded value. Values: 1 = Male; 2 = Female. Self reported.")
    assert (age.id, age.source) == ("phv00000001.v1", "phs000001.v3 pht000009.v2 phs.data_dict.xml")
    assert unknown.text == ""


def test_genes_of_an_annotation_are_told_and_their_transcripts_are_not(tmp_path):
    pseudo, gene = read(tmp_path / "gencode.gtf", GENCODE, "gencode")
    assert pseudo.text == (
        "DDX11L2 (ENSG00000290825.1) is a transcribed unprocessed pseudogene on chromosome 1 on the forward strand, from base 11,869 to 14,409."
    )
    assert "SCN1A (ENSG00000144285.24) is a protein-coding gene on chromosome 2 on the reverse strand" in gene.text
    assert "version 44" in gene.source


def test_genes_of_ncbi_are_those_of_one_organism(tmp_path):
    gene, pseudo = read(tmp_path / "gene_info", GENE_INFO, "gene-info")
    assert gene.id == "NCBIGene:6323"
    assert gene.text == (
        "SCN1A (sodium voltage-gated channel alpha subunit 1) is a protein-coding gene at 2q24.3. It is also known as DRVT, GEFSP2."
        " Its product is also called sodium channel protein type 1 subunit alpha."
    )
    assert pseudo.text == "ADAP1 is a pseudogene."
    assert len(read(tmp_path / "gene_info", GENE_INFO, "gene-info", taxon="")) == 3
    (summary,) = read(tmp_path / "gene_summary", GENE_SUMMARY, "gene-summary")
    assert (summary.text, summary.source) == ("Voltage-dependent sodium channels are heteromeric complexes.", "gene_summary (RefSeq)")


def test_titles_of_omim_are_told_and_moved_entries_have_no_text(tmp_path):
    syndrome, gene, moved = read(tmp_path / "mimTitles.txt", MIM_TITLES, "omim-titles")
    assert syndrome.text == (
        "DRAVET SYNDROME (DRVT) is a phenotype whose molecular basis is known."
        " It is also called EPILEPTIC ENCEPHALOPATHY, EARLY INFANTILE, 6 (EIEE6); SEVERE MYOCLONIC EPILEPSY OF INFANCY (SMEI)."
    )
    assert gene.text == "SODIUM VOLTAGE-GATED CHANNEL, ALPHA SUBUNIT 1 (SCN1A) is a gene."
    assert moved.text == ""
    assert syndrome.licence.startswith("Copyright (c) 1966-2024 Johns Hopkins University.")


def test_the_gene_map_of_omim_tells_disorders_with_number_and_inheritance(tmp_path):
    gene, locus = read(tmp_path / "genemap2.txt", GENE_MAP, "omim-gene-map")
    assert gene.text == (
        "SCN1A (Sodium channel, alpha subunit 1), at 2q24.3, is linked to Dravet syndrome (MIM 607208), autosomal dominant;"
        " Febrile seizures, familial, 3A (MIM 604403, susceptibility)."
    )
    assert locus.text == ""
    older = GENE_MAP.replace("Gene/Locus And Other Related Symbols", "Gene Symbols").replace("Approved Gene Symbol", "Approved Symbol")
    assert read(tmp_path / "genemap2.txt", older, "omim-gene-map")[0].text == gene.text


def test_a_term_of_hpo_is_its_definition_and_one_without_has_no_text(tmp_path):
    root, seizure = read(tmp_path / "hp.obo", OBO, "hpo")
    assert seizure.text == 'Seizure: A sign of "abnormal" activity of the brain. Also called: Seizures. It is a kind of all.'
    assert (seizure.source, seizure.licence) == ("Human Phenotype Ontology 2025-01-16", "https://hpo.jax.org/app/license")
    assert root.text == ""


@pytest.mark.parametrize(
    ("format", "text", "message"),
    [
        ("clinvar-summary", CLINVAR_SUMMARY.replace("ReviewStatus", "Status"), "field ReviewStatus: no such column"),
        ("clinvar-summary", CLINVAR_SUMMARY[:-150], "line 4: found 9 fields, expected 34"),
        ("clinvar-vcf", CLINVAR_VCF.replace("#CHROM\t", "#CHROM "), "expected .'#CHROM', 'POS'"),
        ("clinvar-vcf", CLINVAR_VCF.split("#CHROM")[0], "field #CHROM: found no header"),
        ("clinvar-vcf", CLINVAR_VCF.replace("\tALLELEID", " ALLELEID"), "line 6: found 7 fields"),
        ("dbgap", DBGAP.replace("<name>AGE</name>", ""), "field name: found a <variable> without it"),
        ("dbgap", "<data_table/>", "element variable: found none below <data_table>"),
        ("gencode", GENCODE.replace("\tgene\t", "\texon\t"), "field feature: found no 'gene'"),
        ("gencode", GENCODE.replace("gene_name", "name"), "line 3, attribute gene_name: is missing"),
        ("gencode", "not a table\n", "line 1: found 1 fields, expected 9"),
        ("gene-info", GENE_SUMMARY, "field Symbol: no such column"),
        ("gene-info", "", "field tax_id: no such column"),
        ("omim-titles", GENE_MAP, "field Prefix: no such column"),
        ("omim-gene-map", MIM_TITLES, "field Cyto Location: no such column"),
        ("hpo", "no ontology", r"found no \[Term\]"),
    ],
)
def test_another_file_or_a_damaged_one_is_refused_in_one_line(tmp_path, format, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path / "given", text, format)
    assert "given" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_gzipped_table_that_was_cut_off_is_noticed(tmp_path):
    path = gzipped(tmp_path / "gene_info.gz", GENE_INFO)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"gene_info.gz: cannot be read to its end"):
        list(read_corpus("gene-info", path))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("json",), "field format: found 'json', expected one of jats, pubmed"),
        (("jats",), "field path: found none, expected articles of PubMed Central"),
        (("jats", "$NOBODY_SET_THIS/x"), "names a variable that is not set"),
        (("jats", "/no/such/file"), "there is nothing at /no/such/file"),
    ],
)
def test_a_source_that_cannot_be_is_refused_at_once(arguments, message):
    with pytest.raises(ValueError, match=message):
        read_corpus(*arguments)


def test_every_format_refuses_a_setting_that_its_reader_does_not_have(tmp_path):
    for name in FORMATS:
        with pytest.raises(ValueError, match=rf"format '{name}', field colour: is not known, expected .*licence"):
            read_corpus(name, tmp_path, colour="red")
    with pytest.raises(ValueError, match=r"format 'tsv', field separator: is not known"):
        read_corpus("tsv", tmp_path, separator=";")
