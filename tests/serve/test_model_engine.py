"""The engine over a real, if tiny, bundle: examples and files in, checked reports and answers out, and a stop at any token."""

import time

import anndata
import numpy as np
import pandas as pd
import pytest

from bridge.serve.engine import Asked, File
from bridge.serve.model_engine import ModelEngine
from bridge.serve.watch import StoppedError, Watch


@pytest.fixture
def model_engine(bridge, tiny_cohort):
    return ModelEngine(bridge, "runs/bundle", tiny_cohort, max_new_tokens=12)


@pytest.fixture
def watch():
    return Watch(time.monotonic() + 60)


def brain_file(folder, cohort, rows=(20,)):
    """A table of regions as an upload lies in the server's folder."""
    path = folder / "upload.csv"
    values = cohort.raw("brain", list(rows))
    lines = [",".join([cohort.ids[row], *map(str, each)]) for row, each in zip(rows, values, strict=True)]
    path.write_text("\n".join([",".join(["id", *cohort.card("brain").names]), *lines]), encoding="utf-8")
    return path


def test_it_says_what_it_reads_and_offers_held_out_samples_alone(model_engine, tiny_cohort):
    about = model_engine.about
    assert about.bundle == "bundle"
    assert "/" not in about.llm  # the tiny LLM is a folder, and where it lies is nobody's business
    assert [each.modality for each in about.inputs] == ["gene", "brain"]
    assert about.examples == tuple(tiny_cohort.ids[row] for row in tiny_cohort.rows("test"))


def test_an_example_gives_a_report_in_all_forms_and_an_answer(model_engine, watch):
    example = model_engine.about.examples[0]
    written, sample = model_engine.write(Asked(example=example, note="Seizures."), watch)
    assert written.report.id == example
    assert written.report.given == ("brain", "gene", "note")
    assert example in written.page
    assert example in written.json_text
    answer = model_engine.ask(sample, "Which region is the highest?", watch)
    assert (answer.sample, answer.question) == (example, "Which region is the highest?")
    assert model_engine.ask(sample, "What is the blood pressure?", watch).not_in_input


def test_an_uploaded_file_is_called_by_the_visitors_name_and_reads_the_same(model_engine, tiny_cohort, tmp_path, watch):
    files = {"brain": File(brain_file(tmp_path, tiny_cohort), "sub-01_regions.csv")}
    written, _ = model_engine.write(Asked(files=files), watch)
    assert (written.report.id, written.report.given) == ("sub-01_regions", ("brain",))
    assert [each.name for each in written.report.provenance.inputs] == ["sub-01_regions.csv"]
    (measured,) = written.report.measured
    np.testing.assert_allclose(measured.values, tiny_cohort.raw("brain", [20])[0], rtol=1e-6)
    assert str(tmp_path) not in written.json_text


def test_a_sample_of_a_file_that_holds_several_is_chosen_by_its_id(model_engine, tiny_cohort, tmp_path, watch):
    path = brain_file(tmp_path, tiny_cohort, (20, 21))
    with pytest.raises(ValueError, match=r"^regions\.csv: holds 2 samples, expected one; name it under the file") as refused:
        model_engine.write(Asked(files={"brain": File(path, "regions.csv")}), watch)
    assert str(tmp_path) not in str(refused.value)
    written, _ = model_engine.write(Asked(files={"brain": File(path, "regions.csv", tiny_cohort.ids[21])}), watch)
    assert written.report.id == tiny_cohort.ids[21]


def test_a_file_that_cannot_be_read_is_refused_without_the_servers_paths(model_engine, tmp_path, watch):
    path = tmp_path / "upload.csv"
    path.write_bytes(b"\x00\xff nonsense")
    with pytest.raises(ValueError, match=r"scan\.csv") as refused:
        model_engine.write(Asked(files={"brain": File(path, "scan.csv")}), watch)
    assert str(tmp_path) not in str(refused.value)
    assert "upload" not in str(refused.value)


def test_a_table_of_a_file_that_holds_several_is_chosen_by_its_key(model_engine, tiny_cohort, tmp_path, watch):
    path, vectors = tmp_path / "upload.h5ad", tiny_cohort.raw("gene", [20]).astype(np.float32)
    anndata.AnnData(vectors * 0, pd.DataFrame(index=["a"]), obsm={"X_one": vectors, "X_two": vectors * 2}).write_h5ad(path)
    with pytest.raises(ValueError, match=r"^genes\.h5ad: .*name one under the file, for example") as refused:
        model_engine.write(Asked(files={"gene": File(path, "genes.h5ad")}), watch)
    assert str(tmp_path) not in str(refused.value)
    written, _ = model_engine.write(Asked(files={"gene": File(path, "genes.h5ad", key="obsm:X_one")}), watch)
    (read,) = written.report.provenance.inputs
    assert read.name == "genes.h5ad#obsm:X_one"
    assert written.report.id == "genes"


def test_no_refusal_tells_where_things_lie_on_the_server(model_engine, tmp_path, watch, monkeypatch):
    def refuse(*about):
        raise ValueError(f"{tmp_path}/upload.nii: expected the space of {tmp_path}/an/atlas.nii.gz, z/2 and 1/2 at most; 'a/b' (/etc/x)")

    monkeypatch.setattr("bridge.serve.model_engine.read_input", refuse)
    with pytest.raises(ValueError, match=r"^scan\.nii: expected the space of atlas\.nii\.gz, z/2 and 1/2 at most; 'a/b' \(x\)$"):
        model_engine.write(Asked(files={"brain": File(tmp_path / "upload.nii", "scan.nii")}), watch)


class Impatient(Watch):
    """Goes after so many tokens."""

    def __init__(self, tokens):
        super().__init__(time.monotonic() + 60)
        self.left = tokens

    def token(self, *_):
        self.left -= 1
        if self.left < 0:
            self.stop()
        super().token()


def test_a_report_and_an_answer_stop_at_the_next_token_and_the_engine_goes_on(model_engine, watch):
    asked = Asked(example=model_engine.about.examples[0])
    written, sample = model_engine.write(asked, watch)
    impatient = Impatient(3)
    with pytest.raises(StoppedError):
        model_engine.write(asked, impatient)
    assert impatient.tokens == 3
    with pytest.raises(StoppedError):
        model_engine.ask(sample, "Which region is the highest?", Impatient(2))
    again, _ = model_engine.write(asked, Watch(time.monotonic() + 60))
    assert again.report == written.report


def test_reading_a_file_stops_when_nobody_waits(model_engine, tiny_cohort, tmp_path, watch):
    path = brain_file(tmp_path, tiny_cohort)
    gone = Watch(time.monotonic() + 60)
    gone.stop()
    with pytest.raises(StoppedError):
        model_engine._read("brain", File(path, "a.csv"), gone)
