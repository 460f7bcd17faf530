"""Real tables and atlases, where they are: FreeSurfer features of 1,078 people, published effect maps, label images of two atlases."""

from __future__ import annotations

import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from nilearn.maskers import NiftiLabelsMasker

from encoders.atlas_labels import read_labels
from encoders.brain_volume import BrainVolume
from encoders.region_table import RegionTable

DATA = Path(os.environ.get("BRIDGE_DATA", Path(__file__).parents[3] / "shared" / "data"))


def _real(*parts):
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real data: {path.relative_to(DATA)} is not in the folder that BRIDGE_DATA names")
    return path


def test_a_cohort_of_freesurfer_features_gives_its_regions_without_covariates():
    source = _real("subject_level", "fcon1000.csv")
    encoder = RegionTable.for_source(source)
    ids, values = encoder.read(source)
    frame = pd.read_csv(source)
    assert ids == frame["sub_id"].astype(str).tolist()
    assert {"age", "site", "eTIV", "lh_MeanThickness_thickness", "avg_en", "lhCortexVol"}.isdisjoint(encoder.names)
    assert sum(name.endswith("_thickness") for name in encoder.names) == 2 * 74
    np.testing.assert_allclose(values, frame[list(encoder.names)].to_numpy(), rtol=1e-15)  # pandas' quick parser is off in the last digit


def test_a_table_whose_first_column_says_the_contrast_needs_the_column_that_says_the_sample():
    source = _real("enigma", "22q_case-controls_CortThick.csv")
    with pytest.raises(ValueError, match=r"row 2: id '22qvsCN' occurs twice"):
        RegionTable.for_source(source)


@pytest.mark.parametrize(
    ("image", "table", "regions"),
    [("Desikan_space-MNI152NLin6_res-2x2x2.nii.gz", "Desikan.csv", 70), ("Schaefer400_space-MNI152NLin6_res-2x2x2.nii.gz", None, 400)],
)
def test_averages_over_a_real_atlas_equal_nilearns(image, table, regions, tmp_path):
    atlas = _real("atlases", image)
    labels = {"labels": str(_real("atlases", table))} if table else {"names": [f"parcel {number}" for number in range(1, regions + 1)]}
    encoder = BrainVolume.for_source(atlas, atlas=str(atlas), **labels)
    assert (len(encoder.names), encoder.provenance["space"]) == (regions, "MNI152NLin6, mm, RAS+")
    values = np.random.default_rng(0).normal(size=nib.load(atlas).shape)
    nib.save(nib.Nifti1Image(values, nib.load(atlas).affine), tmp_path / "sub-01_space-MNI152NLin6Asym_T1w.nii.gz")
    found = encoder.read(tmp_path).values[0]
    expected = NiftiLabelsMasker(str(atlas), standardize=None).fit_transform(str(tmp_path / "sub-01_space-MNI152NLin6Asym_T1w.nii.gz"))
    np.testing.assert_allclose(found, np.ravel(expected), rtol=0, atol=1e-9)
    nib.save(nib.Nifti1Image(values, nib.load(atlas).affine), tmp_path / "sub-02_space-MNI152NLin2009cAsym_T1w.nii.gz")
    with pytest.raises(ValueError, match="found 'MNI152NLin2009cAsym', expected 'MNI152NLin6'"):
        encoder.read(tmp_path / "sub-02_space-MNI152NLin2009cAsym_T1w.nii.gz")


def test_a_table_without_a_header_gives_every_region_of_the_real_atlas():
    names, indices = read_labels(_real("atlases", "Desikan.csv"))
    assert (indices, names[:2]) == (tuple(range(1, 71)), ("L_white_matter", "L_Banks_superior_temporal_sulcus"))


def test_a_table_of_several_atlases_is_refused_as_the_labels_of_one():
    with pytest.raises(ValueError, match=r"regions\.csv: label '\d+' occurs twice, and 40 others do"):
        read_labels(_real("article_brain_map", "regions.csv"))
