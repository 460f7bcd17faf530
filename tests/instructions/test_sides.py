"""Genes and disorders are held out together, and what was written is checked."""

import dataclasses

import pytest

from bridge.data.gene_names import family
from bridge.instructions.item import Instruction
from bridge.instructions.sides import Crossing, assert_split, draw_sides, names_by_split


def item(split="train", **fields):
    return Instruction(**{"id": f"{split}-1", "family": "inference", "source": "hpo", "question": "Is it?", "answer": "yes", "split": split} | fields)


def test_a_disorder_is_on_the_side_of_all_its_genes_and_every_split_has_some(facts):
    sides = draw_sides(facts, validation=0.2, test=0.3)
    assert set(sides.disorders.values()) == {"train", "validation", "test"}
    assert set(sides.disorders) == set(facts.disorders)
    for disorder in facts.disorders.values():
        assert {sides.gene(gene) for gene in disorder.genes} == {sides.disorders[disorder.id]}
        assert {sides.groups[family(gene)] for gene in disorder.genes} == {sides.groups[disorder.id]}


def test_a_cohort_keeps_its_split_and_a_disorder_it_cuts_through_is_in_none(facts):
    cut = next(each for each in facts.disorders.values() if len(each.genes) == 2)
    pinned = {cut.genes[0]: "train", cut.genes[1]: "test"}
    sides = draw_sides(facts, pinned=pinned)
    assert {gene: sides.gene(gene) for gene in pinned} == pinned
    assert cut.id not in sides.disorders
    alone = [each for each in facts.disorders.values() if each.genes == (cut.genes[1],) or each.genes == (cut.genes[0],)]
    assert alone
    assert all(sides.disorders[each.id] == pinned[each.genes[0]] for each in alone)
    assert all(sides.groups[each.id] == f"family {family(each.genes[0])}" for each in alone)
    assert names_by_split(facts, sides)[cut.name.lower()] == ""


def test_a_family_that_a_cohort_has_in_two_splits_is_held_out(facts):
    gene = next(iter(facts.of_gene))
    sides = draw_sides(facts, pinned={gene: "train"})
    assert sides.gene(gene) == "train"
    assert draw_sides(facts, pinned={gene: "train", gene + "0": "validation"}).gene(gene) == "validation"


def test_the_split_of_a_set_is_asserted(items, facts):
    assert_split(items, names_by_split(facts, draw_sides(facts, validation=0.2, test=0.3)))


def test_a_group_in_two_splits_is_named():
    with pytest.raises(ValueError, match=r"'test-1', field group: 'BRCA' is in train and in test"):
        assert_split([item(group="BRCA"), item("test", group="BRCA")])


def test_a_wording_of_the_test_in_validation_is_named():
    with pytest.raises(ValueError, match=r"'test-1', field template: 'a/4' is in training and in test"):
        assert_split([item("validation", template="a/4", group="x"), item("test", template="a/4", group="y")])


@pytest.mark.parametrize("question", ["What is Marfan syndrome?", "The answer is: marfan syndrome", "Is it FBN1?"])
def test_a_name_of_another_split_is_named(question):
    names = {"marfan syndrome": "test", "FBN1": "test", "marfan syndrome 2": "train"}
    with pytest.raises(ValueError, match=r"'train-1' of train: names '(marfan syndrome|FBN1)', which is in test"):
        assert_split([item(question=question)], names)
    assert_split([item("test", question=question), item(question="Is Marfan syndrome 2 it?")], names)


def test_small_letters_are_no_gene_and_a_published_text_of_the_test_may_name_what_was_learned():
    crossing = Crossing({"REST": "train", "rett syndrome": "test"})
    assert crossing.find(item("test", question="The patient must rest.")) is None
    assert crossing.find(item("test", question="The gene REST?")) == "REST"
    published = item("test", question="The gene REST?", source="mts-dialog")
    assert crossing.find(published) is None
    assert crossing.find(dataclasses.replace(published, split="train", question="Rett syndrome?")) == "rett syndrome"
