"""Stage 1: what it learns, what it logs, and what it refuses."""

import numpy as np
import pytest
import torch

from bridge.bundle import load, save
from bridge.evaluate.retrieval import retrieval_scores
from bridge.language.llm import LLM, Lora, load_llm
from bridge.language.textbank import TextBank
from bridge.retrieve.embed import shared_embeddings
from bridge.train.align import Align, TextSide

PAIRS = {"brain~anatomy": 1.0}
LORA = TextSide(layers=(0, 2), lora=Lora(r=4, alpha=8, dropout=0.0))


def test_the_loss_falls_on_a_planted_relation_and_stays_finite(align, data, fit):
    batches = data(16)
    _, losses = fit(align(batches.cohort, learning_rate=1e-2), batches, max_epochs=25)
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.5 * losses[0]


def test_retrieval_and_temperature_are_logged_each_epoch(align, data, fit):
    batches = data(16)
    trainer, _ = fit(align(batches.cohort), batches, max_epochs=2)
    logged = trainer.callback_metrics
    for direction in ("brain->anatomy", "anatomy->brain", "gene->clinical", "clinical->gene", "gene->brain", "brain->gene"):
        assert {f"validation/{direction}/{key}" for key in ("r1", "r5", "median_rank", "mrr")} <= set(logged)
    assert 0 < float(logged["scale/brain~anatomy"]) < 100
    assert float(logged["scale/brain~anatomy"]) != pytest.approx(1 / 0.07)  # it learns


def test_what_is_logged_is_the_retrieval_of_the_whole_validation_split(align, data, fit):
    batches = data(4)  # two batches of validation
    module = align(batches.cohort)
    trainer, _ = fit(module, batches, max_epochs=1)
    embedded = shared_embeddings(module.bridge.eval(), batches.cohort, batches.cohort.rows("validation"), ["anatomy"])
    expected = retrieval_scores(embedded["brain"] @ embedded["anatomy"].T, resamples=0)
    assert float(trainer.callback_metrics["validation/brain->anatomy/mrr"]) == pytest.approx(expected["mrr"], abs=1e-6)


def test_the_mean_r10_is_that_of_the_same_epoch(align, data, fit, monkeypatch):
    monkeypatch.setattr("bridge.train.align.retrieval_scores", lambda matrix, resamples: {"r1": 0.1, "r5": 0.2, "r10": 0.3, "median_rank": 1.0, "mrr": 0.5})
    batches = data(16)
    trainer, _ = fit(align(batches.cohort), batches, max_epochs=1)
    assert float(trainer.callback_metrics["validation/r10"]) == pytest.approx(0.3)


def test_every_text_is_encoded_once_however_many_epochs_and_runs(align, data, fit, monkeypatch):
    encoded = []
    genuine = TextBank._tokens
    monkeypatch.setattr(TextBank, "_tokens", lambda self, texts, **how: encoded.extend(texts) or genuine(self, texts, **how))
    batches = data(16)
    module = align(batches.cohort, text=TextSide(layers=(1,), pooling="last"))
    fit(module, batches, max_epochs=3)
    texts = {text for column in ("anatomy", "clinical") for text in batches.cohort.text(column) if text}
    assert sorted(encoded) == sorted(texts)
    fit(align(batches.cohort, text=TextSide(layers=(1,), pooling="last")), batches, max_epochs=1)
    assert len(encoded) == len(texts)


def test_a_sample_without_one_side_takes_no_part_in_that_pair(align, data, fit):
    batches = data(16)
    module = align(batches.cohort)
    fit(module, batches, max_steps=1)
    rows = batches.cohort.rows("train").tolist()  # sample 3 has no gene, sample 9 no clinical text
    whole, without = batches.batch(rows), batches.batch([row for row in rows if row not in (3, 9)])
    pair = ("gene", "clinical")
    losses = [module.compare(pair, module.embed(batch), batch) for batch in (whole, without)]
    assert torch.isfinite(losses[0])
    assert torch.allclose(*losses)
    assert module.both(("brain", "anatomy"), module.embed(whole))[[3, 9]].all()  # their other sides are used


@pytest.mark.parametrize("loss", ["info_nce", "sigmoid"])
def test_samples_of_the_very_same_text_belong_together_where_the_config_says_so(align, data, fit, loss):
    batches = data(16)
    table, rows = batches.cohort.table.obs, batches.cohort.rows("train")
    table["anatomy"] = table["anatomy"].astype(str)
    table.loc[table.index[rows[4]], "anatomy"] = batches.cohort.text("anatomy")[rows[0]]
    pulls = {}
    for targets in ("pairs", "same_text"):
        module = align(batches.cohort, pairs={"gene~brain": 1.0} | PAIRS, loss=loss, targets=targets)
        fit(module, batches, max_steps=1)
        batch = batches.batch(rows.tolist())
        embeddings = {name: (torch.eye(16, requires_grad=True), present) for name, (_, present) in module.embed(batch).items()}
        module.bridge.space.trained_part = lambda vectors: vectors
        assert list(module.labels) == ([("brain", "anatomy")] if targets == "same_text" else [])
        pulls[targets] = torch.autograd.grad(module.compare(("brain", "anatomy"), embeddings, batch), embeddings["brain"][0])[0][0]
    assert pulls["pairs"][4] > 0 > pulls["same_text"][4]  # the gradient pushes from the text of sample 4, or pulls to it
    assert (torch.stack(list(pulls.values()))[:, [2, 3]] > 0).all()


def test_a_pair_that_a_batch_lacks_is_passed_over(align, data, fit):
    batches = data(16)
    batches.values["gene"][: len(batches.cohort.rows("train")) - 1] = torch.nan
    trainer, losses = fit(align(batches.cohort), batches, max_steps=1)
    assert np.isfinite(losses).all()
    assert "loss/brain~anatomy" in trainer.callback_metrics
    assert "loss/gene~clinical" not in trainer.callback_metrics


def test_a_pair_whose_samples_in_a_batch_are_of_one_group_is_passed_over(align, data, fit):
    batches = data(16)
    batches.values["gene"][2 : len(batches.cohort.rows("train"))] = torch.nan  # two of one family are left
    trainer, losses = fit(align(batches.cohort), batches, max_steps=1)
    assert np.isfinite(losses).all()
    assert "loss/brain~anatomy" in trainer.callback_metrics
    assert "loss/gene~clinical" not in trainer.callback_metrics


@pytest.mark.parametrize("targets", ["pairs", "same_text"])
def test_a_batch_in_which_nothing_can_be_compared_is_skipped_and_counted(align, data, fit, weights, targets):
    batches = data(4)
    batches.values["gene"][6 : len(batches.cohort.rows("train"))] = torch.nan  # three families of two
    module = align(batches.cohort, pairs={"gene~clinical": 1.0}, targets=targets)
    before = weights(module)
    fit(module, batches, max_epochs=2)
    reasons = [bad.reason for bad in module.gate.bad]
    assert 0 < len(reasons) < 8
    assert set(reasons) == {"no two samples of different groups to compare (raise the batch size)"}
    assert any(not torch.equal(before[name], after) for name, after in weights(module).items())


def test_a_batch_of_one_is_refused_for_it_has_no_negatives(align, data, fit):
    batches = data(1)
    with pytest.raises(ValueError, match=r"found 1 pair.*at least 2"):
        fit(align(batches.cohort), batches, max_steps=1)


def test_the_sigmoid_loss_trains_its_bias_too(align, data, fit):
    batches = data(16)
    module = align(batches.cohort, loss="sigmoid", learning_rate=1e-2)
    before = module.temperatures["brain~anatomy"].bias.item()
    _, losses = fit(module, batches, max_epochs=10)
    assert losses[-1] < losses[0]
    assert module.temperatures["brain~anatomy"].bias.item() != before


def test_everything_that_is_trained_changes_and_the_llm_does_not(align, data, fit, weights):
    batches = data(16)
    module = align(batches.cohort)
    before = weights(module)
    trainer, _ = fit(module, batches, max_epochs=2)
    after = weights(module)
    optimised = {id(parameter) for group in trainer.optimizers[0].param_groups for parameter in group["params"]}
    for name, parameter in module.named_parameters():
        assert (id(parameter) in optimised) == parameter.requires_grad, name
    assert all(torch.equal(before[name], after[name]) for name in before if ".llm." in name)
    for part in ("projectors.gene.skip", "projectors.brain.whole", "space.heads", "space.text_head", "temperatures"):
        assert any(not torch.equal(before[name], after[name]) for name in before if part in name), part


def test_text_vectors_are_standardised_by_the_training_texts_alone(align, data, fit):
    batches = data(16)
    module = align(batches.cohort)
    fit(module, batches, max_steps=1)
    train = batches.cohort.rows("train")
    vectors = torch.cat([module.texts[column][train] for column in module.texts])
    vectors = vectors[torch.isfinite(vectors).all(dim=1)]
    assert torch.allclose(module.bridge.space.text_mean, vectors.mean(dim=0), atol=1e-6)


def test_the_adapter_of_the_text_side_learns_and_is_kept_in_the_bundle(align, data, fit, tmp_path, weights):
    batches = data(16)
    module = align(batches.cohort, text=LORA, learning_rate=1e-2)
    before = weights(module)
    fit(module, batches, max_epochs=3)
    adapted = [name for name, parameter in module.named_parameters() if "lora_" in name and not torch.equal(before[name], parameter)]
    assert adapted
    again = load(save(module.bridge, tmp_path / "bundle"))
    assert list(again.llm.peft_config) == ["text"]
    stored = dict(again.named_parameters())
    assert all(torch.equal(module.get_parameter(name), stored[name.removeprefix("bridge.")]) for name in adapted)


def test_held_out_texts_are_read_through_the_adapter_as_in_training(align, data, fit, tmp_path):
    batches = data(16)
    module = align(batches.cohort, text=LORA, learning_rate=1e-2)
    fit(module, batches, max_epochs=3)
    rows = batches.cohort.rows("test")
    again = load(save(module.bridge, tmp_path / "bundle"))
    held_out = shared_embeddings(again, batches.cohort, rows, ["clinical"])["clinical"]
    with torch.no_grad():
        trained = module.eval().embed(batches.batch(rows.tolist()))["clinical"][0]
    np.testing.assert_allclose(held_out, trained.numpy(), atol=1e-5)
    bare = TextBank(load_llm(again.language.name), **again.text)
    texts = batches.cohort.text("clinical")
    plain = again.space.embed_text(torch.from_numpy(bare.embed([texts[row] for row in rows]))).detach().numpy()
    assert np.abs(plain - held_out).max() > 1e-3  # without the adapter they would be others


def test_a_missing_text_stays_missing_when_texts_are_encoded_at_every_step(align, data, fit):
    batches = data(16)
    module = align(batches.cohort, text=LORA)
    fit(module, batches, max_steps=1)
    present = module.embed(batches.batch([8, 9, 10]))["clinical"][1]
    assert present.tolist() == [True, False, True]


@pytest.mark.parametrize("pair", ["brain-anatomy", "brain~brain", "anatomy~clinical", "brain~no_such_text", "gene~brain~anatomy", ""])
def test_a_pair_that_names_no_two_sides_is_refused_before_the_llm_is_loaded(tiny_cohort, projectors, pair):
    with pytest.raises(ValueError, match=r"field pairs: found .*expected 'a~b'.*'gene', 'brain'"):
        Align(tiny_cohort, projectors, {pair: 1.0}, llm=LLM("no/such/llm"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pairs": {}}, "field pairs: found none"),
        ({"pairs": PAIRS, "loss": "hinge"}, "field loss: found 'hinge'"),
        ({"pairs": PAIRS, "targets": "all"}, "field targets: found 'all'"),
    ],
)
def test_no_pairs_and_unknown_losses_are_refused(tiny_cohort, projectors, settings, message):
    with pytest.raises(ValueError, match=message):
        Align(tiny_cohort, projectors, llm=LLM("no/such/llm"), **settings)


def test_a_step_that_is_not_finite_changes_nothing_and_is_counted_with_its_samples(align, data, fit, weights, monkeypatch):
    batches = data(16)
    module = align(batches.cohort)
    before = weights(module)
    monkeypatch.setattr(module, "compare", lambda *about: torch.tensor(torch.nan, requires_grad=True))
    trainer, losses = fit(module, batches, max_epochs=3)
    assert not np.isfinite(losses).any()
    assert [len(bad.ids) for bad in module.gate.bad] == [16, 16, 16]
    assert module.gate.bad[0].reason == "a loss that is not finite"
    assert float(trainer.callback_metrics["bad_steps"]) == 3
    assert all(torch.equal(parameter, before[name]) for name, parameter in module.named_parameters())


def test_good_steps_between_bad_ones_still_count(align, data, fit, weights):
    batches = data(8)
    batches.values["gene"][5] = 3e38
    module = align(batches.cohort)
    before = weights(module)
    fit(module, batches, max_epochs=2)
    assert [bad.ids for bad in module.gate.bad] == [["sample-05"]] * 2
    assert all(torch.isfinite(parameter).all() for parameter in module.parameters())
    assert any(not torch.equal(parameter, before[name]) for name, parameter in module.named_parameters())


def test_too_many_bad_steps_stop_the_run_and_name_samples(align, data, fit):
    batches = data(16)
    batches.values["gene"][5] = 3e38
    with pytest.raises(ValueError, match=r"align: 3 steps were skipped, expected at most 2 .*absurd size .*samples: sample-05"):
        fit(align(batches.cohort, bad_step_limit=2), batches, max_epochs=5)
