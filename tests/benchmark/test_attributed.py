"""``bridge evaluate attribution`` has rows beside chance, a verdict, a table and figures per modality, and says what is undefined."""

import nibabel
import numpy as np
import pytest

from bridge.benchmark import attribution
from bridge.benchmark.attribution import Attributed, chosen_sets, put_attribution, strongest, verdict
from bridge.benchmark.results import Record
from bridge.evaluate.attribution import Attribution, attribution_rows
from bridge.evaluate.attribution_files import set_table, write_attribution
from bridge.evaluate.likelihood import true_reports
from bridge.report.schema import Claim, Direction
from encoders.brain_volume import BrainVolume

NAMES = ("left insula", "left cuneus", "right insula", "right cuneus")


def made_up(change, named=NAMES, modality="brain"):
    """One claim per row of change; claim i names region ``named[i]``."""
    change = np.array(change, dtype=float)
    claims = tuple(Claim(entity=name, statement=f"highest in the {name}", direction=Direction.HIGHER, modality=modality) for name in named[: len(change)])
    sets = {name: (name,) for name in NAMES} if change.shape[1] == len(NAMES) else {f"whole {modality}": ()}
    groups = np.array([f"g{number}" for number in range(len(change))])
    return Attribution(modality, sets, claims, tuple(groups.tolist()), groups, change)


def judged(some):
    return verdict(some.modality, attribution_rows(some), set_table(some))


def parts(record, heading):
    return [part for part in record.parts if part.heading == heading]


@pytest.fixture
def record(small_default, monkeypatch, tiny_cohort):
    """The record of a run; the true reports stand in place of what an untrained model writes."""
    rows = tiny_cohort.rows("test")
    monkeypatch.setattr(attribution, "generate", lambda *given, **settings: true_reports(tiny_cohort, rows))
    record = Record("attribution", small_default.folder.parent / "attribution")
    Attributed(steps=1, limit=99).run(record)
    record.write()
    return record


def test_a_run_leaves_rows_beside_chance_words_tables_and_figures(record):
    rows = {(row.direction, row.metric, row.method): row for row in record.rows}
    assert set(rows) == {(side, metric, method) for side in ("brain", "gene") for metric in ("own_first", "own_percentile") for method in ("bridge", "chance")}
    assert rows["brain", "own_first", "chance"].value == pytest.approx(0.1)
    assert rows["brain", "own_percentile", "bridge"].n > 10
    assert rows["gene", "own_first", "bridge"].value is None  # taken away as a whole
    about_brain, about_gene = parts(record, "Claims about brain"), parts(record, "Claims about gene")
    assert "p and q are left empty" in about_brain[0].words
    assert len(about_brain[1].table[1]) == 10
    assert [part.figure.name for part in about_brain if part.figure] == ["effects_brain.png"]
    assert [part.figure for part in about_gene if part.figure] == []
    assert [line[0] for line in about_gene[1].table[1]] == ["whole gene"]
    assert len(parts(record, "Verdict")) == 2
    files = {path.name for path in record.out.iterdir() if path.is_file()}
    assert files == {"results.json", "page.html", "attribution_claims.parquet", "attribution_brain.parquet", "attribution_gene.parquet"}


def test_of_reports_that_claim_nothing_all_is_undefined_and_nothing_is_drawn(bridge, tiny_cohort, tmp_path):
    record, regions = Record("attribution", tmp_path), {name: (name,) for name in tiny_cohort.card("brain").names}
    silent = {"brain": Attribution("brain", regions, (), (), np.array([], dtype=str), np.empty((0, len(regions))))}
    written = write_attribution(silent, bridge, tiny_cohort, tmp_path)
    put_attribution(record, silent["brain"], written["brain"], bridge.encoders["brain"])
    assert {row.value for row in record.rows} == {None}
    assert "undefined" in parts(record, "Verdict")[0].words
    assert not [part for part in record.parts if part.figure]


def test_the_verdict_is_yes_only_where_the_interval_lies_above_chance():
    own = 3 * np.eye(4)
    assert judged(made_up(own)) == (
        "That a claim about brain rests more on what it names than on the rest: yes; "
        "it loses less without 100.0% of the other sets (100.0% to 100.0%; chance 50 %, 4 claims)."
    )
    assert "not shown; it loses less without 0.0%" in judged(made_up(-own))
    assert "than on the rest: undefined; " in judged(made_up(own[:1]))
    assert "rests on gene: yes; it loses 2.000 nats (" in judged(made_up([[1], [2], [3]], modality="gene"))
    assert "rests on gene: not shown; " in judged(made_up([[-1], [2], [1]], modality="gene"))
    assert "rests on gene: undefined; it loses undefined nats" in judged(made_up(np.empty((0, 1)), modality="gene"))


def test_the_table_has_the_sets_whose_own_claims_lose_most_first():
    lines = strongest(set_table(made_up([[1, 5, 9, 0], [0, 2, 0, 0]])))
    assert [line[:3] for line in lines] == [("left cuneus", "1", "2.000"), ("left insula", "1", "1.000")]
    unnamed = strongest(set_table(made_up([[1, 5, 9, 0]], named=["elsewhere"])))
    assert [line[0] for line in unnamed] == ["right insula", "left cuneus", "left insula", "right cuneus"]
    assert {line[2] for line in unnamed} == {"undefined"}
    assert len(strongest(set_table(made_up([[1, 5, 9, 0]], named=["elsewhere"])), most=2)) == 2


def test_a_brain_map_that_was_written_is_shown(make_bridge, tiny_cohort, tmp_path):
    codes = np.zeros((30, 36, 30), dtype=np.int16)
    for number in range(10):
        codes[6 + 2 * number, 10:24, 8:22] = number + 1
    image = nibabel.Nifti1Image(codes, np.array([[6.0, 0, 0, -90], [0, 6, 0, -126], [0, 0, 6, -72], [0, 0, 0, 1]]))
    image.set_sform(image.affine, 4)
    nibabel.save(image, tmp_path / "atlas.nii.gz")
    names, bridge, record = tiny_cohort.card("brain").names, make_bridge(), Record("attribution", tmp_path / "run")
    bridge.encoders["brain"] = BrainVolume(atlas=str(tmp_path / "atlas.nii.gz"), names=names, provenance={"space": "MNI152"})
    claims = tuple(Claim(entity=name, statement=name, direction=Direction.HIGHER, modality="brain") for name in names[:2])
    some = Attribution("brain", {name: (name,) for name in names}, claims, ("a", "b"), np.array(["a", "b"]), np.random.default_rng(0).normal(size=(2, 10)))
    written = write_attribution({"brain": some}, bridge, tiny_cohort, record.out)
    put_attribution(record, some, written["brain"], bridge.encoders["brain"])
    assert (record.out / "attribution_brain.nii.gz").is_file()
    assert [part.figure.name for part in record.parts if part.figure and part.figure.is_file()] == ["effects_brain.png", "map_brain.png"]


def test_gene_sets_go_to_the_modality_that_has_their_genes(tiny_cohort):
    assert chosen_sets(tiny_cohort, ("gene", "brain")) == {"gene": None, "brain": None}
    pairs = {"insula": ("left insula", "right insula")}
    assert chosen_sets(tiny_cohort, ("gene", "brain"), pairs) == {"gene": None, "brain": pairs}
    with pytest.raises(ValueError, match=r"no modality has a gene of its 1 sets; named features are in \['brain'\]"):
        chosen_sets(tiny_cohort, ("gene", "brain"), {"myelin": ("MBP",)})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bundle": "b"}, "fields bundle and cohort: found one of them"),
        ({"gene_sets": "sets.gmt"}, "field gene_sets: the default data have no named genes"),
        ({"bundle": "b", "cohort": "c", "gene_sets": "nowhere.gmt"}, "nowhere.gmt: no such file"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_trained(settings, message):
    with pytest.raises(ValueError, match=message):
        Attributed(**settings)
