"""A record keeps what a run found, with stable keys and no number that is not one."""

import json

import numpy as np
import pytest

from bridge.benchmark.results import Part, Record, Row

KEYS = ["task", "split", "n", "candidates", "direction", "metric", "method", "value", "low", "high", "p", "seed"]


def row(**more):
    place = {"task": "made up", "split": "test", "n": 20, "candidates": None, "direction": "brain", "metric": "r10", "method": "bridge", "seed": 0}
    return Row(**(place | {"value": 0.5} | more))


@pytest.fixture
def record(tmp_path):
    return Record("made-up", tmp_path / "runs" / "made-up", seed=7)


def written(record):
    """What results.json holds, read so that NaN and infinity are refused."""
    record.write()

    def refuse(constant):
        raise AssertionError(f"{constant} in results.json")

    return json.loads((record.out / "results.json").read_text(), parse_constant=refuse)


@pytest.mark.parametrize("field", ["value", "low", "high", "p"])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -0.01, 1.01])
def test_a_figure_outside_0_to_1_or_not_finite_is_refused_by_name(field, wrong):
    with pytest.raises(ValueError, match=f"made up, r10 of bridge, field {field}: found {wrong}"):
        row(**{field: wrong})


@pytest.mark.parametrize("value", [0.0, 1.0, None])
def test_the_ends_and_undefined_are_accepted(value):
    assert row(value=value).value == value


def test_a_row_has_the_task_and_seed_of_its_record_and_plain_numbers(record):
    record.row("r10", "bridge", np.float64(0.5), n=12, direction="a->b", candidates=30, low=np.float64(0.4), high=1.0, p=np.float64(0.25))
    (found,) = record.rows
    assert (found.task, found.seed, found.n, found.split) == ("made-up", 7, 12, "test")
    assert [type(number) for number in (found.value, found.low, found.high, found.p)] == [float] * 4


def test_results_are_a_list_of_rows_with_stable_keys_in_the_order_they_were_measured(record):
    record.row("r10", "bridge", 0.5, n=12, direction="a->b", candidates=30, low=0.4, high=0.6, p=0.01, split="validation")
    record.row("precision", "chance", None, n=0)
    found = written(record)
    assert [list(each) for each in found] == [KEYS, KEYS]
    assert list(found[0].values()) == ["made-up", "validation", 12, 30, "a->b", "r10", "bridge", 0.5, 0.4, 0.6, 0.01, 7]
    assert found[1]["value"] is found[1]["low"] is found[1]["p"] is found[1]["candidates"] is None


def test_a_run_without_a_figure_writes_an_empty_list_and_a_page(record):
    assert written(record) == []
    assert (record.out / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_writing_again_replaces_both_files_and_leaves_no_part(record):
    record.write()
    record.row("r10", "bridge", 0.123, n=12)
    assert len(written(record)) == 1
    assert "0.123" in (record.out / "page.html").read_text(encoding="utf-8")
    assert sorted(path.name for path in record.out.iterdir()) == ["page.html", "results.json"]


def test_words_are_printed_as_the_run_goes_and_kept(record, capsys):
    record.words("Verdict", "no, it is worse.")
    assert capsys.readouterr().out == "Verdict: no, it is worse.\n"
    assert record.parts == [Part("Verdict", "no, it is worse.")]


def test_a_table_is_kept_as_it_was_when_it_was_added(record):
    rows = [["ridge", "0.1"]]
    record.table("Steps", ["method", "value"], rows)
    rows[0][1] = "0.9"
    assert record.parts == [Part("Steps", table=(("method", "value"), (("ridge", "0.1"),)))]


def test_figures_and_other_files_have_folders_of_their_own(record):
    path = record.figure("Ladder", "ladder_a_b")
    assert path == record.out / "figures" / "ladder_a_b.png"
    assert path.parent.is_dir()
    assert record.folder("bundle").is_dir()
    assert record.parts == [Part("Ladder", figure=path)]
