"""Joins by id: no order of rows pairs two samples that are not one."""

from __future__ import annotations

import joined
import numpy as np
import pytest
from joined import wrong_pairs

from bridge.data.join import IdSource, Join, join_ids


def test_a_thousand_random_permutations_give_no_wrong_pair():
    assert sum(wrong_pairs(np.random.default_rng([0, draw])) for draw in range(1000)) == 0


def test_a_join_by_place_would_be_counted(monkeypatch):
    def by_place(sources):
        count = min(len(source.ids) for source in sources)
        return Join(list(sources[0].ids[:count]), {source.name: np.arange(count) for source in sources})

    monkeypatch.setattr(joined, "join_ids", by_place)
    assert sum(wrong_pairs(np.random.default_rng([0, draw])) for draw in range(5)) > 0


@pytest.mark.parametrize(
    ("spoiled", "sign"),
    [
        ("sub-0\u200b1", "a sign that nobody sees"),
        ("\ufeffsub-01", "a sign that nobody sees"),
        ("ѕub-01", "CYRILLIC SMALL LETTER DZE"),
        ("Αsub-01", "GREEK CAPITAL LETTER ALPHA"),
    ],
)
def test_an_id_that_looks_like_another_is_refused_by_its_sign(spoiled, sign):
    good = [f"sub-{number:02d}" for number in range(1, 9)]
    with pytest.raises(ValueError, match=sign) as caught:
        join_ids([IdSource("gene", "genes.csv", [spoiled, *good[1:]]), IdSource("brain", "brains.csv", good)])
    assert str(caught.value).isprintable()


def test_letters_of_other_scripts_are_no_error_where_none_is_latin_or_none_looks_so():
    good = ["участник-1", "παιδί", "TNFα", "Zoë", "患者3"]
    assert join_ids([IdSource("gene", "genes.csv", good), IdSource("brain", "brains.csv", good[::-1])]).ids == sorted(good)


def test_versions_of_ensembl_ids_are_refused_with_the_rule_that_joins_them():
    plain = [f"ENSG{number:011d}" for number in range(5)]
    sources = [IdSource("gene", "genes.csv", [f"{each}.7" for each in plain]), IdSource("brain", "brains.csv", plain)]
    with pytest.raises(ValueError, match="--id-rule ensembl-version"):
        join_ids(sources)
    assert len(join_ids(sources, ("ensembl-version",)).ids) == 5
