"""GA4GH phenopackets, version 2, as JSON: one patient a file.

Source: Jacobsen et al., Nature Biotechnology 2022, doi:10.1038/s41587-022-01357-4; the schema's JSON names (camel case).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bridge.cases.case import SEXES, Case, Variant, current_terms
from bridge.data.hpo import Ontology

UNKNOWN = ("UNKNOWN", "UNKNOWN_STATUS", "NOT_PROVIDED")  # what an enumeration of the schema holds where nothing was said


def read_phenopacket(path: str | Path, ontology: Ontology) -> Case:
    """One patient.

    The diagnosis is that of the first interpretation that has one, and without any the first disease that is not excluded.
    The gene is the first that a genomic interpretation names.

    Raises:
        ValueError: names the file, the field and what is wrong with it.
    """
    packet = _packet(Path(path))
    features = [_typed(feature, dict, f"{path}, field phenotypicFeatures") for feature in _list(packet, "phenotypicFeatures", path)]
    terms = {absent: [_field(feature, "type").get("id") for feature in features if bool(feature.get("excluded")) is absent] for absent in (False, True)}
    diagnosis = _diagnosis(packet, path)
    genomic = [_typed(found, dict, f"{path}, field genomicInterpretations") for found in _list(diagnosis, "genomicInterpretations", path)]
    subject, disease = _field(packet, "subject"), _field(diagnosis, "disease")
    return Case(
        id=str(packet["id"]),
        present=current_terms(terms[False], ontology, f"{path}, field phenotypicFeatures"),
        excluded=current_terms(terms[True], ontology, f"{path}, field phenotypicFeatures"),
        gene=next(filter(None, map(_symbol, genomic)), ""),
        variants=tuple(_variant(found, path) for found in genomic if "variantInterpretation" in found),
        disease=str(disease.get("id", "")),
        disease_name=str(disease.get("label", "")),
        sex=SEXES.get(subject.get("sex", ""), ""),
        age=str(_field(_field(subject, "timeAtLastEncounter"), "age").get("iso8601duration", "")),
        publications=_publications(packet, path),
        source=str(path),
    )


def read_folder(folder: str | Path, ontology: Ontology) -> Iterator[Case]:
    """Every phenopacket below a folder, in the order of their paths.

    Raises:
        ValueError: there is no JSON file, or one is no phenopacket.
    """
    files = sorted(Path(folder).rglob("*.json"))
    if not files:
        raise ValueError(f"{folder}: found no .json file, expected phenopackets, one patient a file")
    return (read_phenopacket(file, ontology) for file in files)


def _packet(path: Path) -> dict[str, Any]:
    try:
        packet = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as JSON ({str(error).splitlines()[0]}); expected a phenopacket") from error
    if not isinstance(packet, dict) or "id" not in packet or "metaData" not in packet:
        found = sorted(packet)[:6] if isinstance(packet, dict) else type(packet).__name__
        raise ValueError(f"{path}: found {found}, expected a phenopacket with the fields id, subject, phenotypicFeatures and metaData")
    version = str(_field(packet, "metaData").get("phenopacketSchemaVersion", "2.0"))
    if not version.startswith("2"):
        raise ValueError(f"{path}, field metaData.phenopacketSchemaVersion: found {version!r}, expected 2.0; convert it with phenopacket-tools")
    return packet


def _diagnosis(packet: dict[str, Any], path: str | Path) -> dict[str, Any]:
    found = [_field(_typed(each, dict, f"{path}, field interpretations"), "diagnosis") for each in _list(packet, "interpretations", path)]
    told = next((each for each in found if each.get("disease")), None)
    if told is not None:
        return told
    listed = [_typed(each, dict, f"{path}, field diseases") for each in _list(packet, "diseases", path)]
    disease = next((_field(each, "term") for each in listed if not each.get("excluded")), {})
    return (found[0] if found else {}) | {"disease": disease}


def _symbol(genomic: dict[str, Any]) -> str:
    described = _field(_field(genomic, "variantInterpretation"), "variationDescriptor")
    return str((_field(genomic, "gene") or _field(described, "geneContext")).get("symbol", ""))


def _variant(genomic: dict[str, Any], path: str | Path) -> Variant:
    interpreted = _field(genomic, "variantInterpretation")
    described = _field(interpreted, "variationDescriptor")
    written = [_typed(each, dict, f"{path}, field expressions") for each in _list(described, "expressions", path)]
    return Variant(
        hgvs=tuple(str(each.get("value", "")) for each in written if str(each.get("syntax", "")).startswith("hgvs")),
        zygosity=str(_field(described, "allelicState").get("label", "")),
        pathogenicity=_known(interpreted.get("acmgPathogenicityClassification")),
        status=_known(genomic.get("interpretationStatus")),
    )


def _publications(packet: dict[str, Any], path: str | Path) -> tuple[str, ...]:
    references = _list(_field(packet, "metaData"), "externalReferences", path)
    ids = (str(_typed(each, dict, f"{path}, field externalReferences").get("id", "")) for each in references)
    return tuple(name for name in ids if name.startswith("PMID:"))


def _known(value: object) -> str:
    return "" if value is None or value in UNKNOWN else str(value)


def _field(holder: dict[str, Any], name: str) -> dict[str, Any]:
    """A message inside a message, empty where it is not there."""
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _list(holder: dict[str, Any], name: str, path: str | Path) -> list[Any]:
    return _typed(holder.get(name) or [], list, f"{path}, field {name}")


def _typed(found: Any, kind: type, place: str) -> Any:
    if not isinstance(found, kind):
        raise ValueError(f"{place}: found {type(found).__name__}, expected {kind.__name__}")
    return found
