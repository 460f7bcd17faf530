"""A patient's ranked disorders: what speaks for and against each, the gene used or withheld, and knowledge kept in a cache."""

import pytest
from tiny_release import ATAXIA, BLIND, CATARACT, CLONIC, SEIZURE

from bridge.cases import knowledge_cache
from bridge.cases.knowledge_cache import cached_knowledge, knowledge_without
from bridge.cases.patient import Diagnostics
from bridge.data.releases import SourceFiles


@pytest.fixture
def files(release):
    return SourceFiles(release, release, release, release / "hp.obo", release / "genes_to_phenotype.txt", release / "phenotype.hpoa", release)


@pytest.fixture
def diagnostics(files, tmp_path):
    return Diagnostics.read(tmp_path, files)


def by_id(ranking):
    return {each.id: each for each in ranking.disorders}


def test_a_finding_speaks_for_the_disorders_that_have_it_or_a_wider_one(diagnostics, make_case):
    ranking = diagnostics.ranked(make_case(present=[CLONIC]))
    best = ranking.disorders[0]
    assert (best.id, best.rank, best.linked) == ("OMIM:100003", 1, False)
    assert (best.shared[0].term, best.shared[0].through) == (CLONIC, SEIZURE)
    assert best.shared[0].ratio > 0
    assert (ranking.candidates, ranking.gene_used) == (4, False)


def test_what_a_disorder_lacks_and_what_was_looked_for_in_vain_speaks_against_it(diagnostics, make_case, monkeypatch):
    monkeypatch.setattr("bridge.cases.patient.SPECIFIC", 0.5)
    found = by_id(diagnostics.ranked(make_case(present=[ATAXIA], excluded=(SEIZURE,))))
    assert ATAXIA in found["OMIM:100004"].unexplained
    assert found["OMIM:100002"].unexplained == ()
    assert [each.term for each in found["OMIM:100003"].missed] == [SEIZURE]
    assert found["OMIM:100003"].missed[0].frequency == pytest.approx(0.9)
    assert found["OMIM:100002"].rank < found["OMIM:100003"].rank


def test_the_gene_puts_its_disorders_first_unless_it_is_withheld_or_unknown(diagnostics, make_case):
    case = make_case(present=[CATARACT, BLIND], gene="THREE")
    with_gene, without = diagnostics.ranked(case), diagnostics.ranked(case, gene=False)
    assert (with_gene.disorders[0].id, with_gene.gene_used) == ("OMIM:100003", True)
    assert (without.disorders[0].id, without.gene_used) == ("OMIM:100004", False)
    assert not any(each.linked for each in without.disorders)
    assert diagnostics.ranked(make_case(gene="NOBODY")).gene_used is False


def test_what_the_patients_own_publication_says_is_left_out(diagnostics, make_case):
    case = make_case(present=[SEIZURE], publications=("PMID:4",), gene="THREE")
    ranking = diagnostics.ranked(case)
    assert ranking.hidden == 2
    assert ranking.gene_used is False  # the link went with the last annotation
    assert not by_id(ranking)["OMIM:100003"].shared
    assert diagnostics.ranked(make_case(present=[SEIZURE])).disorders[0].id == "OMIM:100003"


def test_equals_share_a_rank(diagnostics, make_case):
    ranking = diagnostics.ranked(make_case(present=[]))
    assert [each.rank for each in ranking.disorders] == [1, 1, 1, 1]


def test_knowledge_in_the_cache_is_what_was_read_and_another_release_is_another_file(diagnostics, files, ontology, tmp_path, monkeypatch):
    path = next(tmp_path.glob("hpo-knowledge-*.json"))
    fresh = cached_knowledge(files, ontology, tmp_path / "new")
    with monkeypatch.context() as patch:
        patch.setattr(knowledge_cache, "read_annotations", None)
        again = cached_knowledge(files, ontology, tmp_path)
    assert again.diseases == diagnostics.knowledge.diseases == fresh.diseases
    assert (again.links, again.release) == (fresh.links, fresh.release)
    path.write_text('{"release": 1')
    assert cached_knowledge(files, ontology, tmp_path).diseases == fresh.diseases
    (tmp_path / "other").write_text("#another release\n" + files.disorders.read_text())
    cached_knowledge(files._replace(disorders=tmp_path / "other"), ontology, tmp_path)
    assert len(list(tmp_path.glob("hpo-knowledge-*.json"))) == 2


def test_knowledge_without_nothing_is_the_same(diagnostics):
    assert knowledge_without(diagnostics.knowledge, ()) is diagnostics.knowledge
    assert knowledge_without(diagnostics.knowledge, ("PMID:1",)).removed.annotations == 3
