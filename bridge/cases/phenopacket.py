"""GA4GH phenopackets, version 2, as JSON: one patient a packet.

Source: Jacobsen et al., Nature Biotechnology 2022, doi:10.1038/s41587-022-01357-4; the schema's JSON names (camel case).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bridge.cases.case import SEXES, Case, Variant, current_terms
from bridge.cases.packet_fields import Field, parsed
from bridge.data.hpo import Ontology
from bridge.data.text_file import read_text
from encoders.base import unseen

UNKNOWN = ("UNKNOWN", "UNKNOWN_STATUS", "NOT_PROVIDED")  # what an enumeration of the schema holds where nothing was said
#: What an interpretation says of a variant, the ones that make its gene the patient's first; a rejected one never does.
STATUSES = ("CAUSATIVE", "CONTRIBUTORY", "CANDIDATE", "")
REJECTED = "REJECTED"
#: Fields that only a packet of version 1 has at its top, and other messages of the schema.
VERSION_1, OTHER_MESSAGES = ("genes", "variants", "htsFiles"), {"proband": "a family", "members": "a cohort"}
LONGEST_ID = 1000  # letters; it becomes the name of a report
MOST_BYTES = 64 * 2**20  # of a file; a packet has some kilobytes


def read_phenopacket(path: str | Path, ontology: Ontology) -> Case:
    """One patient.

    The diagnosis is that of the first interpretation that has one, and without any the first disease that is not excluded.
    The gene is the one with the causative variant; of several the first, the others are kept beside it.

    Raises:
        ValueError: names the file, the field and what is wrong with it.
    """
    return case_of(read_text(path, "a phenopacket (JSON)", MOST_BYTES), str(path), ontology)


def files_of(folder: str | Path) -> list[Path]:
    """Every JSON file below a folder, in the order of their paths.

    Raises:
        ValueError: there is none.
    """
    files = sorted(Path(folder).rglob("*.json"))
    if not files:
        raise ValueError(f"{folder}: found no .json file, expected phenopackets, one patient a file")
    return files


def case_of(text: str, place: str, ontology: Ontology) -> Case:
    """The patient of a packet, as :func:`read_phenopacket` gives it.

    Raises:
        ValueError: names the place, the field and what is wrong with it.
    """
    packet = Field(parsed(text, place), place)
    _require_version_2(packet)
    name = packet.text("id")
    if not name.strip():
        raise packet.error("id", "is empty, expected the packet's id")
    if unseen(name) or len(name) > LONGEST_ID:
        raise packet.error("id", f"found {name[:20]!a}, {len(name):,} letters, expected at most {LONGEST_ID:,} that can all be seen")
    genes, variants = _genomic(packet)
    (disease, label), *others = _diseases(packet) or [("", "")]
    subject, terms = packet.message("subject"), _terms(packet)
    return Case(
        id=name,
        present=current_terms(terms[False], ontology, f"{place}, field phenotypicFeatures"),
        excluded=current_terms(terms[True], ontology, f"{place}, field phenotypicFeatures"),
        gene=next(iter(genes), ""),
        variants=variants,
        disease=disease,
        disease_name=label,
        sex=_sex(subject),
        age=subject.message("timeAtLastEncounter").message("age").text("iso8601duration"),
        publications=_publications(packet),
        other_genes=tuple(genes[1:]),
        other_diseases=tuple(others),
        source=place,
    )


def _sex(subject: Field) -> str:
    found = subject.text("sex")
    if found not in ("", "UNKNOWN_SEX", *SEXES):
        raise subject.error("sex", f"found {found[:20]!r}, expected one of {', '.join(SEXES)} or UNKNOWN_SEX")
    return SEXES.get(found, "")


def _require_version_2(packet: Field) -> None:
    other = next((name for name in OTHER_MESSAGES if name in packet), "")
    if other:
        raise packet.error(other, f"found {OTHER_MESSAGES[other]}, expected a phenopacket; give the packet of each patient by itself")
    if "id" not in packet or "metaData" not in packet:
        found = sorted(packet.value)[:6]
        raise ValueError(f"{packet.place}: found {found}, expected a phenopacket with the fields id, subject, phenotypicFeatures and metaData")
    about = packet.message("metaData")
    version = about.text("phenopacketSchemaVersion") or "2.0"
    old = next((name for name in VERSION_1 if name in packet), "")
    if not version.startswith("2"):
        raise about.error("phenopacketSchemaVersion", f"found {version!r}, expected 2.0; convert it with phenopacket-tools")
    if old:
        raise packet.error(old, "found a field of version 1, expected a phenopacket of version 2.0; convert it with phenopacket-tools")


def _terms(packet: Field) -> dict[bool, list[str]]:
    """Ids of the features, by whether they were looked for in vain."""
    found: dict[bool, list[str]] = {False: [], True: []}
    for feature in packet.messages("phenotypicFeatures"):
        if "negated" in feature:
            raise feature.error("negated", "found a field of version 1, expected excluded; convert the packet with phenopacket-tools")
        found[feature.flag("excluded")].append(feature.message("type").text("id"))
    return found


def _genomic(packet: Field) -> tuple[list[str], tuple[Variant, ...]]:
    """Symbols of the genes, the causative first, and the variants as they were interpreted."""
    genes: dict[str, int] = {}
    variants = []
    for interpretation in packet.messages("interpretations"):
        for found in interpretation.message("diagnosis").messages("genomicInterpretations"):
            variant = found.message("variantInterpretation")
            described = variant.message("variationDescriptor")
            status = _known(found.text("interpretationStatus"))
            symbol = (found.message("gene").text("symbol") or described.message("geneContext").text("symbol")).strip()
            if symbol and status != REJECTED:
                rank = STATUSES.index(status) if status in STATUSES else len(STATUSES)
                genes[symbol] = min(rank, genes.get(symbol, rank))
            if "variantInterpretation" in found:
                variants.append(_variant(variant, described, status))
    best = min(genes.values(), default=0)
    return [symbol for symbol, rank in genes.items() if rank == best], tuple(variants)


def _variant(variant: Field, described: Field, status: str) -> Variant:
    return Variant(
        hgvs=tuple(each.text("value") for each in described.messages("expressions") if each.text("syntax").startswith("hgvs")),
        zygosity=described.message("allelicState").text("label"),
        pathogenicity=_known(variant.text("acmgPathogenicityClassification")),
        status=status,
    )


def _diseases(packet: Field) -> list[tuple[str, str]]:
    """Every diagnosis once, as id and name: those of the interpretations, and without any the diseases that are not excluded."""
    told = (each.message("diagnosis").message("disease") for each in packet.messages("interpretations"))
    listed = (each.message("term") for each in packet.messages("diseases") if not each.flag("excluded"))
    return _each_once(told) or _each_once(listed)


def _each_once(diseases: Iterable[Field]) -> list[tuple[str, str]]:
    return list({each.text("id"): (each.text("id"), each.text("label")) for each in diseases if each.text("id")}.values())


def _publications(packet: Field) -> tuple[str, ...]:
    ids: Iterator[str] = (each.text("id") for each in packet.message("metaData").messages("externalReferences"))
    return tuple(dict.fromkeys(name for name in ids if name.startswith("PMID:")))


def _known(value: str) -> str:
    return "" if value in UNKNOWN else value
