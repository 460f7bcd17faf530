"""The page of a report: its sections, the evidence of each claim, the figures, and that the same report gives the same bytes."""

import base64
import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from full_report import BRAIN, NAMES, REPORT, block_atlas

from bridge.report import schema
from bridge.report.page import content
from bridge.report.render import to_html, to_markdown
from bridge.report.schema import Report, report_schema

HEADINGS = [
    content.GIVEN,
    "Gene findings",
    "Brain findings",
    "Expression findings",
    content.RELATE,
    content.SAYS,
    content.DISORDERS,
    content.CANNOT,
    content.STRUCK,
    content.PROVENANCE,
    content.RESEARCH,
    content.LICENCES,
]


def section(page, name):
    """The part of a page from one heading to the next."""
    return re.split("<h2>", page.split(f"<h2>{name}</h2>")[1])[0]


@pytest.fixture(scope="module")
def page():
    return to_html(REPORT, {"brain": block_atlas()})


def test_page_and_markdown_have_the_same_sections_in_order(page):
    assert re.findall("<h2>(.*?)</h2>", page) == HEADINGS
    assert re.findall("^## (.*)$", to_markdown(REPORT), flags=re.MULTILINE) == HEADINGS


def test_every_claim_among_the_findings_has_evidence_and_the_others_stand_in_a_list_of_their_own(page):
    gene, cannot = section(page, "Gene findings"), section(page, content.CANNOT)
    assert (gene.count('<li class="claim'), cannot.count('<li class="claim')) == (1, 2)  # a fact without a list and free prose cannot be checked
    assert "Listed for s1" in gene
    assert "an unspecific pattern" in cannot
    for evidence in re.findall(r'<div class="evidence".*?</li>', gene + section(page, "Brain findings"), flags=re.DOTALL):
        assert "<dt>Value</dt>" in evidence or "<dt>Listed for s1</dt>" in evidence


def test_the_evidence_of_a_claim_is_its_value_its_z_and_its_rank(page):
    brain = section(page, "Brain findings")
    shown = re.sub(r"\s+", " ", re.sub("<[^>]*>", " ", brain))
    assert "Value 0.74 a.u. z +2.40 against the training reference Rank 1 of 5" in shown
    assert "near: in the highest or lowest third" in shown


def test_a_claim_and_the_shapes_and_row_of_its_region_share_a_number(page):
    brain = section(page, "Brain findings")
    (number,) = set(re.findall(r'<tr data-region="(\d+)"><th scope="row">left cuneus', brain))
    assert re.search(rf'<li class="claim on{number}"', brain)
    assert len(re.findall(rf'<use class="region" [^>]*data-region="{number}"', brain)) >= 4
    assert f".on{number}:is(:hover" in page


def test_a_region_without_a_value_is_grey_and_said_to_be_not_measured(page):
    shape = re.search(r'<use class="region"[^>]*fill="([^"]*)"><title>left amygdala: not measured</title>', page)
    assert shape[1] == "#bdbdbd"
    assert "<title>right amygdala: not measured</title>" in page  # the atlas has it, the report not


def test_without_an_atlas_regions_are_bars(page):
    bars = to_html(REPORT)
    assert "Glass brain" in page
    assert "Glass brain" not in bars
    assert bars.count('<tr data-region="') == page.count('<tr data-region="') == len(NAMES) + 1  # and the row of the gene's list


def test_an_atlas_of_other_regions_draws_no_brain():
    other = block_atlas()
    assert "Glass brain" not in to_html(REPORT, {"gene": other})
    renamed = type(other)(other.labels, other.affine, 4, tuple(f"r{number}" for number in range(7)), other.indices, "x")
    assert "Glass brain" not in to_html(REPORT, renamed)


def test_values_without_a_reference_are_coloured_by_value():
    plain = REPORT.measured[0].model_copy(update={"z": ()})
    page = to_html(REPORT.model_copy(update={"measured": (plain,)}), block_atlas())
    assert "value (a.u.)" in page
    assert "from 0.28 to 0.74" in page


def test_many_features_are_listed_up_to_a_limit_and_the_rest_is_counted():
    names = tuple(f"GENE{number}" for number in range(1000))
    z = tuple(float(value) for value in np.linspace(-3, 3, 1000))
    many = REPORT.measured[0].model_copy(update={"names": names, "values": z, "z": z, "width": 1000, "changed": ()})
    page = to_html(REPORT.model_copy(update={"measured": (many,)}))
    assert page.count("<tr data-region=") == 201  # and the row of the gene's list
    assert "800 more" in page
    assert len(page) < 400_000


def test_a_page_without_anything_still_has_its_sections():
    page = to_html(Report(id="empty"))
    assert re.findall("<h2>(.*?)</h2>", page) == [heading for heading in HEADINGS if not heading.endswith("findings") and heading != content.DISORDERS]
    assert "Nothing was retrieved." in page


def test_the_same_report_gives_the_same_bytes(page):
    assert to_html(Report.model_validate_json(REPORT.model_dump_json()), {"brain": block_atlas()}) == page


def test_only_the_pages_own_style_and_script_may_act_and_no_address_is_loaded(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    for kind in ("style", "script"):
        own = re.search(rf"<{kind}>(.*?)</{kind}>", page, flags=re.DOTALL)[1]
        assert f"{kind}-src 'sha256-{base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()}'" in policy
    assert not re.search(r"(src|href|action|data|poster|srcset)=\"(?!#|data:,)", page)
    assert not re.search(r"\bstyle=|\bon[a-z]+=|url\((?!#)|@import", page.replace("content=", ""))


def test_the_raw_generation_is_not_shown(page):
    assert REPORT.text not in page + to_markdown(REPORT)


def test_struck_statements_stand_under_struck_and_nowhere_else(page):
    before, after = page.split(f"<h2>{content.STRUCK}</h2>")
    assert "x is larger than before" not in before
    assert "comparison with an earlier examination" in after
    assert after.count('<li class="claim struck') == 2
    assert "extreme in the left insula" not in before


def test_the_patient_has_disorders_with_evidence_for_and_against_and_the_coverage(page):
    assert "Mapping coverage: 1 of 2 imaging phenotypes map to regions" in page
    disorders = section(page, content.DISORDERS)
    assert disorders.index("Seizure") < disorders.index("Against") < disorders.index("Ataxia")


def test_the_published_schema_is_the_reports_own():
    published = Path(schema.__file__).with_name("report.schema.json")
    assert json.loads(published.read_text(encoding="utf-8")) == report_schema(), "write it again: make schema"


def test_every_finding_has_a_place_in_the_figures(page):
    for claim in BRAIN:
        for evidence in claim.evidence:
            assert f'aria-label="Place of {evidence.feature} in the brain, from above"' in page
