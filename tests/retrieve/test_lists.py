"""What a cohort lists for its samples: declared columns, or the fact columns."""

import json

import numpy as np
import pytest

from bridge.data.cohort import Cohort
from bridge.retrieve.items import common_items, members
from bridge.retrieve.lists import Known, known_lists, own_candidates, sample_labels
from bridge.retrieve.schema import CandidateKind

PHENOTYPE, DISORDER = CandidateKind.PHENOTYPE, CandidateKind.DISORDER


def declaring(cohort, **candidates):
    """The same cohort, with lists declared in its notes."""
    return noting(cohort, candidates=candidates)


def noting(cohort, **notes):
    """The same cohort, with more notes and a column of terms."""
    table = cohort.table.copy()
    table.obs["terms"] = ["HP:1; HP:2", "HP:2"] * (table.n_obs // 2)
    about = json.loads(table.uns["bridge"])
    table.uns["bridge"] = json.dumps(about | {"notes": about["notes"] | notes})
    return Cohort(table, cohort.source)


def test_fact_columns_stand_in_one_list_with_their_column_in_the_id(tiny_cohort):
    (known,) = known_lists(tiny_cohort)
    assert known.kind is PHENOTYPE
    assert {item.partition(": ")[0] for row in known.items for item in row} == {"organ_systems", "inheritance"}
    assert known.names["inheritance: autosomal dominant"] == "autosomal dominant"
    assert own_candidates(tiny_cohort, 4)[PHENOTYPE] == frozenset(known.items[4])


def test_declared_lists_take_the_place_of_the_fact_columns(tiny_cohort):
    cohort = declaring(tiny_cohort, disorder={"column": "terms", "names": {"HP:1": "One"}, "source": "a release"})
    (known,) = known_lists(cohort)
    assert (known.kind, known.items[0], known.names, known.source) == (DISORDER, ("HP:1", "HP:2"), {"HP:1": "One"}, "a release")
    assert own_candidates(cohort, 1) == {DISORDER: frozenset({"HP:2"})}


def test_who_has_an_item_has_what_it_is_a_kind_of_but_does_not_list_it(tiny_cohort):
    cohort = declaring(tiny_cohort, phenotype={"column": "terms", "above": {"HP:2": ["HP:8", "HP:9"], "HP:3": ["HP:7"]}})
    (known,) = known_lists(cohort)
    assert known.items[1] == ("HP:2",)
    assert own_candidates(cohort, 1) == {PHENOTYPE: frozenset({"HP:2", "HP:8", "HP:9"})}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"column": "nowhere"}, r"candidates, field column: found 'nowhere'"),
        ({"column": "terms", "release": "1"}, r"candidates, field disorder\.release: Extra inputs"),
        ({"names": {}}, r"candidates, field disorder\.column: Field required"),
        ("terms", r"candidates, field disorder: Input should be"),
    ],
    ids=["no such column", "unknown field", "no column", "not an object"],
)
def test_a_list_that_is_declared_otherwise_is_refused(tiny_cohort, fields, said):
    with pytest.raises(ValueError, match=said):
        known_lists(declaring(tiny_cohort, disorder=fields))


def test_an_item_stands_where_those_who_have_it_differ_from_the_rest():
    vectors = np.array([[1, 0.2], [1, -0.2], [-1, 0.1], [-1, -0.1], [np.nan, np.nan]])
    known = Known(PHENOTYPE, [("a", "a"), ("a", "b"), ("b",), (), ("a", "c")], {"a": "Name"}, "made up")
    items = common_items(known, np.arange(5), vectors / 1.0)
    assert items.listed.ids == ("a", "b")  # c only of a sample without a vector
    assert items.listed.labels == ("Name", "b")
    assert items.listed.vectors[0] == pytest.approx([1, 0], abs=0.01)
    assert items.share == pytest.approx([3.5 / 6, 2.5 / 6])
    assert items.listed.source == "made up; 2 of 2 that the training samples list"


def test_an_item_that_every_sample_has_stands_nowhere():
    known = Known(PHENOTYPE, [("a",), ("a", "b")], {}, "made up")
    assert common_items(known, np.arange(2), np.eye(2)).listed.ids == ("b",)


def test_the_bound_takes_the_most_common_and_says_so(monkeypatch):
    monkeypatch.setattr("bridge.retrieve.items.MOST_ITEMS", 1)
    known = Known(PHENOTYPE, [("a", "b"), ("b",), ()], {}, "made up")
    items = common_items(known, np.arange(3), np.eye(3))
    assert items.listed.ids == ("b",)
    assert items.listed.source.endswith("; 1 of 2 that the training samples list")


def test_members_are_counted_once_and_unknown_items_not():
    known = Known(PHENOTYPE, [("b", "a", "a", "x"), ()], {}, "")
    assert members(known, np.array([1, 0]), ["a", "b", "c"]).toarray().tolist() == [[0, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize(
    ("samples", "said"),
    [
        ({"kind": "text"}, r"samples, field kind: Input should be"),
        ({"label": "nowhere"}, r"samples, field label: found 'nowhere'"),
        ([], r"samples, field : Input should be"),
    ],
    ids=["another kind", "no such column", "not an object"],
)
def test_samples_that_are_declared_otherwise_are_refused(tiny_cohort, samples, said):
    with pytest.raises(ValueError, match=said):
        sample_labels(noting(tiny_cohort, samples=samples))


def test_a_sample_is_what_the_notes_say_and_is_called_as_they_say(tiny_cohort):
    assert sample_labels(tiny_cohort) == (CandidateKind.SAMPLE, [""] * 32)
    kind, labels = sample_labels(noting(tiny_cohort, samples={"kind": "gene", "label": "group"}))
    assert (kind, labels[2]) == (CandidateKind.GENE, "family-1")
