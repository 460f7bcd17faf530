"""Curves show what the figures say, and leave no half-written file."""

import numpy as np
import pytest
from matplotlib import image as pictures

from bridge.evaluate import curves
from bridge.evaluate.judged import judged


def said(figure):
    return " | ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text())


def claims(n=200, seed=0):
    random = np.random.default_rng(seed)
    confidence = random.random(n)
    return judged(confidence, random.random(n) < confidence, random.integers(0, 20, n))


def test_the_reliability_diagram_has_a_point_per_bin_with_its_interval(tmp_path, drawn):
    path = curves.reliability_diagram({"bridge": claims(), "constant": judged([0.5] * 9, [True] * 9)}, tmp_path / "r.png", bins=5, n=64, seed=0)
    assert min(pictures.imread(path).shape[:2]) > 400
    above = drawn[0].axes[0]
    points = {line.get_label().split(",")[0]: line.get_xydata() for line in above.lines}
    assert [len(points[name]) for name in ("perfect", "bridge", "constant")] == [2, 5, 1]
    assert points["constant"].tolist() == [[0.5, 1.0]]
    assert len(above.collections) == 6
    assert "n = 64, seed 0, whiskers: 95 % bootstrap over groups" in said(drawn[0])
    assert "9 claims, ECE 0.500" in said(drawn[0])


def test_risk_over_coverage_ends_at_the_error_rate_of_all_claims(tmp_path, drawn):
    some = claims()
    curves.risk_coverage_curve({"bridge": some}, tmp_path / "c.png", risk=0.1, seed=0)
    axes = drawn[0].axes[0]
    assert axes.lines[0].get_xydata()[-1].tolist() == [1.0, pytest.approx((~some.correct).mean())]
    assert "risk asked for, 0.1" in said(drawn[0])
    assert "all claims kept" in said(drawn[0])


def test_a_roc_curve_leaves_out_what_has_no_score_and_says_undefined_where_a_side_is_empty(tmp_path, drawn):
    strange, usual = np.array([3.0, 2.0, np.nan]), np.array([1.0, 2.5])
    curves.roc_curves({"shuffled": (strange, usual), "absent": (np.array([np.nan]), usual)}, tmp_path / "o.png", title="Gene", n=2)
    assert "shuffled, 0.750" in said(drawn[0])
    assert "absent, undefined" in said(drawn[0])
    assert drawn[0].axes[0].lines[1].get_xydata()[[0, -1]].tolist() == [[0.0, 0.0], [1.0, 1.0]]


@pytest.mark.parametrize("draw", [curves.reliability_diagram, curves.risk_coverage_curve])
def test_a_figure_without_any_claim_is_refused(tmp_path, draw):
    with pytest.raises(ValueError, match="no claim with a confidence"):
        draw({"bridge": judged([], [])}, tmp_path / "r.png")
    assert not list(tmp_path.iterdir())


def test_a_method_without_claims_beside_one_with_claims_is_called_undefined(tmp_path, drawn):
    curves.reliability_diagram({"bridge": claims(), "silent": judged([], [])}, tmp_path / "r.png")
    assert "silent, 0 claims, ECE undefined" in said(drawn[0])
