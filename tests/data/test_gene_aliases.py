"""Aliases that can be taken for one gene alone, and what is left out."""

import pytest

from bridge.data.gene_aliases import ACRONYMS, FORM, SEVERAL, STOP, WORD, clear_aliases
from bridge.data.gene_names import read_official_names


def test_an_alias_of_one_gene_means_that_gene():
    assert clear_aliases({"PRKN": ["PARK2", "AR-JP"], "SNCA": ["PARK1"]}) == ({"AR-JP": "PRKN", "PARK2": "PRKN", "PARK1": "SNCA"}, {})


@pytest.mark.parametrize("others", [{"B": ["X12"]}, {"X12": []}])
def test_what_another_gene_is_called_too_is_left_out_and_counted_whoever_asks(others):
    assert clear_aliases({"AAA1": ["X12", "Y12b"]}, others) == ({"Y12b": "AAA1"}, {SEVERAL: 1})
    names, left_out = clear_aliases({"AAA1": ["X12", "Y12b"], **others})
    assert (names, left_out[SEVERAL]) == ({"Y12b": "AAA1"}, 2 if others.get("B") else 1)


@pytest.mark.parametrize("word", ["CLOCK", "MRI", "MAP"])
def test_words_and_acronyms_are_left_out_and_counted(word):
    assert word in STOP | ACRONYMS
    assert clear_aliases({"AAA1": [word]}) == ({}, {WORD: 1})


@pytest.mark.parametrize("alias", ["p5", "T3", "x123", "CA2", "BA46", "MAGE-like 2", "5HT3", "KIR/S1", "-"])
def test_what_nobody_would_read_as_a_gene_is_left_out_and_counted(alias):
    assert clear_aliases({"AAA1": [alias]}) == ({}, {FORM: 1})


def test_a_symbol_is_no_alias_of_itself_and_each_alias_counts_once():
    assert clear_aliases({"AAA1": ["AAA1", "Y12b", "Y12b"]}) == ({"Y12b": "AAA1"}, {})


def test_aliases_of_the_official_table_lead_to_the_symbols_in_use(small_files):
    names = read_official_names(small_files.official_names)
    taken = {"SCN1A": names.by_id[6323], "REST": names.by_id[5978]}
    assert names.aliases(taken) == ({"FEB3": "SCN1A", "NAC1": "SCN1A", "NRSF": "REST", "XBR": "REST"}, {})
