"""What other programs write where nothing was measured is refused; the same number among its like is a measurement."""

import re

import numpy as np
import pytest

from encoders.sound import CODES, require_measured

IDS = ["sub-01", "sub-02", "sub-03"]


@pytest.fixture
def thickness():
    return np.random.default_rng(0).normal(2.5, 0.4, (3, 6))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("cells", [1, 4])
def test_a_code_for_a_missing_value_is_refused_with_its_cell(thickness, code, cells):
    thickness[1, 2 : 2 + cells] = code
    told = f"regions.csv, row 'sub-02', column 3: found {code:g}, far from all other values ({cells} such cells); expected a measured value, or an empty cell"
    with pytest.raises(ValueError, match=re.escape(told)):
        require_measured(IDS, thickness, "regions.csv")


def test_a_code_below_zero_is_refused_where_nothing_else_is(thickness):
    volumes = np.abs(thickness) * 4000
    volumes[2, 0] = -99
    with pytest.raises(ValueError, match="row 'sub-03', column 1: found -99, far"):
        require_measured(IDS, volumes, "volumes.csv")


@pytest.mark.parametrize("value", [999, 9999, 99])
def test_the_same_number_among_its_like_is_a_measurement(thickness, value):
    volumes = np.abs(thickness) * 4000
    volumes[2, 0] = value
    require_measured(IDS, volumes, "volumes.csv")


@pytest.mark.parametrize("value", [-998.0, 40.0, -99.5, 1e6])
def test_an_outlier_that_is_no_code_is_left_to_the_reader(thickness, value):
    thickness[0, 0] = value
    require_measured(IDS, thickness, "regions.csv")


def test_missing_cells_are_no_codes(thickness):
    thickness[0, :3] = np.nan
    require_measured(IDS, thickness, "regions.csv")
