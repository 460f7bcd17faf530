"""A table of raw facts beside an embedding: who has embeddings alone gets checked reports too."""

import anndata
import numpy as np
import pandas as pd
import pytest

from bridge.commands import report as commands
from bridge.language.subject import RegionValues, Subject
from bridge.report import write
from bridge.report.companion import GENES, REGIONS, read_companion
from bridge.report.generation.confidence import Generation
from bridge.report.reference import Reference
from bridge.report.schema import Report
from bridge.report.verify import check, claims_in

NAMES = ["left insula", "right insula", "FOXP2"]


@pytest.fixture
def table(tmp_path):
    """Twenty samples around 10 with a standard deviation of about 1; the first lies at 15, 10 and 5."""
    random = np.random.default_rng(0)
    values = pd.DataFrame(10 + random.normal(size=(20, 3)), columns=NAMES, index=pd.Index([f"s{row:02d}" for row in range(20)], name="id"))
    values.iloc[0] = [15, 10, 5]
    values.to_csv(tmp_path / "facts.csv")
    return tmp_path / "facts.csv"


@pytest.fixture
def embedding():
    """A sample of which only an embedding is known."""
    return Subject("s00", {}, {}, {}, {}, frozenset({"gene"})), Reference({}, {}, {}, {}, {})


def test_the_sample_is_placed_among_the_others(table):
    found, read = read_companion(table, "s00"), pd.read_csv(table, index_col=0)
    np.testing.assert_allclose(found.values, [15, 10, 5])
    np.testing.assert_allclose(found.mean, read.iloc[1:].mean())
    np.testing.assert_allclose(found.spread, read.iloc[1:].std(ddof=0))


def test_the_training_samples_are_the_reference_where_they_are_known(table):
    read = pd.read_csv(table, index_col=0)
    found = read_companion(table, "s00", training=[f"s{row:02d}" for row in range(1, 13)])
    np.testing.assert_allclose(found.mean, read.iloc[1:13].mean())
    read["split"] = ["test", *["train"] * 12, *["test"] * 7]
    read.to_csv(table)
    np.testing.assert_allclose(read_companion(table, "s00").mean, found.mean)
    assert "split" not in found.names


def test_too_few_others_give_no_reference(table):
    assert np.isnan(read_companion(table, "s00", training=["s01", "s02"]).mean).all()


def test_with_the_facts_a_report_on_an_embedding_is_checked(table, embedding):
    text = "The left insula is increased. The right insula is increased. FOXP2 expression is reduced. The left cuneus is reduced. Highest in the left insula."
    bare = check(claims_in(text, {}, {}), *embedding)
    assert {claim.verdict.value for claim in bare} == {"uncheckable"}
    subject, reference = read_companion(table, "s00").beside(*embedding)
    claims = check(claims_in(text, reference.regions, reference.facts), subject, reference)
    assert [claim.verdict.value for claim in claims] == ["supported", "contradicted", "supported", "not in input", "supported"]
    assert reference.regions == {REGIONS: ("left insula", "right insula"), GENES: ("FOXP2",)}


def test_a_name_that_the_bundle_reads_is_not_taken_twice(table, embedding):
    subject, reference = embedding
    own = {"brain": ("left insula",)}
    reference = Reference(own, {"brain": np.zeros(1)}, {"brain": np.ones(1)}, {}, {})
    _, beside = read_companion(table, "s00").beside(subject, reference)
    assert beside.regions == own | {REGIONS: ("right insula",), GENES: ("FOXP2",)}


def test_an_anndata_file_gives_its_matrix(table, tmp_path):
    read = pd.read_csv(table, index_col=0)
    anndata.AnnData(X=read.to_numpy(), obs=pd.DataFrame(index=read.index), var=pd.DataFrame(index=read.columns)).write_h5ad(tmp_path / "facts.h5ad")
    found, expected = read_companion(tmp_path / "facts.h5ad", "s00"), read_companion(table, "s00")
    assert found.names == expected.names
    np.testing.assert_allclose(found.values, expected.values)


def test_errors_name_the_file_and_what_was_expected(table, tmp_path):
    with pytest.raises(ValueError, match=r"facts .*facts.csv: no sample 's99'; found 20 samples, for example 's00'"):
        read_companion(table, "s99")
    (tmp_path / "words.csv").write_text("id,note\ns00,well\n")
    with pytest.raises(ValueError, match=r"facts .*words.csv: expected .* columns of finite numbers"):
        read_companion(tmp_path / "words.csv", "s00")
    (tmp_path / "twice.csv").write_text("id,insula\ns00,1\ns00,2\n")
    with pytest.raises(ValueError, match=r"twice.csv, .*'s00' occurs twice"):
        read_companion(tmp_path / "twice.csv", "s00")


def test_the_command_checks_against_the_table_and_does_not_show_it_to_the_model(bridge, tiny_cohort, tiny_cohort_file, tmp_path, monkeypatch, capsys):
    facts = pd.DataFrame({"left thalamus": np.arange(32.0)}, index=pd.Index(tiny_cohort.ids, name="id"))
    facts.to_csv(tmp_path / "facts.csv")
    seen = []

    def said(_, batch, *__, **settings):
        seen.append((set(batch), settings["constrain"], "left thalamus" in settings["known"].regions[REGIONS]))
        return [Generation("The left thalamus is increased.", ("The left thalamus is increased.",), (0.5,))]

    for name in ("load", "load_reader"):
        monkeypatch.setattr(commands, name, lambda *_, **__: bridge)
    monkeypatch.setattr(write, "generated", said)
    commands.report(
        ["bundle", "--cohort", str(tiny_cohort_file), "--sample", "sample-30", "--facts", str(tmp_path / "facts.csv"), "--constrain", "--format", "json"]
    )
    report = Report.model_validate_json(capsys.readouterr().out)
    (claim,) = [claim for section in report.sections for claim in section.claims]
    assert (claim.entity, claim.verdict.value, claim.confidence) == ("left thalamus", "supported", 0.5)
    assert seen == [({"gene", "brain"}, True, True)]
    assert report.given == ("brain", "gene")


def test_ranks_are_taken_within_the_facts(embedding, table):
    subject, _ = read_companion(table, "s00").beside(*embedding)
    assert isinstance(subject.regions[REGIONS], RegionValues)
    assert subject.regions[REGIONS].rank("left insula") == 1
