"""The default data's source files in their true formats, small enough to read: 7 regions, 10 genes, 20 terms."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bridge.data.releases import SourceFiles

OBO = """format-version: 1.2
data-version: hp/releases/2025-01-16
ontology: hp.obo

[Term]
id: HP:0000001
name: All

[Term]
id: HP:0000118
name: Phenotypic abnormality
is_a: HP:0000001 ! All

[Term]
id: HP:0000707
name: Abnormality of the nervous system
alt_id: HP:0001333
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:0000478
name: Abnormality of the eye
is_a: HP:0000118 ! Phenotypic abnormality

[Term]
id: HP:0001250
name: Seizure
def: "A seizure is a sign that the Babinski sign does not tell." [https://example.org]
is_a: HP:0000707 ! Abnormality of the nervous system

[Term]
id: HP:0007359
name: Focal-onset seizure
is_a: HP:0001250 ! Seizure

[Term]
id: HP:0001251
name: Ataxia
is_a: HP:0000707 ! Abnormality of the nervous system

[Term]
id: HP:0003487
name: Babinski sign
is_a: HP:0000707 ! Abnormality of the nervous system

[Term]
id: HP:0000618
name: Blindness
is_a: HP:0000478 ! Abnormality of the eye

[Term]
id: HP:0000512
name: Abnormal electroretinogram
is_a: HP:0000478 ! Abnormality of the eye
is_a: HP:0000707 ! Abnormality of the nervous system

[Term]
id: HP:0000005
name: Mode of inheritance
is_a: HP:0000001 ! All

[Term]
id: HP:0034345
name: Mendelian inheritance
is_a: HP:0000005 ! Mode of inheritance

[Term]
id: HP:0000006
name: Autosomal dominant inheritance
is_a: HP:0034345 ! Mendelian inheritance

[Term]
id: HP:0000007
name: Autosomal recessive inheritance
is_a: HP:0034345 ! Mendelian inheritance

[Term]
id: HP:0001417
name: X-linked inheritance
is_a: HP:0034345 ! Mendelian inheritance

[Term]
id: HP:0001419
name: X-linked recessive inheritance
is_a: HP:0001417 ! X-linked inheritance

[Term]
id: HP:0034335
name: Inheritance qualifier
is_a: HP:0000005 ! Mode of inheritance

[Term]
id: HP:0003829
name: Typified by incomplete penetrance
is_a: HP:0034335 ! Inheritance qualifier

[Term]
id: HP:0003674
name: Onset
is_a: HP:0000001 ! All

[Term]
id: HP:0003593
name: Infantile onset
is_a: HP:0003674 ! Onset

[Term]
id: HP:0003581
name: Adult onset
is_a: HP:0003674 ! Onset

[Term]
id: HP:0003584
name: Late onset
is_a: HP:0003581 ! Adult onset

[Term]
id: HP:0009999
name: Old term
is_obsolete: true

[Typedef]
id: part_of
name: part of
"""

GENES = """ncbi_gene_id	gene_symbol	hpo_id	hpo_name	frequency	disease_id
6323	SCN1A	HP:0000006	Autosomal dominant inheritance	-	OMIM:607208
6323	SCN1A	HP:0003593	Infantile onset	-	OMIM:607208
6323	SCN1A	HP:0001251	Ataxia	HP:0040282	OMIM:607208
6323	SCN1A	HP:0001250	Seizure	10/10	OMIM:607208
6323	SCN1A	HP:0007359	Focal-onset seizure	10/10	OMIM:607208
6323	SCN1A	HP:0003487	Babinski sign	-	OMIM:607208
6323	SCN1A	HP:0001250	Seizure	HP:0040281	ORPHA:1
6323	SCN1A	HP:0000618	Blindness	0/12	ORPHA:1
6326	SCN2A	HP:0000006	Autosomal dominant inheritance	-	OMIM:613721
6326	SCN2A	HP:0001250	Seizure	HP:0040280	OMIM:613721
4204	MECP2	HP:0001419	X-linked recessive inheritance	-	OMIM:300055
4204	MECP2	HP:0001251	Ataxia	45%	OMIM:300055
5091	PC	HP:0000007	Autosomal recessive inheritance	-	OMIM:266150
5091	PC	HP:0001333	Retired nervous term	-	OMIM:266150
6102	RP2	HP:0000512	Abnormal electroretinogram	-	OMIM:312600
6102	RP2	HP:0003829	Typified by incomplete penetrance	-	OMIM:312600
6102	RP2	HP:0003584	Late onset	-	OMIM:312600
5978	REST	HP:0001250	Seizure	-	OMIM:1
1	NOBRAIN	HP:0001250	Seizure	-	OMIM:2
2	EYEONLY	HP:0000618	Blindness	-	OMIM:3
3	NONAME	HP:0001250	Seizure	-	OMIM:4
4	INVAIN	HP:0001250	Seizure	0/5	OMIM:4
"""

DISORDERS = """#description: "HPO annotations for rare diseases"
#version: 2025-01-16
database_id	disease_name	qualifier	hpo_id	reference	evidence	onset	frequency	sex	modifier	aspect	biocuration
OMIM:607208	Developmental and epileptic encephalopathy 6B, non-Dravet		HP:0001250	PMID:1	PCS		1/2			P	HPO:a
ORPHA:1	SCN1A-related Dravet syndrome		HP:0001250	PMID:1	PCS		1/2			P	HPO:a
OMIM:613721	Developmental and epileptic encephalopathy 11		HP:0001250	PMID:1	PCS		1/2			P	HPO:a
OMIM:300055	Encephalopathy, neonatal severe, due to mecp2 mutations		HP:0001251	PMID:1	PCS		1/2			P	HPO:a
OMIM:266150	Pyruvate carboxylase deficiency		HP:0000707	PMID:1	PCS		1/2			P	HPO:a
OMIM:312600	Retinitis pigmentosa 2, X-linked		HP:0000512	PMID:1	PCS		1/2			P	HPO:a
OMIM:1	Tremor at rest, type 2		HP:0001250	PMID:1	PCS		1/2			P	HPO:a
"""

_RECORD = (
    "  {id} : NtData(tax_id=9606, Org_name='Homo sapiens', GeneID={id}, CurrentID=0, Status='live', Symbol={symbol!r}, Aliases={aliases!r}, "
    "description={name!r}, other_designations={designations!r}, map_location='1p', chromosome='1'),\n"
)

#: id, symbol, aliases, official name, other designations.
NAMES = (
    (6323, "SCN1A", "FEB3, NAC1", "sodium channel, voltage-gated, type I alpha subunit", "sodium channel protein, brain I alpha subunit"),
    (6326, "SCN2A", "", "sodium channel, voltage-gated, type II alpha subunit", ""),
    (4204, "MECP2", "RTT, PPMX", "methyl CpG binding protein 2 (Rett syndrome)", "meCp-2 protein"),
    (5091, "PC", "PCB", "pyruvate carboxylase", "pyruvic carboxylase"),
    (6102, "RP2", "XRP2", "retinitis pigmentosa 2 (X-linked recessive)", "protein XRP2"),
    (5978, "NRSF", "REST, XBR", "RE1-silencing 5' transcription factor", ""),
    (1, "NOBRAIN", "", "a gene without a map", ""),
    (2, "EYEONLY", "", "a gene of the eye", ""),
    (4, "INVAIN", "", "a gene without a seizure", ""),
)

LABELS = """,id,label,hemisphere,structure
0,1,cuneus,L,cortex
1,2,precuneus,L,cortex
2,3,pallidum,L,subcortex/brainstem
3,4,cuneus,R,cortex
4,5,precuneus,R,cortex
5,6,pallidum,R,subcortex/brainstem
6,7,brainstem,B,subcortex/brainstem
"""

GENES_WITH_A_MAP = ("SCN1A", "SCN2A", "MECP2", "PC", "RP2", "REST", "EYEONLY", "NONAME", "INVAIN")


@pytest.fixture
def small_files(tmp_path: Path) -> SourceFiles:
    """Source files of a small release."""
    folder = tmp_path / "sources"
    folder.mkdir()
    names = ("expression.csv", "labels.csv", "atlas.nii.gz", "hp.obo", "genes_to_phenotype.txt", "phenotype.hpoa", "names.py")
    files = SourceFiles(*(folder / name for name in names))
    files.expression.write_text(_expression(), encoding="utf-8-sig")
    files.regions.write_text(LABELS)
    nib.save(_label_image(), files.label_image)
    files.ontology.write_text(OBO)
    files.genes.write_text(GENES)
    files.disorders.write_text(DISORDERS)
    files.official_names.write_text(_official_names())
    return files


def _expression() -> str:
    """Rows in reverse order, since nothing promises that table and labels are in one order."""
    values = np.random.default_rng(0).uniform(size=(7, len(GENES_WITH_A_MAP))).round(6)
    rows = [f"{index},region{index}," + ",".join(map(str, values[index - 1])) for index in range(7, 0, -1)]
    return "\n".join(["label,Region," + ",".join(GENES_WITH_A_MAP), *rows, ""])


def _label_image() -> nib.Nifti1Image:
    """Regions 1 to 3 at negative x, 4 to 6 at positive x, 7 in the middle; stored right to left like many atlases."""
    labels = np.zeros((7, 4, 4), dtype=np.float32)
    for number in range(7):
        labels[number] = (4, 5, 6, 7, 3, 2, 1)[number]
    affine = np.array([[-2.0, 0, 0, 6], [0, 2, 0, -4], [0, 0, 2, -4], [0, 0, 0, 1]])
    image = nib.Nifti1Image(labels, affine)
    image.set_sform(affine, 4)
    return image


def _official_names() -> str:
    """The table as goatools writes it, with a line that must not be run."""
    keys = ("id", "symbol", "aliases", "name", "designations")
    lines = [_RECORD.format(**dict(zip(keys, record, strict=True))) for record in NAMES]
    return "import collections as cx\nraise SystemExit('this file was executed')\nGENEID2NT = {\n" + "".join(lines) + "}\n"
