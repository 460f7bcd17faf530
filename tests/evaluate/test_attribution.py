"""What a claim loses without a region is what two full readings give, region by region; and figures only where there are samples enough."""

import dataclasses

import nibabel
import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import false_discovery_control, wilcoxon

from bridge.data.cohort import Cohort
from bridge.evaluate.attribution import Attribution, attribute, attribution_rows, mentions, token_span
from bridge.evaluate.attribution_files import claim_table, feature_effects, set_table, words, write_attribution
from bridge.evaluate.gene_sets import feature_sets, read_gmt
from bridge.evaluate.likelihood import answer_nll, report_examples, token_nll, true_reports
from bridge.evaluate.retrieval import retrieval_scores
from bridge.evaluate.significance import attainable_p, effects, fewest_samples, group_means, signed_rank
from bridge.language.prompts import Prompt
from bridge.language.questions import REPORT_ASK
from bridge.report.schema import Claim, Direction
from encoders.brain_volume import BrainVolume
from encoders.expression import Expression

ROWS = np.array([24, 26, 28, 30])
REGIONS = tuple(f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "insula", "pallidum", "caudate", "amygdala"))


def values_of(bridge, cohort, rows):
    return {modality: torch.from_numpy(cohort.values(modality)[rows]) for modality in bridge.projectors}


def likelihood_by_hand(bridge, values, text, entity):
    """Log-probability of the tokens whose letters lie in the first mention of the entity, from the logits of the whole sequence."""
    prompt = Prompt(bridge.language.tokenizer, bridge.template)
    answered = prompt.answer(text)
    with torch.inference_mode():
        logits = bridge(values, prompt.opening, [[prompt.example(REPORT_ASK[0], text)]])[0].log_softmax(dim=-1)
    start, total = text.index(entity), 0.0
    for number, token in enumerate(answered[:-1]):
        begin, end = (len(bridge.language.tokenizer.decode(answered[:count])) for count in (number, number + 1))
        if begin < start + len(entity) and end > start:
            total += float(logits[number, token])
    return total


def test_the_change_of_a_claim_is_the_difference_of_two_readings(bridge, tiny_cohort):
    found = attribute(bridge, tiny_cohort, ROWS[:1], "brain", batch_size=3)
    text, values = true_reports(tiny_cohort, ROWS[:1])[0], values_of(bridge, tiny_cohort, ROWS[:1])
    assert list(found.sets) == list(REGIONS)
    assert len(found.claims) == 6
    assert found.left_out == 0
    for number, claim in enumerate(found.claims):
        full = likelihood_by_hand(bridge, values, text, claim.entity)
        for place in (0, 4, 9):
            without = values["brain"].clone()
            without[:, place] = torch.nan
            expected = full - likelihood_by_hand(bridge, values | {"brain": without}, text, claim.entity)
            assert found.change[number, place] == pytest.approx(expected, abs=1e-4)
    assert np.abs(found.change).max() > 1e-3


def test_the_size_of_the_batch_changes_nothing(bridge, tiny_cohort):
    one, many = (attribute(bridge, tiny_cohort, ROWS, "brain", batch_size=size).change for size in (1, 16))
    np.testing.assert_allclose(one, many, atol=1e-4)


def test_a_blind_bridge_rests_on_nothing(bridge, tiny_cohort):
    assert np.abs(attribute(bridge, tiny_cohort, ROWS, "brain").change).max() > 1e-3
    bridge.blind = True
    np.testing.assert_allclose(attribute(bridge, tiny_cohort, ROWS, "brain").change, 0, atol=1e-5)
    rows = {(row["metric"], row["method"]): row["value"] for row in attribution_rows(attribute(bridge, tiny_cohort, ROWS, "brain"))}
    assert rows["own_percentile", "bridge"] == pytest.approx(0.5, abs=0.25)


def test_an_embedding_is_taken_away_as_a_whole(bridge, tiny_cohort):
    found = attribute(bridge, tiny_cohort, ROWS, "gene")
    assert list(found.sets) == ["whole gene"]
    assert {claim.attribute for claim in found.claims} == {"organ_systems", "inheritance"}
    assert np.isfinite(found.change).all()
    assert np.abs(found.change).min() > 0
    with pytest.raises(ValueError, match="its features have no names"):
        attribute(bridge, tiny_cohort, ROWS, "gene", sets={"ion channels": ["SCN1A"]})


def test_a_region_the_sample_lacks_and_a_sample_without_the_modality_give_no_figure(bridge, tiny_cohort):
    found = attribute(bridge, tiny_cohort, np.array([5, 7]), "brain")
    assert set(found.samples) == {"sample-07"}
    assert np.isnan(found.change[:, 2]).all()
    assert np.isfinite(np.delete(found.change, 2, axis=1)).all()


def test_a_modality_that_the_bundle_does_not_read_is_refused(bridge, tiny_cohort):
    with pytest.raises(ValueError, match=r"reads \['gene', 'brain'\], not 'eeg'"):
        attribute(bridge, tiny_cohort, ROWS, "eeg")


def test_sets_of_regions_are_taken_away_together(bridge, tiny_cohort):
    pairs = {name: [f"left {name}", f"right {name}"] for name in ("cuneus", "insula")} | {"elsewhere": ["left knee"]}
    found = attribute(bridge, tiny_cohort, ROWS[:1], "brain", sets=pairs)
    assert list(found.sets) == ["cuneus", "insula"]
    text, values = true_reports(tiny_cohort, ROWS[:1])[0], values_of(bridge, tiny_cohort, ROWS[:1])
    entity, without = found.claims[0].entity, values["brain"].clone()
    without[:, [0, 5]] = torch.nan
    expected = likelihood_by_hand(bridge, values, text, entity) - likelihood_by_hand(bridge, values | {"brain": without}, text, entity)
    assert found.change[0, 0] == pytest.approx(expected, abs=1e-4)


def test_the_likelihood_of_an_answer_is_the_mean_over_its_tokens_and_the_end(bridge, tiny_cohort):
    values, examples = values_of(bridge, tiny_cohort, ROWS), report_examples(bridge, true_reports(tiny_cohort, ROWS))
    tokens = token_nll(bridge, values, examples, batch_size=2)
    assert [len(nll) for nll in tokens] == [sum(label >= 0 for label in labels) for _, labels in examples]
    np.testing.assert_allclose(answer_nll(bridge, values, examples), [nll.mean() for nll in tokens], atol=1e-5)
    one = {modality: column[:1] for modality, column in values.items()}
    with torch.inference_mode():
        expected = torch.nn.functional.cross_entropy(*bridge(one, Prompt(bridge.language.tokenizer, bridge.template).opening, [examples[0:1]]))
    assert tokens[0].mean() == pytest.approx(float(expected), abs=1e-4)


def test_a_claim_is_found_at_its_own_place_in_the_text():
    text = "Highest in the left cuneus and Right  Insula; lowest in the left precuneus, the left cuneus."
    claims = [Claim(entity=name, statement="", direction=Direction.HIGHER) for name in ("left cuneus", "right insula", "left precuneus", "left cuneus", "knee")]
    spans = mentions(text, claims)
    assert [text[slice(*span)] if span else None for span in spans] == ["left cuneus", "Right  Insula", "left precuneus", "left cuneus", None]
    assert spans[0] != spans[3]
    comparison = Claim(entity="left cuneus", than="right insula", statement="", direction=Direction.HIGHER)
    told = "The left cuneus is higher than the right insula."
    assert told[slice(*mentions(told, [comparison])[0])] == "left cuneus is higher than the right insula"


@pytest.mark.parametrize(
    ("start", "end", "tokens"), [(0, 4, slice(0, 1)), (0, 5, slice(0, 2)), (4, 11, slice(1, 3)), (5, 6, slice(1, 2)), (7, 11, slice(2, 3))]
)
def test_the_tokens_of_a_span_are_all_that_hold_a_letter_of_it(start, end, tokens):
    assert token_span(["left", " cu", "neus", "."], start, end) == tokens


def made_up(change, entities=("a", "b"), groups=None):
    claims = tuple(Claim(entity=entity, statement=f"highest in the {entity}", direction=Direction.HIGHER, modality="brain") for entity in entities)
    sets = {name: (name,) for name in ("a", "b", "c")}
    groups = np.array(groups or [f"g{number}" for number in range(len(claims))])
    return Attribution("brain", sets, claims, tuple(f"s{number}" for number in range(len(claims))), groups, np.array(change, dtype=float))


def test_a_claim_that_loses_most_without_its_own_region_counts_as_resting_on_it():
    rows = {(row["metric"], row["method"]): row for row in attribution_rows(made_up([[3, 1, 0], [1, 0, np.nan]]))}
    assert rows["own_first", "bridge"]["value"] == 0.5
    assert rows["own_first", "chance"]["value"] == pytest.approx(1 / 3)
    assert rows["own_percentile", "bridge"]["value"] == pytest.approx((1 + 0.5) / 2)
    assert (rows["own_first", "bridge"]["n"], rows["own_first", "bridge"]["candidates"]) == (2, 3)
    assert (rows["own_percentile", "bridge"]["low"], rows["own_percentile", "bridge"]["high"]) == (0.5, 1.0)


def test_the_order_of_the_regions_is_scored_as_a_retrieval_is():
    change, own = np.random.default_rng(0).normal(size=(30, 3)), np.random.default_rng(1).integers(0, 3, 30)
    rows = {(row["metric"], row["method"]): row["value"] for row in attribution_rows(made_up(change, ["abc"[number] for number in own]))}
    expected = retrieval_scores(change, ks=(1,), target=own)
    assert rows["own_first", "bridge"] == pytest.approx(expected["r1"])
    assert rows["own_percentile", "bridge"] == pytest.approx(expected["mean_percentile"])


def test_without_a_claim_about_a_region_the_figures_are_undefined(tmp_path):
    rows = attribution_rows(made_up(np.empty((0, 3)), ()))
    assert {row["value"] for row in rows} == {None}
    results = pytest.importorskip("bridge.benchmark.results")
    record = results.Record("reports", tmp_path)
    for row in rows + attribution_rows(made_up([[3, 1, 0], [1, 0, 0]])):
        record.row(**row)
    assert len(record.rows) == 8


@pytest.mark.parametrize(("n", "tests", "p"), [(5, 1, 0.0625), (6, 1, 0.03125), (6, 83, 1.0), (12, 83, 83 / 2048), (0, 1, 1.0)])
def test_the_attainable_p_is_that_of_the_most_extreme_sample(n, tests, p):
    assert attainable_p(n, tests) == pytest.approx(p)
    if 0 < n < 10 and tests == 1:
        assert wilcoxon(np.arange(1.0, n + 1)).pvalue == pytest.approx(p)


def test_as_few_samples_as_are_said_to_be_needed_suffice_and_one_fewer_do_not():
    for tests in (1, 10, 83):
        n = fewest_samples(tests)
        changes = np.tile(np.arange(1.0, n + 1)[:, None], (1, tests)) * np.where(np.arange(tests) == 0, 1, (-1.0) ** np.arange(n)[:, None])
        _, q = signed_rank(changes)
        assert q[0] < 0.05
        assert signed_rank(changes[1:]) == ([None] * tests, [None] * tests)


def test_p_and_q_are_those_of_scipy():
    changes = np.random.default_rng(0).normal(0.3, 1, (30, 8))
    p, q = signed_rank(changes)
    expected = [wilcoxon(column).pvalue for column in changes.T]
    np.testing.assert_allclose(p, expected)
    np.testing.assert_allclose(q, false_discovery_control(expected))


def test_a_set_with_too_few_samples_of_its_own_has_no_p_and_the_others_do():
    changes = np.random.default_rng(0).normal(1, 0.3, (20, 3))
    changes[4:, 1] = np.nan
    changes[:, 2] = 0
    p, q = signed_rank(changes)
    assert [value is None for value in p] == [value is None for value in q] == [False, True, True]


def test_samples_of_a_group_count_once():
    changes = np.array([[1.0, np.nan], [3.0, 2.0], [5.0, np.nan]])
    np.testing.assert_array_equal(group_means(changes, np.array(["a", "a", "b"])), [[2.0, 2.0], [5.0, np.nan]])
    table = effects(np.tile(changes[:, :1], (20, 1)), np.repeat(np.arange(4), 15), ["a"])
    assert table["n"].tolist() == [4]
    assert table["p"].isna().all()
    assert table["effect"].tolist() == [3.0]


def test_under_no_effect_a_region_is_found_in_about_5_percent_of_studies_at_most():
    found = [min(value for value in signed_rank(np.random.default_rng(seed).normal(size=(20, 10)))[1] if value is not None) < 0.05 for seed in range(40)]
    assert np.mean(found) <= 0.12


def test_words_say_when_there_are_too_few_samples_and_how_many_are_needed():
    few = made_up([[3, 1, 0], [1, 0, 0]])
    assert "2 groups of samples can reach p = 1 at best over 3 tests: p and q are left empty; 7 groups are needed" in words(few, set_table(few))
    changes = np.random.default_rng(0).normal([1, 0, 0], 0.3, (20, 3))
    many = made_up(changes, ("a",) * 20)
    assert "Wilcoxon over 20 groups, Benjamini and Hochberg over 3 tests: 1 with q < 0.05 (a)" in words(many, set_table(many))


def test_tables_hold_every_set_and_every_claim():
    some = made_up([[3, 1, 0], [1, 0, np.nan]])
    table, claims = set_table(some), claim_table(some)
    assert table.columns.tolist() == ["set", "n_features", "n", "effect", "low", "high", "p", "q", "named_effect", "named_n"]
    assert table["effect"].tolist() == [2.0, 0.5, 0.0]
    assert table["named_effect"].isna().tolist() == [False, False, True]
    assert table["named_n"].tolist() == [1, 1, 0]
    assert len(claims) == 5
    assert claims[claims.named]["change"].tolist() == [3.0, 0.0]


def test_a_feature_has_the_mean_of_the_sets_that_hold_it():
    some = dataclasses.replace(made_up([[3, 1, 0], [1, 0, np.nan]]), sets={"one": ("a", "b"), "two": ("b",), "three": ("d",)})
    np.testing.assert_allclose(feature_effects(some, set_table(some), ("a", "b", "c")), [2.0, 1.25, np.nan])


def test_gene_sets_are_read_as_they_stand(tmp_path):
    path = tmp_path / "sets.gmt"
    path.write_text("ion channels\thttp\tSCN1A\tKCNQ2\tSCN1A\n\nmyelin\t\tMBP\tPLP1\t\n")
    assert read_gmt(path) == {"ion channels": ("SCN1A", "KCNQ2"), "myelin": ("MBP", "PLP1")}
    assert feature_sets(("MBP", "SCN1A"), "gene", read_gmt(path)) == {"ion channels": ("SCN1A",), "myelin": ("MBP",)}


@pytest.mark.parametrize(("text", "message"), [("a\tb\n", "line 1: found 2 fields"), ("a\tb\tC\na\tb\tD\n", "line 2: set 'a' comes twice")])
def test_a_damaged_gene_set_file_is_refused_by_line(tmp_path, text, message):
    path = tmp_path / "sets.gmt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_gmt(path)
    with pytest.raises(ValueError, match="no such file"):
        read_gmt(tmp_path / "other.gmt")


def test_sets_without_any_gene_of_the_input_are_refused():
    with pytest.raises(ValueError, match=r"none of 1 sets has a feature of it; expected names like \['MBP'\]"):
        feature_sets(("MBP",), "gene", {"a": ("ENSG00000197971",)})


def attributed(bridge, cohort, rows=ROWS, **sets):
    """Attribution of the true reports."""
    return {modality: attribute(bridge, cohort, rows, modality, sets=sets.get(modality)) for modality in bridge.projectors}


def test_tables_and_words_are_written(bridge, tiny_cohort, tmp_path):
    found = attributed(bridge, tiny_cohort)
    written = write_attribution(found, bridge, tiny_cohort, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["attribution_brain.parquet", "attribution_claims.parquet", "attribution_gene.parquet"]
    table = pd.read_parquet(tmp_path / "attribution_brain.parquet")
    assert table["set"].tolist() == list(REGIONS)
    assert table["n"].tolist() == [4] * 10
    assert table["p"].isna().all()
    pd.testing.assert_frame_equal(written["brain"].table, table, check_dtype=False)
    claims = pd.read_parquet(tmp_path / "attribution_claims.parquet")
    assert len(claims) == 10 * len(found["brain"].claims) + len(found["gene"].claims)
    assert "4 groups of samples can reach p = 1 at best over 10 tests" in written["brain"].words
    assert (written["brain"].effect.shape, written["gene"].effect, written["brain"].mapped) == ((10,), None, False)


def test_without_claims_the_tables_are_empty(bridge, tiny_cohort, tmp_path):
    silent = {modality: attribute(bridge, tiny_cohort, ROWS[:2], modality, texts=["", ""]) for modality in bridge.projectors}
    written = write_attribution(silent, bridge, tiny_cohort, tmp_path)
    assert pd.read_parquet(tmp_path / "attribution_brain.parquet")["effect"].isna().all()
    assert pd.read_parquet(tmp_path / "attribution_claims.parquet").empty
    assert "0 claims of 0 samples" in written["brain"].words


def rebuilt(cohort, encoder, modality="brain"):
    """The tiny cohort with another encoder over the same values."""
    given = {name: (cohort.encoder(name), cohort.raw(name).astype(float)) for name in cohort.modalities}
    given[modality] = (encoder, given[modality][1])
    return Cohort.assemble(cohort.table.obs, given, facts=cohort.facts, normalise={"brain": "global"}, source="tiny")


def test_regions_come_back_as_a_brain_map(make_bridge, tiny_cohort, tmp_path):
    labels = np.zeros((4, 3, 3), dtype=np.int16)
    labels.ravel()[: len(REGIONS)] = np.arange(11, 21)
    image = nibabel.Nifti1Image(labels, np.diag([2.0, 2, 2, 1]))
    image.set_sform(image.affine, 4)
    nibabel.save(image, tmp_path / "atlas.nii.gz")
    cohort = rebuilt(tiny_cohort, BrainVolume(atlas=str(tmp_path / "atlas.nii.gz"), names=REGIONS, provenance={"space": "MNI152"}))
    bridge = make_bridge()
    bridge.encoders["brain"] = cohort.encoder("brain")
    found = attributed(bridge, cohort)
    written = write_attribution(found, bridge, cohort, tmp_path / "out")["brain"]
    assert written.mapped
    assert written.words.endswith("Brain map: attribution_brain.nii.gz.")
    drawn = nibabel.load(tmp_path / "out" / "attribution_brain.nii.gz").get_fdata()
    np.testing.assert_allclose(drawn[labels > 0], written.effect[labels[labels > 0] - 11], atol=1e-3 * np.ptp(written.effect))
    assert not drawn[labels == 0].any()
    (tmp_path / "atlas.nii.gz").unlink()
    again = write_attribution({"brain": found["brain"]}, bridge, cohort, tmp_path / "again")["brain"]
    assert "No brain map: the label image" in again.words
    assert not again.mapped
    assert not (tmp_path / "again" / "attribution_brain.nii.gz").exists()


def test_genes_of_a_set_come_back_in_the_var_of_the_cohort(make_bridge, tiny_cohort, tmp_path):
    genes = [f"GENE{number}" for number in range(len(REGIONS))]
    cohort = rebuilt(tiny_cohort, Expression(names=genes, modality="brain"))
    counts = pd.DataFrame(np.zeros((cohort.table.n_obs, 11)), index=cohort.table.obs_names, columns=["OTHER", *genes])
    table = type(cohort.table)(counts, obs=cohort.table.obs, obsm=dict(cohort.table.obsm), uns=dict(cohort.table.uns))
    cohort = Cohort(table, "with genes")
    sets = {"one": ("GENE0", "GENE1"), "two": ("GENE1", "GENE2", "ABSENT")}
    bridge = make_bridge()
    bridge.encoders["brain"] = cohort.encoder("brain")
    bridge.reference["training"]["regions"]["brain"] = genes
    write_attribution(attributed(bridge, cohort, brain=sets), bridge, cohort, tmp_path / "out")
    written = pd.read_parquet(tmp_path / "out" / "attribution_brain.parquet")
    assert written["n_features"].tolist() == [2, 2]
    var = Cohort.read(tmp_path / "out" / "attribution.h5ad").table.var["attribution_brain"]
    np.testing.assert_allclose(var[["GENE0", "GENE1", "GENE2"]], [written["effect"][0], written["effect"].mean(), written["effect"][1]])
    assert var[["OTHER", "GENE3"]].isna().all()
