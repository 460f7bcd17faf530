"""True reports score 1 and omit nothing, chance is what naming at random scores, and gains become rows, tables and words."""

import numpy as np
import pytest

from bridge.benchmark.report_gain import put_differences, put_gains, put_likelihoods
from bridge.benchmark.report_scores import claims_per_report, constant_answer, facts_of
from bridge.benchmark.report_sets import ReportSets
from bridge.benchmark.results import Record
from bridge.evaluate.likelihood import true_reports

ROWS = np.array([0, 1, 2, 4, 6, 8, 20, 21])  # every one has both modalities


@pytest.fixture
def record(tmp_path):
    return Record("reports", tmp_path / "reports", seed=0)


@pytest.fixture
def sets(record, tiny_cohort):
    return ReportSets(record, tiny_cohort, ROWS)


def row_of(record, metric, method, direction="both"):
    (found,) = [row for row in record.rows if (row.metric, row.method, row.direction) == (metric, method, direction)]
    return found


def test_true_reports_are_right_and_leave_nothing_out(tiny_cohort):
    facts = facts_of(tiny_cohort, ROWS, true_reports(tiny_cohort, ROWS))
    assert [(each.modality, each.kind) for each in facts] == [("brain", "region"), ("gene", "phenotype")]
    for each in facts:
        assert (each.precision == 1).all()
        assert (each.omission == 0).all()
        assert (each.scores.contradiction == 0).all()


def test_half_a_report_omits_the_other_half(tiny_cohort):
    halves = [
        text.split("; lowest")[0] + "."
        for text in (report[report.index("Highest") if "Highest" in report else 0 :] for report in true_reports(tiny_cohort, ROWS))
    ]
    maps, _ = facts_of(tiny_cohort, ROWS, [f"Brain findings: highest{half.split('highest')[1]}" for half in halves])
    assert (maps.precision == 1).all()
    assert maps.omission == pytest.approx(0.5)


def test_a_sample_without_the_input_has_nothing_to_omit(tiny_cohort):
    rows = np.array([0, 5])  # sample 5 has no brain
    maps, phenotypes = facts_of(tiny_cohort, rows, true_reports(tiny_cohort, rows))
    assert np.isfinite(maps.omission).tolist() == [True, False]
    assert np.isnan(maps.precision).tolist() == [False, True]
    assert (phenotypes.omission == 0).all()


def test_shuffled_is_what_the_text_scores_against_the_others(tiny_cohort):
    maps, _ = facts_of(tiny_cohort, ROWS, true_reports(tiny_cohort, ROWS))
    share = maps.scores.share
    expected = [np.mean([share[text, truth] for truth in range(len(ROWS)) if truth != text]) for text in range(len(ROWS))]
    np.testing.assert_allclose(maps.shuffled, expected)
    assert (maps.shuffled < 1).all()


def test_chance_is_the_precision_of_naming_every_thing_in_turn(tiny_cohort):
    names, rows = tiny_cohort.card("brain").names, np.array([0, 7])  # sample 7 lacks one region
    measured = [(end, name) for end in ("Highest", "Lowest") for name in names]
    shares = np.array([facts_of(tiny_cohort, rows, [f"{end} in the {name}."] * 2)[0].precision for end, name in measured])
    counts = np.array([10, 9])
    assert facts_of(tiny_cohort, rows, ["", ""])[0].chance == pytest.approx((np.nansum(shares, axis=0) / (2 * counts)).mean())
    items = [f"Organ systems {item}." for item in ("eye", "skin", "kidney", "heart")]
    items += [f"Inheritance {item}." for item in ("autosomal recessive", "autosomal dominant")]
    right = np.array([facts_of(tiny_cohort, rows, [text] * 2)[1].precision for text in items])
    assert facts_of(tiny_cohort, rows, ["", ""])[1].chance == pytest.approx(right.mean())


def test_the_constant_answer_names_what_is_most_common_in_training(tiny_cohort):
    text = constant_answer(tiny_cohort)
    (maps, phenotypes) = facts_of(tiny_cohort, ROWS, [text] * len(ROWS))
    assert (maps.scores.named == 6).all()
    assert (phenotypes.scores.named == 2).all()
    train = tiny_cohort.rows("train")
    highest = text.split("ighest in the ")[1].split(";")[0]
    tops = [
        name
        for row in train
        if row != 5
        for name in np.array(tiny_cohort.card("brain").names)[np.argsort(-np.nan_to_num(tiny_cohort.values("brain")[row], nan=-9))[:3]]
    ]
    found, counts = np.unique(tops, return_counts=True)
    assert found[counts.argmax()] in highest or counts.max() == np.sort(counts)[-4]
    assert claims_per_report(tiny_cohort, [text]) == 8


def test_a_set_of_reports_becomes_rows_with_controls_and_a_table(sets, record, tiny_cohort):
    reports = true_reports(tiny_cohort, ROWS)
    sets.judge("both", "bridge", reports, controls=True)
    sets.judge("brain", "bridge", [report.split("Gene findings")[0] for report in reports], given=("brain",))
    sets.judge("both", "zeroed", [""] * len(ROWS), tested=False)
    sets.close()
    real = row_of(record, "region_precision", "bridge")
    assert (real.value, real.low, real.high, real.n) == (1, 1, 1, 8)
    assert real.p < 0.01
    assert row_of(record, "region_precision", "shuffled").value < 0.9
    assert row_of(record, "region_precision", "chance").value == pytest.approx(0.3)
    assert row_of(record, "region_precision", "zeroed").value is None
    assert row_of(record, "region_silent", "zeroed").value == 1
    assert row_of(record, "phenotype_silent", "bridge", "brain").value == 1  # the gene was not given, and nothing is said of it
    assert not [row for row in record.rows if row.metric == "phenotype_precision" and row.direction == "brain"]
    assert (record.out / "figures" / "region_precision.png").is_file()
    assert '"bridge, given brain"' in (record.out / "texts.json").read_text()
    header, lines = next(part.table for part in record.parts if part.table and part.heading == "Facts: regions")
    assert dict(zip(header, next(line for line in lines if line[:2] == ("bridge", "both")), strict=True))["precision"] == "1.000"


def test_gains_differences_and_verdicts_are_written(sets, record, tiny_cohort):
    reports, constant = true_reports(tiny_cohort, ROWS), [constant_answer(tiny_cohort)] * len(ROWS)
    turned = [report.replace("highest", "?").replace("lowest", "highest").replace("?", "lowest") for report in reports]
    written = {"bridge": reports, "plain text": turned, "bridge (blind)": constant}
    facts = {method: sets.judge("both", method, texts, tested=False) for method, texts in written.items()}
    put_gains(record, facts, "bridge (blind)", sets.groups)
    put_differences(record, facts, "bridge", sets.groups)
    assert row_of(record, "grounded_gain", "bridge", "brain").value == 1
    assert row_of(record, "grounded_gain", "plain text", "brain").value == 0  # below 0 in the table
    _, lines = next(part.table for part in record.parts if part.table and part.heading == "Grounded gain")
    gains, blind = {line[:2]: line[5] for line in lines}, facts["bridge (blind)"][0].precision.mean()
    assert gains["bridge", "brain"] == "+1.000"
    assert float(gains["plain text", "brain"]) == pytest.approx(-blind / (1 - blind), abs=1e-3)
    said = [part.words for part in record.parts if part.heading == "Verdict"]
    assert len(said) == 2
    assert "brain: the report reads this input: yes" in said[0]
    _, differences = next(part.table for part in record.parts if part.table and part.heading.startswith("What stage 1"))
    assert ("bridge less bridge (blind)", "region precision") in [line[:2] for line in differences]


def test_a_twin_that_cannot_be_beaten_leaves_the_gain_undefined(sets, record, tiny_cohort):
    reports = true_reports(tiny_cohort, ROWS)
    facts = {method: sets.judge("both", method, reports, tested=False) for method in ("bridge", "bridge (blind)")}
    put_gains(record, facts, "bridge (blind)", sets.groups)
    found = row_of(record, "grounded_gain", "bridge", "brain")
    assert (found.value, found.low, found.high) == (None, None, None)
    assert "undecided" in next(part.words for part in record.parts if part.heading == "Verdict")


def test_likelihoods_become_shares_and_probabilities_per_control(record):
    truth = np.array([0.5, 0.6, 0.7, 0.8])
    put_likelihoods(record, truth, {"gene_shuffled": truth, "brain_shuffled": truth + 0.2, "noise": truth + 1}, ["gene", "brain"], np.arange(4))
    assert row_of(record, "nll_share", "shuffled", "gene").value == 0
    assert row_of(record, "nll_share", "shuffled", "brain").value == 1
    assert row_of(record, "nll_share", "noise").p == pytest.approx(1 / 16)
    assert row_of(record, "token_probability", "bridge").value == pytest.approx(np.exp(-truth).mean())
    assert row_of(record, "nll_share", "chance").value == 0.5
