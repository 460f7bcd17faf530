"""Every planted leak is found, and a clean cohort has none."""

import json

import numpy as np
import pandas as pd
import pytest

from bridge.data.cohort import Cohort
from bridge.evaluate import prompt_leaks
from bridge.evaluate.finding import Finding, table
from bridge.evaluate.label_leaks import labels_of, one_per_group
from bridge.evaluate.leaks import scan, scan_cohort
from bridge.evaluate.prompt_leaks import holds_target
from bridge.evaluate.shapes import path_columns, shape_columns
from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable

SAMPLES = 240
REGIONS = tuple(
    f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "insula", "pallidum", "caudate", "amygdala", "banks of the temporal sulcus")
)
SPLIT = np.repeat(["train", "validation", "test"], [160, 40, 40])


class Parts:
    """What a cohort is made of, for a test to spoil before it is put together."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.random = random
        self.gene, self.brain = random.normal(size=(SAMPLES, 16)), random.normal(size=(SAMPLES, len(REGIONS)))
        self.brain[random.random(self.brain.shape) < 0.1] = np.nan
        self.obs = pd.DataFrame({"split": SPLIT, "group": [f"g{row // 2}" for row in range(SAMPLES)]}, index=[f"sample-{row}" for row in range(SAMPLES)])
        self.obs["organ_systems"] = random.choice(["eye", "skin", "eye; skin", "heart"], SAMPLES)
        self.obs["note"] = [" ".join(random.choice([f"word{number}" for number in range(500)], 30)) for _ in range(SAMPLES)]
        self.obs["site"] = random.choice(["london", "paris"], SAMPLES)
        self.facts = {"organ_systems": "gene"}

    def cohort(self):
        modalities = {"gene": (GeneTable(dim=16), self.gene), "brain": (RegionTable(REGIONS), self.brain)}
        return Cohort.assemble(self.obs, modalities, texts=("note",), facts=self.facts)

    def put(self, column, row, value):
        self.obs.iloc[row, self.obs.columns.get_loc(column)] = value


@pytest.fixture(autouse=True)
def few_prompts(monkeypatch):
    """Twenty samples are asked, not a hundred: what a question tells it tells of all."""
    monkeypatch.setattr(prompt_leaks, "MOST_SAMPLES", 20)


@pytest.fixture
def parts():
    return Parts()


def severe(cohort, **options):
    """Check and place of every severe finding."""
    return {(finding.check, finding.where) for finding in scan(cohort, **options) if finding.severe}


def test_a_clean_cohort_has_no_finding(parts):
    assert scan(parts.cohort(), labels=["site"]) == []


def test_a_participant_in_two_splits_is_found_by_the_name_of_the_column(parts):
    parts.obs["Subject_ID"] = [f"person-{row // 2}" for row in range(SAMPLES)]
    assert not severe(parts.cohort())
    parts.put("Subject_ID", 239, "Person-003")
    parts.put("Subject_ID", 0, "person-3")
    assert severe(parts.cohort()) == {("shared between splits", "obs['Subject_ID']")}


def test_a_site_in_two_splits_is_found_when_it_is_asked_for(parts):
    assert not severe(parts.cohort())
    (finding,) = scan(parts.cohort(), columns=["site"])
    assert finding.found == "2 in more than one split: london, paris"
    assert finding.severe


def test_a_group_that_was_parted_after_the_cohort_was_made_is_found(parts):
    cohort = parts.cohort()
    cohort.table.obs["group"] = ["g0", *cohort.table.obs["group"][1:-1], "g0"]
    assert severe(cohort) == {("shared between splits", "obs['group']")}


@pytest.mark.parametrize("spelling", ["sub-SAMPLE-003", "Sample-3 ", "sub-sample-3_ses-2"])
def test_one_sample_under_two_ids_is_found(spelling, parts):
    parts.obs.index = [*parts.obs.index[:-1], spelling]
    assert severe(parts.cohort()) == {("one sample in two splits", "sample ids")}


def test_near_duplicates_are_found_listed_and_counted(parts):
    for row in range(7):
        parts.gene[200 + row] = parts.gene[row] + 1e-3 * parts.random.normal(size=16)
    parts.brain[180], parts.brain[239] = parts.brain[100], parts.brain[180]
    found = {finding.where: finding for finding in scan(parts.cohort())}
    assert set(found) == {"obsm['gene']", "obsm['brain']"}
    assert found["obsm['gene']"].found.startswith(
        "7 of 80 held-out samples have cosine > 0.999 with one in another split: sample-200 (test) and sample-0 (train), "
    )
    assert found["obsm['gene']"].found.endswith(" and 2 more")
    assert found["obsm['brain']"].found.startswith("2 of 80 ")


def test_two_samples_with_one_value_in_common_are_no_duplicates(parts):
    parts.brain[[3, 230]] = np.nan
    parts.brain[[3, 230], 4] = 1.0, 2.0
    assert not severe(parts.cohort())


def test_near_duplicates_inside_a_split_are_no_leak(parts):
    parts.gene[10] = parts.gene[11]
    assert not severe(parts.cohort())


def test_a_text_in_two_splits_is_found_whatever_its_signs(parts):
    parts.put("note", 220, parts.obs["note"].iloc[5].upper().replace(" ", ",  "))
    (finding,) = scan(parts.cohort())
    assert (finding.check, finding.severe) == ("same text in two splits", True)
    assert "1 of 80 held-out texts (sample-220); between training texts of different groups 0 of 160" in finding.found


def test_a_text_copied_with_a_few_words_changed_is_found(parts):
    copied = parts.obs["note"].iloc[5].split()
    parts.put("note", 220, " ".join(["Another", *copied[1:], "end"]))
    assert severe(parts.cohort()) == {("text copied from training texts in runs of 8 words", "obs['note']")}


def test_texts_of_one_form_that_repeat_by_chance_are_noted_and_copies_beyond_that_are_severe(parts):
    parts.obs["note"] = [f"Linked to disorder {number}." for number in parts.random.integers(2000, size=SAMPLES)]
    (finding,) = scan(parts.cohort())
    assert (finding.check, finding.severe) == ("same text in two splits", False)
    for row in range(20):
        parts.put("note", 200 + row, parts.obs["note"].iloc[row])
    assert severe(parts.cohort()) == {("same text in two splits", "obs['note']")}


def eyes(parts):
    return parts.obs["organ_systems"].str.contains("eye").to_numpy()


def test_a_fact_told_by_which_modality_is_there_is_found(parts):
    parts.brain[eyes(parts) & (parts.random.random(SAMPLES) < 0.6)] = np.nan
    (finding,) = scan(parts.cohort())
    assert (finding.check, finding.where, finding.severe) == ("label told by what is missing", "obs['organ_systems']", True)
    assert finding.found.startswith("'eye': AUC 0.7")
    assert "n = 120" in finding.found  # one sample of each group


def test_a_fact_told_by_which_feature_is_missing_is_found(parts):
    parts.gene[eyes(parts), 3] = np.nan
    parts.gene[~eyes(parts), 5] = np.nan  # as many are measured either way
    assert ("label told by what is missing", "obs['organ_systems']") in severe(parts.cohort())


@pytest.mark.parametrize(
    ("column", "told"), [("file", ["cases/a.nii.gz", "controls/a.nii.gz"]), ("source", ["scan.nii", "scan.nii.gz"]), ("n_voxels", [900, 1000])]
)
def test_a_label_told_by_files_is_found(column, told, parts):
    parts.obs["diagnosis"] = parts.random.choice(["case", "control"], SAMPLES)
    parts.obs[column] = np.where(parts.obs["diagnosis"] == "case", *told)
    assert severe(parts.cohort(), labels=["diagnosis"]) == {("label told by shape and place of files", "obs['diagnosis']")}
    assert not severe(parts.cohort())  # not a label that anybody predicts: noted


def test_a_number_told_by_how_much_was_measured_is_found(parts):
    parts.obs["age"] = parts.random.uniform(20, 90, SAMPLES)
    parts.gene[parts.obs["age"] > 60, :6] = np.nan
    (finding,) = scan(parts.cohort(), labels=["age"])
    assert finding.severe
    assert finding.found.startswith("'age above the median': AUC 0.9")


def test_a_fact_told_by_the_length_of_texts_is_noted(parts):
    parts.obs["note"] = [" ".join(text.split()[: 15 if eye else 30]) for text, eye in zip(parts.obs["note"], eyes(parts), strict=True)]
    (finding,) = scan(parts.cohort())
    assert (finding.check, finding.severe) == ("label told by length of texts", False)


def test_a_fact_that_its_question_names_is_found(parts):
    parts.obs["skin_disease"] = np.where(parts.random.random(SAMPLES) < 0.5, "skin", "kidney")
    parts.facts["skin_disease"] = "gene"
    found = {place for check, place in severe(parts.cohort()) if check == "target inside the prompt"}
    assert found == {"question 'facts:skin_disease'", "question 'both:brain:skin_disease'"}


def test_unknown_columns_are_named(parts):
    with pytest.raises(ValueError, match="no column 'scanner' in obs"):
        scan(parts.cohort(), columns=["scanner"])


def test_a_cohort_without_training_texts_or_facts_can_be_scanned(parts):
    obs = parts.obs[["split", "group"]].assign(split="test")
    cohort = Cohort.assemble(obs, {"gene": (GeneTable(dim=16), parts.gene)}, normalise={"gene": "none"})
    assert scan(cohort) == []


def test_the_scan_writes_what_it_prints(parts, tmp_path, capsys):
    parts.put("note", 220, parts.obs["note"].iloc[5])
    findings = scan_cohort(parts.cohort(), tmp_path, 3)
    written = json.loads((tmp_path / "leaks.json").read_text())
    assert written["seed"] == 3
    assert [Finding(**fields) for fields in written["findings"]] == findings
    assert capsys.readouterr().out.strip() == table(findings)
    assert table(findings).startswith("leaks: 1 severe, 0 to know\n\nSEVERE same text in two splits: obs['note']")


def test_the_same_seed_gives_the_same_findings(parts):
    parts.brain[eyes(parts)] = np.nan
    assert scan(parts.cohort(), seed=1) == scan(parts.cohort(), seed=1)


def test_columns_that_tell_of_files_are_known_by_their_names_and_cells(parts):
    parts.obs = parts.obs.assign(n_peaks=1, size_mb=2.0, size="small", scan="a/b", report="see / above", image=[""] + ["x.nii"] * (SAMPLES - 1), age=3)
    assert shape_columns(parts.cohort()) == ["n_peaks", "size_mb"]
    assert path_columns(parts.cohort()) == ["scan", "image"]


def test_labels_are_items_values_or_sides_of_the_median(parts):
    parts.put("organ_systems", 0, "")
    parts.obs["age"] = [np.nan, *np.arange(1.0, SAMPLES)]
    items = labels_of(parts.cohort(), "organ_systems")
    assert set(items.names) == {"eye", "skin", "heart"}
    assert not items.known[0]
    assert np.array_equal(items.has[1:, items.names.index("eye")], eyes(parts)[1:])
    age = labels_of(parts.cohort(), "age")
    assert age.names == ["age above the median"]
    assert (age.known.sum(), age.has.sum()) == (SAMPLES - 1, SAMPLES // 2 - 1)


def test_one_sample_of_each_group_is_drawn():
    groups = np.repeat(np.arange(50), 3)
    rows = one_per_group(groups, 0)
    assert sorted(groups[rows]) == list(range(50))
    assert len(set(rows % 3)) == 3


@pytest.mark.parametrize(
    ("prompt", "target", "told"),
    [
        ("Name the eye disease.", "eye", True),
        ("Name the eyes.", "eye", False),
        ("Is the left eye field higher?", "Eye field", True),
        ("The patient has seizures, ataxia and a cleft palate; report.", "Seizures ataxia and a cleft palate", True),
        ("Is the banks of the temporal sulcus higher or lower than the cuneus?", "The banks of the temporal sulcus is higher than the cuneus.", False),
        ("Anything.", "", False),
        ("", "eye", False),
    ],
)
def test_a_prompt_holds_its_target_or_not(prompt, target, told):
    assert holds_target(prompt, target) is told
