"""Published effect sizes as maps, and reports on them: what is read, what is judged, and what counts as right."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from bridge.benchmark.effect_maps import as_training_map, disorder_of, effect_maps, read_effects, structure_name
from bridge.benchmark.enigma import Enigma, put_controls, put_reports, training_maps
from bridge.benchmark.map_claims import Named, assignment_p, between_disorders, judged_claims, lines, named_in, unmeasured
from bridge.benchmark.results import Record
from bridge.benchmark.task import Skipped
from bridge.bundle import save
from bridge.report.schema import Direction

DATA = Path(os.environ.get("BRIDGE_DATA", "../shared/data"))
HIGHER, LOWER = Direction.HIGHER, Direction.LOWER
NAMES = ("left cuneus", "right cuneus", "left insula", "right insula", "left amygdala", "right amygdala", "left pallidum", "right pallidum")
CORTEX, SUBCORTEX = ("L_cuneus", "R_cuneus", "L_insula", "R_insula"), ("Lamyg", "Ramyg", "Lpal", "Rpal")


def table(structures, d, **columns):
    """A table in the form of the toolbox."""
    given = {"Contrast": "x", "Structure": structures, "d_icv": d, "se_icv": 0.1, "low_ci_icv": np.nan, "up_ci_icv": np.nan, "pobs": 0.01, "fdr_p": 0.02}
    return pd.DataFrame(given | columns)


@pytest.fixture
def folder(tmp_path):
    """Two studies of two disorders: cortex in two measures and subcortex of one contrast, subcortex alone of another."""
    place = tmp_path / "data" / "enigma"
    place.mkdir(parents=True)
    table(CORTEX, [0.1, -0.2, 0.3, -0.4]).to_csv(place / "22q_case-controls_CortThick.csv", index=False)
    table(CORTEX, [-1.0, -0.9, -0.8, -0.7]).to_csv(place / "22q_case-controls_CortSurf.csv", index=False)
    table((*SUBCORTEX, "LLatVent"), [0.5, 0.6, -0.5, -0.6, 2.0]).to_csv(place / "22q_case-controls_SubVol.csv", index=False)
    table(SUBCORTEX, [0.2, 0.2, -0.1, -0.1]).to_csv(place / "adhdadult_case-controls_SubVol.csv", index=False)
    return place


@pytest.fixture
def record(tmp_path):
    return Record("enigma", tmp_path / "runs" / "enigma", seed=0)


def truth(values):
    """A report that names the true ends of a map."""
    order = [NAMES[number] for number in np.argsort(-values)]
    return f"Highest in the {order[0]}, {order[1]} and {order[2]}; lowest in the {order[-1]}, {order[-2]} and {order[-3]}."


def rows_of(record):
    return {(row.metric, row.method): row for row in record.rows}


@pytest.mark.parametrize(
    ("structure", "name"),
    [
        ("L_bankssts", "left banks of the superior temporal sulcus"),
        ("R_insula", "right insula"),
        ("Lhippo", "left hippocampus"),
        ("Rthal", "right thalamus"),
        ("Raccumb", "right accumbens area"),
        ("LLatVent", ""),
    ],
)
def test_a_structure_has_the_name_it_has_in_the_cohort(structure, name):
    assert structure_name(structure) == name


@pytest.mark.parametrize("structure", ["bankssts", "Lbrain", "B_insula", "LatVent"])
def test_what_is_no_structure_is_refused(structure):
    with pytest.raises(ValueError, match=rf"field Structure: found '{structure}'"):
        structure_name(structure)


def test_a_table_gives_its_intervals_or_those_of_its_errors_whatever_their_sign(tmp_path):
    columns = {"se_icv": [0.1, -0.1, np.nan, 0.1], "low_ci_icv": [0.05, np.nan, np.nan, np.nan], "up_ci_icv": [0.4, np.nan, np.nan, np.nan]}
    table(CORTEX, [0.2, 0.2, 0.2, np.nan], **columns).to_csv(tmp_path / "bd_case-controls_CortThick_adult.csv", index=False)
    effects = read_effects(tmp_path / "bd_case-controls_CortThick_adult.csv")
    assert list(effects.index) == ["left cuneus", "right cuneus", "left insula"]  # the last has no effect size
    assert effects.loc["left cuneus", ["low", "high"]].tolist() == [0.05, 0.4]
    np.testing.assert_allclose(effects.loc["right cuneus", ["low", "high"]].astype(float), [0.2 - 0.196, 0.2 + 0.196], atol=1e-4)
    assert effects.loc["left insula", ["low", "high"]].isna().all()


def test_a_table_that_is_none_of_these_is_refused_by_file_and_field(tmp_path):
    table(CORTEX, 0.1).to_csv(tmp_path / "22q_CortThick.csv", index=False)
    with pytest.raises(ValueError, match=r"22q_CortThick\.csv: expected a name like"):
        read_effects(tmp_path / "22q_CortThick.csv")
    table(CORTEX, 0.1).drop(columns="fdr_p").to_csv(tmp_path / "22q_a_CortThick.csv", index=False)
    with pytest.raises(ValueError, match=r"22q_a_CortThick\.csv, field fdr_p: is missing"):
        read_effects(tmp_path / "22q_a_CortThick.csv")
    with pytest.raises(ValueError, match="found no table"):
        effect_maps(tmp_path / "nothing")


def test_each_measure_of_cortex_is_joined_with_the_subcortex_of_its_contrast(folder):
    maps, notes = effect_maps(folder)
    assert [(each.name, len(each.table)) for each in maps] == [
        ("22q case-controls: cortical surface area and subcortical volume", 8),
        ("22q case-controls: cortical thickness and subcortical volume", 8),
        ("adhdadult case-controls: subcortical volume", 4),
    ]
    np.testing.assert_array_equal(maps[1].values(NAMES), [0.1, -0.2, 0.3, -0.4, 0.5, 0.6, -0.5, -0.6])
    np.testing.assert_array_equal(maps[2].values(NAMES), [np.nan] * 4 + [0.2, 0.2, -0.1, -0.1])
    assert notes == ["1 of 4 tables give one number for both sides: there no side is judged."]
    with pytest.raises(ValueError, match="0 of its regions are known, expected at least 2"):
        maps[0].values(["left lobe", "right lobe"])


def test_another_part_of_a_study_is_another_map(folder):
    table(SUBCORTEX, [0.1, 0.2, 0.3, 0.4]).to_csv(folder / "22q_case-controls_SubVol_AB.csv", index=False)
    maps, _ = effect_maps(folder)
    assert [each.name for each in maps if "AB" in each.name] == ["22q case-controls AB: subcortical volume"]
    assert [len(each.table) for each in maps if "cortical thickness" in each.name] == [8]


def test_a_table_under_a_wrong_name_is_left_out_only_while_its_numbers_are_those_of_the_other(folder):
    right = table(CORTEX, [0.1, 0.2, 0.3, 0.4])
    for name in ("bd_case-controls_CortSurf", "bd_case-controls_CortThick_adult"):
        right.to_csv(folder / f"{name}.csv", index=False)
    maps, notes = effect_maps(folder)
    assert [each.name for each in maps if each.disorder == "bipolar disorder"] == ["bd case-controls adult: cortical thickness"]
    assert "bd_case-controls_CortSurf holds the numbers of bd_case-controls_CortThick_adult" in notes[1]
    right.assign(d_icv=0.5).to_csv(folder / "bd_case-controls_CortSurf.csv", index=False)
    assert len([each for each in effect_maps(folder)[0] if each.disorder == "bipolar disorder"]) == 2


@pytest.mark.parametrize(("study", "disorder"), [("adhdpediatric", "attention deficit hyperactivity disorder"), ("bd", "bipolar disorder"), ("ocd", "ocd")])
def test_studies_of_all_ages_are_of_one_disorder(study, disorder):
    assert disorder_of(study) == disorder


def test_a_map_is_shown_with_its_ranks_and_the_spread_of_training_maps():
    random = np.random.default_rng(0)
    values = random.gamma(1, size=60).round(1) - 0.5
    values[5] = np.nan
    shown = as_training_map(values, mean=1.0, spread=2.0)
    known = np.isfinite(values)
    assert np.isnan(shown[5])
    assert spearmanr(values[known], shown[known])[0] == pytest.approx(1)
    assert len(set(shown[known].tolist())) == len(set(values[known].tolist()))
    assert shown[known].mean() == pytest.approx(1.0, abs=0.2)
    assert shown[known].std() == pytest.approx(2.0, rel=0.1)
    training = random.normal(3, 0.5, (200, 60))
    again = training_maps(values[None], training)[0]
    assert np.nanmean(again) == pytest.approx(3, abs=0.1)
    assert np.nanstd(again) == pytest.approx(0.5, rel=0.1)


def test_named_regions_come_in_their_order_and_a_repetition_counts_once():
    named = named_in("Highest in the left insula and the left thumb, and in the left insula. Lowest in the right cuneus.", NAMES)
    assert [(each.end, each.place) for each in named] == [(HIGHER, 0), (HIGHER, 1), (LOWER, 0)]
    assert [each.known for each in named] == [True, False, True]
    assert [named[0].region, named[2].region] == ["left insula", "right cuneus"]
    assert named_in("A map.", NAMES) == []


def test_side_direction_sign_and_size_are_judged_by_the_numbers():
    values = np.array([-0.1, -0.2, -0.3, -0.3, -0.4, -0.5, -0.6, -0.7])
    named = [Named("left cuneus", HIGHER, 0, True), Named("left insula", HIGHER, 1, True), Named("left pallidum", LOWER, 0, True)]
    found = judged_claims(named, values, NAMES)
    # cuneus: left is the higher side; insula: both are equal, not judged; pallidum: the right is the lower side
    assert found["side"] == 0.5
    assert found["direction"] == 1.0
    assert found["sign"] == pytest.approx(1 / 3)  # all are reductions
    assert found["size"] == 1.0
    turned = [Named("left pallidum", HIGHER, 0, True), Named("right cuneus", HIGHER, 1, True), Named("left cuneus", LOWER, 0, True)]
    found = judged_claims(turned, values, NAMES)
    assert (found["side"], found["direction"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert found["size"] == 0.0
    assert set(judged_claims([], values, NAMES).values()) == {None}
    alone = judged_claims([Named("left thumb", HIGHER, 0, False), Named("left insula", HIGHER, 1, True)], np.full(8, np.nan), NAMES)
    assert set(alone.values()) == {None}


def test_what_the_table_has_no_value_for_is_told_apart_from_what_is_wrong():
    values = np.array([[0.5, 0.4, np.nan, 0.3, 0.2, 0.1, -0.1, -0.2]] * 2)
    texts = ["Highest in the left insula and left cuneus; lowest in the left foot and right pallidum.", "Nothing."]
    np.testing.assert_array_equal(unmeasured(texts, values, NAMES), [0.5, np.nan])


@pytest.mark.parametrize("seed", range(3))
def test_a_disorders_reports_are_held_to_their_own_map_and_to_all_maps_of_another(seed):
    random = np.random.default_rng(seed)
    disorders, share = np.array(["a", "a", "b", "c", "c"]), random.random((5, 5))
    share[1, 3] = np.nan
    found = between_disorders(share, disorders)
    assert found[0, 0] == pytest.approx(share[[0, 1], [0, 1]].mean())
    assert found[0, 1] == pytest.approx(share[:2, 2].mean())
    assert found[0, 2] == pytest.approx(np.nanmean(share[:2, 3:]))
    assert found[2, 2] == pytest.approx(share[[3, 4], [3, 4]].mean())


def test_p_counts_every_assignment_of_few_disorders():
    assert assignment_p(np.eye(4)) == pytest.approx(1 / 24)
    assert assignment_p(np.ones((4, 4))) == 1.0
    table = np.random.default_rng(0).random((4, 4))
    means = [np.mean([table[row, column] for row, column in enumerate(order)]) for order in itertools.permutations(range(4))]
    assert assignment_p(table) == pytest.approx(np.mean(np.array(means) >= means[0] - 1e-12))
    assert assignment_p(np.ones((1, 1))) is None
    silent = np.eye(4)
    silent[0] = np.nan
    assert assignment_p(silent) == pytest.approx(1 / 6)


def test_reports_that_tell_the_truth_are_right_on_their_map_and_not_on_others(record):
    random = np.random.default_rng(0)
    values, disorders = random.normal(size=(8, 8)), np.repeat(["a", "b", "c", "d"], 2)
    put_reports(record, "bridge", [truth(row) for row in values], values, NAMES, disorders)
    put_controls(record, [truth(row) for row in values], truth(np.zeros(8)), values, NAMES, disorders)
    found = rows_of(record)
    for metric in ("region_precision", "direction", "size"):
        assert found[metric, "bridge"].value == 1.0, metric
    for metric in ("contradiction_rate", "not_in_input_rate", "silent"):
        assert found[metric, "bridge"].value == 0.0, metric
    assert found["side", "bridge"].value > 0.7
    assert found["region_precision", "chance"].value == pytest.approx(3 / 8)
    other = found["region_precision", "bridge (other disorders)"]
    assert other.value < 0.6
    assert other.p == pytest.approx(1 / 24)
    assert "reports depend on the map" in record.parts[-1].words


def test_one_text_for_all_maps_is_not_said_to_depend_on_them_and_silence_is_undefined(record):
    values, disorders = np.random.default_rng(1).normal(size=(8, 8)), np.repeat(["a", "b", "c", "d"], 2)
    put_controls(record, [truth(values[0])] * 8, truth(values[0]), values, NAMES, disorders)
    assert "are not shown to depend" in record.parts[-1].words
    assert "+0.000 (+0.000 to +0.000)" in record.parts[-1].words
    put_reports(record, "silent one", ["The patient is well."] * 8, values, NAMES, disorders)
    put_controls(record, ["The patient is well."] * 8, truth(values[0]), values, NAMES, disorders)
    found = rows_of(record)
    assert found["region_precision", "silent one"].value is None
    assert found["region_precision", "silent one"].n == 0
    assert found["silent", "silent one"].value == 1.0
    assert "undefined" in record.parts[-1].words


def test_the_table_of_a_map_gives_each_named_region_its_numbers(folder):
    each = effect_maps(folder)[0][1]
    text = "Highest in the right amygdala and left cuneus; lowest in the right pallidum, right amygdala and left foot."
    found = {(line[1], line[2]): line[3:] for line in lines(each, text, each.values(NAMES), NAMES)}
    assert found["right amygdala", "highest"] == ("0.60", "0.40 to 0.80", "0.02", "1 of 8", "supported")
    assert found["left cuneus", "highest"][-2:] == ("4 of 8", "contradicted")
    assert found["right pallidum", "lowest"][-2:] == ("1 of 8", "supported")
    assert found["right amygdala", "lowest"][-2:] == ("8 of 8", "contradicted")
    assert [line[-1] for line in lines(each, "Nothing.", each.values(NAMES), NAMES)] == ["silent"]
    assert [line[-1] for key, line in found.items() if "foot" in key[0]] == ["not in input"]


@pytest.fixture
def given(make_bridge, tiny_cohort_file, tmp_path):
    """A bundle and the cohort it fits."""
    return {"bundle": str(save(make_bridge(), tmp_path / "bundle")), "cohort": str(tiny_cohort_file)}


def test_a_run_leaves_figures_for_every_kind_of_claim(folder, given, record, monkeypatch):
    monkeypatch.setenv("BRIDGE_DATA", str(folder.parent))
    asked = {}

    def write(bridge, values, questions, **settings):
        asked[settings["zeroed"]] = values["brain"]
        return ["Highest in the left cuneus; lowest in the right pallidum."] * len(questions)

    monkeypatch.setattr("bridge.benchmark.enigma.generate", write)
    Enigma(**given).run(record)
    record.write()
    rows = json.loads((record.out / "results.json").read_text())
    assert {row["method"] for row in rows} == {"bridge", "bridge (zeroed)", "bridge (other disorders)", "constant answer", "chance"}
    ours = {row["metric"] for row in rows if row["method"] == "bridge"}
    assert ours == {"region_precision", "contradiction_rate", "not_in_input_rate", "side", "direction", "sign", "size", "silent"}
    assert (len(asked[False]), len(asked[True])) == (3, 1)
    assert asked[False].isfinite().sum(dim=1).tolist() == [8, 8, 4]  # two of the cohort's ten regions have other names
    assert [part.heading for part in record.parts if part.table] == [
        "Regions named: 22q11.2 deletion syndrome",
        "Regions named: attention deficit hyperactivity disorder",
    ]
    words = {part.heading: part.words for part in record.parts if part.words}
    assert "3 maps of 2 disorders" in words["Protocol"]
    assert "cannot be below 0.500" in words["Protocol"]
    assert "No maps are drawn" in words["Maps"]


def test_a_bundle_writes_on_the_maps_from_the_brain_alone(folder, given, record, monkeypatch):
    monkeypatch.setenv("BRIDGE_DATA", str(folder.parent))
    Enigma(**given, max_new_tokens=3).run(record)
    assert rows_of(record)["silent", "bridge"].n == 3


def test_a_run_that_cannot_be_is_refused_or_skipped_with_the_reason(folder, given, record, monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="fields bundle and cohort: found one of them"):
        Enigma(bundle="bundle")
    monkeypatch.setenv("BRIDGE_DATA", str(folder.parent))
    with pytest.raises(ValueError, match=r"field modality: found 'gene', expected one with named regions, one of \['brain'\]"):
        Enigma(**given, modality="gene").run(record)
    monkeypatch.setenv("BRIDGE_DATA", str(tmp_path))
    with pytest.raises(Skipped, match="enigma: no such folder"):
        Enigma(**given).run(record)


def test_the_real_tables_are_read_whole():
    if not (DATA / "enigma").is_dir():
        pytest.skip(f"{DATA / 'enigma'}: no such folder; set BRIDGE_DATA to the folder that holds enigma")
    maps, notes = effect_maps(DATA / "enigma")
    assert len({each.disorder for each in maps}) == 4
    assert len({each.name for each in maps}) == len(maps) == 26
    assert max(len(each.table) for each in maps) == 82
    assert all(np.isfinite(each.table["d"]).all() and each.table["d"].abs().max() < 3 for each in maps)
    assert any("bd_case-controls_CortSurf holds the numbers" in note for note in notes)
