"""The split is a function of the symbol, and neither a gene nor a publication is on two sides of it."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.cases.case import Case
from bridge.cases.split import require_apart, split_cases, split_of

DIGITS = {symbol: int(hashlib.sha256(symbol.encode()).hexdigest(), 16) % 10 for symbol in (f"G{number}" for number in range(200))}


def of(split):
    return next(symbol for symbol, digit in DIGITS.items() if {0: "test", 1: "validation"}.get(digit, "train") == split)


def test_the_digit_of_a_symbol_decides():
    assert {split_of(symbol) for symbol, digit in DIGITS.items() if digit == 0} == {"test"}
    assert {split_of(symbol) for symbol, digit in DIGITS.items() if digit == 1} == {"validation"}
    assert {split_of(symbol) for symbol, digit in DIGITS.items() if digit > 1} == {"train"}
    assert split_of("SCN1A") == split_of("SCN1A")


def test_a_case_that_shares_a_publication_with_test_is_left_out():
    cases = [Case(name, (), gene=of(name), publications=("PMID:1",)) for name in ("test", "validation", "train")]
    cases += [Case(f"other {name}", (), gene=of(name), publications=("PMID:2",)) for name in ("train", "validation")]
    found = split_cases(cases)
    assert {split: [case.id for case in some] for split, some in found.items()} == {"train": [], "validation": ["other validation"], "test": ["test"]}


def test_without_a_gene_a_case_goes_by_its_disease():
    disease = next(f"OMIM:{number}" for number in range(1000) if split_of(f"OMIM:{number}") == "test")
    assert split_cases([Case("x", (), disease=disease)])["test"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(sorted(DIGITS)), st.integers(0, 12)), max_size=60))
def test_whatever_the_cases_no_split_shares_a_gene_or_a_publication(pairs):
    found = split_cases(Case(str(row), (), gene=gene, publications=(f"PMID:{paper}",)) for row, (gene, paper) in enumerate(pairs))
    for one in found:
        for other in set(found) - {one}:
            assert not {case.gene for case in found[one]} & {case.gene for case in found[other]}
            assert not {name for case in found[one] for name in case.publications} & {name for case in found[other] for name in case.publications}
    assert sum(split_of(gene) == "test" for gene, _ in pairs) == len(found["test"])  # no test case is lost


def test_a_shared_gene_or_publication_is_refused_by_name():
    with pytest.raises(ValueError, match="case 'b': publication PMID:1 is in the splits train and test"):
        require_apart({"train": [Case("a", (), gene="A", publications=("PMID:1",))], "test": [Case("b", (), gene="B", publications=("PMID:1",))]})
    with pytest.raises(ValueError, match="case 'b': gene or disease A is in the splits train and test"):
        require_apart({"train": [Case("a", (), gene="A")], "test": [Case("b", (), gene="A")]})
