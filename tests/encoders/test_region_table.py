"""Region tables: wide tables of any format and FreeSurfer's own."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

from encoders.contract import check
from encoders.region_table import RegionTable

REGIONS = ["left cuneus", "right cuneus", "brainstem"]
VALUES = np.array([[1.0, 2.0, 3.0], [4.0, np.nan, 6.0]])
APARC = """# Title Segmentation Statistics
#
# subjectname sub-07
# hemi {hemi}
# Measure Cortex, NumVert, Number of Vertices, 133333, unitless
# TableCol  1 ColHeader StructName
# NTableCols 5
# ColHeaders StructName NumVert SurfArea GrayVol ThickAvg
bankssts                                 1157    755   1901  2.541
cuneus                                   2300   1500   3000  1.9
"""
ASEG = """# subjectname sub-07
# ColHeaders  Index SegId NVoxels Volume_mm3 StructName normMean
  1   4     7000     7001.5  Left-Lateral-Ventricle    35.0
  2  16    20000    20010.0  Brain-Stem                70.0
"""


def _frame():
    return pd.DataFrame(VALUES, index=pd.Index(["01", "02"], name="participant_id"), columns=REGIONS)


def _table(folder, text, name="table.txt"):
    (folder / name).write_text(text)
    return folder / name


def _csv(folder):
    _frame().to_csv(folder / "regions.csv")
    return folder / "regions.csv"


def _tsv(folder):
    _frame().to_csv(folder / "regions.tsv", sep="\t", na_rep="n/a")
    return folder / "regions.tsv"


def _parquet(folder):
    _frame().to_parquet(folder / "regions.parquet")
    return folder / "regions.parquet"


def _h5ad(folder):
    anndata.AnnData(obs=pd.DataFrame(index=["01", "02"]), obsm={"brain": _frame().rename_axis(None)}).write_h5ad(folder / "regions.h5ad")
    return folder / "regions.h5ad"


@pytest.mark.parametrize("write", [_csv, _tsv, _parquet, _h5ad])
def test_every_format_gives_the_same_rows(write, tmp_path):
    source = write(tmp_path)
    encoder = RegionTable.for_source(source)
    ids, values = encoder.read(source)
    assert ids == ["01", "02"]
    assert encoder.names == tuple(REGIONS)
    np.testing.assert_array_equal(values, VALUES)
    assert encoder(torch.tensor(values)).mask.tolist() == [[True, True, True], [True, False, True]]
    assert check(RegionTable, source) == []


def test_regions_come_in_the_order_of_the_names_and_a_region_that_lacks_is_absent(tmp_path):
    encoder = RegionTable(names=("brainstem", "left insula", "left cuneus", "right cuneus"))
    np.testing.assert_array_equal(encoder.read(_csv(tmp_path)).values[0], [3, np.nan, 1, 2])


def test_a_column_that_is_no_region_is_an_error_when_names_are_given(tmp_path):
    with pytest.raises(ValueError, match="column 'brainstem' is not a region"):
        RegionTable(names=REGIONS[:2]).read(_csv(tmp_path))


def test_a_table_with_none_of_the_regions_is_refused(tmp_path):
    with pytest.raises(ValueError, match="none of the 1 regions"):
        RegionTable(names=("lh_insula_thickness",)).read(_table(tmp_path, "lh.aparc.thickness\tlh_cuneus_thickness\nsub-01\t2.5\n"))


def test_unnamed_values_need_names(tmp_path):
    np.savez(tmp_path / "regions.npz", ids=np.array(["01", "02"]), values=VALUES)
    with pytest.raises(ValueError, match="name the 3 regions with names"):
        RegionTable.for_source(tmp_path / "regions.npz")
    np.testing.assert_array_equal(RegionTable(names=REGIONS).read(tmp_path / "regions.npz").values, VALUES)
    with pytest.raises(ValueError, match="not a region"):
        RegionTable(names=REGIONS[:2]).read(tmp_path / "regions.npz")


def test_a_freesurfer_table_gives_its_regions_and_leaves_head_size_and_means_out(tmp_path):
    head = "lh.aparc.thickness\tlh_bankssts_thickness\tlh_cuneus_thickness\tlh_MeanThickness_thickness\tBrainSegVolNotVent\teTIV"
    source = _table(tmp_path, f"{head}\nsub-01\t2.5\t1.9\t2.4\t1100000\t1500000\n")
    encoder = RegionTable.for_source(source)
    assert encoder.names == ("lh_bankssts_thickness", "lh_cuneus_thickness")
    assert encoder.read(source).values.tolist() == [[2.5, 1.9]]
    assert RegionTable(names=("lh_cuneus_thickness",)).read(source).values.tolist() == [[1.9]]


def test_a_table_of_subcortical_volumes_gives_its_structures_alone(tmp_path):
    head = "Measure:volume\tLeft-Lateral-Ventricle\tBrain-Stem\tCC_Anterior\tBrainSegVol\tlhCortexVol\tMaskVol-to-eTIV\tEstimatedTotalIntraCranialVol"
    source = _table(tmp_path, f"{head}\nsub-01\t7000\t20000\t900\t1\t2\t3\t4\n")
    assert RegionTable.for_source(source).names == ("Left-Lateral-Ventricle", "Brain-Stem", "CC_Anterior")


def test_covariates_beside_freesurfer_columns_are_left_out_even_when_they_are_text(tmp_path):
    source = _table(tmp_path, "sub_id,age,lh_cuneus_thickness,rh_cuneus_thickness,Left-Amygdala,site\na,25.6,1.9,2.0,1500,Ann Arbor\n", "cohort.csv")
    assert RegionTable.for_source(source).read(source).values.tolist() == [[1.9, 2.0, 1500]]


def test_a_single_stats_file_gives_one_row_of_the_measure_asked_for(tmp_path):
    source = _table(tmp_path, APARC.format(hemi="lh"), "lh.aparc.stats")
    thickness, area = RegionTable.for_source(source), RegionTable.for_source(source, measure="area")
    assert thickness.names == ("lh_bankssts_thickness", "lh_cuneus_thickness")
    assert thickness.read(source) == (["sub-07"], pytest.approx(np.array([[2.541, 1.9]])))
    assert dict(zip(area.names, area.read(source).values[0], strict=True)) == {"lh_bankssts_area": 755, "lh_cuneus_area": 1500}
    assert RegionTable(names=("rh_cuneus_thickness", "lh_cuneus_thickness")).read(source).values[0, 1] == 1.9


def test_aseg_stats_give_volumes(tmp_path):
    source = _table(tmp_path, ASEG, "aseg.stats")
    assert RegionTable.for_source(source).read(source).values.tolist() == [[7001.5, 20010.0]]


def test_a_folder_of_subjects_joins_hemispheres_and_volumes_by_subject(tmp_path):
    for subject, parts in {"sub-07": ("lh", "rh", "aseg"), "sub-08": ("lh",)}.items():
        stats = tmp_path / subject / "stats"
        stats.mkdir(parents=True)
        for part in parts:
            text, name = (ASEG, "aseg.stats") if part == "aseg" else (APARC.format(hemi=part), f"{part}.aparc.stats")
            (stats / name).write_text(text.replace("sub-07", subject))
    encoder = RegionTable.for_source(tmp_path)
    ids, values = encoder.read(tmp_path)
    assert ids == ["sub-07", "sub-08"]
    assert set(encoder.names) >= {"lh_cuneus_thickness", "rh_cuneus_thickness", "Brain-Stem"}
    assert np.isnan(values[1]).sum() == 4
    assert not np.isnan(values[0]).any()


def test_a_subject_found_twice_is_refused(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "aseg.stats").write_text(ASEG)
    with pytest.raises(ValueError, match="'sub-07' was read before"):
        RegionTable.for_source(tmp_path)


@pytest.mark.parametrize("text", ["", "# subjectname a\n", ASEG.replace("70.0", "70.0 1"), ASEG.replace("Volume_mm3", "Volume")])
def test_a_damaged_stats_file_is_refused_by_name(text, tmp_path):
    with pytest.raises(ValueError, match=r"aseg\.stats.*cannot be read"):
        RegionTable.for_source(_table(tmp_path, text, "aseg.stats"))


def test_an_unknown_measure_and_an_empty_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="measure 'depth'"):
        RegionTable(names=REGIONS, measure="depth")
    with pytest.raises(ValueError, match="expected a FreeSurfer subject"):
        RegionTable.for_source(tmp_path)
