"""The report is closed: what does not belong is refused, and its schema is published."""

import json

import pytest
from pydantic import ValidationError

from bridge.report.schema import Claim, Evidence, Report, report_schema


def test_an_unknown_field_is_refused():
    with pytest.raises(ValidationError, match="severity"):
        Claim(entity="a", statement="b", severity=3)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ValidationError):
        Evidence(modality="brain", feature="a", sample="s", value=value)


@pytest.mark.parametrize("confidence", [-0.1, 1.1])
def test_a_confidence_outside_zero_to_one_is_refused(confidence):
    with pytest.raises(ValidationError):
        Claim(entity="a", statement="b", confidence=confidence)


def test_a_claim_cannot_be_changed_after_the_fact():
    claim = Claim(entity="a", statement="b")
    with pytest.raises(ValidationError):
        claim.verdict = "supported"


def test_the_schema_names_every_direction_source_and_verdict():
    schema = report_schema()
    assert json.loads(json.dumps(schema)) == schema
    definitions = schema["$defs"]
    assert definitions["Direction"]["enum"] == ["higher", "lower", "increased", "decreased", "within range", "present", "absent", "none"]
    assert definitions["Kind"]["enum"] == ["extreme", "comparison", "level", "fact", "prior", "input", "prose"]
    assert definitions["Source"]["enum"] == ["measured", "retrieved", "model inference"]
    assert definitions["Verdict"]["enum"] == ["supported", "near", "contradicted", "not in input", "uncheckable"]
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(Report.model_fields)
