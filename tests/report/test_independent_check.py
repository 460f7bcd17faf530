"""What the gate lets stand is true by a check that shares no code with it; what is wrong it finds."""

import numpy as np
import pytest
from independent_check import Counted, Raw, check_printed, check_text, of_folder, standing_lines

from bridge.language.subject import subjects
from bridge.report import write
from bridge.report.cohort import cohort_reports
from bridge.report.cohort.cohort_reports import CohortReports, Settings
from bridge.report.generation.confidence import Generation
from bridge.report.render import to_html, to_markdown
from bridge.report.write import write_report

SAID = "Gene findings: organ systems eye, skin, kidney and heart; inheritance autosomal recessive. Brain findings: highest in the {}; lowest in the {}."


@pytest.fixture
def sample(tiny_cohort):
    """Sample 0, its values, its raw record, and its regions from the highest to the lowest."""
    (subject,) = subjects(tiny_cohort, [0])
    regions = subject.regions["brain"]
    values = {modality: tiny_cohort.values(modality)[0] for modality in sorted(subject.present)}
    return subject, values, Raw(tiny_cohort.table, "sample-00"), [regions.names[number] for number in regions.ordered()]


def counted(check, text, raw):
    found = Counted()
    check(text, raw, found)
    return found.looked_up, len(found.wrong)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("highest in the {0} and {9}", (2, 1)),
        ("Lowest in the {9}; highest in the {1}", (2, 0)),
        ("the {0} is higher than the {9}", (1, 0)),
        ("the {0} is lower than the {9}", (1, 1)),
        ("All is well.", (0, 0)),
        ("Gene: not given. Brain map: not given.", (2, 2)),
        ("Note: not given. Gene findings: insufficient evidence.", (0, 0)),
        ("highest in the hippocampus", (0, 0)),
    ],
)
def test_extremes_and_comparisons_are_looked_up(sample, text, found):
    assert counted(check_text, text.format(*sample[3]), sample[2]) == found


def test_facts_are_compared_with_the_list_of_the_sample(sample, tiny_cohort):
    listed = tiny_cohort.fact("organ_systems")[0]
    absent = [organ for organ in ("eye", "skin", "kidney", "heart") if organ not in listed]
    looked_up, wrong = counted(check_text, "organ systems eye, skin, kidney and heart", sample[2])
    assert (looked_up, wrong) == (4, len(absent))


def test_a_printed_value_is_that_of_the_file(sample):
    raw, name = sample[2], sample[3][0]
    value = raw.maps["brain"][name][0]
    assert counted(check_printed, f"highest in the {name} — {name}: {value:.3g} a.u. (z +1.0, rank 1 of 10)", raw) == (1, 0)
    assert counted(check_printed, f"highest in the {name} — {name}: {value * 1.1:.3g} a.u. (z +1.0, rank 1 of 10)", raw) == (1, 1)
    assert counted(check_printed, f"highest in the {name} — {name}: {value:.3g} a.u. (z +1.0, rank 2 of 10)", raw) == (1, 1)


@pytest.mark.parametrize("render", [to_markdown, to_html])
def test_no_statement_that_stands_on_a_page_is_wrong_though_the_text_was(bridge, sample, monkeypatch, render):
    subject, values, raw, ordered = sample
    text = SAID.format(f"{ordered[0]}, {ordered[8]}", f"{ordered[9]}, {ordered[1]}")
    monkeypatch.setattr(write, "generated", lambda *_, **__: [Generation(text, (text,), (0.5,))])
    page = render(write_report(bridge, subject, values))
    lines = standing_lines(page)
    after = [counted(check_text, line.split(" — ")[0], raw) for line in lines]
    assert counted(check_text, text, raw)[1] >= 2
    assert sum(looked_up for looked_up, _ in after) >= 2
    assert sum(wrong for _, wrong in after) == 0


def test_a_folder_of_reports_is_read_sample_by_sample(bridge, tiny_cohort, tiny_cohort_file, tmp_path, monkeypatch):
    text = SAID.format("left cuneus", "right insula")
    monkeypatch.setattr(cohort_reports, "generated", lambda _, values, asked, **__: [Generation(text, (text,), (0.5,))] * len(asked))
    CohortReports(bridge, tiny_cohort, range(6), tmp_path, settings=Settings("markdown", 4)).write()
    rows = of_folder(tmp_path / "reports", tiny_cohort_file)
    assert [row[0] for row in rows] == tiny_cohort.ids[:6]
    assert sum(len(row[2].wrong) for row in rows) > 0
    assert sum(len(row[3].wrong) for row in rows) == 0
    assert np.sum([row[1][1] for row in rows], axis=0)[1] == 0
