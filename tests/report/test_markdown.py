"""What reaches a reader: findings with their measured values, and nothing that a model or file can make act."""

import html
import re

import numpy as np
import pytest
from desikan_killiany import REGIONS
from full_report import PAYLOADS, REPORT, with_text
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bridge.report.given import MappedFinding, Measured, Patient
from bridge.report.page import content
from bridge.report.page.content import NOTICE
from bridge.report.page.markdown import escape
from bridge.report.render import to_html, to_json, to_markdown
from bridge.report.schema import Claim, Direction, Provenance, Report
from bridge.report.verify import check, claims_in, not_known, sections, struck
from bridge.retrieve.schema import Candidate, CandidateKind, Point, Position, Retrieved


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


def part(page, heading):
    return page.split(f"## {heading}\n")[1].split("\n## ")[0]


def test_a_long_list_stands_once_and_each_claim_says_whether_it_is_on_it(make_subject, reference):
    organs = ("nervous system", "head and neck", "eye", "skin")
    long = make_subject(np.zeros(len(REGIONS)), {"organ_systems": organs})
    page = to_markdown(report_of("Gene findings: organ systems eye, skin and skeletal system.", long, reference))
    assert page.count("nervous system") == 1
    assert "- organ systems eye — among the 4 listed for sample-1; retrieved" in part(page, "Gene findings")
    assert "| organ systems | sample-1 | nervous system, head and neck, eye, skin |" in part(page, "Gene findings")
    assert all("not among the 4 listed for sample-1" in line for line in part(page, content.STRUCK).splitlines() if line.startswith("- "))


def test_a_z_that_rounds_to_zero_has_no_sign(make_subject, reference):
    values = np.linspace(2, -2, len(REGIONS))
    values[0], values[1:] = 0.04, values[1:] - 3
    page = to_markdown(report_of(f"Highest in the {REGIONS[0]}.", make_subject(values), reference))
    assert "(z 0.0, rank 1 of 83)" in page


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The model stated nothing about it."),
        ("Inheritance X-linked.", "No statement of the model about it stood the check."),
    ],
)
def test_why_there_is_no_finding_is_what_happened(text, reason, subject, reference):
    report = report_of(text, subject, reference).model_copy(update={"given": ("brain", "gene")})
    assert part(to_markdown(report), "Gene findings").strip().startswith(reason)


def test_a_statement_that_nothing_can_check_is_not_called_refuted(make_subject, reference):
    report = report_of("Organ systems skin.", make_subject(np.zeros(len(REGIONS))), reference)
    assert part(to_markdown(report), "Gene findings").strip() == f"Nothing can check what the model stated about it; see {content.CANNOT}."


def test_the_nearest_samples_are_told_apart_and_a_gene_without_units_has_none():
    others = tuple(Point(id=name, label=label, x=0, y=0, near=True) for name, label in (("B", "zinc finger, type 2"), ("A", "actin, alpha")))
    position = Position(query="gene", x=0, y=0, others=others, shown=0.5)
    page = to_markdown(Report(id="a", given=("gene",), measured=(Measured(modality="gene", width=4, units="none"),), position=position))
    assert "The 2 nearest in the shared space, from gene, by name: actin, alpha; zinc finger, type 2." in page
    assert "- gene: 4 features without names\n" in page


def test_candidates_in_the_order_of_a_probability_are_not_called_the_nearest():
    likely = Retrieved(query="gene", kind=CandidateKind.PHENOTYPE, items=(Candidate(id="HP:1", score=-0.1, probability=0.5, prior=0.5),), candidates=9)
    near = Retrieved(query="gene", kind=CandidateKind.TEXT, items=(Candidate(id="A", label="Variants in this ge", score=0.3),), candidates=9)
    page = part(to_markdown(Report(id="a", retrieved=(likely, near))), content.SAYS)
    assert "Likeliest phenotype from gene, of 9" in page
    assert "Nearest text to gene, of 9" in page
    assert "| Variants in this ge… | A |" in page
    assert content.CHANCES in page
    assert "Variants in this ge…" in to_html(Report(id="a", retrieved=(near,)))


def test_provenance_names_the_bundle_without_its_folders_and_says_what_no_seed_means():
    page = part(to_markdown(Report(id="a", provenance=Provenance(bundle="/home/me/runs/bundle-7"))), content.PROVENANCE)
    assert "- bundle: bundle-7\n" in page
    assert "- seed: none, the most probable token is taken" in page


def test_terms_that_stand_within_others_are_told_once():
    made = Provenance(
        cards={"gene": {"licence": "names free; texts: HPO terms"}}, notices=("HPO terms", "other terms"), licences=("gene: names free; texts: HPO terms",)
    )
    assert content.licences(Report(id="a", provenance=made)) == ("gene: names free; texts: HPO terms", "other terms")


def test_a_phenotype_of_two_directions_counts_once_in_the_coverage():
    found = [
        MappedFinding(term="HP:0001305", name="Dandy-Walker", regions=(name,), direction=way) for name, way in (("vermis", "lower"), ("ventricle", "higher"))
    ]
    patient = Patient(imaging=(*found, MappedFinding(term="HP:0000002", name="Unmapped")))
    assert content.coverage(Report(id="a", patient=patient)) == "1 of 2 imaging phenotypes map to regions"


@pytest.mark.parametrize(
    ("given", "measured", "told"),
    [
        (("gene",), False, "none, the model was given no brain of this patient"),
        (("gene", "note"), True, "none, the model was given no brain of this patient"),
        (("brain", "gene"), False, "the imaging phenotypes mapped to regions, not a scan"),
        (("brain",), True, "the patient's own image or table"),
    ],
)
def test_the_brain_side_of_a_patient_is_what_the_model_was_given(given, measured, told):
    report = Report(id="a", given=given, patient=Patient(measured_brain=measured))
    assert f"- brain side: {told}\n" in to_markdown(report)
    assert f"Brain side: {told}." in html.unescape(to_html(report))
