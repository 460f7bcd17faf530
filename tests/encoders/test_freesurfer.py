"""FreeSurfer as it writes: stats files of every parcellation, tables in every delimiter, hemispheres apart and together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from encoders.contract import check
from encoders.region_table import RegionTable

# Headers and columns as FreeSurfer 7.4 writes them.
APARC = """# Table of FreeSurfer cortical parcellation anatomical statistics
#
# CreationTime 2024/02/14-09:13:22-GMT
# generating_program mris_anatomical_stats
# cvs_version 7.4.1
# mrisurf.c-cvs_version 7.4.1
# cmdline mris_anatomical_stats -th3 -mgz -f ../stats/{hemi}.{parc}.stats -b -a ../label/{hemi}.{parc}.annot {subject} {hemi} white
# sysname  Linux
# hostname node-17
# machine  x86_64
# user     someone
#
# SUBJECTS_DIR /data/subjects
# anatomy_type surface
# subjectname {subject}
# hemi {hemi}
# AnnotationFile ../label/{hemi}.{parc}.annot
# AnnotationFileTimeStamp 2024/02/14 09:10:11
# Measure Cortex, NumVert, Number of Vertices, 133333, unitless
# Measure Cortex, WhiteSurfArea, White Surface Total Area, 90123.4, mm^2
# Measure Cortex, MeanThickness, Mean Thickness, 2.45678, mm
# Measure BrainSegNotVent, BrainSegVolNotVent, Brain Segmentation Volume Without Ventricles, 1150000.000000, mm^3
# Measure EstimatedTotalIntraCranialVol, eTIV, Estimated Total Intracranial Volume, 1512345.678901, mm^3
# NTableCols 10
# TableCol  1 ColHeader StructName
# TableCol  1 FieldName Structure Name
# TableCol  1 Units     NA
# TableCol  5 ColHeader ThickAvg
# TableCol  5 FieldName Average Thickness
# TableCol  5 Units     mm
# ColHeaders StructName NumVert SurfArea GrayVol ThickAvg ThickStd MeanCurv GausCurv FoldInd CurvInd
{first}                                 1157    755   1901  2.541 0.412     0.107     0.017        7     0.8
{second}                                2300   1500   3000  1.900 0.511     0.144     0.037       39     3.4
"""
ASEG = """# Title Segmentation Statistics
#
# generating_program mri_segstats
# cvs_version 7.4.1
# cmdline mri_segstats --seed 1234 --seg mri/aseg.mgz --sum stats/aseg.stats --pv mri/norm.mgz --empty --etiv
# anatomy_type volume
#
# SUBJECTS_DIR /data/subjects
# subjectname {subject}
# Measure BrainSeg, BrainSegVol, Brain Segmentation Volume, 1180000.000000, mm^3
# Measure EstimatedTotalIntraCranialVol, eTIV, Estimated Total Intracranial Volume, 1512345.678901, mm^3
# SegVolFile mri/aseg.mgz
# ColorTable /usr/local/freesurfer/ASegStatsLUT.txt
# ExcludeSegId 0 2 3 41 42
# NRows 3
# NTableCols 10
# ColHeaders  Index SegId NVoxels Volume_mm3 StructName normMean normStdDev normMin normMax normRange
  1   4      7000     7001.5  Left-Lateral-Ventricle            35.0511    13.1     5.0    90.0    85.0
  2  16     20000    20010.0  Brain-Stem                        70.1511     9.1    11.0   101.0    90.0
  3  53      4100     4123.4  Right-Hippocampus                 66.4102     8.2    21.0   113.0    92.0
"""
ROWS = {"aparc": ("bankssts", "cuneus"), "aparc.a2009s": ("G&S_frontomargin", "G_cuneus"), "aparc.DKTatlas": ("caudalanteriorcingulate", "cuneus")}


def _stats(folder, hemi="lh", parc="aparc", subject="sub-01"):
    folder.mkdir(parents=True, exist_ok=True)
    first, second = ROWS.get(parc, ROWS["aparc"])
    name, text = (f"{hemi}.{parc}.stats", APARC) if hemi != "aseg" else ("aseg.stats", ASEG)
    (folder / name).write_text(text.format(hemi=hemi, parc=parc, subject=subject, first=first, second=second))
    return folder / name


@pytest.fixture
def subjects(tmp_path):
    """A SUBJECTS_DIR with two subjects and FreeSurfer's own."""
    for subject in ("sub-01", "sub-02", "fsaverage"):
        stats = tmp_path / "subjects" / subject / "stats"
        for hemi in ("lh", "rh"):
            for parc in ROWS:
                _stats(stats, hemi, parc, subject)
            for other in ("aparc.pial", "w-g.pct", "BA_exvivo", "curv"):
                (stats / f"{hemi}.{other}.stats").write_text((stats / f"{hemi}.aparc.stats").read_text())
        _stats(stats, "aseg", subject=subject)
        (stats / "wmparc.stats").write_text(ASEG.format(subject=subject))
    return tmp_path / "subjects"


@pytest.mark.parametrize(
    ("parcellation", "region"), [("", "lh_bankssts"), ("aparc.a2009s", "lh_G&S_frontomargin"), ("aparc.DKTatlas", "lh_caudalanteriorcingulate")]
)
def test_a_subjects_folder_gives_the_parcellation_asked_for_and_aparc_unasked(parcellation, region, subjects):
    encoder = RegionTable.for_source(subjects, parcellation=parcellation)
    ids, values = encoder.read(subjects)
    assert ids == ["sub-01", "sub-02"]
    row = dict(zip(encoder.names, values[1], strict=True))
    assert (len(row), row[f"{region}_thickness"], row["Right-Hippocampus"]) == (7, 2.541, 4123.4)
    assert RegionTable(**encoder.init_args()).settings["parcellation"] == (parcellation or "aparc")
    assert check(RegionTable, subjects) == []


@pytest.mark.parametrize(
    ("measure", "value"), [("thickness", 2.541), ("area", 755), ("volume", 1901), ("meancurv", 0.107), ("thicknessstd", 0.412), ("curvind", 0.8)]
)
def test_every_measure_of_the_stats_is_read_and_may_be_named_in_the_source(measure, value, subjects):
    encoder = RegionTable.for_source(f"{subjects}#measure={measure}")
    row = dict(zip(encoder.names, encoder.read(subjects).values[0], strict=True))
    assert row[f"lh_bankssts_{measure}"] == value
    assert row["Brain-Stem"] == 20010.0


def test_a_parcellation_that_is_not_there_is_refused_with_those_that_are(subjects):
    with pytest.raises(ValueError, match=r"found no parcellation 'Schaefer'; it has aparc, aparc\.DKTatlas, aparc\.a2009s, aparc\.pial"):
        RegionTable.for_source(subjects, parcellation="Schaefer")


def test_the_only_parcellation_is_read_and_of_others_one_must_be_chosen(tmp_path):
    _stats(tmp_path / "one" / "stats", parc="aparc.a2009s", subject="one")
    assert RegionTable.for_source(tmp_path / "one").settings["parcellation"] == "aparc.a2009s"
    _stats(tmp_path / "one" / "stats", parc="aparc.DKTatlas", subject="one")
    with pytest.raises(ValueError, match=r"parcellations aparc\.DKTatlas, aparc\.a2009s, expected one; choose with .*#parcellation=aparc\.DKTatlas"):
        RegionTable.for_source(tmp_path / "one")
    assert RegionTable.for_source(f"{tmp_path}/one#parcellation=aparc.DKTatlas").names[0] == "lh_caudalanteriorcingulate_thickness"


def test_a_folder_that_was_renamed_gives_its_own_name_and_says_so(tmp_path):
    _stats(tmp_path / "anon-7" / "stats", subject="original")
    with pytest.warns(UserWarning, match="1 subjects have another name in their files than their folder, for example 'original' in 'anon-7'"):
        assert RegionTable.for_source(tmp_path).read(tmp_path).ids == ["anon-7"]


def test_stats_files_of_one_subject_are_joined_by_a_comma(tmp_path):
    files = [_stats(tmp_path, hemi) for hemi in ("lh", "rh", "aseg")]
    encoder = RegionTable.for_source(",".join(map(str, files)))
    ids, values = encoder.read(",".join(map(str, files)))
    assert (ids, values.shape) == (["sub-01"], (1, 7))
    assert np.isfinite(values).all()
    assert encoder.read(f"{files[0]}#sample=me").ids == ["me"]


def _table(path, hemi="lh", sep="\t", measure="thickness", parc="aparc", subjects=("sub-01", "sub-02"), level=2.0):
    """As aparcstats2table writes it: two regions, the whole hemisphere, and head size."""
    mean = {"thickness": f"{hemi}_MeanThickness_thickness", "area": f"{hemi}_WhiteSurfArea_area"}[measure]
    head = [f"{hemi}.{parc}.{measure}", f"{hemi}_bankssts_{measure}", f"{hemi}_cuneus_{measure}", mean, "BrainSegVolNotVent", "eTIV"]
    rows = [[subject, level + place, level, 2.4, 1100000.0, 1500000.0] for place, subject in enumerate(subjects)]
    path.write_text("\n".join(sep.join(map(str, row)) for row in [head, *rows]) + "\n")
    return path


def _segmentation(path, sep="\t"):
    """As asegstats2table writes it."""
    head = ["Measure:volume", "Left-Lateral-Ventricle", "3rd-Ventricle", "Brain-Stem", "CC_Anterior", "WM-hypointensities", "BrainSegVol", "lhCortexVol"]
    rows = [[subject, 7000.5, 900, 20000, 850, 1200, 1180000, 240000] for subject in ("sub-01", "sub-02")]
    path.write_text("\n".join(sep.join(map(str, row)) for row in [head, *rows]) + "\n")
    return path


@pytest.mark.parametrize("sep", ["\t", ",", ";", " "], ids=["tab", "comma", "semicolon", "space"])
@pytest.mark.parametrize("name", ["lh.aparc.thickness.txt", "lh.csv", "lh.tsv", "lh.dat"])
def test_tables_of_every_delimiter_are_read_whatever_their_ending(sep, name, tmp_path):
    encoder = RegionTable.for_source(_table(tmp_path / name, sep=sep))
    assert encoder.names == ("lh_bankssts_thickness", "lh_cuneus_thickness")
    assert encoder.read(tmp_path / name).values.tolist() == [[2, 2], [3, 2]]
    assert RegionTable.for_source(_segmentation(tmp_path / f"aseg_{name}", sep)).names[-2:] == ("CC_Anterior", "WM-hypointensities")


def test_a_transposed_table_and_names_with_a_slash_give_the_same_rows(tmp_path):
    _table(tmp_path / "lh.txt", subjects=("sub-01/", "sub-02/"))
    pd.read_csv(tmp_path / "lh.txt", sep="\t", index_col=0).T.rename_axis("lh.aparc.thickness").to_csv(tmp_path / "lying.txt", sep="\t")
    for name in ("lh.txt", "lying.txt"):
        ids, values = RegionTable.for_source(tmp_path / name).read(tmp_path / name)
        assert (ids, values.tolist()) == (["sub-01", "sub-02"], [[2, 2], [3, 2]])


def test_both_hemispheres_as_two_files_or_as_a_folder_are_one_table(tmp_path):
    tables = tmp_path / "tables"
    tables.mkdir()
    left, right = _table(tables / "lh.txt"), _table(tables / "rh.txt", "rh", sep=",", subjects=("sub-02", "sub-01"), level=5.0)
    _table(tables / "lh_area.txt", measure="area")
    _segmentation(tables / "aseg.txt")
    (tables / "notes.txt").write_text("who\twhen\n")
    encoder = RegionTable.for_source(f"{left},{right}")
    ids, values = encoder.read(f"{left},{right}")
    assert encoder.names == ("lh_bankssts_thickness", "lh_cuneus_thickness", "rh_bankssts_thickness", "rh_cuneus_thickness")
    assert dict(zip(ids, values.tolist(), strict=True)) == {"sub-01": [2, 2, 6, 5], "sub-02": [3, 2, 5, 5]}
    folder = RegionTable.for_source(tables)
    assert set(folder.names) == {*encoder.names, "Left-Lateral-Ventricle", "3rd-Ventricle", "Brain-Stem", "CC_Anterior", "WM-hypointensities"}
    assert encoder.read(tables).values.tolist() == values.tolist()
    assert RegionTable.for_source(tables, measure="area").names[:1] in (("Left-Lateral-Ventricle",), ("lh_bankssts_area",))
    assert check(RegionTable, tables) == []


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    left = _table(tmp_path / "lh.txt")
    cases = {
        "lh_bankssts_thickness' was read before": _table(tmp_path / "again.txt"),
        "has subjects like 'P1', lh.txt like 'sub-01'": _table(tmp_path / "others.txt", "rh", subjects=("P1",)),
        "found aparc in lh.txt and aparc.DKTatlas in dkt.txt, expected one parcellation": _table(tmp_path / "dkt.txt", "rh", parc="aparc.DKTatlas"),
        "found stats files beside tables": _stats(tmp_path, "rh"),
        r"nowhere.txt: no such file": tmp_path / "nowhere.txt",
    }
    for message, other in cases.items():
        with pytest.raises(ValueError, match=message):
            RegionTable.for_source(f"{left},{other}")


def test_a_subject_that_one_hemisphere_lacks_stays_and_is_said(tmp_path):
    left, right = _table(tmp_path / "lh.txt"), _table(tmp_path / "rh.txt", "rh", subjects=("sub-02", "sub-03"))
    names = ("lh_cuneus_thickness", "rh_cuneus_thickness")
    with pytest.warns(UserWarning, match="2 subjects are not in every file and lack its regions, for example 'sub-01'"):
        ids, values = RegionTable(names=names).read(f"{left},{right}")
    assert ids == ["sub-01", "sub-02", "sub-03"]
    np.testing.assert_array_equal(values, [[2, np.nan], [2, 2], [np.nan, 2]])


def test_a_folder_without_the_measure_or_without_tables_says_what_it_has(tmp_path):
    (tmp_path / "tables").mkdir()
    _table(tmp_path / "tables" / "lh.txt")
    with pytest.raises(ValueError, match=r"no table of area; found \['lh\.aparc\.thickness'\]"):
        RegionTable.for_source(tmp_path / "tables", measure="area")
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.nii.gz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"found 1 images and no table; images need an atlas to become regions; pass --atlas"):
        RegionTable.for_source(tmp_path / "images")
