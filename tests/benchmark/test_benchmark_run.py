"""``bridge evaluate NAME``: settings from the config and the command line, results and a page, or the reason why not."""

import json

import numpy as np
import pytest
import yaml

from bridge.__main__ import main
from bridge.benchmark.alignment import shuffled_pairs
from bridge.benchmark.run import benchmarks, is_benchmark
from bridge.data.cohort import Cohort
from bridge.settings import quiet_libraries

NAMED = {"article-map", "atlas", "attribution", "checker", "enigma", "gene-text", "leaks", "reports", "subjects"}


@pytest.fixture
def atlas(tmp_path, monkeypatch, tiny_llm, tiny_cohort_file):
    """``atlas(*arguments)``: the benchmark on the tiny cohort, two steps of stage 1."""
    quiet_libraries()
    monkeypatch.chdir(tmp_path)
    model = {"llm": {"path": str(tiny_llm())}, "text": {"layers": [1], "words": 6}, "dim": 8, "linear": 4}
    trainer = {"accelerator": "cpu", "max_epochs": 2, "enable_progress_bar": False}
    align = {"data": {"batch_size": 16}, "model": model, "trainer": trainer}
    config = {"class_path": "bridge.benchmark.atlas.Atlas", "init_args": {"cohort": str(tiny_cohort_file), "align": align}}
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(config))
    return lambda *arguments: main(["evaluate", "own.yaml", *arguments])


def rows(folder):
    return json.loads((folder / "results.json").read_text())


def test_the_benchmarks_of_the_readme_are_there():
    assert set(benchmarks()) >= NAMED
    assert all(map(is_benchmark, NAMED))
    assert not any(map(is_benchmark, ("", "--bundle", "nothing")))


def test_a_cohort_of_ones_own_goes_up_the_ladder(atlas, tmp_path, capsys):
    assert atlas("--seeds", "2", "--strata", "[split]") == 0
    found = rows(tmp_path / "runs" / "benchmarks" / "own")
    keys = {"task", "split", "n", "candidates", "direction", "metric", "method", "value", "low", "high", "p", "seed"}
    assert all(set(row) == keys for row in found)
    methods = {row["method"] for row in found if row["direction"] == "brain->anatomy" and row["metric"] == "r1"}
    ladder = {"plain text", "nearest neighbour", "ridge", "cca", "cca (bridge's text vectors)", "two-tower mlp", "bridge", "bridge ensemble"}
    assert methods == ladder
    assert {"brain->clinical", "clinical->gene", "anatomy->gene"} <= {row["direction"] for row in found}
    assert any(row["method"] == "bridge (shuffled pairs)" for row in found)
    assert any(row["method"] == "bridge (within, split)" for row in found)
    page = (tmp_path / "runs" / "benchmarks" / "own" / "page.html").read_text()
    assert "justified on this data" in page
    assert "results.json" in capsys.readouterr().out


def test_the_same_seed_gives_the_same_rows(atlas, tmp_path):
    settings = ("--shuffled", "false", "--limit", "6", "--seed", "3")
    assert atlas(*settings, "--out", "first") == atlas(*settings, "--out", "second") == 0
    assert rows(tmp_path / "first" / "own") == rows(tmp_path / "second" / "own")
    assert {row["n"] for row in rows(tmp_path / "first" / "own") if row["direction"] == "brain->anatomy"} == {6}


def test_a_wrong_setting_or_column_is_refused_in_a_line(atlas, capsys):
    assert atlas("--seedz", "2") != 0
    assert "seedz" in capsys.readouterr().err
    assert atlas("--strata", "[planet]") != 0
    assert "field strata: obs has no column 'planet'" in capsys.readouterr().err
    assert main(["evaluate", "nothing"]) != 0
    assert "no such benchmark; expected one of article-map" in capsys.readouterr().err


def test_without_its_data_a_benchmark_is_skipped_with_the_reason(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path / "nowhere"))
    for name in ("article-map", "gene-text"):
        assert main(["evaluate", name]) == 0
        assert f"{name}: skipped: " in capsys.readouterr().out
    assert not list(tmp_path.rglob("results.json"))


def test_shuffled_pairs_keep_every_text_and_every_held_out_pair(tiny_cohort):
    dealt = shuffled_pairs(tiny_cohort, seed=0)
    before, after = tiny_cohort.text("anatomy"), dealt.text("anatomy")
    train, test = (tiny_cohort.rows(split) for split in ("train", "test"))
    assert sorted(before[row] for row in train) == sorted(after[row] for row in train)
    assert [before[row] for row in train] != [after[row] for row in train]
    assert [before[row] for row in test] == [after[row] for row in test]
    assert isinstance(dealt, Cohort)
    np.testing.assert_array_equal(dealt.raw("brain"), tiny_cohort.raw("brain"))
