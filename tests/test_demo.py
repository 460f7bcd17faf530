"""The demo: every step once, going on after the last finished one, and everything in one place at the end."""

import json

import nibabel as nib
import numpy as np
import pytest
import yaml

from bridge import demo
from bridge.__main__ import main
from bridge.demo import _Steps

ALIGN = {
    "data": {"batch_size": 16},
    "model": {
        "projectors": {
            "gene": {"class_path": "bridge.project.mlp.FactorisedMLP", "init_args": {"k": 2, "hidden": 16, "rank": 4}},
            "brain": {"class_path": "bridge.project.identity.IdentityValue", "init_args": {"extremes": 4}},
        },
        "pairs": {"brain~anatomy": 1.0, "gene~clinical": 1.0},
        "text": {"layers": [0, 1]},
        "dim": 16,
    },
}
QUICK = {"accelerator": "cpu", "max_steps": 2, "log_every_n_steps": 1, "enable_progress_bar": False}
SETTINGS = {"genes": 10, "seed": 0}


@pytest.fixture
def small_demo(tmp_path, monkeypatch, tiny_cohort, tiny_llm):
    """``small_demo(*arguments)``: the demo on the tiny cohort and the tiny LLM; ``ran`` holds the steps that ran."""
    ran = []
    for name, config in {"align.yaml": ALIGN, "tune.yaml": {"data": {"batch_size": 4}, "model": {"lora": {"r": 4}}}}.items():
        config = config | {"model": config["model"] | {"llm": {"path": str(tiny_llm("chatml"))}}, "trainer": QUICK}
        (tmp_path / name).write_text(yaml.safe_dump(config))

    def build(folder, **settings):
        ran.append("data")
        (folder / "atlas").mkdir(parents=True)
        labels = np.zeros((12, 4, 4), dtype=np.int16)
        labels[1:11] = np.arange(1, 11)[:, None, None]
        nib.save(nib.Nifti1Image(labels, np.diag([8.0, 20.0, 20.0, 1.0])), folder / "atlas" / "labels.nii.gz")
        tiny_cohort.write(folder / "cohort.h5ad")

    genuine = demo.run_stage
    monkeypatch.setattr(demo, "default_llm", lambda: ran.append("llm"))
    monkeypatch.setattr(demo, "build_default", build)
    monkeypatch.setattr(demo, "config_file", lambda name: tmp_path / name)
    monkeypatch.setattr(demo, "run_stage", lambda stage, arguments: ran.append(stage) or genuine(stage, arguments))

    def run(*arguments):
        ran.clear()
        return main(["demo", "--out", str(tmp_path / "demo"), "--limit", "4", "--reports", "1", *arguments])

    run.ran = ran
    return run


def test_a_step_that_was_done_is_not_done_again(tmp_path, capsys):
    done = []
    steps = _Steps(tmp_path, SETTINGS)
    steps.run("first", lambda: done.append("first"))
    with pytest.raises(RuntimeError):
        steps.run("second", _breaks)
    again = _Steps(tmp_path, SETTINGS)
    again.run("first", lambda: done.append("first again"))
    again.run("second", lambda: done.append("second"))
    assert done == ["first", "second"]
    assert "[first] done before" in capsys.readouterr().out
    state = json.loads((tmp_path / "steps.json").read_text())
    assert set(state["seconds"]) == {"first", "second"}
    assert state["peak_rss_mb"] > 0


def test_a_folder_of_other_settings_is_refused(tmp_path):
    _Steps(tmp_path, SETTINGS).run("first", lambda: None)
    with pytest.raises(ValueError, match=r"steps.json: made with .*'genes': 10.*now asked for .*'genes': 20.*use another --out"):
        _Steps(tmp_path, SETTINGS | {"genes": 20})


def test_the_demo_leaves_metrics_figures_reports_and_a_bundle_and_goes_on_when_stopped(small_demo, tmp_path, monkeypatch, capsys):
    out = tmp_path / "demo"
    with monkeypatch.context() as patch:
        patch.setattr(demo, "evaluate_bundle", _breaks)
        assert small_demo() == 1
        assert small_demo.ran == ["llm", "data", "align", "tune"]
    assert small_demo() == 0
    assert small_demo.ran == []  # all up to the evaluation was there already
    metrics = json.loads((out / "metrics.json").read_text())
    assert {"brain->anatomy", "anatomy->brain", "gene->clinical", "clinical->gene", "brain->clinical", "gene->brain"} <= set(metrics["retrieval"])
    assert {"n", "r1", "r5", "r10", "r10_low", "r10_high", "chance_r10", "ridge_r10", "cca_r10"} <= set(metrics["retrieval"]["gene->brain"])
    for given in ("gene", "brain", "both"):
        assert {"n", "region_precision", "region_precision_shuffled", "permutation_p", "contradiction_rate"} <= set(metrics["report"][given])
    assert set(metrics["seconds"]) == {"llm", "data", "align", "tune", "evaluate", "report"}
    assert metrics["peak_rss_mb"] > 0
    assert {"torch", "transformers"} <= set(metrics["versions"])
    assert metrics["seed"] == 0
    assert {"loss_align.png", "loss_tune.png", "retrieval.png"} <= {path.name for path in (out / "figures").iterdir()}
    reports = list((out / "reports").iterdir())
    assert [sorted(path.name for path in place.iterdir()) for place in reports] == [["brain.png", "report.json", "report.md"]]
    assert json.loads((out / "bundle" / "metrics.json").read_text())["retrieval"] == metrics["retrieval"]
    said = capsys.readouterr().out
    assert "held-out retrieval" in said
    assert all(str(out / name) in said for name in ("metrics.json", "figures", "reports", "bundle"))
    assert small_demo("--seed", "1") == 2  # other settings, same folder


def _breaks(*arguments, **settings):
    raise RuntimeError("stopped here")
