"""Whatever the model wants to write: no region and no gene that the input does not have."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoints import FORMS, tiny_tokenizer

from bridge.report.claims.parse import claims_in
from bridge.report.generation.constrain import KnownNames, NamesOnly
from bridge.report.generation.generate import generated
from bridge.report.schema import Direction, Kind
from bridge.report.write import write_report

BRAIN = {"brain": ("left cuneus", "right cuneus", "left precuneus", "left superior temporal gyrus", "right superior temporal gyrus", "brain stem")}
GENES = {"gene": ("FOXP2", "FOXP1", "SET", "C9orf72")}
BOTH = BRAIN | GENES
FACTS = {"organ_systems": ("eye", "cerebellar vermis"), "inheritance": ("X-linked",)}


def unknown(text, regions, facts=FACTS):
    """What a text names that the input does not have."""
    names = {name for group in regions.values() for name in group} | {"cuneus", "superior temporal"}
    claims = [claim for claim in claims_in(text, regions, facts) if claim.kind is not Kind.FACT and claim.entity]
    return [name for claim in claims for name in (claim.entity, claim.than) if name and name not in names]


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("Highest in the lef", True),
        ("Highest in the left cuneus, right cuneus and bra", True),
        ("Highest in the left cuneus; lowest in the brain stem.", True),
        ("Highest in the left glo", False),
        ("Highest in the left cuneusx", False),
        ("highest of all", False),
        ("Highest in the left cuneus and lowest", False),
        ("The left cuneus is higher than the brain st", True),
        ("The left cuneus is higher than expected", True),
        ("The left cuneus is higher than the glo", False),
        ("Everything is higher than the left", False),
        ("The glowing gyrus", False),
        ("The left superior temporal gyrus", True),
        ("The cerebellum", False),
        ("Disease of the cerebellar ve", True),
        ("Disease of the cerebellar wall", False),
        ("Left precuneus is thin", True),
        ("Right precuneus", False),
        ("FOXP2 is increased", True),
        ("FOX", True),
        ("FOXP3", False),
        ("C9orf72 expression, MRI and EEG", True),
        ("C9orf7 ", False),
        ("BRCA1", False),
        ("The patient walks well.", True),
        ("X-linked", True),
        ("all \ue000 well", False),
    ],
)
def test_a_text_is_judged_by_whether_it_can_still_name_only_what_is_known(text, allowed):
    assert NamesOnly(BOTH, FACTS).allows(text) == allowed


@pytest.mark.parametrize(
    ("text", "allowed"),
    [("Highest in the left cuneus", True), ("Highest in the left", False), ("FOX", False), ("Disease of the cerebellar", False), ("All is well", True)],
)
def test_a_text_cannot_end_in_the_middle_of_a_name(text, allowed):
    assert NamesOnly(BOTH, FACTS).allows(text, ended=True) == allowed


def test_a_side_that_the_atlas_does_not_have_cannot_be_added():
    rule = NamesOnly({"brain": ("insula",)}, {})
    assert rule.allows("The insula is thin")
    assert not rule.allows("The left insula")


def written(tokenizer, names, wish, steps, seed):
    """Tokens that a model with random logits writes, when it wishes for a text."""
    generator = torch.Generator().manual_seed(seed)
    wished = tokenizer(wish, add_special_tokens=False)["input_ids"]
    ids = []
    for step in range(steps):
        scores = torch.randn((1, len(tokenizer)), generator=generator)
        if step < len(wished):
            scores[0, wished[step]] = 10
        (token,) = names([ids], scores)
        if token == tokenizer.eos_token_id:
            break
        ids.append(token)
    return tokenizer.decode(names.finished(ids), skip_special_tokens=True)


WISHES = (
    "highest in the left zygon gyrus",
    "BRCA1 is high, left insula low",
    "lowest in the left precuneus and pons",
    "the left cuneus is higher than the pons",
    "temporal lobe and left hippocampal atrophy",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("wish", WISHES)
def test_random_logits_and_the_worst_wishes_name_nothing_unknown(form, wish):
    tokenizer = tiny_tokenizer(form)
    names = KnownNames(tokenizer, BOTH, FACTS)
    text = written(tokenizer, names, wish, len(tokenizer(wish)["input_ids"]) + 8, seed=0)
    assert unknown(text, BOTH) == [], text


def test_without_the_constraint_the_same_wishes_do_name_something_unknown():
    assert all(unknown(wish, BOTH) for wish in WISHES)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "highest",
                "lowest",
                " in the ",
                " than ",
                "higher",
                "left ",
                "right ",
                "cuneus",
                "pre",
                "gyrus",
                "FOXP",
                "2",
                "3",
                ", ",
                " and ",
                ".",
                "; ",
                " is ",
            ]
        ),
        max_size=10,
    )
)
def test_any_text_that_is_allowed_at_each_step_names_nothing_unknown(parts):
    rule, text = NamesOnly(BOTH, FACTS), ""
    for letter in "".join(parts):
        text += letter if rule.allows(text + letter) else ""
    if rule.allows(text, ended=True):
        assert unknown(text, BOTH) == []


def test_a_constrained_report_of_a_bridge_names_only_its_regions(bridge, tiny_cohort):
    values = {modality: torch.from_numpy(tiny_cohort.values(modality)[:3]) for modality in tiny_cohort.modalities}
    regions = {"brain": tiny_cohort.card("brain").names}
    for generation in generated(bridge, values, ["Report."] * 3, max_new_tokens=20, constrain=True):
        claims = [claim for claim in claims_in(generation.text, regions, {}) if claim.direction in (Direction.HIGHER, Direction.LOWER)]
        assert all(claim.entity in regions["brain"] for claim in claims)
        assert NamesOnly(regions, {}).allows(generation.text, ended=True)


def test_a_model_made_to_list_regions_lists_known_ones(bridge, tiny_cohort, monkeypatch):
    """The first tokens are forced, then the untrained model goes on as it likes."""
    tokenizer = bridge.language.tokenizer
    begun = tokenizer("Highest in the", add_special_tokens=False)["input_ids"]
    forced = KnownNames.__call__

    def begin(self, written, scores):
        scores = scores.clone()
        for row, ids in enumerate(written):
            if len(ids) < len(begun):
                scores[row], scores[row, begun[len(ids)]] = -5.0, 5.0
        return forced(self, written, scores)

    monkeypatch.setattr(KnownNames, "__call__", begin)
    values = {modality: torch.from_numpy(tiny_cohort.values(modality)[:3]) for modality in tiny_cohort.modalities}
    regions = tiny_cohort.card("brain").names
    for generation in generated(bridge, values, ["Report."] * 3, max_new_tokens=48, constrain=True):
        claims = [claim for claim in claims_in(generation.text, {"brain": regions}, {}) if claim.kind is Kind.EXTREME]
        assert claims, generation.text
        assert all(claim.entity in regions for claim in claims)


def test_a_constrained_report_is_written_by_one_flag(bridge, tiny_cohort):
    from bridge.language.subject import subjects

    (subject,) = subjects(tiny_cohort, [0])
    values = {modality: tiny_cohort.values(modality)[0] for modality in tiny_cohort.modalities}
    report = write_report(bridge, subject, values, max_new_tokens=12, constrain=True)
    assert NamesOnly({"brain": tiny_cohort.card("brain").names}, {}).allows(report.text, ended=True)
    free = write_report(bridge, subject, values, max_new_tokens=12)
    assert np.all([claim.confidence is None or 0 <= claim.confidence <= 1 for section in free.sections for claim in section.claims])
