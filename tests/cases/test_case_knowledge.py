"""What cites a test case's publication is known no more: annotations, and links of genes that hang on them."""

import dataclasses

import pytest
from tiny_release import ATAXIA, CATARACT, SEIZURE

from bridge.cases.knowledge import Removed, require_without


def test_everything_is_read_with_its_references(annotations):
    knowledge = annotations.without(())
    alpha = knowledge.diseases["OMIM:100001"]
    assert alpha.name == "Alpha ataxia 1"
    assert [(each.term, each.references) for each in alpha.phenotypes] == [(CATARACT, ("PMID:2", "PMID:1")), (ATAXIA, ("PMID:1",))]
    assert alpha.phenotypes[1].frequency == pytest.approx(4 / 6)  # 3/4, shrunk
    assert alpha.phenotypes[0].frequency is None
    assert [each.term for each in alpha.inheritance] == ["HP:0000006"]
    assert [each.term for each in knowledge.diseases["OMIM:100003"].excluded] == [ATAXIA]
    assert knowledge.candidates == ["OMIM:100001", "OMIM:100002", "OMIM:100003", "OMIM:100004"]
    assert knowledge.gene_profile("THREE")[SEIZURE] == 0.9
    assert knowledge.removed == Removed(0, 0, 0, 0)


def test_an_annotation_that_cites_the_publication_goes_even_where_it_cites_others(annotations):
    knowledge = annotations.without({"PMID:1"})
    assert knowledge.diseases["OMIM:100001"].findings == ()
    assert knowledge.removed == Removed(annotations=3, diseases=1, emptied=1, links=1)
    assert not knowledge.links["ONE"]
    assert knowledge.gene_profile("ONE") == {}
    assert "OMIM:100001" in knowledge.candidates  # still a candidate


def test_a_link_stays_as_long_as_one_annotation_does(annotations):
    knowledge = annotations.without({"PMID:2"})
    assert [each.term for each in knowledge.diseases["OMIM:100001"].phenotypes] == [ATAXIA]
    assert knowledge.links["ONE"] == {"OMIM:100001"}
    assert knowledge.removed == Removed(annotations=1, diseases=1, emptied=0, links=0)


def test_knowledge_that_still_cites_a_publication_is_refused(annotations):
    whole = annotations.without(())
    with pytest.raises(ValueError, match=r"OMIM:100001, term HP:0000518: cites PMID:2"):
        require_without(whole, {"PMID:2"})
    planted = dataclasses.replace(whole, diseases={"OMIM:100003": whole.diseases["OMIM:100003"]._replace(phenotypes=())})
    with pytest.raises(ValueError, match=r"OMIM:100003, term HP:0001251: cites PMID:4"):  # an excluded term counts too
        require_without(planted, {"PMID:4"})
