"""``bridge evaluate leaks`` on a cohort of one's own: what it writes and what it says."""

import json

from bridge.benchmark.leaks import verdict
from bridge.benchmark.run import run_benchmark
from bridge.data.cohort import Cohort
from bridge.evaluate.finding import Finding


def test_the_scan_of_a_cohort_leaves_findings_a_row_and_a_page(tiny_cohort_file, tmp_path):
    cohort = Cohort.read(tiny_cohort_file)
    cohort.table.obs["site"] = "london"
    cohort.write(tmp_path / "cohort.h5ad")
    record = run_benchmark(["leaks", "--cohort", str(tmp_path / "cohort.h5ad"), "--columns", "[site]", "--out", str(tmp_path / "runs")])
    (row,) = json.loads((tmp_path / "runs" / "leaks" / "results.json").read_text())
    assert (row["metric"], row["value"], row["n"], row["split"]) == ("severe_leak", 1.0, 32, "all")
    written = json.loads((record.out / "leaks.json").read_text())["findings"]
    assert "obs['site']" in {finding["where"] for finding in written if finding["severe"]}
    assert "1 in more than one split: london" in (record.out / "page.html").read_text()


def test_the_verdict_names_what_is_severe():
    severe, note = (Finding("same text in two splits", "obs['note']", "found", "why", is_so) for is_so in (True, False))
    assert verdict([]) == "nothing was found."
    assert verdict([note]) == "no severe leak was found; 1 things to know are listed."
    assert "not to be trusted before this is put right: same text in two splits (obs['note'])." in verdict([severe, note])
