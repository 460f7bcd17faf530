"""Phenopackets and compact lines are read as the same cases, and what is wrong with a file is said in one line."""

import json

import pytest
from tiny_release import ATAXIA, SEIZURE

from bridge.cases.read import read_cases


def compact(**more):
    row = {"id": "PMID_1_p", "sex": "FEMALE", "age": "P3Y6M", "hpo": [["HP:0001275", "Seizures"]], "hpo_excluded": [[ATAXIA, "Ataxia"]]}
    variant = {"hgvs": ["NM_1.1:c.1A>G"], "zygosity": "heterozygous", "acmg": "PATHOGENIC", "type": None, "status": "CAUSATIVE"}
    row |= {"disease": [["OMIM:100001", "Alpha ataxia 1"]], "gene": [["HGNC:1", "ONE"]], "variants": [variant], "refs": ["PMID:1"]}
    return row | more


def written(folder, packet, name="one.json"):
    path = folder / name
    path.write_text(json.dumps(packet))
    return path


def test_a_phenopacket_is_read_with_all_that_a_case_holds(packet, ontology, tmp_path):
    case = read_cases(written(tmp_path, packet), ontology)[0]
    assert (case.id, case.sex, case.age, case.gene, case.disease) == ("PMID_1_p", "female", "P3Y6M", "ONE", "OMIM:100001")
    assert case.present == (SEIZURE,)  # the id in use of a retired one
    assert case.excluded == (ATAXIA,)
    assert case.publications == ("PMID:1",)
    assert case.variants == ((("NM_1.1:c.1A>G",), "heterozygous", "PATHOGENIC", "CAUSATIVE"),)


def test_the_compact_form_is_the_same_case(packet, ontology, tmp_path, write_compact):
    (tmp_path / "packets").mkdir()
    one = read_cases(written(tmp_path / "packets", packet).parent, ontology)[0]
    other = read_cases(write_compact([compact()]), ontology)[0]
    for field in ("id", "present", "excluded", "gene", "variants", "disease", "disease_name", "sex", "age", "publications"):
        assert getattr(one, field) == getattr(other, field), field


def test_a_packet_without_a_diagnosis_takes_its_disease_and_one_without_anything_has_none(packet, ontology, tmp_path):
    packet["interpretations"] = []
    packet["diseases"] = [{"term": {"id": "OMIM:2", "label": "no"}, "excluded": True}, {"term": {"id": "OMIM:100003", "label": "Beta"}}]
    assert read_cases(written(tmp_path, packet), ontology)[0].disease == "OMIM:100003"
    bare = {"id": "x", "metaData": {}}
    case = read_cases(written(tmp_path, bare), ontology)[0]
    assert (case.present, case.gene, case.disease, case.sex) == ((), "", "", "")


def test_whether_a_case_is_neurological_is_what_its_source_says_or_else_its_terms(ontology, make_case):
    assert make_case(present=[SEIZURE]).is_neurological(ontology)
    assert not make_case(present=["HP:0000518"]).is_neurological(ontology)
    assert not make_case(present=[SEIZURE], neurological=False).is_neurological(ontology)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"phenotypicFeatures": [{"type": {"id": "MP:1"}}]}, "field phenotypicFeatures: found 'MP:1', expected an id of the Human Phenotype Ontology"),
        ({"phenotypicFeatures": {}}, None),
        ({"phenotypicFeatures": {"type": 1}}, "field phenotypicFeatures: found dict, expected list"),
        ({"metaData": {"phenopacketSchemaVersion": "1.0"}}, "phenopacketSchemaVersion: found '1.0', expected 2.0"),
    ],
)
def test_a_field_of_a_packet_that_does_not_fit_is_named(packet, ontology, tmp_path, change, told):
    path = written(tmp_path, packet | change)
    if told is None:
        assert read_cases(path, ontology)[0].present == ()
        return
    with pytest.raises(ValueError, match=r"one\.json") as error:
        read_cases(path, ontology)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["{"], "line 1: .*expected one JSON object"),
        ([{"id": "x"}], "line 1, field hpo: is missing"),
        ([compact(hpo=[["seizure", ""]])], "line 1, field hpo: found 'seizure'"),
        ([compact(gene=[["HGNC:1"]])], "line 1: .*expected hpo"),
        ([compact(), compact()], "line 2, field id: 'PMID_1_p' is found twice"),
    ],
)
def test_a_line_that_does_not_fit_is_named(write_compact, ontology, lines, told):
    with pytest.raises(ValueError, match=told) as error:
        read_cases(write_compact(lines), ontology)
    assert "\n" not in str(error.value)


def test_files_that_are_not_there_or_not_of_their_kind_are_refused(ontology, tmp_path):
    with pytest.raises(ValueError, match="no such file or folder"):
        read_cases(tmp_path / "none.json", ontology)
    with pytest.raises(ValueError, match=r"found no \.json file"):
        read_cases(tmp_path, ontology)
    (tmp_path / "x.json").write_text("[]")
    with pytest.raises(ValueError, match="found list, expected a phenopacket"):
        read_cases(tmp_path, ontology)
    (tmp_path / "x.jsonl.gz").write_text("plain")
    with pytest.raises(ValueError, match="expected JSON lines, gzip"):
        read_cases(tmp_path / "x.jsonl.gz", ontology)
