"""Files of each format, written as their publishers write them and small enough to read."""

import gzip
import io
import tarfile

JATS_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE article PUBLIC "-//NLM//DTD JATS (Z39.96) Journal Archiving and Interchange DTD v1.3 20210610//EN" "JATS-archivearticle1-3.dtd">
"""

LICENCE = """<license license-type="open-access" xlink:href="https://creativecommons.org/licenses/by-nc/4.0/">
<license-p>This is an open access article under the CC BY-NC licence.</license-p></license>"""

BODY = """<sec sec-type="intro"><title>Introduction</title>
<p>Seizures begin early&nbsp;in life [<xref ref-type="bibr" rid="r1">1</xref>, <xref ref-type="bibr" rid="r2">2</xref>] and are <italic>common</italic>
(see <xref ref-type="fig" rid="f1">Figure 1</xref>).</p>
<table-wrap id="t1"><caption><p>A table of doses.</p></caption><table><tbody><tr><td>17 mg</td></tr></tbody></table></table-wrap></sec>
<sec><title>Results</title><p>We counted 10<sup>6</sup> cells<sup><xref ref-type="bibr" rid="r3">3</xref>,<xref ref-type="bibr" rid="r4">4</xref></sup>.</p>
<list list-type="bullet"><list-item><p>First finding.</p></list-item><list-item><p>Second finding.</p></list-item></list></sec>"""


def jats(number="PMC7000001", title="Seizures in <italic>SCN1A</italic>", licence=LICENCE, kind="research-article", extra="", head=JATS_HEAD):
    """One article as PubMed Central gives it."""
    return f"""{head}<article xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:ali="http://www.niso.org/schemas/ali/1.0/" article-type="{kind}">
<front><journal-meta><journal-title-group><journal-title>Journal of Nothing</journal-title></journal-title-group></journal-meta>
<article-meta><article-id pub-id-type="pmid">31000001</article-id><article-id pub-id-type="pmcid">{number}</article-id>
<title-group><article-title>{title}</article-title></title-group>
<contrib-group><contrib><name><surname>Author</surname></name></contrib></contrib-group>
<permissions><copyright-statement>The authors</copyright-statement>{licence}</permissions>{extra}
<abstract><sec><title>Background</title><p>The abstract itself.</p></sec></abstract>
<abstract abstract-type="graphical"><p>A picture.</p></abstract></article-meta></front>
<body>{BODY}</body>
<back><ref-list><ref id="r1"><mixed-citation>Somebody 1999.</mixed-citation></ref></ref-list></back></article>
"""


def archive(path, members):
    """A gzipped tar archive of texts by name."""
    with tarfile.open(path, "w:gz") as packed:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            packed.addfile(entry, io.BytesIO(text.encode()))
    return path


def pubmed_article(number, title="A title.", kind="Journal Article", sections="<AbstractText>One sentence of an abstract.</AbstractText>", rights=""):
    return f"""<PubmedArticle><MedlineCitation Status="MEDLINE" Owner="NLM"><PMID Version="1">{number}</PMID>
<Article PubModel="Print"><Journal><Title>Journal of Nothing</Title></Journal><ArticleTitle>{title}</ArticleTitle>
<Abstract>{sections}{f"<CopyrightInformation>{rights}</CopyrightInformation>" if rights else ""}</Abstract>
<PublicationTypeList><PublicationType UI="D016428">{kind}</PublicationType></PublicationTypeList></Article></MedlineCitation>
<PubmedData><ReferenceList><Reference><Citation>Other. 1999</Citation>
<ArticleIdList><ArticleId IdType="pubmed">1</ArticleId></ArticleIdList></Reference></ReferenceList></PubmedData></PubmedArticle>"""


def pubmed(articles):
    """A baseline file."""
    head = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet SYSTEM "http://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_240101.dtd">\n'
    return f'{head}<PubmedArticleSet>{"".join(articles)}<DeleteCitation><PMID Version="1">9</PMID></DeleteCitation></PubmedArticleSet>'


def gzipped(path, text):
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    return path


SUMMARY_COLUMNS = (
    "#AlleleID|Type|Name|GeneID|GeneSymbol|HGNC_ID|ClinicalSignificance|ClinSigSimple|LastEvaluated|RS# (dbSNP)|nsv/esv (dbVar)|RCVaccession|PhenotypeIDS"
    "|PhenotypeList|Origin|OriginSimple|Assembly|ChromosomeAccession|Chromosome|Start|Stop|ReferenceAllele|AlternateAllele|Cytogenetic|ReviewStatus"
    "|NumberSubmitters|Guidelines|TestedInGTR|OtherIDs|SubmitterCategories|VariationID|PositionVCF|ReferenceAlleleVCF|AlternateAlleleVCF"
)


def summary_row(allele, name, gene, significance, conditions, assembly, status="criteria provided, single submitter"):
    front = (
        allele,
        "single nucleotide variant",
        name,
        "6323",
        gene,
        "HGNC:10585",
        significance,
        "1",
        "Jan 01, 2024",
        "-1",
        "-",
        "RCV1",
        "MedGen:C1",
        conditions,
    )
    place = ("germline", "germline", assembly, "NC_000002.12", "2", "1", "1", "na", "na", "2q24.3")
    return "\t".join((*front, *place, status, "1", "-", "N", "-", "2", "9", "1", "C", "T"))


CLINVAR_SUMMARY = "\n".join(
    [
        SUMMARY_COLUMNS.replace("|", "\t"),
        summary_row("101", "NM_001165963.4(SCN1A):c.2589+3A>T", "SCN1A", "Pathogenic", "Severe myoclonic epilepsy in infancy|not provided", "GRCh37"),
        summary_row("101", "NM_001165963.4(SCN1A):c.2589+3A>T", "SCN1A", "Pathogenic", "Severe myoclonic epilepsy in infancy|not provided", "GRCh38"),
        summary_row("102", "NC_000001.11:g.5A>G", "-", "Uncertain significance", "not provided", "na"),
    ]
)

CLINVAR_VCF = """##fileformat=VCFv4.1
##fileDate=2024-06-01
##reference=GRCh38
##INFO=<ID=CLNSIG,Number=.,Type=String,Description="Aggregate germline classification">
#CHROM	POS	ID	REF	ALT	QUAL	FILTER	INFO
2	166000000	98765	A	T	.	.	\
ALLELEID=101;CLNDN=Severe_myoclonic_epilepsy_in_infancy|Febrile_seizures,_familial,_3A;CLNHGVS=NC_000002.12:g.166000000A>T;\
CLNREVSTAT=reviewed_by_expert_panel;CLNSIG=Likely_pathogenic;CLNVC=single_nucleotide_variant;GENEINFO=SCN1A:6323|SCN1A-AS1:102724058
"""

DBGAP = """<?xml version="1.0" encoding="UTF-8"?>
<?xml-stylesheet type="text/xsl" href="./datadict_v2.xsl"?>
<data_table id="pht000009.v2" study_id="phs000001.v3" participant_set="1" date_created="Mon Jan 1 2018">
<description>Visits of the ophthalmic study</description>
<variable id="phv00000001.v1"><name>AGE</name><description>Age at enrolment</description><type>integer</type><unit>years</unit>
<logical_min>55</logical_min><logical_max>80</logical_max></variable>
<variable id="phv00000002.v1"><name>SEX</name><description>Sex of participant</description><type>encoded value</type>
<value code="1">Male</value><value code="2">Female</value><comment>Self reported.</comment></variable>
<variable id="phv00000003.v1"><name>X3</name><type>string</type></variable>
</data_table>
"""

GENCODE = """##description: evidence-based annotation of the human genome (GRCh38), version 44 (Ensembl 110)
##provider: GENCODE
chr1	HAVANA	gene	11869	14409	.	+	.	\
gene_id "ENSG00000290825.1"; gene_type "transcribed_unprocessed_pseudogene"; gene_name "DDX11L2"; level 2; tag "overlaps";
chr1	HAVANA	transcript	11869	14409	.	+	.	\
gene_id "ENSG00000290825.1"; transcript_id "ENST00000456328.2"; gene_type "lncRNA"; gene_name "DDX11L2";
chr2	HAVANA	gene	165984641	166149214	.	-	.	\
gene_id "ENSG00000144285.24"; gene_type "protein_coding"; gene_name "SCN1A"; level 2; hgnc_id "HGNC:10585";
"""

GENE_INFO = """#tax_id	GeneID	Symbol	LocusTag	Synonyms	dbXrefs	chromosome	map_location	description	type_of_gene	\
Symbol_from_nomenclature_authority	Full_name_from_nomenclature_authority	Nomenclature_status	Other_designations	Modification_date	\
Feature_type
9606	6323	SCN1A	-	DRVT|GEFSP2	MIM:182389	2	2q24.3	sodium voltage-gated channel alpha subunit 1	protein-coding	SCN1A	-	\
O	sodium channel protein type 1 subunit alpha	20240101	-
9606	100	ADAP1	-	-	-	7	-	-	pseudo	-	-	-	-	20240101	-
10090	20265	Scn1a	-	-	-	2	2 C1.3	sodium channel	protein-coding	-	-	-	-	20240101	-
"""

GENE_SUMMARY = """#tax_id	GeneID	Source	Summary
9606	6323	RefSeq	Voltage-dependent sodium channels are heteromeric complexes.
10090	20265	RefSeq	A mouse gene.
"""

MIM_TITLES = """# Copyright (c) 1966-2024 Johns Hopkins University. Use of this file adheres to the terms specified at https://omim.org/help/agreement.
# Generated: 2024-06-01
# Prefix	MIM Number	Preferred Title; symbol	Alternative Title(s); symbol(s)	Included Title(s); symbols
Number Sign	607208	DRAVET SYNDROME; DRVT	EPILEPTIC ENCEPHALOPATHY, EARLY INFANTILE, 6; EIEE6;; SEVERE MYOCLONIC EPILEPSY OF INFANCY; SMEI	
Asterisk	182389	SODIUM VOLTAGE-GATED CHANNEL, ALPHA SUBUNIT 1; SCN1A		
Caret	100050	MOVED TO 607208		
"""

GENE_MAP = """# Copyright (c) 1966-2024 Johns Hopkins University. Use of this file adheres to the terms specified at https://omim.org/help/agreement.
# Chromosome	Genomic Position Start	Genomic Position End	Cyto Location	Computed Cyto Location	MIM Number	\
Gene/Locus And Other Related Symbols	Gene Name	Approved Gene Symbol	Entrez Gene ID	Ensembl Gene ID	Comments	Phenotypes	\
Mouse Gene Symbol/ID
chr2	165984640	166149214	2q24.3		182389	SCN1A, GEFSP2	Sodium channel, alpha subunit 1	SCN1A	6323	ENSG00000144285		\
Dravet syndrome, 607208 (3), Autosomal dominant; {Febrile seizures, familial, 3A}, 604403 (3)	Scn1a
chr2	1	2	2q		999999	LOC1	A locus					
# Phenotype mapping key:
"""

OBO = """format-version: 1.2
data-version: hp/releases/2025-01-16
ontology: hp.obo
property_value: terms:license https://hpo.jax.org/app/license

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0001250
name: Seizure
def: "A sign of \\"abnormal\\" activity of the brain." [https://example.org]
synonym: "Seizures" EXACT layperson []
is_a: HP:0000001 ! All
"""
