"""Reports of a whole cohort: each sample once, wherever the run was killed, and every sample without one told with its reason."""

import csv
import functools
import os
import signal
import time

import anndata
import numpy as np
import pytest
from scipy import sparse

from bridge.commands.report import report_cohort
from bridge.data.cohort import Cohort
from bridge.report.cohort import cohort_reports
from bridge.report.cohort.cohort_index import index_page, row_of
from bridge.report.cohort.cohort_reports import CohortReports, Settings
from bridge.report.cohort.report_files import LONGEST, file_name, kept_report
from bridge.report.cohort.run_folder import only_process
from bridge.report.write import write_report

SHORT = Settings("markdown", 12)


@pytest.fixture(autouse=True)
def small_groups(monkeypatch):
    """Groups of six, so that a run of tens of samples has many."""
    monkeypatch.setattr(cohort_reports, "GROUP", 6)
    monkeypatch.setattr(cohort_reports, "SIDE_BY_SIDE", 3)


@pytest.fixture
def reports(bridge, tiny_cohort):
    """``reports(folder)``: the run over all samples of the tiny cohort."""
    return lambda folder, settings=SHORT, rows=range(32): CohortReports(bridge, tiny_cohort, rows, folder, settings=settings)


def contents(folder):
    """Every file of a run but the lock, with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"}


def killed(run, folder, after):
    """Run in a child of its own, and kill it as soon as so many reports are there."""
    child = os.fork()
    if not child:
        try:
            run()
        finally:
            os._exit(0)
    deadline = time.monotonic() + 60
    while len(list((folder / "reports").glob("*.json"))) < after and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the run had ended before it was killed"


def test_a_run_killed_at_three_random_moments_is_the_run_that_was_not(reports, tmp_path):
    whole, often = tmp_path / "whole", tmp_path / "often"
    reports(whole).write()
    for after in sorted(np.random.default_rng(0).integers(1, 28, 3)):
        killed(reports(often).write, often, after)
    done = reports(often).write()
    assert done.written < 32
    assert done.written + done.kept == 32
    assert contents(often) == contents(whole)


def test_each_sample_has_its_own_report_once_and_a_run_that_is_done_writes_nothing(reports, tmp_path, tiny_cohort, bridge, monkeypatch):
    done = reports(tmp_path).write()
    assert (done.written, done.kept, done.failures) == (32, 0, {})
    assert [report.id for report in reports(tmp_path).kept()] == tiny_cohort.ids
    before = contents(tmp_path)
    monkeypatch.setattr(cohort_reports, "generated", lambda *_, **__: pytest.fail("a report was written again"))
    assert reports(tmp_path).write().kept == 32
    assert contents(tmp_path) == before


def test_a_report_of_a_run_is_the_report_of_the_sample_alone(reports, tmp_path, tiny_cohort, bridge):
    reports(tmp_path).write()
    for row in (0, 3, 5, 7):
        kept = kept_report(tmp_path / "reports", tiny_cohort.ids[row])
        (subject,) = cohort_reports.subjects(tiny_cohort, [row])
        values = {modality: tiny_cohort.values(modality)[row] for modality in bridge.projectors if modality in subject.present}
        alone = write_report(bridge, subject, values, max_new_tokens=12)
        assert (kept.text, kept.given, kept.missing, kept.unknown) == (alone.text, alone.given, alone.missing, alone.unknown)
        assert [measured.values for measured in kept.measured] == [measured.values for measured in alone.measured]


def test_samples_without_a_report_are_told_with_their_reasons_and_the_run_goes_on(bridge, tiny_cohort, tmp_path, monkeypatch):
    table = tiny_cohort.table.copy()
    table.obsm["gene"][4] = 1e6
    table.obsm["gene"][6], table.obsm["brain"][6] = np.nan, np.nan
    put = cohort_reports.put_report
    monkeypatch.setattr(cohort_reports, "put_report", lambda folder, report, forms: put(folder, report, {} if report.id != "sample-09" else {".md": 1 / 0}))
    for _ in range(2):
        done = CohortReports(bridge, Cohort(table), range(12), tmp_path, settings=SHORT).write()
        assert set(done.failures) == {"sample-04", "sample-06", "sample-09"}
    with (tmp_path / "failures.csv").open(newline="") as file:
        told = {row["sample"]: row["reason"] for row in csv.DictReader(file)}
    assert "input 'gene': root mean square" in told["sample-04"]
    assert "found none of ['gene', 'brain']" in told["sample-06"]
    assert told["sample-09"].startswith("ZeroDivisionError")
    assert len(list((tmp_path / "reports").glob("*.json"))) == 9


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"settings": Settings("markdown", 13)}, "max_new_tokens: made with 12, now asked for 13"),
        ({"settings": Settings("html", 12)}, "form: made with 'markdown', now asked for 'html'"),
        ({"settings": Settings("markdown", 12, use=("gene",))}, "use: made with"),
        ({"rows": range(8)}, "samples: made with 6, now asked for 8"),
        ({"rows": range(1, 7)}, "samples_sha256: made with"),
    ],
)
def test_a_folder_of_other_settings_is_refused(reports, tmp_path, change, field):
    reports(tmp_path, rows=range(6)).write()
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=f"run.json, field {field}"):
        reports(tmp_path, **({"rows": range(6)} | change)).write()
    assert contents(tmp_path) == before


def test_a_folder_of_something_else_and_one_in_use_are_refused(reports, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("important")
    with pytest.raises(ValueError, match=r"found 'thesis.tex' and no run.json, expected a new or empty folder"):
        reports(tmp_path / "mine").write()
    with only_process(tmp_path / "busy"), pytest.raises(ValueError, match="busy: another process writes its reports here"):
        reports(tmp_path / "busy").write()


def test_an_id_becomes_one_file_name_of_a_length_that_file_systems_take():
    assert file_name("a/1") == "a%2F1"
    assert file_name("../x") == "%2E.%2Fx"
    long = [file_name("x" * 300 + end) for end in "ab"]
    assert len({*long}) == 2
    assert max(map(len, long)) <= LONGEST


def test_the_index_has_a_row_per_sample_and_text_is_text(reports, tmp_path):
    reports(tmp_path, rows=range(6)).write()
    rows = [row_of(report, "markdown") for report in reports(tmp_path, rows=range(6)).kept()]
    page = index_page([row._replace(sample="<script>alert(1)</script>") for row in rows[:1]] + rows[1:], {"x<b>": "too <i>far</i>"}, "Reports on <c>.h5ad")
    assert page.count('<th scope="row">') == 7
    assert all(f'href="reports/sample-0{number}.md"' in page for number in range(6))
    assert "<script>alert" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert page.count("<script>") == 1
    assert "http" not in page.replace("http-equiv", "")


@pytest.fixture
def finished(bridge, tiny_cohort, tmp_path):
    """A run over a user's file with content of all sorts: the folder, the file, and its bytes before the run."""
    table = tiny_cohort.table.copy()
    table.obsm["sparse"] = sparse.csr_matrix(np.eye(32))
    table.obs["colour"] = np.array(["red", "blue"] * 16, dtype=object)
    table.obs["colour"] = table.obs["colour"].astype("category")
    table.uns["extra"] = {"numbers": np.arange(3)}
    table.write_h5ad(tmp_path / "mine.h5ad")
    before = (tmp_path / "mine.h5ad").read_bytes()
    run = functools.partial(report_cohort, bridge, "", str(tmp_path / "mine.h5ad"), settings=SHORT, which=("all", 8))
    return run, tmp_path, before


def test_results_go_into_a_copy_and_the_original_stays_as_it_was(finished, capsys):
    run, folder, before = finished
    run(folder / "out", back=("auto", "bridge"))
    run(folder / "out", back=("auto", "bridge"))
    assert "8 were there already" in capsys.readouterr().out
    assert (folder / "mine.h5ad").read_bytes() == before
    found, original = anndata.read_h5ad(folder / "out" / "mine.bridge.h5ad"), anndata.read_h5ad(folder / "mine.h5ad")
    added = [name for name in found.obs if name not in original.obs]
    assert all(name.startswith("bridge_") for name in added)
    assert found.obs[original.obs.columns].equals(original.obs)
    assert list(found.obs["bridge_report"][:9]) == [f"reports/sample-0{number}.md" for number in range(8)] + [""]
    kept = kept_report(folder / "out" / "reports", "sample-00")
    assert found.obs["bridge_struck"].iloc[0] == len(kept.struck)
    assert found.obs["bridge_claims"].isna().sum() == 24
    assert found.uns["bridge"] == original.uns["bridge"]
    assert "max_new_tokens" in found.uns["bridge_report"]
    np.testing.assert_array_equal(found.uns["extra"]["numbers"], [0, 1, 2])
    assert sparse.issparse(found.obsm["sparse"])
    assert (found.obsm["sparse"] != original.obsm["sparse"]).nnz == 0
    np.testing.assert_array_equal(found.obsm["gene"], original.obsm["gene"])


@pytest.mark.parametrize("taken", ["obs/bridge_struck", "obsm/X_bridge", "uns/bridge_report"])
def test_an_existing_key_is_never_written_over(finished, taken):
    run, folder, _ = finished
    table, (group, name) = anndata.read_h5ad(folder / "mine.h5ad"), taken.split("/")
    getattr(table, group)[name] = {"obs": "mine", "obsm": np.ones((32, 2)), "uns": "mine"}[group]
    table.write_h5ad(folder / "mine.h5ad")
    with pytest.raises(ValueError, match=f"has {group}.'{name}'. already, and nothing is written over; choose other names with --key_added"):
        run(folder / "out", back=("auto", "bridge"))
    assert not (folder / "out").exists()
    run(folder / "out", back=("auto", "second"))
    assert "second_struck" in anndata.read_h5ad(folder / "out" / "mine.bridge.h5ad").obs


def test_the_copy_is_never_the_cohort_itself_and_may_be_left_out(finished):
    run, folder, before = finished
    with pytest.raises(ValueError, match="is the cohort itself, which is never written to"):
        run(folder / "out", back=(str(folder / "mine.h5ad"), "bridge"))
    assert (folder / "mine.h5ad").read_bytes() == before
    run(folder / "out", back=("none", "bridge"))
    assert not list((folder / "out").glob("*.h5ad"))


def test_samples_with_a_shared_space_get_their_vectors(finished, bridge, tiny_cohort, monkeypatch):
    from bridge.project.space import SharedSpace
    from bridge.report.cohort.write_back import shared_vectors

    bridge.space = SharedSpace(list(bridge.projectors), 32, 64, dim=8).eval()
    vectors = shared_vectors(bridge, tiny_cohort, ["sample-00", "sample-03"], bridge.projectors)
    lengths = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(lengths[[0, 3]], 1, rtol=1e-5)
    assert np.isnan(np.delete(lengths, [0, 3])).all()
