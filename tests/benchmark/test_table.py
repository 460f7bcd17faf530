"""The printed table and the ladder figure show every row once, in the order of the ladder, and say what is undefined."""

import matplotlib.image
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from bridge.benchmark.ladder_figure import ladder_bars
from bridge.benchmark.results import Row
from bridge.benchmark.table import WIDTH, counts, in_ladder_order, is_ours, metric_name, number, print_table

METHODS = ("chance", "ridge", "cca", "nearest neighbour", "two-tower MLP", "plain text", "bridge", "bridge ensemble")


def row(method="bridge", value=0.25, **more):
    place = {"task": "made up", "split": "test", "n": 200, "candidates": 200, "direction": "text->brain", "metric": "r10", "seed": 3}
    return Row(**(place | {"method": method, "value": value} | more))


def ladder(**more):
    """Eight methods from 0.05 to 0.40; chance without an interval."""
    values = np.linspace(0.05, 0.4, len(METHODS)).tolist()
    ends = [{} if method == "chance" else {"low": value - 0.031, "high": value + 0.042} for method, value in zip(METHODS, values, strict=True)]
    return [row(method, value, **end, **more) for method, value, end in zip(METHODS, values, ends, strict=True)]


def said(axes):
    return [text.get_text() for text in axes.texts]


def dots(axes):
    """Places of the dots: (value, line)."""
    return [tuple(line.get_xydata()[0]) for line in axes.lines if line.get_marker() not in ("None", None, "")]


def whiskers(axes):
    return [tuple(np.round(end, 6)) for lines in axes.collections for segment in lines.get_segments() for end in [segment[:, 0]]]


def test_methods_stand_in_the_order_of_the_ladder_however_they_came_and_are_spelled():
    shuffled = ["bridge ensemble", "bridge", "plain text", "spin test", "two_tower_mlp", "Nearest-Neighbour", "CCA", "ridge", "chance"]
    expected = ["chance", "ridge", "CCA", "Nearest-Neighbour", "two_tower_mlp", "plain text", "spin test", "bridge", "bridge ensemble"]
    assert in_ladder_order(shuffled) == expected


def test_variants_of_a_method_follow_it_and_variants_of_ours_stand_before_the_ensemble():
    came = ["bridge (ensemble)", "bridge (blind)", "cca (permuted pairs)", "bridge", "cca", "ccab"]
    assert in_ladder_order(came) == ["cca (permuted pairs)", "cca", "ccab", "bridge (blind)", "bridge", "bridge (ensemble)"]


def test_only_the_bridge_and_its_variants_are_ours():
    assert [is_ours(method) for method in ("bridge", "bridge (blind)", "bridge ensemble", "bridged", "a bridge")] == [True, True, True, False, False]


def test_names_and_numbers_are_written_as_a_reader_knows_them():
    assert [metric_name(metric) for metric in ("r10", "mrr", "mean_percentile", "region_precision")] == ["R@10", "MRR", "mean percentile", "region precision"]
    assert [number(value) for value in (None, 0.0, 1.0, 0.38412, 0.00049)] == ["undefined", "0.000", "1.000", "0.384", "4.9e-04"]


def test_counts_are_a_range_where_they_differ_and_candidates_are_left_out_where_there_are_none():
    assert counts([row(n=5), row(n=9)]) == "n 5 to 9, 200 candidates"
    assert counts([row(candidates=None)]) == "n 200"


def test_every_row_of_a_table_is_printed_with_its_interval_under_its_direction():
    rows = [*ladder(), *ladder(direction="brain->text", metric="r1")]
    lines = print_table(rows).splitlines()
    assert lines[0].split("    ")[-1].strip() == "brain->text, test"
    assert [line.split("  ")[0] for line in lines[3:]] == list(METHODS)
    ridge = next(line for line in lines if line.startswith("ridge"))
    assert ridge.count("0.100 0.069–0.142") == 2
    assert "R@10" in lines[2]
    assert "R@1 " in lines[2] + " "


def test_columns_are_aligned():
    lines = print_table([*ladder(), *ladder(metric="mean_percentile"), *ladder(direction="brain->text")]).splitlines()
    starts = [lines[2].index(name) for name in ("R@10", "mean percentile")] + [lines[2].rindex("R@10")]
    for line in lines[3:]:
        assert all(line[start] == "0" and line[start - 1] == " " for start in starts), line


def test_the_table_is_cut_into_blocks_before_it_is_too_wide_and_loses_no_figure():
    rows = [each for place in range(9) for each in ladder(direction=f"a->side {place}", metric=f"r{place + 1}")]
    rows += [each for place in range(12) for each in ladder(direction="many metrics", metric=f"measure_{place}")]
    printed = print_table(rows)
    assert max(map(len, printed.splitlines())) <= WIDTH
    assert printed.count("0.400 0.369–0.442") == 21
    assert all(f"measure {place}" in printed for place in range(12))


def test_an_undefined_figure_is_called_so_and_one_that_was_not_scored_is_blank():
    lines = print_table([row("ridge", None), row("cca", 0.1, direction="brain->text")]).splitlines()
    assert lines[3].split() == ["ridge", "undefined"]
    assert lines[4].split() == ["cca", "0.100"]


def test_a_run_without_rows_says_so():
    assert print_table([]) == "no figures"


def test_the_ladder_figure_has_a_dot_a_whisker_and_a_number_for_every_method(tmp_path, drawn):
    path = ladder_bars(ladder()[::-1], tmp_path / "ladder.png", metric="r10")
    assert min(matplotlib.image.imread(path).shape[:2]) >= 400
    (axes,) = drawn[0].axes
    values = np.linspace(0.05, 0.4, len(METHODS))
    np.testing.assert_allclose(sorted(dots(axes)), np.stack([values, np.arange(len(METHODS))], axis=1))
    assert sorted(whiskers(axes)) == [pytest.approx((value - 0.031, value + 0.042)) for value in values[1:]]
    assert "0.400 [0.369, 0.442]" in said(axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(METHODS)
    assert axes.yaxis_inverted()


def test_chance_is_a_line_through_all_methods_and_ours_have_a_colour_of_their_own(tmp_path, drawn):
    ladder_bars(ladder(), tmp_path / "ladder.png", metric="r10")
    (axes,) = drawn[0].axes
    (line,) = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert set(line.get_xdata()) == {0.05}
    colours = {method: dot.get_color() for method, dot in zip(METHODS, [line for line in axes.lines if line.get_marker() in "oD"], strict=True)}
    assert colours["bridge"] == colours["bridge ensemble"]
    assert len({colours["bridge"], colours["cca"], colours["chance"]}) == 3


def test_each_direction_and_split_has_a_panel_that_states_its_counts(tmp_path, drawn):
    rows = [*ladder(), *ladder(direction="brain->text", n=150), *ladder(split="transfer", candidates=634)]
    ladder_bars(rows, tmp_path / "ladder.png", metric="r10")
    titles = [axes.get_title(loc="left") for axes in drawn[0].axes if axes.get_visible()]
    assert titles == [
        "text → brain (test)\nn 200, 200 candidates",
        "brain → text (test)\nn 150, 200 candidates",
        "text → brain (transfer)\nn 200, 634 candidates",
    ]
    assert drawn[0].get_suptitle() == "R@10 (seed 3, whiskers: 95 % interval)"


def test_other_metrics_are_not_drawn_and_an_unknown_one_is_refused(tmp_path, drawn):
    rows = [*ladder(), row("bridge", 0.9, metric="mrr")]
    ladder_bars(rows, tmp_path / "ladder.png", metric="mrr")
    assert dots(drawn[0].axes[0]) == [(0.9, 0)]
    with pytest.raises(ValueError, match=r"'r7', expected one of \['mrr', 'r10'\]"):
        ladder_bars(rows, tmp_path / "none.png", metric="r7")
    assert not (tmp_path / "none.png").exists()


def test_an_undefined_value_is_written_out_and_has_no_dot_even_where_nothing_is_defined(tmp_path, drawn):
    ladder_bars([row("ridge", None), row("bridge", None)], tmp_path / "ladder.png", metric="r10")
    (axes,) = drawn[0].axes
    assert dots(axes) == []
    assert said(axes) == ["undefined", "undefined"]


def test_no_text_of_the_figure_covers_another_or_leaves_it(tmp_path, drawn):
    long = row("bridge (linear skip from canonical correlation, three seeds)", 0.99, low=0.97, high=1.0)
    ladder_bars([*ladder(), long, *ladder(direction="brain->text", n=12_459, candidates=12_459)], tmp_path / "ladder.png", metric="r10")
    (figure,) = drawn
    figure.dpi = 150  # as it is written: letters are a little wider or narrower at another resolution
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    assert len(boxes) > 30
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[place + 1 :])
    assert min(box.x0 for box in boxes) >= figure.bbox.x0 - 1
    assert max(box.x1 for box in boxes) <= figure.bbox.x1 + 1
