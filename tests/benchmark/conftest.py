"""The default data and bundles in small: the tiny cohort, the tiny LLM, two steps a stage."""

import types

import pytest
import yaml

from bridge.benchmark import default
from bridge.settings import quiet_libraries

PROJECTORS = {
    "gene": {"class_path": "bridge.project.mlp.FactorisedMLP", "init_args": {"k": 2, "hidden": 16, "rank": 4}},
    "brain": {"class_path": "bridge.project.identity.IdentityValue", "init_args": {"extremes": 4}},
}
ALIGN = {
    "data": {"batch_size": 16},
    "model": {"projectors": PROJECTORS, "pairs": {"brain~anatomy": 1.0, "gene~clinical": 1.0, "gene~brain": 0.5}, "text": {"layers": [0, 1]}, "dim": 16},
}
TUNE = {"data": {"batch_size": 4}, "model": {"lora": {"r": 4}}}
QUICK = {"accelerator": "cpu", "max_steps": 2, "enable_progress_bar": False, "limit_val_batches": 0}


@pytest.fixture
def small_default(tmp_path, monkeypatch, tiny_cohort, tiny_llm):
    """``ran``: the stages that ran, with their arguments; ``folder``: where the default data and bundles go."""
    quiet_libraries()
    ran, genuine = [], default.run_stage
    for name, config in {"align.yaml": ALIGN, "tune.yaml": TUNE}.items():
        model = config["model"] | {"llm": {"path": str(tiny_llm("chatml"))}}
        (tmp_path / name).write_text(yaml.safe_dump(config | {"model": model, "trainer": QUICK}))
    monkeypatch.setattr(default, "build_default", lambda folder, **settings: tiny_cohort.write(folder / "cohort.h5ad"))
    monkeypatch.setattr(default, "config_file", lambda name: tmp_path / name)
    monkeypatch.setattr(default, "run_stage", lambda stage, arguments: ran.append((stage, arguments)) or genuine(stage, arguments))
    return types.SimpleNamespace(ran=ran, folder=tmp_path / "benchmarks" / "default", configs=tmp_path)
