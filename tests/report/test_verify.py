"""Every claim is checked against the sample, and only what is true of it is supported."""

import dataclasses
import json

import anndata
import numpy as np
import pandas as pd
import pytest
from desikan_killiany import REGIONS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bridge.data.cohort import Cohort
from bridge.language import grammar
from bridge.report.schema import Source, Verdict
from bridge.report.verify import Reference, check, claims_in, not_known, sections, struck

maps = arrays.arrays(np.float64, len(REGIONS), elements=st.floats(-5, 5, width=16), unique=True)
fixtures = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def checked(text, subject, reference):
    return check(claims_in(text, reference.regions, reference.facts), subject, reference)


def verdicts(text, subject, reference):
    return [claim.verdict.value for claim in checked(text, subject, reference)]


def report_of(subject):
    regions = subject.regions["brain"]
    ends = [grammar.extreme(end, regions.extremes(end)) for end in (grammar.HIGHEST, grammar.LOWEST)]
    return grammar.section("brain", ends)


@fixtures
@given(values=maps)
def test_a_true_report_is_supported_in_every_claim(values, make_subject, reference):
    subject = make_subject(values)
    assert verdicts(report_of(subject), subject, reference) == ["supported"] * 6


@fixtures
@given(values=maps)
def test_a_report_with_its_ends_exchanged_is_contradicted_in_every_claim(values, make_subject, reference):
    subject, other = make_subject(values), make_subject(-values)
    assert verdicts(report_of(other), subject, reference) == ["contradicted"] * 6


@fixtures
@given(values=maps, numbers=st.lists(st.integers(3, len(REGIONS) - 4), min_size=6, max_size=6, unique=True))
def test_no_region_outside_the_three_is_supported(values, numbers, make_subject, reference):
    subject = make_subject(values)
    order = subject.regions["brain"].ordered()
    names = [REGIONS[order[number]] for number in numbers]
    text = grammar.section("brain", [grammar.extreme(grammar.HIGHEST, names[:3]), grammar.extreme(grammar.LOWEST, names[3:])])
    found = verdicts(text, subject, reference)
    assert len(found) == 6
    assert set(found) <= {"near", "contradicted"}


@pytest.mark.parametrize(("rank", "verdict"), [(1, "supported"), (3, "supported"), (4, "near"), (28, "near"), (29, "contradicted"), (83, "contradicted")])
def test_the_verdict_follows_the_rank_from_the_end_that_is_claimed(subject, reference, rank, verdict):
    assert verdicts(f"Highest in the {REGIONS[rank - 1]}.", subject, reference) == [verdict]
    assert verdicts(f"Lowest in the {REGIONS[-rank]}.", subject, reference) == [verdict]


def test_equal_values_share_a_rank(make_subject, reference):
    values = np.zeros(len(REGIONS))
    values[10:15] = 1
    assert verdicts(f"Highest in the {REGIONS[14]}.", make_subject(values), reference) == ["supported"]


def test_a_map_without_contrast_supports_no_extreme(make_subject, reference):
    subject = make_subject(np.zeros(len(REGIONS)))
    assert verdicts("Highest in the left cuneus.", subject, reference) == ["contradicted"]


def test_a_claim_points_at_the_measured_value_its_z_and_its_rank(subject, reference):
    (claim,) = checked(f"Lowest in the {REGIONS[-1]}.", subject, reference)
    (evidence,) = claim.evidence
    assert claim.source is Source.MEASURED
    assert (evidence.value, evidence.z, evidence.rank, evidence.of, evidence.units) == (pytest.approx(0.3), pytest.approx(-2), 83, 83, "a.u.")
    assert (evidence.modality, evidence.feature, evidence.sample) == ("brain", REGIONS[-1], "sample-1")
    assert claim.magnitude == evidence.z


def test_a_region_without_a_value_is_not_in_the_input(make_subject, reference):
    values = np.linspace(1, -1, len(REGIONS))
    values[0] = np.nan
    subject = make_subject(values)
    assert verdicts(f"Highest in the {REGIONS[0]}.", subject, reference) == ["not in input"]
    assert verdicts(f"Highest in the {REGIONS[1]}.", subject, reference) == ["supported"]
    assert checked(f"Highest in the {REGIONS[1]}.", subject, reference)[0].evidence[0].of == 82


def test_a_claim_about_an_input_that_was_not_given_is_not_in_the_input(subject, reference):
    text = f"Highest in the {REGIONS[0]}; the {REGIONS[0]} is higher than the {REGIONS[9]}; inheritance autosomal recessive."
    assert verdicts(text, subject.given([]), reference) == ["not in input"] * 3


def test_a_comparison_is_checked_with_both_values(subject, reference):
    (right,) = checked(f"The {REGIONS[3]} is higher than the {REGIONS[40]}.", subject, reference)
    (wrong,) = checked(f"The {REGIONS[3]} is lower than the {REGIONS[40]}.", subject, reference)
    assert (right.verdict, wrong.verdict) == (Verdict.SUPPORTED, Verdict.CONTRADICTED)
    assert [evidence.feature for evidence in right.evidence] == [REGIONS[3], REGIONS[40]]
    assert verdicts(f"The {REGIONS[3]} is higher than the {REGIONS[3]}.", subject, reference) == ["contradicted"]


def test_facts_are_checked_against_the_list_of_the_sample(subject, reference):
    text = "Inheritance autosomal recessive; organ systems head and neck, eye and liver."
    assert verdicts(text, subject, reference) == ["supported", "supported", "contradicted", "not in input"]
    assert checked(text, subject, reference)[0].source is Source.RETRIEVED


def test_without_a_list_a_fact_is_the_models_inference(make_subject, reference):
    (claim,) = checked("Inheritance autosomal recessive.", make_subject(np.zeros(len(REGIONS))), reference)
    assert (claim.verdict, claim.source, claim.evidence) == (Verdict.UNCHECKABLE, Source.INFERENCE, ())


def test_a_denied_fact_is_contradicted_when_listed_and_never_supported(subject, reference):
    assert verdicts("No involvement of the nervous system.", subject, reference) == ["contradicted"]
    assert verdicts("No involvement of the skin.", subject, reference) == ["uncheckable"]


def test_struck_and_standing_claims_are_all_claims(subject, reference):
    text = f"Highest in the {REGIONS[0]}, {REGIONS[80]} and left foo. Inheritance autosomal dominant; organ systems nervous system. All is well."
    claims = checked(text, subject, reference)
    standing = [claim for section in sections(claims) for claim in section.claims]
    assert [claim.entity for claim in struck(claims)] == [REGIONS[80], "left foo", "autosomal dominant"]
    assert [claim.entity for claim in standing] == [REGIONS[0], "nervous system", ""]
    assert [section.title for section in sections(claims)] == ["Brain findings", "Gene findings", "Other statements"]


def test_what_is_not_known_is_said(subject, make_subject, reference):
    values = np.linspace(1, -1, len(REGIONS))
    values[5] = np.nan
    partial = make_subject(values)
    claims = checked("Inheritance autosomal recessive.", partial, reference)
    assert not_known(claims, partial, reference) == (
        f"Brain map: insufficient evidence on 1 of 83 regions, no value: {REGIONS[5]}.",
        "Organ systems: insufficient evidence.",
    )
    assert not_known((), subject.given([]), reference)[0] == "Brain map: insufficient evidence, not given."


def test_what_the_model_leaves_out_though_it_is_listed_is_told_with_whose_list_it_is(subject, reference):
    told = "Organ systems: insufficient evidence. It is listed for {}, but no statement of the model about it stands."
    assert told.format("sample-1") in not_known((), subject, reference)
    of_gene = dataclasses.replace(subject, lists_of={"organ_systems": "HTT, the gene"})
    assert told.format("HTT, the gene") in not_known((), of_gene, reference)
    (claim,) = checked("Organ systems nervous system.", of_gene, reference)
    assert claim.evidence[0].sample == "HTT, the gene"


@pytest.fixture
def cohort():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(8, 4)).astype(np.float32)
    values[0], values[1, 2], values[:, 3] = np.nan, np.nan, np.nan
    names = ["a", "b", "c", "d"]
    card = {"modality": "brain", "encoder": "RegionTable", "tokens": 4, "dim": 1, "names": names, "units": "mm"}
    obs = pd.DataFrame(
        {"split": ["train"] * 5 + ["test"] * 3, "group": list("abcdefgh"), "organ": ["eye; skin", "skin", "", "skin", "", "liver", "", ""]},
        index=list("stuvwxyz"),
    )
    table = anndata.AnnData(obs=obs)
    table.obsm["brain"] = values
    table.uns["bridge"] = json.dumps(
        {
            "cards": {"brain": card},
            "encoders": {"brain": {"class_path": "encoders.region_table.RegionTable", "init_args": {"names": names}}},
            "texts": [],
            "facts": {"organ": "brain"},
            "notes": {},
        }
    )
    return Cohort(table)


def test_the_reference_is_fitted_on_the_training_split_alone(cohort):
    reference, train = Reference.of(cohort), cohort.raw("brain")[:5]
    np.testing.assert_allclose(reference.mean["brain"][:3], np.nanmean(train[:, :3], axis=0), rtol=1e-6)
    np.testing.assert_allclose(reference.spread["brain"][:3], np.nanstd(train[:, :3], axis=0), rtol=1e-6)
    assert np.isnan(reference.mean["brain"][3])
    assert reference.facts == {"organ": ("skin", "eye")}


def test_the_reference_survives_json(cohort):
    reference = Reference.of(cohort)
    again = Reference.from_dict(json.loads(json.dumps(reference.to_dict(), allow_nan=False)))
    np.testing.assert_equal(again.mean, reference.mean)
    np.testing.assert_equal(again.spread, reference.spread)
    assert (again.regions, again.facts, again.fact_modality) == (reference.regions, reference.facts, reference.fact_modality)
    assert again.z("brain", "d", 1.0) is None
    assert again.z("brain", "unheard of", 1.0) is None
