"""``bridge report --patient`` and ``bridge ask --patient`` as a user types them, over a bundle of measured brains and gene vectors."""

import json
from pathlib import Path

import pandas as pd
import pytest
from tiny_release import ACALLOSAL, ATAXIA, SHRUNKEN
from tiny_study import save_bundle
from typed_command import typed

from bridge.cases.patient import Diagnostics
from bridge.data.releases import SourceFiles
from bridge.report.questions.answer import Answer
from bridge.report.schema import Report

GENE = "sample-30"  # of the tiny cohort, whose samples are called as they would be by gene


@pytest.fixture(scope="module")
def bundle(tiny_llm, tmp_path_factory):
    return save_bundle(tmp_path_factory.mktemp("bundles") / "bundle", tiny_llm("chatml"))


@pytest.fixture(scope="module")
def diagnostics(release, tmp_path_factory):
    files = SourceFiles(release, release, release, release / "hp.obo", release / "genes_to_phenotype.txt", release / "phenotype.hpoa", release)
    return Diagnostics.read(tmp_path_factory.mktemp("cache"), files)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch, diagnostics):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Diagnostics, "read", lambda *_, **__: diagnostics)


@pytest.fixture
def written(packet):
    """``written(name, gene, **fields)``: a phenopacket in the folder; without a gene no interpretation."""

    def write(name="patient.json", gene=GENE, **fields):
        record = packet | {"phenotypicFeatures": [{"type": {"id": term}} for term in (ATAXIA, SHRUNKEN)]} | fields
        record = record if gene else {key: value for key, value in record.items() if key != "interpretations"}
        Path(name).write_text(json.dumps(record).replace('"ONE"', json.dumps(gene)), encoding="utf-8")
        return record

    return write


@pytest.fixture
def command(bundle, tiny_cohort_file, capsys):
    """``command("report", *words)``: status, output and complaints."""
    return lambda verb, *words: typed(capsys, [verb, str(bundle), "--cohort", str(tiny_cohort_file), "--max-new-tokens", "4", *words])


@pytest.fixture
def report(command):
    """``report(*words)``: the typed report of a patient."""

    def write(*words):
        status, said, complained = command("report", *words, "--format", "json")
        assert status == 0, complained
        return Report.model_validate_json(said)

    return write


@pytest.fixture
def brain(tiny_cohort):
    """A measured brain in the folder, and its values."""
    values = tiny_cohort.raw("brain")[20]
    pd.DataFrame([values], index=["scan"], columns=list(tiny_cohort.card("brain").names)).to_csv("brain.csv", index_label="id")
    return values


def test_a_gene_of_the_cohort_and_a_measured_brain_are_both_given(report, written, brain):
    written()
    found = report("--patient", "patient.json", "--brain", "brain.csv")
    assert (found.id, found.given, found.missing) == ("PMID_1_p", ("brain", "gene"), ())
    assert [file.name for file in found.provenance.inputs] == ["patient.json", "cohort.h5ad#obsm:gene", "brain.csv"]
    (measured,) = (each for each in found.measured if each.modality == "brain")
    assert measured.values == pytest.approx(brain, rel=1e-5)
    assert found.patient.gene == GENE
    assert found.patient.disorders


@pytest.mark.parametrize(
    ("gene", "options", "told"),
    [
        (None, (), "gene: "),
        ("NOBODY", (), "gene NOBODY: cohort.h5ad has no vector of it"),
        (GENE, ("--withhold-gene",), "gene: withheld"),
    ],
)
def test_without_a_vector_of_the_gene_the_report_says_why_and_still_ranks(report, written, gene, options, told):
    written(gene=gene)
    found = report("--patient", "patient.json", *options)
    assert (found.given, found.missing) == ((), ("brain", "gene"))
    assert any(each.startswith(told) for each in found.unknown)
    assert any("brain: imaging phenotypes speak of 2 regions; not given to the model" in each for each in found.unknown)
    assert found.patient.disorders
    assert not [claim for section in found.sections for claim in section.claims]


def test_what_is_to_be_used_and_what_if_are_of_a_patient_too(report, command, written, brain):
    written()
    given = ("--patient", "patient.json", "--brain", "brain.csv")
    assert report(*given, "--use", "brain").given == ("brain",)
    changed = report(*given, "--what-if", "insula=1", "--without", "gene")
    assert (changed.given, changed.what_if.without, len(changed.what_if.assumed)) == (("brain",), ("gene",), 2)
    assert command("report", *given, "--use", "heart")[2].endswith("field use: sample 'PMID_1_p' has no 'heart'; it has ['brain', 'gene']\n")


def test_of_several_patients_one_is_named(command, report, written):
    rows = [written(f"{name}.json", id=name) for name in ("one", "two")]
    Path("both.jsonl").write_text("\n".join(json.dumps(row).replace('"ONE"', json.dumps(GENE)) for row in rows), encoding="utf-8")
    status, _, complained = command("report", "--patient", "both.jsonl")
    assert (status, complained) == (2, "bridge report: error: both.jsonl: holds 2 patients, expected one; name it with --sample, for example 'one'\n")
    assert "no patient 'three'; of 2 the nearest are 'two', 'one'" in command("report", "--patient", "both.jsonl", "--sample", "three")[2]
    assert report("--patient", "both.jsonl", "--sample", "two").id == "two"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "patient.json: cannot be read as JSON"),
        ("{", "patient.json: cannot be read as JSON"),
        ("[]", "patient.json: found list, expected a phenopacket"),
        ("{}", "patient.json"),
        ("null", "patient.json: found "),
        (
            '{"id": "x", "subject": {"id": "p"}, "metaData": {}, "phenotypicFeatures": [{"type": {"id": "nonsense"}}]}',
            "field phenotypicFeatures: found 'nonsense'",
        ),
        ('{"id": "x\\n\\u001b[2J", "subject": {"id": "p"}, "metaData": {}, "phenotypicFeatures": []}', "field id: found "),
    ],
)
def test_what_is_no_patient_is_refused_in_a_line(command, content, told):
    Path("patient.json").write_text(content, encoding="utf-8")
    status, said, complained = command("report", "--patient", "patient.json", "--out", "out.md")
    assert (status, said, len(complained.splitlines()), Path("out.md").exists()) == (2, "", 1, False)
    assert told in complained
    assert "\x1b" not in complained


def test_every_form_of_the_page_holds_hostile_names_as_text(command, written):
    written(id="<script>alert(1)</script>", gene="<img src=x onerror=alert(2)>")
    for form in ("html", "markdown"):
        status, said, complained = command("report", "--patient", "patient.json", "--format", form)
        assert status == 0, complained
        assert "<script>alert" not in said
        assert "<img src=x" not in said


def test_questions_on_a_patient_rest_on_what_the_model_is_given(command, written, brain):
    written(phenotypicFeatures=[{"type": {"id": ACALLOSAL}}])
    status, said, complained = command(
        "ask", "--patient", "patient.json", "--format", "json", "Which organ systems are involved?", "Which regions are highest?"
    )
    assert status == 0, complained
    systems, regions = map(Answer.model_validate_json, said.splitlines())
    assert (systems.sample, systems.not_in_input) == ("PMID_1_p", "")
    assert regions.not_in_input == "brain map not given"
    status, said, _ = command("ask", "--patient", "patient.json", "--brain", "brain.csv", "--format", "json", "Which regions are highest?")
    assert (status, Answer.model_validate_json(said).not_in_input) == (0, "")
    written(gene="NOBODY")
    status, _, complained = command("ask", "--patient", "patient.json", "Which organ systems are involved?")
    assert status == 2
    assert "'PMID_1_p' has no input that this bundle reads; gene NOBODY: cohort.h5ad has no vector of it" in complained
