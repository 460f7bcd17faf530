"""Tables of an atlas in the forms that atlases come in, and what they and the image say differently."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.atlas_labels import differences, read_labels
from encoders.brain_volume import BrainVolume

EXPECTED = (("Left-Thalamus", "Right-Thalamus", "Brain-Stem"), (10, 49, 16))
FORMS = {
    "BIDS dseg": (
        "dseg.tsv",
        "index\tname\tabbreviation\tcolor\tmapping\n0\tBackground\tBG\t#000000\t0\n10\tLeft-Thalamus\tL.T\t#00760e\t10\n49\tRight-Thalamus\tR.T\t#00760e\t49\n"
        "16\tBrain-Stem\tBS\t#779fb0\t16\n",
    ),
    "nilearn": ("lut.csv", ",index,name,color\n0,10,Left-Thalamus,#00760e\n1,49,Right-Thalamus,#00760e\n2,16,Brain-Stem,#779fb0\n"),
    "value and region": ("atlas.csv", "Value,Region\n10,Left-Thalamus\n49,Right-Thalamus\n16,Brain-Stem\n"),
    "label is a number": ("atlas.csv", "label,name,x,y,z\n10,Left-Thalamus,-1,2,3\n49,Right-Thalamus,1,2,3\n16,Brain-Stem,0,0,0\n"),
    "label is a name": ("atlas.csv", "id,label,structure\n10,Left-Thalamus,deep\n49,Right-Thalamus,deep\n16,Brain-Stem,deep\n"),
    "tab in a csv": ("atlas.csv", "index\tname\n10\tLeft-Thalamus\n49\tRight-Thalamus\n16\tBrain-Stem\n"),
    "FreeSurferColorLUT": (
        "FreeSurferColorLUT.txt",
        "#$Id: FreeSurferColorLUT.txt $\n\n#No. Label Name:                            R   G   B   A\n\n"
        "0   Unknown                                 0   0   0   0\n"
        "10  Left-Thalamus                           0   118 14  0\n49  Right-Thalamus                          0   118 14  0\n"
        "16  Brain-Stem                              119 159 176 0\n",
    ),
    "Schaefer's order": ("order.txt", "10\tLeft-Thalamus\t120\t18\t131\t0\n49\tRight-Thalamus\t120\t18\t132\t0\n16\tBrain-Stem\t120\t18\t133\t0\n"),
    "ITK-SNAP": (
        "labels.label",
        '################\n    0     0    0    0        0  0  0    "Clear Label"\n   10   255    0    0        1  1  1    "Left-Thalamus"\n'
        '   49     0  255    0        1  1  1    "Right-Thalamus"\n   16     0    0  255        0.5  1  1    "Brain-Stem"\n',
    ),
    "csv without a header": ("neuroparc.csv", "10,Left-Thalamus\r\n49,Right-Thalamus\r\n16,Brain-Stem\r\n"),
}


@pytest.mark.parametrize(("name", "text"), FORMS.values(), ids=FORMS)
def test_every_form_of_table_gives_the_same_regions(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    assert read_labels(tmp_path / name) == EXPECTED


@pytest.mark.parametrize("sides", ["L,R,B", "lh,rh,", "left,right,both", "Left,Right,n/a"])
def test_a_column_of_sides_puts_the_side_first(sides, tmp_path):
    left, right, both = sides.split(",")
    (tmp_path / "labels.csv").write_text(f",id,label,hemisphere,structure\n0,1,insula,{left},cortex\n1,2,insula,{right},cortex\n2,5,brainstem,{both},deep\n")
    assert read_labels(tmp_path / "labels.csv") == (("left insula", "right insula", "brainstem"), (1, 2, 5))


def test_a_side_that_the_name_has_already_is_not_said_twice(tmp_path):
    (tmp_path / "labels.csv").write_text("index,name,hemi\n1,Left insula,L\n2,insula,R\n")
    assert read_labels(tmp_path / "labels.csv")[0] == ("Left insula", "right insula")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\ttwo\n1\tinsula\n", r"labels\.tsv: found columns \['one', 'two'\], expected one with the labels \(index\) and one with the names"),
        ("name\tindex\ninsula\tone\n", r"column 'index': found 'one' in row 1, expected labels that are whole numbers"),
        ("name\tindex\ninsula\t1\ncuneus\t1.5\n", "column 'index': found '1.5' in row 2"),
        ("name\tindex\ninsula\t1\ncuneus\t1\n", "label '1' occurs twice"),
        ("name\tindex\ninsula\t1\ninsula\t2\n", "name 'insula' occurs twice"),
        ("name\tindex\ninsula\t1\n \t2\n", "column 'name': found no name in row 2"),
        ("name\tindex\nbackground\t0\n", "found no region"),
        ("1\n2\n", "found '1', expected a header"),
        ("1,2,3\n4,5,6\n", "found '1,2,3', expected a header"),
        ("", "found 'nothing', expected a header"),
    ],
)
def test_a_malformed_table_of_labels_is_refused_by_what_was_found(text, message, tmp_path):
    (tmp_path / "labels.tsv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_labels(tmp_path / "labels.tsv")


NAMES = st.text(st.characters(categories=["Lu", "Ll"], max_codepoint=127), min_size=1, max_size=8)


@given(st.dictionaries(st.integers(1, 10**5), NAMES, min_size=1, max_size=20).filter(lambda found: len(set(found.values())) == len(found)))
def test_any_colour_table_is_read_as_it_was_written(tmp_path_factory, regions):
    path = tmp_path_factory.mktemp("lut") / "lut.txt"
    path.write_text("#No. Label Name: R G B A\n" + "".join(f"{label:<4d}{' ' * 2}{name:40s}0 {label % 255} 7 0\n" for label, name in regions.items()))
    assert read_labels(path) == (tuple(regions.values()), tuple(regions))
    assert read_labels(path, within=list(regions)[:1]) == (tuple(regions.values())[:1], tuple(regions)[:1])


def test_a_plain_table_keeps_regions_that_the_image_lacks_and_a_colour_table_does_not(tmp_path):
    for form, kept in (("BIDS dseg", 3), ("FreeSurferColorLUT", 1)):
        name, text = FORMS[form]
        (tmp_path / name).write_text(text)
        assert len(read_labels(tmp_path / name, within=[16])[0]) == kept


def test_differences_of_image_and_table_are_said_once_when_a_cohort_is_built(tmp_path):
    labels = np.zeros((4, 4, 4), dtype=np.int16)
    labels[0], labels[1], labels[2] = 10, 16, 99
    for name, values in (("dseg", labels), ("map", labels + 1)):
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / f"{name}.nii.gz")
    (tmp_path / "dseg.tsv").write_text(FORMS["BIDS dseg"][1])
    with pytest.warns(UserWarning, match="labels of the") as told:
        encoder = BrainVolume.for_source(tmp_path / "map.nii.gz", atlas=str(tmp_path / "dseg.nii.gz"), labels=str(tmp_path / "dseg.tsv"))
    assert [str(each.message).partition("gz: ")[2] for each in told] == [
        "1 labels of the image are not in the table and belong to no region: 99",
        "1 labels of the table are not in the image, their regions will be missing: 49",
    ]
    assert encoder.names == EXPECTED[0]
    (tmp_path / "lut.txt").write_text(FORMS["FreeSurferColorLUT"][1])
    with pytest.warns(UserWarning, match="not in the table and belong to no region: 99"):
        encoder = BrainVolume.for_source(tmp_path / "map.nii.gz", atlas=str(tmp_path / "dseg.nii.gz"), labels=str(tmp_path / "lut.txt"))
    assert encoder.names == ("Left-Thalamus", "Brain-Stem")
    np.testing.assert_array_equal(encoder.read(tmp_path / "map.nii.gz").values, [[11, 17]])


def test_an_image_and_a_table_that_agree_are_no_news():
    assert differences([1, 2], [2, 1]) == []
