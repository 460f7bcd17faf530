"""What reaches a reader: findings with their measured values, and nothing that a model or file can make act."""

import html
import re

import pytest
from desikan_killiany import REGIONS
from full_report import PAYLOADS, REPORT, with_text
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bridge.report.page.content import NOTICE
from bridge.report.page.markdown import escape
from bridge.report.render import to_json, to_markdown
from bridge.report.schema import Claim, Direction, Provenance, Report
from bridge.report.verify import check, claims_in, not_known, sections, struck


def report_of(text, subject, reference, **fields):
    claims = check(claims_in(text, reference.regions, reference.facts), subject, reference)
    unknown = not_known(claims, subject, reference)
    return Report(id=subject.id, given=("brain",), missing=("note",), sections=sections(claims), text=text, struck=struck(claims), unknown=unknown, **fields)


def test_each_brain_finding_comes_with_its_measured_value(subject, reference):
    lines = to_markdown(report_of(f"Highest in the {REGIONS[0]} and {REGIONS[1]}.", subject, reference))
    assert f"{REGIONS[0]}: 0.7 a.u. (z +2.0, rank 1 of 83)" in lines
    assert f"{REGIONS[1]}: 0.695 a.u. (z +2.0, rank 2 of 83)" in lines


def test_every_finding_of_a_map_is_followed_by_a_value_and_a_near_one_says_so(subject, reference):
    text = f"Highest in the {REGIONS[0]}, {REGIONS[10]} and {REGIONS[20]}; the {REGIONS[2]} is higher than the {REGIONS[70]}."
    findings = to_markdown(report_of(text, subject, reference)).split("## Brain findings")[1].split("##")[0].strip().splitlines()
    assert len(findings) == 4
    assert all(re.search(r"\(z [+-]\d\.\d, rank \d+ of 83\)", line) for line in findings)
    assert ["near" in line for line in findings] == [False, True, True, False]


def test_a_gene_finding_without_a_list_is_marked_as_the_models_inference_with_its_confidence(make_subject, reference):
    claim = Claim(entity="eye", statement="organ systems eye", direction=Direction.PRESENT, modality="gene", attribute="organ_systems", confidence=0.615)
    report = Report(id="a", sections=sections([claim]))
    assert "- organ systems eye — model inference, confidence 0.61, uncheckable" in to_markdown(report)


def test_struck_statements_stand_under_struck_and_nowhere_else(subject, reference):
    page = to_markdown(report_of(f"Highest in the {REGIONS[80]}. Inheritance X-linked.", subject, reference))
    findings, rest = page.split("## Struck statements")
    assert REGIONS[80] not in findings
    assert f"~~highest in the {REGIONS[80]}~~ — contradicted: {REGIONS[80]}: 0.31 a.u. (z -1.9, rank 81 of 83)" in rest
    assert "~~inheritance X-linked~~ — contradicted: listed for sample-1: autosomal recessive" in rest


def test_inputs_gaps_provenance_and_the_research_notice_are_said(subject, reference):
    card = {"encoder": "RegionTable", "source": "atlas", "version": "1", "licence": "non-commercial research"}
    provenance = Provenance(bundle="demo", llm="tiny 1234", cards={"brain": card}, seed=3, versions={"torch": "2.13"}, notices=("HPO 2025-01-16",))
    page = to_markdown(report_of("", subject, reference, provenance=provenance))
    for line in ("- given: brain", "- missing: note", "Organ systems: insufficient evidence.", "- seed: 3", "- torch: 2.13", "- HPO 2025-01-16", NOTICE):
        assert line in page
    assert "- brain: non-commercial research" in page


def rendered(markdown):
    return MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown)


def tokens(markdown):
    """What a reader of Markdown makes of a text, but for the words."""
    read = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown)
    return [token.type for block in read for token in (block, *(block.children or ())) if token.type != "text"]


def around(payload):
    return to_markdown(with_text(REPORT, lambda text: f"{payload}{text}{payload}"))


def test_no_payload_in_any_text_field_is_live():
    expected = tokens(around("harmless"))
    assert [payload for payload in PAYLOADS if tokens(around(payload)) != expected] == []
    assert tokens(around("harmless").replace("harmless", "*a*", 1)) != expected


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="<>&*_`[]()!#+-.=~|\\:/@w1 \n\tab", max_size=40))
def test_any_text_is_rendered_as_itself(text):
    page = rendered(f"- {escape(text)}")
    assert set(re.findall(r"<[^>]*>", page)) <= {"<ul>", "<li>", "</li>", "</ul>"}
    if text.isascii() and text.isprintable():
        assert html.unescape(page.removeprefix("<ul>\n<li>").removesuffix("</li>\n</ul>\n")) == " ".join(text.split())


@pytest.mark.parametrize("text", ["1. a", "- a", "+ a", "# a", "1) a", "---", "===", "> a", "https://e.org", "www.e.org", "a@e.org"])
def test_text_at_the_start_of_a_line_begins_no_block_and_no_link(text):
    assert rendered(f"- {escape(text)}") == f"<ul>\n<li>{html.escape(text)}</li>\n</ul>\n"
    assert escape(text) != text


def test_characters_that_hide_or_turn_text_are_left_out():
    assert escape("a\u202eb\u200bc\x07d\u2028e\ud800") == "abc d e"


def test_json_is_strict_and_reads_back_as_the_same_report(subject, reference):
    report = report_of(f"Highest in the {REGIONS[0]} and {REGIONS[50]}.", subject, reference)
    assert Report.model_validate_json(to_json(report)) == report
