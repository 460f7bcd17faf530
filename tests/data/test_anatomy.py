"""Region names and the sentence derived from a map."""

import numpy as np
import pytest

from bridge.data.anatomy import REGION_WORDS, SIDE_MARGIN, TISSUE_MARGIN, describe, read_regions, region_name, side_contrast


@pytest.fixture
def regions(small_files):
    return read_regions(small_files.regions)


def test_every_region_has_a_name_of_its_own():
    names = [region_name(label, side) for label in REGION_WORDS for side in ("LR" if label != "brainstem" else "B")]
    assert len(names) == len(set(names)) == 83
    assert {"left hippocampus", "right superior frontal gyrus", "brain stem", "left banks of the superior temporal sulcus"} <= set(names)


def test_no_region_name_is_found_as_words_inside_another():
    names = [region_name(label, side) for label in REGION_WORDS for side in ("LR" if label != "brainstem" else "B")]
    assert not [(short, long) for short in names for long in names if short != long and f" {short} " in f" {long} "]


def test_regions_are_named_highest_and_lowest_first(regions):
    sentence = describe(np.array([0.1, 0.2, 0.3, 0.9, 0.8, 0.7, 0.5]), regions)
    assert sentence.startswith(
        "Expression is highest in the right cuneus, right precuneus and right pallidum, and lowest in the left cuneus, left precuneus and left pallidum."
    )


def test_a_side_is_said_to_be_higher_only_beyond_the_margin(regions):
    base = np.array([0.2, 0.4, 0.6, 0.2, 0.4, 0.6, 0.4])
    for shift in np.linspace(-0.2, 0.2, 41):
        values = base + np.array([shift, shift, shift, 0, 0, 0, 0])
        contrast = shift / values.std()
        assert side_contrast(values, regions) == pytest.approx(contrast)
        assert ("higher on the left" in describe(values, regions)) == (contrast > SIDE_MARGIN)
        assert ("higher on the right" in describe(values, regions)) == (contrast < -SIDE_MARGIN)


def test_cortex_is_said_to_be_higher_only_beyond_the_margin(regions):
    for shift in np.linspace(-0.2, 0.2, 41):
        values = np.array([0.2, 0.6, 0.4, 0.2, 0.6, 0.4, 0.4]) + shift * np.array([1, 1, 0, 1, 1, 0, 0])
        contrast = shift / values.std()
        assert ("higher in cortex than in subcortex" in describe(values, regions)) == (contrast > TISSUE_MARGIN)
        assert ("higher in subcortex than in cortex" in describe(values, regions)) == (contrast < -TISSUE_MARGIN)


def test_a_flat_map_claims_no_contrast(regions):
    assert "higher" not in describe(np.full(7, 0.5), regions)


def test_an_unknown_label_and_a_missing_column_are_refused(small_files):
    small_files.regions.write_text("id,label,hemisphere,structure\n1,nowhere,L,cortex\n")
    with pytest.raises(ValueError, match="region 'nowhere' with hemisphere 'L': expected a Desikan-Killiany label"):
        read_regions(small_files.regions)
    small_files.regions.write_text("id,label,structure\n1,cuneus,cortex\n")
    with pytest.raises(ValueError, match="column 'hemisphere' is missing"):
        read_regions(small_files.regions)
    small_files.regions.write_text("id,label,hemisphere,structure\n1,cuneus,L,cortex\n2,cuneus,L,cortex\n")
    with pytest.raises(ValueError, match="found twice"):
        read_regions(small_files.regions)
