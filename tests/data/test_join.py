"""Joining by id is exact, or by a rule the user named, or refused."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.data.join import IdSource, join_ids, unjoined
from bridge.data.spelling import ID_RULES, NearestIds, apply_rules


def source(name, *ids):
    return IdSource(name, f"{name}.csv", list(ids))


names = st.lists(st.text("abS01-_ ", min_size=1, max_size=6), min_size=1, max_size=12, unique=True)


@settings(max_examples=150, deadline=None)
@given(names, st.data())
def test_no_order_of_the_rows_gives_a_wrong_pair(ids, data):
    first, second = data.draw(st.permutations(ids)), data.draw(st.permutations(ids))
    joined = join_ids([source("gene", *first), source("brain", *second)])
    assert joined.ids == sorted(ids)
    assert [first[row] for row in joined.rows["gene"]] == joined.ids
    assert [second[row] for row in joined.rows["brain"]] == joined.ids


@settings(max_examples=150, deadline=None)
@given(names, names, st.lists(st.sampled_from(sorted(ID_RULES)), unique=True), st.data())
def test_two_rows_are_paired_only_if_the_named_rules_make_their_ids_equal(first, second, rules, data):
    second = data.draw(st.permutations([*second, first[0]] if first[0] not in second else second))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            joined = join_ids([source("gene", *first), source("brain", *second)], rules or ["exact"])
    except ValueError:
        return  # refused is right too; never a wrong pair
    for gene, brain in zip(joined.rows["gene"], joined.rows["brain"], strict=True):
        assert gene < 0 or brain < 0 or apply_rules(rules, first[gene]) == apply_rules(rules, second[brain])
    assert sorted(row for row in joined.rows["gene"] if row >= 0) == list(range(len(first)))
    assert sorted(row for row in joined.rows["brain"] if row >= 0) == list(range(len(second)))


@pytest.mark.parametrize(
    ("rule", "spell"),
    [
        ("zero-pad", lambda number: (f"S{number}", f"S{number:03d}")),
        ("sub-prefix", lambda number: (f"P{number}", f"sub-P{number}")),
        ("casefold", lambda number: (f"Gene{number}", f"GENE{number}")),
        ("strip", lambda number: (f"P{number}", f"P{number} ")),
        ("nfkc", lambda number: (f"P{number}", f"Ｐ{number}")),
    ],
)
def test_another_spelling_is_refused_with_both_spellings_and_the_option_and_joins_when_the_option_is_given(rule, spell):
    pairs = [spell(number) for number in range(1, 9)]
    sources = [source("gene", *(one for one, _ in pairs)), source("brain", *(other for _, other in reversed(pairs)))]
    with pytest.raises(ValueError, match=f"--id-rule {rule}, or .*--id-rule exact") as refusal:
        join_ids(sources)
    assert "0 of 8 join, 8 more would" in str(refusal.value)
    assert f"{pairs[0][0]!r} and {pairs[0][1]!r}" in str(refusal.value)
    assert f"nearest to {pairs[0][0]!r}: {pairs[0][1]!r}, " in str(refusal.value)
    joined = join_ids(sources, [rule])
    assert joined.ids == sorted(one for one, _ in pairs)
    assert joined.rows["gene"].tolist() == list(range(8))
    assert joined.rows["brain"].tolist() == list(reversed(range(8)))


def test_two_rules_are_asked_for_where_one_does_not_do():
    sources = [source("gene", "p1", "p2", "p3"), source("brain", "sub-P01", "sub-P02", "sub-P03")]
    with pytest.raises(ValueError, match="--id-rule casefold sub-prefix zero-pad,"):
        join_ids(sources)
    with pytest.raises(ValueError, match="--id-rule casefold sub-prefix zero-pad,"):
        join_ids(sources, ["zero-pad"])
    assert join_ids(sources, ["zero-pad", "sub-prefix", "casefold"]).ids == ["p1", "p2", "p3"]


def test_a_minority_that_joins_exactly_does_not_hide_the_others():
    sources = [source("gene", "S10", *(f"S{n}" for n in range(1, 8))), source("brain", "S10", *(f"S0{n}" for n in range(1, 8)))]
    with pytest.raises(ValueError, match="1 of 8 join, 7 more would"):
        join_ids(sources)
    apart = join_ids(sources, ["exact"])
    assert (apart.rows["gene"] >= 0).sum() == (apart.rows["brain"] >= 0).sum() == 8
    assert ((apart.rows["gene"] >= 0) & (apart.rows["brain"] >= 0)).sum() == 1


def test_a_few_other_spellings_beside_many_exact_ids_are_warned_of():
    sources = [source("gene", *(f"P{n}" for n in range(10))), source("brain", *(f"P{n}" for n in range(9)), "P9 ")]
    with pytest.warns(UserWarning, match="9 of 10 join, 1 more would .*'P9' and 'P9 '; to join them: --id-rule strip"):
        joined = join_ids(sources)
    assert len(joined.ids) == 11


def test_a_part_of_the_samples_joins_in_silence():
    joined = join_ids([source("gene", *(f"A{n}" for n in range(3))), source("brain", *(f"A{n}" for n in range(2, 30)))])
    assert len(joined.ids) == 30


def test_a_rule_that_makes_two_ids_of_one_file_equal_is_refused():
    with pytest.raises(ValueError, match=r"ids of gene \(gene.csv\): the id rule makes 'S1' and 's1' the same id 's1'"):
        join_ids([source("gene", "S1", "s1"), source("brain", "s1")], ["casefold"])
    with pytest.raises(ValueError, match="the id rule makes '1' and '01' the same id"):
        join_ids([source("gene", "1", "01"), source("brain", "1")], ["zero-pad"])


def test_a_rule_that_would_make_ids_equal_is_never_recommended():
    with pytest.raises(ValueError, match=r"ids of gene .*: none is in brain .*nearest there 't1'") as refusal:
        join_ids([source("gene", "T1", "S1", "s1"), source("brain", "t1", "u1")])
    assert "--id-rule" not in str(refusal.value)


def test_an_id_that_is_found_twice_names_the_file_and_its_rows():
    with pytest.raises(ValueError, match=r"ids of brain \(brain.csv\): 'b' is in rows \[2, 4\], 1 ids in all"):
        join_ids([source("gene", "a", "b"), source("brain", "a", "b", "c", "b")])


def test_an_empty_id_is_refused():
    with pytest.raises(ValueError, match="row 2 has an empty id"):
        join_ids([source("gene", "a", ""), source("brain", "a")])


def test_a_file_that_shares_no_id_with_any_other_is_refused_with_the_nearest_ids():
    with pytest.raises(ValueError, match=r"ids of gene .*: none is in brain .*first 'ENSG01', nearest there 'APOE', 'SNAP25'; expected .*--id-column"):
        join_ids([source("gene", "ENSG01", "ENSG02"), source("brain", "SNAP25", "APOE")])


def test_files_that_meet_only_in_the_table_join():
    joined = join_ids([source("table", "a", "b"), source("gene", "a"), source("brain", "b")])
    assert joined.rows["gene"].tolist() == [0, -1]
    assert joined.rows["brain"].tolist() == [-1, 0]


def test_a_function_of_the_id_is_a_rule():
    joined = join_ids([source("gene", "a-1", "a-2"), source("brain", "a_2", "a_1")], lambda text: text.replace("_", "-"))
    assert joined.ids == ["a-1", "a-2"]
    assert joined.rows["brain"].tolist() == [1, 0]


@pytest.mark.parametrize("rule", [["lower"], ["exact", "strip"], "strip"])
def test_an_unknown_rule_is_refused(rule):
    with pytest.raises(ValueError, match="expected a list of nfkc, strip, ensembl-version, casefold, sub-prefix, zero-pad, or exact alone"):
        join_ids([source("gene", "a")], rule)


def test_zeros_after_a_point_are_not_padding():
    assert apply_rules(["zero-pad"], "P1.05_ses-01") == "P1.05_ses-1"
    assert apply_rules(["zero-pad"], "000") == "0"


def test_the_nearest_ids_are_found_from_the_front_and_from_the_back():
    known = NearestIds([*(f"P{n}" for n in range(100, 200)), "X-site2-0042"])
    assert known.find("P150a")[0] == "P150"
    assert known.find("Y-site2-0042")[0] == "X-site2-0042"
    assert known.find("p150") == ["P150", *known.find("p150")[1:]]
    assert len(known.find("anything")) == 3


def test_every_sample_that_some_file_lacks_is_listed():
    sources = [source("gene", "a", "b", "c"), source("brain", "b", "c", "d1")]
    listed = unjoined(sources, join_ids(sources), {"d1": "join is 'inner'"})
    assert listed["id"].tolist() == ["a", "d1"]
    assert listed["in_cohort"].tolist() == ["yes", "no"]
    assert listed["found_in"].tolist() == ["gene", "brain"]
    assert listed["missing_in"].tolist() == ["brain", "gene"]
    assert listed["left_out_because"].tolist() == ["", "join is 'inner'"]
    assert listed["nearest_ids"].tolist() == ["brain: b, c, d1", "gene: a, b, c"]
