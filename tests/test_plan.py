"""The plan of a stage: memory and time in numbers that are checked, and a rehearsal in which every step is really run."""

import functools
import json
import re

import anndata
import numpy as np
import pytest

from bridge.__main__ import main
from bridge.bundle import load, save
from bridge.data.module import CohortData
from bridge.language.llm import LLM, Lora
from bridge.plan import rehearse as rehearsal
from bridge.plan.job import parsed, read_job
from bridge.plan.table import as_dict, card_bytes, flop
from bridge.project.identity import IdentityValue
from bridge.settings import quiet_libraries
from bridge.train.memory import Row, Shape, step_bytes
from bridge.train.recompute import recompute_where_needed
from bridge.train.tune import Tune

LARGE = ("--config", "tune_me-llama-13b.yaml")


@pytest.fixture(autouse=True)
def quiet():
    """As the command is: Lightning warns about arguments that a program gives."""
    quiet_libraries()


def planned(*arguments, stage="tune"):
    return as_dict(read_job(stage, parsed(stage, arguments)))


def named(plan, name, recomputed):
    return next(each for each in plan["strategies"] if each["strategy"] == name and each["recomputed"] is recomputed)


def test_13b_has_its_weights_and_its_adapter_and_fits_as_the_config_says():
    plan = planned(*LARGE)
    assert plan["LLM weights"] == 13_015_864_320  # of LLaMA-2 13B (arXiv:2307.09288)
    assert named(plan, "one card", True)["fits"]
    assert not named(plan, "one card", False)["fits"]
    assert 26e9 < named(plan, "one card", True)["bytes"]["LLM"] < 26.1e9
    assert named(plan, "one card, NF4", True)["bytes"]["LLM"] < 7.5e9
    assert not named(planned(*LARGE, "--card", "24GB"), "one card", True)["fits"]
    assert named(planned(*LARGE, "--card", "24GB"), "one card, NF4", True)["fits"]


def test_70b_fits_in_four_bits_or_divided_and_not_whole():
    plan = planned("--config", "tune_me-llama-70b.yaml")
    assert plan["LLM weights"] == 68_976_648_192
    assert [named(plan, name, True)["fits"] for name in ("one card", "DDP on 8", "FSDP2 on 8", "one card, NF4")] == [False, False, True, True]


def test_what_a_step_divides_over_cards_is_divided():
    shape = Shape(width=64, inner=128, layers=10, heads=4, shared=4, vocabulary=100)
    whole, part = (step_bytes(shape, Lora(), Row(50, 10), 1000, recomputed=True, cards=cards) for cards in (1, 4))
    assert part["moments"] == whole["moments"] / 4 == 2000
    assert part["LLM"] == whole["LLM"] / 4 + 2 * 2 * shape.layer
    assert part["activations"] == whole["activations"]


def test_operations_are_four_or_six_for_each_weight_and_token():
    job = read_job("tune", parsed("tune", LARGE))
    weights = job.shape.layers * job.shape.layer * job.row.tokens
    assert 4 <= flop(job, recomputed=False) / weights < 4.5
    assert 6 <= flop(job, recomputed=True) / weights < 6.5


def test_a_cohort_gives_tokens_samples_and_the_time_of_an_epoch(tiny_llm, tiny_cohort_file):
    arguments = ("--config", "tune.yaml", "--model.llm.path", str(tiny_llm()), "--data.cohort", str(tiny_cohort_file))
    plan = planned(*arguments)
    assert named(plan, "one card", False)["seconds"]["epoch"] == pytest.approx(4 * named(plan, "one card", False)["seconds"]["step"])
    assert 0 < plan["row"]["answers"] < plan["row"]["tokens"] < 4 * 512
    assert planned(*LARGE)["strategies"][0]["seconds"]["epoch"] is None


def test_the_trained_weights_are_those_of_the_bundle(tiny_llm, tiny_cohort_file, tmp_path, capsys):
    arguments = ["--config", "smoke.yaml", "--model.llm.path", str(tiny_llm()), "--data.cohort", str(tiny_cohort_file)]
    assert main(["align", *arguments, "--out", str(tmp_path / "aligned"), "--trainer.max_steps", "1", "--trainer.enable_progress_bar", "false"]) == 0
    more = ["--config", "tune.yaml", *arguments[2:], "--model.start", str(tmp_path / "aligned")]
    bridge = load(tmp_path / "aligned")
    ours = sum(parameter.numel() for part in (bridge.projectors, bridge.tags) for parameter in part.parameters())
    job = read_job("tune", parsed("tune", more))
    assert job.trained == ours + job.shape.adapter(job.lora)


def test_recomputing_is_left_to_the_card(tiny_llm, tiny_cohort, tiny_cohort_file):
    stage = Tune(tiny_cohort, {"brain": functools.partial(IdentityValue, extremes=4)}, llm=LLM(str(tiny_llm())))
    data = CohortData(str(tiny_cohort_file), batch_size=4)
    assert not recompute_where_needed(stage, Lora(), data, None)
    assert not recompute_where_needed(stage, Lora(), data, 10**9)
    assert recompute_where_needed(stage, Lora(), data, 10**6)
    assert stage.bridge.llm.get_base_model().is_gradient_checkpointing


def test_the_command_plans_rehearses_and_writes_json(tmp_path, capsys):
    assert main(["plan", "align", "--config", "align_me-llama-13b.yaml", "--out", str(tmp_path / "plan.json")]) == 0
    assert list(json.loads((tmp_path / "plan.json").read_text())["rehearsal seconds"]) == ["data", "LLM", "align", "load", "report"]
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]
    assert "one card" in capsys.readouterr().out


def test_the_rehearsal_takes_a_few_samples_of_the_given_cohort(tiny_cohort_file, monkeypatch, capsys):
    seen = []
    report = rehearsal._report
    monkeypatch.setattr(rehearsal, "_report", lambda bridge, cohort: (seen.extend(cohort.ids), report(bridge, cohort)))
    assert main(["plan", "tune", *LARGE, "--data.cohort", str(tiny_cohort_file)]) == 0
    assert seen == [f"sample-{row:02d}" for row in (0, 1, 2, 4, 6, 7, 8, 9, *range(16, 20), *range(24, 28))]  # 3 has no gene, 5 no brain
    assert "ok  report" in capsys.readouterr().out


@pytest.mark.parametrize("without", ["brain", "test split"])
def test_a_cohort_with_gaps_is_rehearsed(tiny_cohort_file, tmp_path, without, capsys):
    table = anndata.read_h5ad(tiny_cohort_file)
    if without == "brain":
        table.obsm["brain"][24:] = np.nan
    else:
        table.obs["split"] = table.obs["split"].astype(str).replace("test", "train")
    table.write_h5ad(tmp_path / "cohort.h5ad")
    assert main(["plan", "tune", *LARGE, "--data.cohort", str(tmp_path / "cohort.h5ad")]) == 0
    assert "ok  report" in capsys.readouterr().out


def test_a_step_that_fails_is_named_in_a_line(monkeypatch, capsys):
    def refuse(*arguments, **settings):
        raise ValueError("no room\nleft")

    monkeypatch.setattr(rehearsal, "save_tiny", refuse)
    assert main(["plan", "tune", *LARGE]) == 2
    assert capsys.readouterr().err == "bridge plan: error: plan, rehearsal of step 'LLM': no room left\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tuen"], r"plan 'tuen': no such stage; expected align or tune"),
        (["tune", *LARGE, "--card", "big"], r"plan, field card: found 'big', expected memory such as 80GB"),
        (
            ["tune", "--config", "tune.yaml", "--model.llm.path", "nowhere", "--model.llm.shape", "{}"],
            r"LLM 'nowhere': no nowhere/config.json, and its entry has no shape",
        ),
        (["tune", *LARGE, "--model.dimm", "3"], r"unrecognized arguments: --model.dimm 3"),
    ],
)
def test_a_wrong_argument_is_named(arguments, message, capsys):
    assert main(["plan", *arguments, "--rehearse", "false"]) == 2
    assert re.search(message, capsys.readouterr().err)


def test_memory_of_a_card_is_read_with_its_unit():
    assert [card_bytes(text) for text in ("80GB", "80", "2 GiB")] == [80e9, 80e9, 2**31]


def test_a_bundle_to_start_from_brings_no_code_of_its_own(tmp_path, monkeypatch, bridge):
    bundle = save(bridge, tmp_path / "bundle")
    (tmp_path / "beside.py").write_text("raise AssertionError('code ran')")
    monkeypatch.syspath_prepend(tmp_path)
    config = json.loads((bundle / "config.json").read_text())
    config["projectors"]["gene"]["class_path"] = "beside.Part"
    (bundle / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"module 'beside' is outside bridge.project; pass --trust beside"):
        read_job("tune", parsed("tune", ["--config", "tune.yaml", "--model.start", str(bundle)]))
