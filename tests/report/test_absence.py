"""A text that says an input was not given, though it was, is struck; where the input is missing the same words are true and no claim."""

import pytest

from bridge.language.subject import Subject
from bridge.report.checked import checked_report
from bridge.report.claims.absence import denied_inputs
from bridge.report.generation.confidence import Generation
from bridge.report.reference import Reference
from bridge.report.render import to_html, to_markdown
from bridge.report.schema import Kind, Provenance, Verdict


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("Gene: not given.", ["gene"]),
        ("Brain findings: highest in the left cuneus. GENE:  not\ngiven.", ["gene"]),
        ("Brain map: not given. Gene: not given.", ["brain", "gene"]),
        ("The brain map was not given", ["brain"]),
        ("Gene findings: not given.", ["gene"]),
        ("Gene findings: insufficient evidence.", []),
        ("Transgene: not given. Gene-level data: not given.", []),
        ("The note was not given. Gene given.", []),
        ("Gene: nothing. Sex: not given.", []),
        ("", []),
    ],
)
def test_an_input_that_was_given_is_denied(text, denied):
    assert [claim.modality for claim in denied_inputs(text, {"gene", "brain"})] == denied


def test_a_modality_of_two_words_is_denied_by_its_words():
    assert [claim.entity for claim in denied_inputs("Cell state map: not given.", ["cell_state"])] == ["cell state"]


def report_on(text, present):
    reference = Reference({}, {}, {}, {}, {})
    subject = Subject("s", {}, {}, {}, {}, frozenset(present))
    return checked_report(Generation(text, (), ()), subject, reference, modalities=("gene", "brain"), provenance=Provenance())


def test_the_report_strikes_it_and_says_that_the_input_was_given():
    report = report_on("Gene: not given.", ["gene"])
    assert [(claim.kind, claim.statement, claim.verdict) for claim in report.struck] == [(Kind.INPUT, "Gene: not given", Verdict.CONTRADICTED)]
    page = to_markdown(report)
    assert "- ~~Gene: not given~~ — contradicted: it was given" in page
    assert "No statement of the model about it stood the check." in page.split("## Gene findings")[1].split("##")[0]
    assert "contradicted: it was given" in to_html(report)


def test_of_an_input_that_is_missing_it_is_true_and_nothing_is_struck():
    report = report_on("Gene: not given.", ["brain"])
    assert (report.struck, report.sections) == ((), ())
    assert "Not given." in to_markdown(report).split("## Gene findings")[1].split("##")[0]
