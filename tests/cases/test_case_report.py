"""From phenopackets to a patient's report: cohort, both stages on a tiny LLM, and what of the patient each kind of bundle is given."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest
from tiny_release import ACALLOSAL, ATAXIA, CATARACT, SEIZURE, SHRUNKEN, compact

from bridge.__main__ import main
from bridge.bundle import load
from bridge.cases.case import Case
from bridge.cases.patient import Diagnostics, read_patient
from bridge.commands import data as commands
from bridge.data.cohort import Cohort
from bridge.data.releases import SourceFiles
from bridge.report.given import Patient
from bridge.report.patient import patient_inputs, patient_record
from bridge.report.write import write_report

CPU = "--trainer.accelerator cpu --trainer.enable_progress_bar false --trainer.max_steps 2"
SYMBOLS = [f"GENE{number}" for number in range(40)]
FINDINGS = (SHRUNKEN, ACALLOSAL)


@pytest.fixture(scope="module")
def files(release):
    return SourceFiles(release, release, release, release / "hp.obo", release / "genes_to_phenotype.txt", release / "phenotype.hpoa", release)


@pytest.fixture(scope="module")
def study(files, tmp_path_factory):
    """A folder with genes.csv, cases.jsonl and the cohort that the command makes of them."""
    folder = tmp_path_factory.mktemp("patients")
    values = np.random.default_rng(0).normal(size=(len(SYMBOLS), 4))
    pd.DataFrame(values, index=SYMBOLS).to_csv(folder / "genes.csv", index_label="symbol")
    rows = [compact(f"patient-{n}", [ATAXIA, FINDINGS[n % 2]], symbol, "OMIM:100001", f"PMID:{n}") for n, symbol in enumerate(SYMBOLS)]
    (folder / "cases.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "source_files", lambda: files)
        assert main(shlex.split(f"data patients --cases {folder}/cases.jsonl --genes {folder}/genes.csv --out {folder}/patients.h5ad")) == 0
    return folder


@pytest.fixture(scope="module")
def patients_bridge(study, tiny_llm):
    """After two steps of each stage."""
    common = f"--data.cohort {study}/patients.h5ad --model.llm.path {tiny_llm('chatml')} {CPU}"
    pairs = "--model.pairs '{gene~clinical: 1.0, brain~clinical: 1.0}' --model.text.layers '[0, 1]'"
    brain = "--model.projectors.brain '{class_path: bridge.project.identity.IdentityValue, init_args: {extremes: 4}}'"
    assert main(shlex.split(f"align --config smoke.yaml {brain} {pairs} {common} --out {study}/aligned")) == 0
    assert main(shlex.split(f"tune --config tune.yaml {common} --model.start {study}/aligned --out {study}/bundle")) == 0
    return load(study / "bundle")


@pytest.fixture(scope="module")
def diagnostics(files, tmp_path_factory):
    return Diagnostics.read(tmp_path_factory.mktemp("cache"), files)


@pytest.fixture
def case(packet, ontology, tmp_path):
    """A patient of GENE3 with a small hippocampus, and with seizures looked for in vain."""
    features = [{"type": {"id": SHRUNKEN}}, {"type": {"id": ATAXIA}}, {"type": {"id": SEIZURE}, "excluded": True}]
    text = json.dumps(packet | {"phenotypicFeatures": features}).replace('"ONE"', '"GENE3"')
    (tmp_path / "packet.json").write_text(text)
    return read_patient(tmp_path / "packet.json", ontology)


def test_a_bundle_of_patients_reads_gene_and_findings_of_a_new_one(patients_bridge, study, case, diagnostics):
    cohort = Cohort.read(study / "patients.h5ad")
    given = patient_inputs(patients_bridge, case, diagnostics, cohort=cohort)
    assert given.subject.present == {"gene", "brain"}
    assert given.told == ()
    assert [file.modality for file in given.inputs] == ["gene"]
    np.testing.assert_allclose(given.values["gene"], cohort.values("gene")[cohort.ids.index("patient-3")], rtol=1e-5)
    names = cohort.card("brain").names
    assert given.values["brain"].reshape(-1, 2)[names.index("left hippocampus")].tolist() == [-1, 1]
    assert given.subject.facts["imaging_findings"] == ("hippocampal atrophy",)
    record = patient_record(case, diagnostics, top=2)
    report = write_report(patients_bridge, given.subject, given.values, patient=record, inputs=given.inputs, max_new_tokens=8)
    assert report.id == "PMID_1_p"
    assert report.patient.imaging[0].regions == ("left hippocampus", "right hippocampus")
    assert report.model_validate_json(report.model_dump_json()) == report


def test_the_gene_can_be_withheld_or_unknown_and_the_report_says_so(patients_bridge, study, case, diagnostics):
    cohort = Cohort.read(study / "patients.h5ad")
    withheld = patient_inputs(patients_bridge, case, diagnostics, cohort=cohort, gene=False)
    assert (withheld.subject.present, withheld.told) == ({"brain"}, ("gene: withheld",))
    unknown = Case("x", (SHRUNKEN,), gene="NOBODY")
    assert patient_inputs(patients_bridge, unknown, diagnostics, cohort=cohort).told == ("gene NOBODY: patients.h5ad has no vector of it",)
    assert "no vectors of genes were given" in patient_inputs(patients_bridge, unknown, diagnostics).told[0]
    from_file = patient_inputs(patients_bridge, case, diagnostics, genes=study / "genes.csv")
    assert [file.name for file in from_file.inputs] == ["genes.csv"]


def test_a_measured_brain_is_refused_by_a_bundle_of_findings_and_a_table_of_findings_is_read(patients_bridge, study, case, diagnostics, tmp_path):
    (tmp_path / "brain.nii.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"brain\.nii\.gz: found a measured brain, expected values in units 'HPO finding'"):
        patient_inputs(patients_bridge, case, diagnostics, brain=tmp_path / "brain.nii.gz")
    table = study / "patients.findings.csv"
    given = patient_inputs(patients_bridge, case, diagnostics, brain=table, sample="patient-1", gene=False)
    place = patients_bridge.cards["brain"].names.index("corpus callosum")
    assert given.values["brain"].reshape(-1, 2)[place].tolist() == [-1, 1]
    assert [file.name for file in given.inputs] == ["patients.findings.csv"]


def test_a_bundle_of_measurements_is_not_given_findings_but_a_measured_brain(bridge, tiny_cohort, case, diagnostics, tmp_path):
    given = patient_inputs(bridge, case, diagnostics)
    assert given.values == {}
    assert given.told[1] == "brain: imaging phenotypes speak of 2 regions; not given to the model: this bundle reads 'a.u.', not findings"
    searched = Case("x", (SHRUNKEN,), excluded=(ACALLOSAL,))
    assert patient_inputs(bridge, searched, diagnostics).told[1].startswith("brain: imaging phenotypes speak of 2 regions (looked for in vain: 1);")
    in_vain = patient_inputs(bridge, Case("x", (), excluded=(ACALLOSAL,)), diagnostics).told[1]
    assert in_vain.startswith("brain: no imaging phenotype speaks of a region (looked for in vain: 1);")
    pd.DataFrame([tiny_cohort.raw("brain")[0]], index=["p"], columns=list(tiny_cohort.card("brain").names)).to_csv(tmp_path / "b.csv", index_label="id")
    measured = patient_inputs(bridge, case, diagnostics, brain=tmp_path / "b.csv")
    assert measured.subject.present == {"brain"}
    np.testing.assert_allclose(measured.values["brain"], tiny_cohort.values("brain")[0], rtol=1e-4)
    assert measured.subject.regions["brain"].names == tiny_cohort.card("brain").names


def test_the_lists_of_a_gene_are_not_called_the_patients_own(bridge, tiny_cohort, diagnostics):
    told = Case("x", (ATAXIA,), gene=tiny_cohort.ids[0])
    subject = patient_inputs(bridge, told, diagnostics, cohort=tiny_cohort).subject
    assert subject.facts["organ_systems"] == tiny_cohort.fact("organ_systems")[0] != ()
    assert subject.lists_of["organ_systems"] == f"{tiny_cohort.ids[0]}, the gene"
    assert not set(subject.lists_of) & {"phenotypes", "imaging_findings", "disorders"}


def test_the_record_tells_the_disorders_with_what_speaks_for_and_against(case, diagnostics, monkeypatch):
    monkeypatch.setattr("bridge.cases.patient.SPECIFIC", 0.5)
    told = Case("x", (ATAXIA, CATARACT, SHRUNKEN), excluded=(SEIZURE,), gene="THREE", variants=case.variants)
    record = patient_record(told, diagnostics)
    assert isinstance(record, Patient)
    assert (record.gene_used, record.gene, record.candidates) == (True, "THREE", 4)
    first = record.disorders[0]
    assert first.supports[0] == "a disorder of the patient's gene"
    assert "Cataract (HP:0000518): not among its features" in first.opposes
    assert "Seizure (HP:0001250), in 90% of patients: looked for and not found" in first.opposes
    assert "release 2025-01-16; ranked the gene's disorders first" in record.source
    withheld = patient_record(told, diagnostics, gene=False)
    assert (withheld.gene, withheld.variants, withheld.gene_used) == ("", (), False)
    assert any(text.startswith("Cataract (HP:0000518), information") for disorder in withheld.disorders for text in disorder.supports)
    assert "THREE" not in withheld.model_dump_json()
