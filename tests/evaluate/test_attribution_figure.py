"""The figure of effects shows the largest either way, with their intervals, and nothing that is undefined."""

import pandas as pd
import pytest

from bridge.evaluate.attribution_figure import effect_dots


def table(effect, named=None):
    numbers = {"effect": effect, "low": [value and value - 0.1 for value in effect], "high": [value and value + 0.1 for value in effect]}
    numbers |= {"named_effect": named or [None] * len(effect)}
    return pd.DataFrame({"set": [f"region {number}" for number in range(len(effect))]} | {name: pd.array(each, "Float64") for name, each in numbers.items()})


def test_the_largest_effects_stand_at_the_top_whatever_their_sign(tmp_path, drawn):
    path = effect_dots(table([0.1, -0.5, None, 0.3], [None, 0.9, None, None]), tmp_path / "e.png", title="Claims about brain", most=2, n=14, seed=0)
    axes = drawn[0].axes[0]
    assert path.is_file()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["region 1", "region 3"]
    assert axes.lines[1].get_xdata().tolist() == [-0.5, 0.3]
    assert axes.lines[2].get_xdata()[0] == 0.9
    assert axes.collections[0].get_segments()[0].tolist() == [[-0.6, 0], [-0.4, 0]]
    assert "n = 14, seed 0, whiskers: 95 % bootstrap" in axes.get_title()


def test_without_any_effect_there_is_no_figure(tmp_path):
    with pytest.raises(ValueError, match="no set with an effect"):
        effect_dots(table([None, None]), tmp_path / "e.png", title="Claims")
    assert not list(tmp_path.iterdir())
