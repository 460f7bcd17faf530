"""BIDS datasets and derivatives: the file of each participant, its space, its sessions, and those who lack one."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.bids import chosen, entities_of, participants, sample_id, template, wanted
from encoders.brain_volume import BrainVolume
from encoders.contract import check
from encoders.region_table import RegionTable

SPACE = "MNI152NLin2009cAsym"
LABELS = np.arange(27, dtype=np.int16).reshape(3, 3, 3) % 3


def _image(path, level=1.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image((LABELS * level + level).astype(np.float32), np.diag([2.0, 2, 2, 1])), path)
    path.with_name(path.name.partition(".")[0] + ".json").write_text(json.dumps({"SkullStripped": False, "SpatialReference": "<ignore me>"}))
    return path


@pytest.fixture
def atlas(tmp_path):
    folder = tmp_path / "atlas"
    folder.mkdir()
    nib.save(nib.Nifti1Image(LABELS, np.diag([2.0, 2, 2, 1])), folder / f"tpl-{SPACE}_res-02_atlas-Toy_dseg.nii.gz")
    (folder / "toy_dseg.tsv").write_text("index\tname\n1\tleft cuneus\n2\tright cuneus\n")
    return {"atlas": str(folder / f"tpl-{SPACE}_res-02_atlas-Toy_dseg.nii.gz"), "labels": str(folder / "toy_dseg.tsv")}


@pytest.fixture
def fmriprep(tmp_path):
    """Two participants as fMRIPrep leaves them, a third without an image, and what lies beside them."""
    study = tmp_path / "study"
    out = study / "derivatives" / "fmriprep"
    for number in (1, 2):
        for name in (f"space-{SPACE}_res-2_desc-preproc_T1w", "desc-preproc_T1w", f"space-{SPACE}_res-2_desc-brain_mask", f"space-{SPACE}_res-2_dseg"):
            _image(out / f"sub-0{number}" / "anat" / f"sub-0{number}_{name}.nii.gz", level=number)
        _image(out / f"sub-0{number}" / "figures" / f"sub-0{number}_dseg.nii.gz")
    _image(out / "sourcedata" / "freesurfer" / "sub-01_T1w.nii.gz")
    (out / "dataset_description.json").write_text(json.dumps({"Name": "fMRIPrep", "BIDSVersion": "1.4.0", "DatasetType": "derivative"}))
    (study / "participants.tsv").write_text("participant_id\tage\tsex\nsub-01\t34\tF\nsub-02\tn/a\tM\nsub-03\t40\tn/a\n")
    (study / "participants.json").write_text("{}")
    return out


def test_derivatives_give_the_image_in_the_space_of_the_atlas_and_a_row_for_who_has_none(fmriprep, atlas):
    encoder = BrainVolume.for_source(fmriprep, **atlas)
    ids, values = encoder.read(fmriprep)
    assert ids == ["sub-01", "sub-02", "sub-03"]
    np.testing.assert_allclose(values, [[2, 3], [4, 6], [np.nan, np.nan]])
    assert check(BrainVolume, fmriprep, **atlas) == []


def test_an_image_in_another_space_than_the_atlas_is_refused_by_file_found_and_expected(fmriprep, atlas, tmp_path):
    encoder = BrainVolume.for_source(fmriprep, **atlas)
    away = _image(tmp_path / "sub-09_space-MNI152NLin6Asym_T1w.nii.gz")
    for source in (away, f"{fmriprep}#space=T1w"):
        with pytest.raises(ValueError, match="space"):
            encoder.read(source)
    with pytest.raises(ValueError, match=rf"sub-09_space.*entity space: found 'MNI152NLin6Asym', expected '{SPACE}', the space of the atlas"):
        encoder.read(away)


@pytest.mark.parametrize(
    ("found", "declared", "fits"),
    [
        ("MNI152NLin6Asym", "MNI152NLin6Asym, mm, RAS+", True),
        ("MNI152NLin6Asym", "MNI152, mm, RAS+", True),
        ("MNI152NLin6Asym", "MNI152NLin6, mm, RAS+", True),
        ("MNI152NLin6Asym", "MNI152NLin2009cAsym", False),
        ("MNI152NLin2009aAsym", "MNI152NLin2009cAsym", False),
        ("T1w", "MNI152, mm, RAS+", False),
        ("MNIColin27", "MNI152, mm, RAS+", False),
        ("T1w", "unknown, mm, RAS+", True),
        ("T1w", "scanner, mm, RAS+", True),
        ("T1w", "<MNI152NLin2009cAsym>", True),
        ("T1w", "", True),
    ],
)
def test_two_versions_of_a_template_are_two_spaces_and_its_plain_name_is_all_of_them(found, declared, fits, atlas, tmp_path):
    encoder = BrainVolume(**atlas, provenance={"atlas": "Toy", "space": declared})
    image = _image(tmp_path / "maps" / f"sub-01_space-{found}_T1w.nii.gz")
    if fits:
        assert encoder.read(image).ids == ["sub-01"]
    else:
        with pytest.raises(ValueError, match=f"found '{found}', expected '{template(declared)}'"):
            encoder.read(image)


@pytest.fixture
def visits(tmp_path):
    """Two sessions of one participant, one of another, ten as a word that sorts before two."""
    for subject, session in (("01", "2"), ("01", "10"), ("02", "2")):
        _image(tmp_path / "visits" / f"sub-{subject}" / f"ses-{session}" / "anat" / f"sub-{subject}_ses-{session}_T1w.nii.gz", level=int(session))
    return tmp_path / "visits"


def test_several_sessions_are_refused_with_what_there_is_and_how_to_choose(visits, atlas):
    with pytest.raises(ValueError, match=r"sub-01 has 2 files: .*ses-10_T1w.*\nThey differ in ses: 2, 10; choose with entities or session .*visits#ses=2$"):
        BrainVolume.for_source(visits, **atlas).read(visits)


@pytest.mark.parametrize(
    ("session", "levels"), [("first", [2, 2]), ("last", [10, 2]), ("2", [2, 2]), ("10", [10, None]), ("ses-10", [10, None])], ids=lambda each: str(each)
)
def test_a_session_is_chosen_by_its_label_or_its_place(session, levels, visits, atlas):
    expected = [np.nan if level is None else 2.0 * level for level in levels]
    encoder = BrainVolume.for_source(visits, **atlas, session=session)
    for source in (visits, f"{visits}#session={session}"):
        ids, values = encoder.read(source)
        assert ids == ["sub-01", "sub-02"]
        np.testing.assert_allclose(values[:, 0], expected)
    assert BrainVolume(**encoder.init_args()).session == session


def test_the_source_stands_above_the_setting_and_is_kept(visits, atlas):
    encoder = BrainVolume.for_source(f"{visits}#ses=10", **atlas)
    assert encoder.entities == {"ses": "10"}
    np.testing.assert_allclose(encoder.read(visits).values[:, 0], [20, np.nan])
    np.testing.assert_allclose(encoder.read(f"{visits}#ses=2,sub=01").values[:, 0], [4])


def test_entities_that_no_file_has_are_refused_with_those_there_are(fmriprep, atlas):
    with pytest.raises(ValueError, match=r"none of 8 files fits; asked for desc-smooth, found .*desc: brain, preproc; suffix: T1w, dseg, mask"):
        BrainVolume.for_source(fmriprep, **atlas).read(f"{fmriprep}#desc=smooth")
    with pytest.raises(ValueError, match=r"entities: found 'colour', expected some of subject, session"):
        BrainVolume(**atlas, entities={"colour": "red"})
    with pytest.raises(ValueError, match="unknown choice 'colour'"):
        BrainVolume(**atlas).read(f"{fmriprep}#colour=red")


def test_a_mask_is_read_only_when_it_is_asked_for(fmriprep, atlas):
    masks = BrainVolume.for_source(fmriprep, **atlas, entities={"suffix": "mask"}).read(fmriprep)
    assert np.isfinite(masks.values[:2]).all()
    for path in fmriprep.rglob("*_T1w.nii.gz"):
        path.unlink()
    with pytest.raises(ValueError, match=r"none of 4 files fits; asked for measured values, found .*suffix: dseg, mask"):
        BrainVolume.for_source(fmriprep, **atlas).read(fmriprep)


def test_images_without_a_row_in_participants_are_listed(fmriprep, atlas):
    (fmriprep / "participants.tsv").write_text("participant_id\nsub-02\n")
    with pytest.warns(UserWarning, match=r"1 samples have a file and no row in participants\.tsv: sub-01"):
        ids = BrainVolume.for_source(fmriprep, **atlas).read(fmriprep).ids
    assert ids == ["sub-01", "sub-02"]


def test_participants_without_their_column_are_refused(tmp_path):
    (tmp_path / "participants.tsv").write_text("subject\tage\n1\t2\n")
    with pytest.raises(ValueError, match=r"participants\.tsv: found columns \['subject', 'age'\], expected participant_id"):
        participants(tmp_path)
    (tmp_path / "participants.tsv").write_text("participant_id\tage\n01\t2\nsub-02\t3\n")
    assert participants(tmp_path) == ["sub-01", "sub-02"]


def test_an_image_elsewhere_takes_the_atlas_and_the_name_that_the_source_says(atlas, tmp_path):
    moved = Path(atlas["atlas"]).rename(tmp_path / "labels.nii.gz")
    encoder = BrainVolume(names=("left cuneus", "right cuneus"), indices=(1, 2), atlas="gone.nii.gz", provenance={"space": SPACE})
    image = _image(tmp_path / "scan.nii.gz")
    with pytest.raises(ValueError, match=r"found no file 'gone\.nii\.gz'.*IMAGE\.nii\.gz#atlas=LABELS\.nii\.gz"):
        encoder.read(image)
    assert encoder.read(f"{image}#atlas={moved},sample=P 7").ids == ["P 7"]


def test_surface_files_that_end_as_images_do_are_not_images(fmriprep, atlas):
    (fmriprep / "sub-01" / "func").mkdir()
    (fmriprep / "sub-01" / "func" / "sub-01_task-rest_space-fsLR_den-91k_bold.dtseries.nii").write_bytes(b"cifti")
    assert len(BrainVolume.for_source(fmriprep, **atlas).read(fmriprep).ids) == 3


def _series(folder, subject, text, name="task-rest_space-fsLR_seg-Toy_stat-mean_timeseries"):
    path = folder / f"sub-{subject}" / "func" / f"sub-{subject}_{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.with_suffix(".json").write_text('{"Sources": []}')


def test_parcellated_series_give_the_mean_over_time_and_leave_confounds_and_events_alone(tmp_path):
    for subject, level in (("01", 1), ("02", 2)):
        _series(tmp_path, subject, f"LH_Vis_1\tRH_Vis_1\n{level}\tn/a\n{level + 2}\t5\n")
        _series(tmp_path, subject, "onset\tduration\n1\t2\n", name="task-rest_events")
    (tmp_path / "participants.tsv").write_text("participant_id\nsub-01\nsub-02\nsub-03\n")
    encoder = RegionTable.for_source(tmp_path)
    ids, values = encoder.read(tmp_path)
    assert (ids, encoder.names) == (["sub-01", "sub-02", "sub-03"], ("LH_Vis_1", "RH_Vis_1"))
    np.testing.assert_allclose(values, [[2, 5], [3, 5], [np.nan, np.nan]])
    assert check(RegionTable, tmp_path) == []


def test_a_row_per_region_and_one_row_of_regions_are_read_alike(tmp_path):
    _series(tmp_path, "01", "index\tname\tthickness\tarea\n1\tcuneus\t2.5\t900\n2\tinsula\tn/a\t800\n", name="seg-DK_morph")
    _series(tmp_path, "02", "participant_id\tcuneus\tinsula\nsub-02\t2.1\t3.0\n", name="seg-DK_morph")
    encoder = RegionTable.for_source(tmp_path, names=["cuneus", "insula"])
    np.testing.assert_allclose(encoder.read(tmp_path).values, [[2.5, np.nan], [2.1, 3.0]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\n1\t2\n3\t4\n", "found 2 rows, expected one row of region values, or a time series"),
        ("a\tb\n", "found 0 rows"),
        ("a\tb\n1\thigh\n", "column 'b'.*found 'high', expected a number"),
        ("name\tx\ty\ncuneus\t1\t2\n", "expected one of values; name it with measure"),
        ("name\tx\ncuneus\t1\ncuneus\t2\n", "found a region without a name or twice"),
    ],
)
def test_a_table_of_a_participant_that_is_no_region_table_is_refused_by_its_name(text, message, tmp_path):
    _series(tmp_path, "01", text, name="seg-DK_morph")
    with pytest.raises(ValueError, match=rf"sub-01_seg-DK_morph\.tsv.*{message}"):
        RegionTable.for_source(tmp_path)


def test_several_tables_of_a_participant_are_refused_until_one_is_chosen(tmp_path):
    for stat in ("mean", "alff"):
        _series(tmp_path, "01", "cuneus\n1\n" if stat == "mean" else "cuneus\n7\n", name=f"task-rest_seg-Toy_stat-{stat}_bold")
    with pytest.raises(ValueError, match=r"They differ in stat: alff, mean; .*#stat=alff"):
        RegionTable.for_source(tmp_path)
    encoder = RegionTable.for_source(f"{tmp_path}#stat=alff")
    assert encoder.read(tmp_path).values.tolist() == [[7]]
    assert RegionTable(**encoder.init_args()).entities == {"stat": "alff"}


LABEL = st.text("abcXYZ019", min_size=1, max_size=6)


@given(LABEL, st.dictionaries(st.sampled_from(["ses", "task", "run", "space", "desc"]), LABEL), st.sampled_from(["T1w", "bold"]))
def test_the_entities_of_a_name_are_those_it_was_made_of(subject, entities, suffix):
    file = Path("anat") / f"{'_'.join([f'sub-{subject}', *(f'{name}-{label}' for name, label in entities.items()), suffix])}.nii.gz"
    assert entities_of(file) == {"sub": subject} | entities | {"suffix": suffix, "datatype": "anat"}
    assert sample_id(file) == f"sub-{subject}"


@pytest.mark.parametrize(
    ("name", "expected"), [("scan.nii.gz", "scan"), ("my.scan.nii", "my.scan"), ("task-rest_sub-01.nii", "task-rest_sub-01"), ("sub-.nii", "sub-")]
)
def test_a_name_that_is_not_of_bids_is_the_id(name, expected):
    assert sample_id(Path(name)) == expected


def test_entities_have_long_names_too_and_a_session_is_named_once():
    assert wanted({"description": "desc-preproc", "session": "01"}) == {"desc": "preproc", "ses": "01"}
    with pytest.raises(ValueError, match="session: found '2', and entities say '1'"):
        wanted({"ses": "1"}, session="2")


@given(st.permutations([f"sub-{number:02d}/anat/sub-{number:02d}_T1w.nii" for number in range(6)]))
def test_the_order_in_which_files_are_found_means_nothing(tmp_path_factory, files):
    source = Path("nowhere")
    assert list(chosen(source, [source / file for file in files], {}, leave=())) == [f"sub-{number:02d}" for number in range(6)]
