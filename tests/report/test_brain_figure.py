"""A brain drawn from a label image: regions on their side, none lost, neighbours without a gap, the strongest on top; and its colours."""

import dataclasses
import re

import numpy as np
import pytest
from full_report import block_atlas

from bridge.report.page.brain_figure import views
from bridge.report.page.colours import ABSENT, Scale
from bridge.report.page.outlines import UNITS, outline, partition


def points(path):
    """Corners of the closed lines of a path, in pixels."""
    lines = []
    for first, steps in re.findall(r"M(-?\d+ -?\d+)l([-\d ]+)z", path):
        moves = np.array([first.split(), *np.array(steps.split()).reshape(-1, 2)], dtype=int)
        lines.append(moves.cumsum(axis=0) / UNITS)
    return lines


def area(path):
    """Pixels inside the lines of a path."""
    return abs(sum(0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))) for x, y in (line.T for line in points(path))))


def test_an_outline_encloses_the_pixels_of_its_region():
    picture = np.full((30, 40), -1)
    picture[5:25, 5:20], picture[5:25, 20:35] = 0, 1
    found = partition(picture)
    assert {region: area(path) for region, path in found.items()} == {region: pytest.approx(300, rel=0.06) for region in (0, 1)}
    left, right = (np.concatenate(points(found[region])) for region in (0, 1))
    assert left[:, 0].max() == right[:, 0].min() == 20  # neighbours share their border


def test_a_line_one_pixel_thick_is_drawn():
    picture = np.full((20, 20), -1)
    picture[10, 3:17] = 4
    assert area(partition(picture)[4]) == pytest.approx(14, rel=0.4)


def test_what_is_not_there_has_no_outline():
    assert partition(np.full((5, 5), -1)) == {}
    assert outline(np.zeros((5, 5), dtype=bool)) == ""


def test_every_region_is_in_the_glass_brain_on_its_own_side():
    seen = {view.title: view for view in views(block_atlas())}
    above = seen["from above"]
    assert above.sides == ("L", "R")
    assert sorted(above.regions) == list(range(7))
    middle = above.width / UNITS / 2
    places = {region: np.concatenate(points(path))[:, 0].mean() for region, path in above.regions.items()}
    assert places[0] < middle < places[1]  # left cuneus, right cuneus
    assert set(seen["from the left"].regions) == {0, 2, 4, 5}
    assert set(seen["from the right"].regions) == {1, 3, 5, 6}


def test_front_is_up_from_above_and_at_the_letter_a_from_the_side():
    seen = {view.title: view for view in views(block_atlas())}
    place = {title: {region: np.concatenate(points(path)).mean(axis=0) for region, path in view.regions.items()} for title, view in seen.items() if view.glass}
    assert place["from above"][4][1] < place["from above"][0][1]  # the amygdala block lies in front of the cuneus block
    assert seen["from the left"].sides == ("P", "A")
    assert place["from the left"][4][0] > place["from the left"][0][0]
    assert seen["from the right"].sides == ("A", "P")
    assert place["from the right"][6][0] < place["from the right"][1][0]


def test_an_atlas_without_a_voxel_draws_nothing_and_a_large_label_takes_no_room():
    atlas = block_atlas()
    assert views(dataclasses.replace(atlas, labels=np.zeros_like(atlas.labels))) == ()
    large = dataclasses.replace(atlas, labels=np.where(atlas.labels == 7, 2**30, atlas.labels), indices=(*range(1, 7), 2**30))
    assert views(large) == views(atlas)


def test_slices_say_where_they_are_and_a_fine_grid_gives_the_same_figure():
    coarse = [view for view in views(block_atlas()) if not view.glass]
    assert [view.title for view in coarse[:5]] == sorted({view.title for view in coarse[:5]}, key=lambda title: int(title.split()[2].replace("\u2212", "-")))
    atlas = block_atlas()
    labels = atlas.labels.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    fine = dataclasses.replace(atlas, labels=labels, affine=np.array([[1.0, 0, 0, -23.5], [0, 1, 0, -25.5], [0, 0, 1, -19.5], [0, 0, 0, 1]]))
    assert [view.regions for view in views(fine)] == [view.regions for view in views(block_atlas())]


def test_the_strongest_region_is_drawn_last_and_one_without_a_value_first():
    above = next(view for view in views(block_atlas()) if view.title == "from above")
    order = above.drawn({0: 2.4, 1: 1.1, 2: 2.2, 3: 0.3, 5: 0.2})
    assert (order[:2], order[-2:]) == ([4, 6], [2, 0])


def test_colours_are_blue_below_white_at_and_red_above_the_mean():
    scale = Scale.of_z([0.3, -2.4, None])
    assert (scale.low, scale.high) == (-3.0, 3.0)
    low, mean, high = ([int(scale.colour(z)[start : start + 2], 16) for start in (1, 3, 5)] for z in (-2.0, 0.0, 2.0))
    assert low[2] > low[0]
    assert high[0] > high[2]
    assert min(mean) > 240
    assert scale.colour(None) == ABSENT


@pytest.mark.parametrize(("values", "limit"), [([], 2), ([0.1], 2), ([9.0], 5), ([-3.2], 4)])
def test_the_scale_is_symmetric_and_neither_small_nor_stretched_by_one_outlier(values, limit):
    scale = Scale.of_z(values)
    assert (scale.low, scale.high) == (-limit, limit)
    assert scale.colour(100.0) == scale.colour(float(limit))


def test_values_without_a_reference_go_from_light_to_dark_even_where_all_are_one():
    scale = Scale.of_values([1.0, 3.0, None], "mm")
    assert scale.label == "value (mm)"
    assert scale.colour(1.0) != scale.colour(3.0)
    assert Scale.of_values([2.0], "").colour(2.0).startswith("#")
