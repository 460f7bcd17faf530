"""What a text says is read as a careful person would read it, slips and denials included."""

import time

import pytest
from desikan_killiany import FACTS, REGIONS
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.language import grammar
from bridge.report.claims.parse import claims_in
from bridge.report.schema import Direction, Verdict

ATLAS = {"brain": REGIONS}


def said(text, regions=ATLAS, facts=FACTS):
    return [(claim.entity, claim.direction.value) for claim in claims_in(text, regions, facts) if claim.direction is not Direction.NONE]


def test_a_report_in_the_grammar_is_read_in_full():
    text = (
        "Brain findings: highest in the right pallidum, left banks of the superior temporal sulcus and brain stem; lowest in the left cuneus, "
        "right cuneus and left precuneus. Gene findings: inheritance X-linked recessive; organ systems nervous system, head and neck and eye."
    )
    assert said(text) == [
        ("right pallidum", "higher"),
        ("left banks of the superior temporal sulcus", "higher"),
        ("brain stem", "higher"),
        ("left cuneus", "lower"),
        ("right cuneus", "lower"),
        ("left precuneus", "lower"),
        ("X-linked recessive", "present"),
        ("nervous system", "present"),
        ("head and neck", "present"),
        ("eye", "present"),
    ]


@pytest.mark.parametrize("name", REGIONS)
def test_each_region_of_the_atlas_is_found_as_itself_and_as_nothing_else(name):
    assert said(f"Highest in the {name}.") == [(name, "higher")]
    assert said(f"LOWEST  in the {name.upper()}.") == [(name, "lower")]


def test_a_name_inside_a_longer_name_is_not_found():
    assert said("Highest in the left precuneus.") == [("left precuneus", "higher")]
    assert said("Highest in the cuneus tip.", {"brain": ("cuneus", "cuneus tip")}) == [("cuneus tip", "higher")]
    assert said("Highest in the left insula.", {"brain": ("insula", "left insula")}) == [("left insula", "higher")]


@pytest.mark.parametrize("slip", ["left glowing pole", "cuneus", "left cuneus-like", "left left cuneus", "left cuneusx", "eye"])
def test_a_name_the_input_does_not_have_is_kept_as_written_and_is_not_in_the_input(slip):
    (claim,) = claims_in(f"Highest in the {slip}.", ATLAS, FACTS)
    assert (claim.entity, claim.direction, claim.verdict) == (slip, Direction.HIGHER, Verdict.NOT_IN_INPUT)


def test_a_side_added_to_an_atlas_without_sides_is_not_in_the_input():
    (claim,) = claims_in("Highest in the left frontal pole.", {"brain": ("frontal pole", "insula")}, {})
    assert (claim.entity, claim.verdict) == ("left frontal pole", Verdict.NOT_IN_INPUT)


def test_an_item_outside_the_vocabulary_is_not_in_the_input_and_not_its_last_words():
    (claim,) = claims_in("Organ systems peripheral nervous system.", ATLAS, FACTS)
    assert (claim.entity, claim.verdict) == ("peripheral nervous system", Verdict.NOT_IN_INPUT)


def test_repeated_names_count_once():
    assert said("Highest in the left cuneus, left cuneus and LEFT CUNEUS. Highest in the left cuneus.") == [("left cuneus", "higher")]


def test_a_region_named_at_both_ends_is_two_claims():
    assert said("Highest in the left cuneus; lowest in the left cuneus.") == [("left cuneus", "higher"), ("left cuneus", "lower")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No involvement of the eye.", [("eye", "absent")]),
        ("No involvement of the eye or skin, but the nervous system is affected.", [("eye", "absent"), ("skin", "absent"), ("nervous system", "present")]),
        ("The eye and the skin are not involved.", [("eye", "absent"), ("skin", "absent")]),
        ("The eye isn't affected, the skin is.", [("eye", "absent"), ("skin", "present")]),
        ("Organ systems nervous system, not eye.", [("nervous system", "present"), ("eye", "absent")]),
        ("Organ systems nervous system without skin.", [("nervous system", "present"), ("skin", "absent")]),
        ("Organ systems eye spared, skin.", [("eye", "absent"), ("skin", "present")]),
        ("All organ systems but the eye.", [("eye", "absent")]),
        ("Not only the eye but also the skin is affected.", [("eye", "present"), ("skin", "present")]),
        ("There is no doubt that the eye is affected.", [("eye", "present")]),
        ("Neither the eye nor the skin.", [("eye", "absent"), ("skin", "absent")]),
        ("Organ systems: insufficient evidence of the eye.", []),
        ("It is not known whether the skin is involved.", []),
        ("Severe disease of the eye.", [("eye", "present")]),
    ],
)
def test_a_denied_fact_is_not_a_finding(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Not highest in the left cuneus.",
        "The left cuneus is not among the highest.",
        "Nothing is highest in the left cuneus.",
        "Neither highest in the left cuneus nor lowest in the right cuneus.",
        "Insufficient evidence for highest in the left cuneus.",
        "The left cuneus is not higher than the right cuneus.",
        "The left cuneus isn't higher than the right cuneus.",
        "It is unclear whether the left cuneus is higher than the right cuneus.",
        "The left cuneus is clearly not higher than the right cuneus.",
        "Brain map: not given. Gene findings: insufficient evidence.",
        "The left cuneus was looked at.",
        "highest highest lowest in the in the",
        "...;;;\n\n!!",
        "",
    ],
)
def test_a_text_that_asserts_no_extreme_yields_none(text):
    assert said(text) == []


def test_only_the_denied_region_of_a_list_is_left_out():
    assert said("Highest in the right pallidum rather than the left cuneus.") == [("right pallidum", "higher")]
    assert said("Highest in the right pallidum, not the left cuneus.") == [("right pallidum", "higher")]


def test_an_answer_no_is_not_a_denial_of_what_follows():
    (claim,) = claims_in("No, the left cuneus is lower than the brain stem.", ATLAS, FACTS)
    assert (claim.entity, claim.direction, claim.than) == ("left cuneus", Direction.LOWER, "brain stem")


def test_other_forms_of_the_same_finding_are_read():
    assert said("The left cuneus and the brain stem are highest.") == [("left cuneus", "higher"), ("brain stem", "higher")]
    assert said("The highest regions are the left cuneus (0.93) and brain stem: 0.8, z +1.2.") == [("left cuneus", "higher"), ("brain stem", "higher")]
    assert said("Highest in the left cuneus and lowest in the brain stem.") == [("left cuneus", "higher"), ("brain stem", "lower")]


def test_a_region_name_does_not_name_the_organ_in_it():
    assert said("Lowest in the left frontal eye field.", {"brain": ("left frontal eye field",)}) == [("left frontal eye field", "lower")]


def test_names_with_commas_dots_and_conjunctions_stay_whole():
    names = ("area 7.1, medial", "basal and lateral amygdala", "CA1 (left)")
    assert said("Highest in the area 7.1, medial, basal and lateral amygdala and CA1 (left).", {"brain": names}) == [(name, "higher") for name in names]


def test_every_organ_system_as_the_phenotype_ontology_words_it_is_read_as_itself():
    items = """nervous system, eye, head or neck, prenatal development or birth, blood and blood-forming tissues, metabolism/homeostasis, growth,
    cellular phenotype, limbs, integument, musculoskeletal system, digestive system, constitutional, thoracic cavity, voice"""
    vocabulary = {"organ_systems": tuple(item.strip() for item in items.split(","))}
    for shown in (vocabulary["organ_systems"], *zip(vocabulary["organ_systems"], strict=True)):
        text = grammar.section("gene", [grammar.known("organ_systems", shown)])
        assert said(text, ATLAS, vocabulary) == [(item, "present") for item in shown]


def test_the_heading_decides_between_two_maps_with_the_same_regions():
    maps = {"thickness": ("insula", "cuneus"), "volume": ("insula", "cuneus")}
    claims = claims_in("Thickness findings: highest in the insula. Volume findings: highest in the insula.", maps, {})
    assert [claim.modality for claim in claims] == ["thickness", "volume"]


def test_prose_is_kept_and_a_quantity_without_a_measured_value_is_not_in_the_input():
    plain, quantity = claims_in("The patient is well. The volume is 3.4 ml.", {}, {})
    assert (plain.statement, plain.verdict) == ("The patient is well", Verdict.UNCHECKABLE)
    assert (quantity.statement, quantity.verdict) == ("The volume is 3.4 ml", Verdict.NOT_IN_INPUT)


def test_a_forged_mark_in_the_text_names_nothing():
    assert said("Lowest in the brain stem; highest in the \ue0000\ue001, \ue00099\ue001.") == [("brain stem", "lower")]


def test_a_long_degenerate_text_is_read_in_little_time():
    started = time.process_time()  # other processes may share the core
    for text in ("highest in the left cuneus, " * 2000, " " * 20000 + "findings", "is not higher " * 3000, "(" * 5000, "no " * 5000 + "eye", "a" * 50000):
        claims_in(text, ATLAS, FACTS)
    assert time.process_time() - started < 5


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["highest", "lowest", "in the", "no", "not", "is higher than", ",", "and", ";", "but", *REGIONS, *FACTS["organ_systems"]])).map(
        " ".join
    )
)
def test_any_text_is_read_without_an_error_and_a_known_entity_is_in_the_text(text):
    for claim in claims_in(text, ATLAS, FACTS):
        assert claim.statement
        if claim.direction in (Direction.HIGHER, Direction.LOWER) and claim.verdict is Verdict.UNCHECKABLE:
            assert claim.entity in text
