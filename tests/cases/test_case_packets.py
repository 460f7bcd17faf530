"""Packets as other people write them: what is ambiguous is kept, what is wrong is named, and in a folder the others are read all the same."""

import copy
import json

import pytest
from tiny_release import ATAXIA, SEIZURE, compact

from bridge.cases.patient import read_patient
from bridge.cases.read import Unread, each_case, read_cases


def genomic(symbol, status):
    return {
        "subjectOrBiosampleId": "p",
        "interpretationStatus": status,
        "variantInterpretation": {"variationDescriptor": {"geneContext": {"valueId": "HGNC:9", "symbol": symbol}}},
    }


def interpretation(disease, *found):
    return {
        "id": disease,
        "progressStatus": "SOLVED",
        "diagnosis": {"disease": {"id": disease, "label": f"name of {disease}"}, "genomicInterpretations": [*found]},
    }


def read(folder, ontology, packet):
    path = folder / "one.json"
    path.write_text(packet if isinstance(packet, str) else json.dumps(packet))
    return read_cases(path, ontology)[0]


def test_the_gene_is_that_of_the_causative_variant_and_never_of_a_rejected_one(packet, ontology, tmp_path):
    packet["interpretations"] = [interpretation("OMIM:1", genomic("NO", "REJECTED"), genomic("MAYBE", "CANDIDATE"), genomic("YES", "CAUSATIVE"))]
    case = read(tmp_path, ontology, packet)
    assert (case.gene, case.other_genes) == ("YES", ())
    packet["interpretations"] = [interpretation("OMIM:1", genomic("NO", "REJECTED"))]
    assert read(tmp_path, ontology, packet).gene == ""


def test_several_causative_genes_and_several_diagnoses_are_all_kept(packet, ontology, tmp_path):
    packet["interpretations"] = [
        interpretation("OMIM:1", genomic("A", "CAUSATIVE")),
        interpretation("OMIM:2", genomic("B", "CAUSATIVE"), genomic("A", "CAUSATIVE")),
    ]
    case = read(tmp_path, ontology, packet)
    assert (case.gene, case.other_genes) == ("A", ("B",))
    assert (case.disease, case.other_diseases) == ("OMIM:1", (("OMIM:2", "name of OMIM:2"),))
    assert case.units == {"A", "B"}
    assert case.without_gene().other_genes == ()


def test_the_names_of_fields_may_be_in_snake_case(packet, ontology, tmp_path):
    def snake(value):
        if isinstance(value, dict):
            return {"".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name): snake(each) for name, each in value.items()}
        return [snake(each) for each in value] if isinstance(value, list) else value

    plain = read(tmp_path, ontology, packet)
    assert read(tmp_path, ontology, snake(packet)) == plain


def changed(packet, path, value):
    packet = copy.deepcopy(packet)
    *parents, last = path
    place = packet
    for name in parents:
        place = place[name]
    place[last] = value
    return packet


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("phenotypicFeatures", 1, "excluded"), "false", r"field phenotypicFeatures\[1\]\.excluded: found str, expected bool"),
        (("phenotypicFeatures", 0, "type"), "HP:1", r"field phenotypicFeatures\[0\]\.type: found str, expected dict"),
        (("phenotypicFeatures", 0, "negated"), True, r"field phenotypicFeatures\[0\]\.negated: found a field of version 1"),
        (("phenotypicFeatures", 0), "HP:0001250", r"field phenotypicFeatures\[0\]: found str, expected dict"),
        (("genes",), [{"symbol": "A"}], "field genes: found a field of version 1"),
        (("proband",), {}, "field proband: found a family, expected a phenopacket"),
        (("members",), [], "field members: found a cohort"),
        (("metaData", "phenopacketSchemaVersion"), "1.0.0", r"field metaData\.phenopacketSchemaVersion: found '1\.0\.0', expected 2\.0"),
        (("metaData",), "2.0", "field metaData: found str, expected dict"),
        (("subject", "sex"), ["FEMALE"], r"field subject\.sex: found list, expected str"),
        (("id",), "", "field id: is empty"),
        (("id",), 7, "field id: found int, expected str"),
        (("interpretations", 0, "diagnosis", "disease", "id"), 1, r"field interpretations\[0\]\.diagnosis\.disease\.id: found int, expected str"),
        (
            ("interpretations", 0, "diagnosis", "genomicInterpretations"),
            {"a": 1},
            r"\[0\]\.diagnosis\.genomicInterpretations: found dict, expected list",
        ),
    ],
)
def test_a_field_of_another_kind_is_named_with_its_path(packet, ontology, tmp_path, path, value, told):
    with pytest.raises(ValueError, match=told) as error:
        read(tmp_path, ontology, changed(packet, path, value))
    assert "one.json" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"id": "a", "id": "b", "metaData": {}}', "field id is found twice"),
        ("3", "found int, expected a phenopacket"),
        ("", "cannot be read as JSON"),
    ],
)
def test_what_is_no_packet_at_all_is_refused_in_one_line(ontology, tmp_path, text, told):
    with pytest.raises(ValueError, match=told) as error:
        read(tmp_path, ontology, text)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_refused(ontology, tmp_path):
    (tmp_path / "one.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"one\.json: found .* expected a phenopacket"):
        read_cases(tmp_path, ontology)


def test_lines_may_be_packets_or_compact_and_a_wrong_one_loses_no_other(packet, ontology, write_compact):
    path = write_compact([packet, compact("b", [ATAXIA], "TWO", "OMIM:100002", "PMID:2"), "{", packet, {"id": "c", "metaData": {}}], "cases.jsonl")
    found = list(each_case(path, ontology))
    assert [each.id for each in found if not isinstance(each, Unread)] == ["PMID_1_p", "b", "c"]
    unread = [each for each in found if isinstance(each, Unread)]
    assert [each.source.rsplit(", ", 1)[-1] for each in unread] == ["line 3", "line 4"]
    assert "'PMID_1_p' is found twice" in unread[1].reason
    with pytest.raises(ValueError, match="line 3"):
        read_cases(path, ontology)


def test_one_patient_of_several_is_named(packet, ontology, tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(packet | {"id": f"patient-{name}"}))
    assert read_patient(tmp_path, ontology, sample="patient-b").present == (SEIZURE,)
    with pytest.raises(ValueError, match="holds 2 patients, expected one; name it with --sample"):
        read_patient(tmp_path, ontology)
    with pytest.raises(ValueError, match="no patient 'patient-c'; of 2 the nearest are 'patient-"):
        read_patient(tmp_path, ontology, sample="patient-c")
    (tmp_path / "b2.json").write_text(json.dumps(packet | {"id": "patient-b", "phenotypicFeatures": []}))
    with pytest.raises(ValueError, match=r"b2\.json, field id: 'patient-b' is found twice"):
        read_patient(tmp_path, ontology, sample="patient-b")
    assert read_patient(tmp_path, ontology, sample="patient-a").id == "patient-a"
    (tmp_path / "b2.json").unlink()
    (tmp_path / "c.json").write_text("{")
    assert read_patient(tmp_path, ontology, sample="patient-b").id == "patient-b"
    with pytest.raises(ValueError, match=r"c\.json: cannot be read as JSON"):
        read_patient(tmp_path / "c.json", ontology)
