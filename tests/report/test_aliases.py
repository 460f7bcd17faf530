"""Other names of genes: a claim about an alias is checked as one about its gene, unless the alias is a word or means several genes."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from bridge.data.cohort import Cohort
from bridge.language.subject import RegionValues, Subject
from bridge.report.claims.lexicon import lexicon_of
from bridge.report.companion import GENES, read_companion
from bridge.report.reference import Reference
from bridge.report.schema import Direction
from bridge.report.verify import check, claims_in

NAMES = ("PRKN", "SCN1A", "EIF4G2")
MAPS = {"gene": NAMES}
ALIASES = {"AR-JP2": "PRKN", "NAC1": "SCN1A", "FEBRILE": "SCN1A", "CLOCK": "EIF4G2", "XYZ1": "ABSENT"}


def verdicts(text, aliases=ALIASES):
    """Gene and verdict of each claim, for a sample whose PRKN is high, SCN1A low and EIF4G2 as usual."""
    reference = Reference(MAPS, {"gene": np.zeros(3)}, {"gene": np.ones(3)}, {}, {}, aliases)
    values = np.array([3.0, -3.0, 0.0])
    subject = Subject("s", {"gene": RegionValues(NAMES, values, values)}, {}, {}, {}, frozenset({"gene"}))
    return [(claim.entity, claim.verdict.value) for claim in check(claims_in(text, MAPS, {}, reference.aliases), subject, reference)]


def test_a_claim_about_an_alias_is_checked_as_one_about_its_gene():
    assert verdicts("AR-JP2 is increased. NAC1 is increased.") == [("PRKN", "supported"), ("SCN1A", "contradicted")]
    assert verdicts("NAC1 is increased.", {}) == [("NAC1", "not in input")]
    assert verdicts("NAC1 is reduced. SCN1A is reduced.") == [("SCN1A", "supported")]


def test_the_list_of_extremes_may_hold_aliases():
    (claim,) = claims_in("Highest in AR-JP2.", MAPS, {}, ALIASES)
    assert (claim.entity, claim.direction) == ("PRKN", Direction.HIGHER)


@pytest.mark.parametrize("word", ["CLOCK", "FEBRILE"])
def test_a_word_and_an_alias_of_letters_need_words_that_say_gene(word):
    assert [entity for entity, _ in verdicts(f"The {word} is increased.")] == [""]
    ((entity, verdict),) = verdicts(f"The {word} gene is increased.")
    assert (entity, verdict) == (ALIASES[word], "contradicted")


def test_the_alias_of_a_gene_that_no_input_has_stays_as_written():
    assert verdicts("XYZ1 is increased.") == [("XYZ1", "not in input")]


def test_aliases_that_everybody_knows_need_no_table_and_a_table_goes_before_them():
    assert verdicts("PARK2 is increased.", {}) == [("PRKN", "supported")]
    assert verdicts("PARK2 is increased.", {"PARK2": "SCN1A"}) == [("SCN1A", "contradicted")]


def test_a_lexicon_is_compiled_once_for_the_same_aliases_and_again_for_others():
    assert lexicon_of(MAPS, {}, dict(ALIASES)) is lexicon_of(MAPS, {}, dict(ALIASES))
    assert lexicon_of(MAPS, {}, {"XYZ1": "ABSENT"}) is lexicon_of(MAPS, {})
    assert lexicon_of(MAPS, {}, {"NAC1": "PRKN"}).spoken.aliases["NAC1"] == "PRKN"


def test_the_aliases_of_a_cohort_travel_with_its_reference(tiny_cohort):
    assert Reference.of(tiny_cohort).aliases == {}
    table = tiny_cohort.table.copy()
    about = tiny_cohort.about | {"notes": {"gene_aliases": {"NAC1": "SCN1A"}}}
    table.uns["bridge"] = json.dumps(about)
    reference = Reference.of(Cohort(table))
    assert Reference.from_dict(reference.to_dict()).aliases == {"NAC1": "SCN1A"}


def test_a_bundle_of_an_earlier_version_has_no_aliases(tiny_cohort):
    fields = Reference.of(tiny_cohort).to_dict()
    del fields["aliases"]
    assert Reference.from_dict(fields).aliases == {}


def test_a_companion_table_of_genes_is_checked_by_the_aliases_of_the_bundle_and_its_own(tmp_path):
    random = np.random.default_rng(0)
    values = 10 + random.normal(size=(20, 3))
    values[0] = [15, 5, 10]
    own = pd.DataFrame({"aliases": ["AR-JP2; LPRS2", "LPRS2", None]}, index=list(NAMES))
    samples = [f"s{row:02d}" for row in range(20)]
    anndata.AnnData(values, obs=pd.DataFrame(index=samples), var=own).write_h5ad(tmp_path / "facts.h5ad")
    bare = Subject("s00", {}, {}, {}, {}, frozenset()), Reference({}, {}, {}, {}, {}, {"NAC1": "SCN1A"})
    subject, reference = read_companion(tmp_path / "facts.h5ad", "s00").beside(*bare)
    assert reference.regions == {GENES: NAMES}
    assert reference.aliases == {"NAC1": "SCN1A", "AR-JP2": "PRKN"}
    text = "AR-JP2 is increased. NAC1 is increased. LPRS2 is increased."
    claims = check(claims_in(text, reference.regions, reference.facts, reference.aliases), subject, reference)
    assert [(claim.entity, claim.verdict.value) for claim in claims] == [("PRKN", "supported"), ("SCN1A", "contradicted"), ("LPRS2", "not in input")]
