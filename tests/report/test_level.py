"""Levels in clinical wording: which region or gene, which direction, denied or open, and what number is stated."""

import pytest
from desikan_killiany import FACTS, REGIONS

from bridge.report.claims.parse import claims_in
from bridge.report.schema import Direction, Kind, Verdict

MAPS = {"brain": REGIONS, "expression": ("FOXP2", "SCN1A", "SET", "REST", "CAT", "C9orf72", "SNCA")}


def levels(text, maps=MAPS):
    """(entity, direction, with "not" where it is denied) of every level."""
    claims = [
        claim for claim in claims_in(text, maps, FACTS) if claim.kind is Kind.LEVEL and (claim.direction is not Direction.NONE or claim.claimed is not None)
    ]
    return [(claim.entity, f"{'not ' if claim.denied else ''}{claim.direction.value}") for claim in claims]


UP, DOWN, WITHIN = "increased", "decreased", "within range"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The left hippocampus is reduced.", [("left hippocampus", DOWN)]),
        ("Reduced left hippocampal volume.", [("left hippocampus", DOWN)]),
        ("The left hippocampus and the right amygdala are enlarged.", [("left hippocampus", UP), ("right amygdala", UP)]),
        ("The left hippocampus is reduced and the right amygdala is enlarged.", [("left hippocampus", DOWN), ("right amygdala", UP)]),
        ("Atrophy of the left hippocampus and thickening of the right insula.", [("left hippocampus", DOWN), ("right insula", UP)]),
        ("The left hippocampus is reduced, but the right insula is not.", [("left hippocampus", DOWN)]),
        ("The left hippocampus is not reduced.", [("left hippocampus", "not decreased")]),
        ("No evidence of atrophy of the left hippocampus.", [("left hippocampus", "not decreased")]),
        ("Atrophy of the left hippocampus is not seen.", [("left hippocampus", "not decreased")]),
        ("The left hippocampus is within the normal range.", [("left hippocampus", WITHIN)]),
        ("The left hippocampus is smaller than expected.", [("left hippocampus", DOWN)]),
        ("The left hippocampus is above the training mean.", [("left hippocampus", UP)]),
        ("The left hippocampus is abnormal.", [("left hippocampus", "not within range")]),
        ("The left hippocampus is not abnormal.", [("left hippocampus", WITHIN)]),
        ("FOXP2 expression is elevated, SCN1A is low.", [("FOXP2", UP), ("SCN1A", DOWN)]),
        ("There is no doubt that the left insula is thin.", [("left insula", DOWN)]),
        ("The left insula was looked at.", []),
        ("The left insula may be reduced.", []),
        ("It is unclear whether the left insula is reduced.", []),
    ],
)
def test_a_level_is_read_with_its_direction_and_its_denial(text, expected):
    assert levels(text) == expected


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("left hippocampal formation", "left hippocampus"),
        ("left-sided amygdalar nucleus", "left amygdala"),
        ("right superior temporal cortex", "right superior temporal gyrus"),
        ("left globus pallidus", "left pallidum"),
        ("insula on the left", "left insula"),
        ("precuneus (right)", "right precuneus"),
        ("brainstem", "brain stem"),
        ("L putamen", "left putamen"),
        ("left head of the caudate", "left caudate"),
        ("hippocampus", "hippocampus"),
        ("bilateral hippocampal volume", "hippocampus"),
        ("left and right hippocampus", "hippocampus"),
        ("glowing left hippocampus", "left hippocampus"),
    ],
)
def test_a_region_is_known_under_its_common_names_and_sides(said, name):
    assert levels(f"The {said} is reduced.") == [(name, DOWN)]


def test_the_side_of_the_first_region_of_a_list_is_meant_for_the_others_unless_they_have_their_own():
    assert levels("Atrophy of the left hippocampus, amygdala and right insula.") == [
        ("left hippocampus", DOWN),
        ("left amygdala", DOWN),
        ("right insula", DOWN),
    ]


@pytest.mark.parametrize("name", ["left cerebellum", "left zonal gyrus", "occipital lobe", "FOXP9"])
def test_a_region_or_gene_that_the_input_does_not_have_is_kept_as_written(name):
    (claim,) = claims_in(f"The {name} is reduced.", MAPS, {})
    assert (claim.entity, claim.verdict) == (name, Verdict.NOT_IN_INPUT)


def test_an_unknown_name_is_not_judged_where_the_input_has_no_names_of_its_kind():
    (claim,) = claims_in("The left cerebellum is reduced.", {}, {})
    assert claim.verdict is Verdict.UNCHECKABLE
    (claim,) = claims_in("BRCA1 expression is reduced.", {"brain": REGIONS}, {})
    assert claim.verdict is Verdict.UNCHECKABLE


def test_an_unknown_region_in_prose_without_a_level_is_not_in_the_input():
    (claim,) = claims_in("A lesion lies in the left cerebellum.", MAPS, {})
    assert (claim.entity, claim.verdict, claim.kind) == ("left cerebellum", Verdict.NOT_IN_INPUT, Kind.PROSE)


def test_a_side_that_the_atlas_does_not_have_makes_another_region():
    assert levels("The insula is reduced.", {"brain": ("insula",)}) == [("insula", DOWN)]
    (claim,) = claims_in("The left insula is reduced.", {"brain": ("insula",)}, {})
    assert claim.verdict is Verdict.NOT_IN_INPUT


@pytest.mark.parametrize(
    ("text", "genes"),
    [
        ("The set of values is low.", []),
        ("The REST of the cortex is thin.", []),
        ("The REST gene is increased.", ["REST"]),
        ("Expression of SET is increased.", ["SET"]),
        ("CAT transcripts are low.", ["CAT"]),
        ("foxp2 is low.", []),
        ("FOXP2 is low.", ["FOXP2"]),
        ("C9orf72 is low.", ["C9orf72"]),
        ("alpha-synuclein is low.", ["SNCA"]),
        ("MRI and EEG are normal.", []),
    ],
)
def test_a_gene_is_known_in_its_exact_case_and_a_word_only_beside_one_that_says_gene(text, genes):
    assert [name for name, _ in levels(text)] == genes


@pytest.mark.parametrize(
    ("text", "claimed", "unit"),
    [
        ("The left insula is reduced (z = -2.3).", -2.3, "z"),
        ("The left insula is reduced, z-score of -2.3.", -2.3, "z"),
        ("The left insula lies 2.3 standard deviations below the mean.", -2.3, "z"),
        ("The left insula is 2.3 SD above the mean.", 2.3, "z"),
        ("The left insula is reduced by 2.3 SD.", -2.3, "z"),
        ("The left insula is more than 2 SD above the mean.", None, ""),
        ("The left insula is reduced by 12 %.", 12.0, "%"),
        ("The left insula is reduced (p = 0.03).", 0.03, "p"),
    ],
)
def test_a_stated_quantity_is_read_with_its_sign_and_unit(text, claimed, unit):
    (claim,) = claims_in(text, MAPS, {})
    assert (claim.claimed, claim.unit) == (claimed, unit)


def test_each_region_has_its_own_quantity():
    first, second = claims_in("The left insula (z = -2.3) and the right insula (z = -2.9) are reduced.", MAPS, {})
    assert (first.claimed, second.claimed) == (-2.3, -2.9)


@pytest.mark.parametrize(
    "text",
    [
        "Compared with the previous scan, the left insula is smaller.",
        "The left insula has progressed since the last examination.",
        "The left insula is unchanged from the prior study.",
        "Interval enlargement of the left insula.",
        "The left insula was larger two years ago.",
        "The left insula remains stable.",
        "The left insula is smaller than before.",
    ],
)
def test_a_comparison_with_an_earlier_examination_is_of_its_own_kind_and_never_in_the_input(text):
    (claim,) = claims_in(text, MAPS, {})
    assert (claim.kind, claim.verdict, claim.entity) == (Kind.PRIOR, Verdict.NOT_IN_INPUT, "left insula")


@pytest.mark.parametrize(
    "text", ["The left insula is reduced compared with controls.", "The left insula is within the reference interval.", "She had seizures."]
)
def test_a_comparison_with_others_is_no_comparison_with_an_earlier_examination(text):
    assert not [claim for claim in claims_in(text, MAPS, {}) if claim.kind is Kind.PRIOR]


def test_what_is_told_of_the_present_beside_an_earlier_examination_is_read_too():
    prior, level = claims_in("The left insula is reduced, unchanged from the prior study.", MAPS, {})
    assert (prior.kind, level.kind, level.direction) == (Kind.PRIOR, Kind.LEVEL, Direction.DECREASED)


def test_two_values_of_one_region_are_two_claims():
    assert len(claims_in("The left insula is reduced (z = -2.3). The left insula is reduced (z = -9).", MAPS, {})) == 2


def test_a_claim_of_an_extreme_is_no_level_and_other_names_serve_it_too():
    (claim,) = claims_in("Highest in the left globus pallidus.", MAPS, {})
    assert (claim.kind, claim.direction, claim.entity, claim.mention) == (Kind.EXTREME, Direction.HIGHER, "left pallidum", "left globus pallidus")


def test_one_region_larger_than_another_is_a_comparison_and_larger_than_normal_a_level():
    (claim,) = claims_in("The left insula is larger than the left cuneus.", MAPS, {})
    assert (claim.kind, claim.direction, claim.than) == (Kind.COMPARISON, Direction.HIGHER, "left cuneus")
    assert levels("The left insula is larger than normal.") == [("left insula", UP)]
