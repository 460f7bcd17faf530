"""Stage 2: what it trains, what it asks and hides, and what it refuses."""

import types

import numpy as np
import pytest
import torch

from bridge.bundle import load, save
from bridge.data.batch import IGNORE, Turn
from bridge.data.cohort import Cohort
from bridge.language.llm import LLM, Lora, base_model
from bridge.language.prompts import Prompt
from bridge.language.subject import subjects
from bridge.report.write import write_report
from bridge.train.align import TextSide
from bridge.train.tune import Tune
from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable

ROWS = list(range(16))
RENAMED = "ignore:.*gradient_checkpointing.* is deprecated:FutureWarning"


@pytest.fixture
def aligned(align, data, fit, tmp_path):
    """A bundle of stage 1."""
    batches = data(16)
    module = align(batches.cohort)
    fit(module, batches, max_epochs=2)
    return save(module.bridge, tmp_path / "aligned")


@pytest.fixture
def asked(tune, data):
    """``asked(rows, seed, epoch)``: a batch as stage 2 makes it, in training with half of the modalities hidden."""

    def make(rows, seed=0, epoch=0, training=True, **settings):
        batches = data(4, seed=seed)
        module = tune(batches.cohort, **({"modality_dropout": 0.5} | settings))
        module.trainer = types.SimpleNamespace(datamodule=batches, current_epoch=epoch)
        return module.train(training).on_before_batch_transfer(batches.batch(rows), 0)

    return make


def test_the_loss_falls_and_stays_finite(tune, data, fit):
    batches = data(8)
    _, losses = fit(tune(batches.cohort, learning_rate=2e-2), batches, max_steps=20, limit_val_batches=0)
    assert np.isfinite(losses).all()
    assert np.mean(losses[-4:]) < 0.85 * np.mean(losses[:4])


def test_adapter_and_projectors_learn_at_their_own_rates_and_nothing_else_changes(tune, data, fit, aligned, weights):
    batches = data(8)
    module = tune(batches.cohort, start=str(aligned), learning_rate=1e-3, projector_learning_rate=2e-3)
    before = weights(module)
    trainer, _ = fit(module, batches, max_steps=2)
    groups = trainer.optimizers[0].param_groups
    assert [group["initial_lr"] for group in groups] == [1e-3, 2e-3]
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    adapter, rest = ({names[id(parameter)] for parameter in group["params"]} for group in groups)
    changed = {name for name, parameter in module.named_parameters() if not torch.equal(parameter, before[name])}
    assert adapter == {name for name in before if "lora_" in name}
    assert changed <= adapter | rest
    assert {"bridge.tags.gene", "bridge.projectors.brain.rank", "bridge.projectors.gene.up.weight"} <= changed & rest
    assert any("lora_B" in name for name in changed)


def test_what_the_shared_space_reads_is_kept_from_stage_1(tune, data, fit, aligned):
    batches = data(8)
    module = tune(batches.cohort, start=str(aligned))
    fit(module, batches, max_steps=2)
    first, second = load(aligned), module.bridge.eval()
    values = {modality: torch.from_numpy(batches.cohort.values(modality)[ROWS]) for modality in ("gene", "brain")}
    before, after = first.embed(values), second.embed(values)
    assert before.keys() == after.keys() == {"gene", "brain"}
    assert all(torch.equal(after[side][0], before[side][0]) for side in before)


def test_stage_1_and_its_text_adapter_go_on_into_the_bundle_of_stage_2(align, tune, data, fit, tmp_path):
    batches = data(16)
    first = align(batches.cohort, text=TextSide(layers=(0, 1), lora=Lora(r=4, alpha=8, dropout=0.0)), learning_rate=1e-2)
    fit(first, batches, max_epochs=2)
    start = save(first.bridge, tmp_path / "aligned")
    module = tune(batches.cohort, start=str(start))
    fit(module, batches, max_steps=2)
    again = load(save(module.bridge, tmp_path / "bundle"))
    assert list(again.llm.peft_config) == ["text", "default"]
    assert again.llm.active_adapter == "default"
    texts = {name: weight for name, weight in load(start).named_parameters() if ".text." in name}
    assert texts
    assert all(torch.equal(weight, again.get_parameter(name)) for name, weight in texts.items())


def test_what_is_asked_and_hidden_depends_on_seed_epoch_and_row_alone(asked):
    once, again, backwards = asked(ROWS), asked(ROWS), asked(ROWS[::-1])
    assert once.turns == again.turns
    for modality in ("gene", "brain"):
        assert _hidden(once, modality) == _hidden(again, modality) == _hidden(backwards, modality)[::-1]
    assert _texts(once) == _texts(backwards)[::-1]
    assert _texts(once) != _texts(asked(ROWS, epoch=1))
    assert _texts(once) != _texts(asked(ROWS, seed=1))


def test_at_most_one_modality_of_a_sample_is_hidden_and_none_in_validation(asked):
    training, validation = asked(ROWS, modality_dropout=1.0), asked(ROWS, modality_dropout=1.0, training=False)
    hidden = [set(pair) for pair in zip(_hidden(training, "gene"), _hidden(training, "brain"), strict=True)]
    assert all(pair == {True, False} for pair in hidden)  # samples 3 and 5 have one modality only, and keep it
    assert _hidden(validation, "gene").count(True) == _hidden(validation, "brain").count(True) == 1


def test_labels_are_the_answer_and_its_end_alone(asked, tune, data):
    batch = asked(ROWS)
    prompt = Prompt(tune(data(4).cohort).prompt.tokenizer)
    assert batch.opening == prompt.opening
    for (turn,) in batch.turns:
        answered = [label for label in turn.labels if label != IGNORE]
        assert answered
        assert turn.labels == [IGNORE] * (len(turn.ids) - len(answered)) + answered  # in one piece, up to the end
        assert turn.ids[-len(answered) :] == answered
        assert turn.ids[-1] == prompt.tokenizer.eos_token_id


def test_an_answer_that_does_not_fit_is_an_error_not_a_cut(asked):
    with pytest.raises(ValueError, match=r"expected at most 12; raise max_tokens or shorten"):
        asked(ROWS, max_tokens=12)


def test_a_step_without_any_label_is_counted_and_changes_nothing(tune, data, fit, weights, monkeypatch):
    genuine = Prompt.example
    monkeypatch.setattr(Prompt, "example", lambda self, *args, **kwargs: Turn(ids := genuine(self, *args, **kwargs).ids, [IGNORE] * len(ids)))
    batches = data(8)
    module = tune(batches.cohort)
    before = weights(module)
    fit(module, batches, max_steps=1, limit_val_batches=0)
    assert [bad.reason for bad in module.gate.bad] == ["no token to learn"]
    assert all(torch.equal(parameter, before[name]) for name, parameter in module.named_parameters())


def test_a_sample_that_is_not_finite_costs_its_step_and_no_weight(tune, data, fit, weights):
    batches = data(8)
    batches.values["gene"][5] = 3e38
    module = tune(batches.cohort, modality_dropout=0.0)
    before = weights(module)
    trainer, _ = fit(module, batches, max_epochs=2, limit_val_batches=0)
    assert [bad.ids for bad in module.gate.bad] == [["sample-05"]] * 2
    assert all(torch.isfinite(parameter).all() for parameter in module.parameters())
    assert any(not torch.equal(parameter, before[name]) for name, parameter in module.named_parameters())
    assert float(trainer.callback_metrics["bad_steps"]) == 2


def test_too_many_bad_steps_stop_the_run(tune, data, fit):
    batches = data(16)
    batches.values["gene"][5] = 3e38
    with pytest.raises(ValueError, match=r"(?s)tune: 1 steps were skipped, expected at most 0 .*samples: sample-05.*lower the learning rate"):
        fit(tune(batches.cohort, modality_dropout=0.0, bad_step_limit=0), batches, max_steps=5, limit_val_batches=0)


def test_a_bad_part_of_an_accumulated_step_costs_the_whole_step(tune, data, fit, weights):
    batches = data(4)
    batches.values["gene"][5] = 3e38
    module = tune(batches.cohort, modality_dropout=0.0)
    before = weights(module)
    fit(module, batches, max_steps=1, accumulate_grad_batches=4, limit_val_batches=0)
    assert [bad.ids for bad in module.gate.bad] == [["sample-05"]]
    assert all(torch.equal(parameter, before[name]) for name, parameter in module.named_parameters())


def test_a_sample_about_which_nothing_can_be_asked_is_left_out_with_a_warning(tune, fit, data, factless):
    batches = data(4)
    batches.cohort = factless
    module = tune(factless)
    with pytest.warns(UserWarning, match=r"tune: 1 samples are left out, nothing can be asked about them; for example 'sample-05'"):
        fit(module, batches, max_epochs=1)
    assert batches.rows("train") == [row for row in ROWS if row != 5]  # a gene alone, where nothing is known of genes


def test_the_side_that_can_be_asked_about_is_never_hidden(asked, factless, data, tune):
    batches = data(4)
    module = tune(factless, modality_dropout=1.0)
    module.trainer = types.SimpleNamespace(datamodule=batches, current_epoch=0)
    batch = module.on_before_batch_transfer(batches.batch([0, 1, 2, 4]), 0)
    assert _hidden(batch, "brain") == [False] * 4


def test_a_text_column_can_be_the_report(asked, tune, data):
    cohort = data(4).cohort
    batch = asked([row for row in ROWS if row != 9], report_text="clinical")
    texts = [text for text in cohort.text("clinical") if text]
    tokenizer = tune(cohort).prompt.tokenizer
    labels = [[label for label in turn.labels if label != IGNORE] for (turn,) in batch.turns]
    answers = [tokenizer.decode(each, skip_special_tokens=True).strip() for each in labels]
    assert any(answer in texts for answer in answers)


def test_neither_a_start_nor_projectors_is_refused(tiny_llm, tiny_cohort):
    with pytest.raises(ValueError, match=r"tune, field projectors: found none and no 'start'"):
        Tune(tiny_cohort, llm=LLM(str(tiny_llm())))


def test_a_blind_twin_learns_with_the_adapter_alone(tune, data, fit, weights, aligned):
    batches = data(8)
    module = tune(batches.cohort, start=str(aligned), blind=True)
    before = weights(module)
    trainer, losses = fit(module, batches, max_steps=2)
    changed = {name for name, parameter in module.named_parameters() if not torch.equal(parameter, before[name])}
    assert changed
    assert all("lora_" in name for name in changed)
    assert len(trainer.optimizers[0].param_groups) == 1
    assert np.isfinite(losses).all()


def test_a_blind_twin_reads_which_inputs_there_are_and_nothing_else(tune, asked, data):
    batch = asked(ROWS[:3], training=False)
    other = {modality: column[[1, 2, 0]] for modality, column in batch.values.items()}  # three samples that have both modalities
    absent = batch.values | {"brain": torch.full_like(batch.values["brain"], torch.nan)}
    found = {}
    for blind in (False, True):
        module = tune(data(4).cohort, blind=blind).eval()
        with torch.no_grad():
            found[blind] = [module.bridge(values, batch.opening, batch.turns)[0] for values in (batch.values, other, absent)]
    assert not torch.allclose(found[False][0], found[False][1], atol=1e-3)
    torch.testing.assert_close(found[True][0], found[True][1])
    assert not torch.allclose(found[True][0], found[True][2], atol=1e-3)


def test_the_bundle_of_a_blind_twin_says_so_and_writes_no_report(tune, data, fit, tmp_path):
    batches = data(8)
    module = tune(batches.cohort, blind=True)
    fit(module, batches, max_steps=1)
    again = load(save(module.bridge, tmp_path / "blind"))
    assert again.blind
    subject = subjects(batches.cohort, [0])[0]
    with pytest.raises(ValueError, match=r"bundle, field blind: found true, expected false; .*evaluation only"):
        write_report(again, subject, {modality: batches.cohort.values(modality)[0] for modality in ("gene", "brain")})


def test_over_a_bfloat16_llm_the_adapter_and_the_projectors_stay_float32(tune, data, fit, tiny_llm, weights):
    batches = data(8)
    module = tune(batches.cohort, llm=LLM(str(tiny_llm()), dtype="bfloat16"))
    before = weights(module)
    _, losses = fit(module, batches, max_steps=2)
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    assert {parameter.dtype for parameter in trained} == {torch.float32}
    assert {parameter.dtype for name, parameter in module.named_parameters() if ".llm." in name and "lora_" not in name} == {torch.bfloat16}
    assert np.isfinite(losses).all()
    assert any("lora_B" in name and not torch.equal(parameter, before[name]) for name, parameter in module.named_parameters())


@pytest.mark.filterwarnings(RENAMED)
def test_activations_are_recomputed_and_give_the_same_gradients(tune, data, tiny_llm, asked):
    batch = asked(ROWS[:4], training=False)
    gradients = []
    for checkpointing in (False, True):
        module = tune(data(4).cohort, llm=LLM(str(tiny_llm()), checkpointing=checkpointing))
        layers = base_model(module.bridge.llm).model.layers
        calls = []
        layers[0].mlp.register_forward_pre_hook(lambda *_, calls=calls: calls.append(1))
        module.bridge.train()
        logits, targets = module.bridge(batch.values, batch.opening, batch.turns)
        torch.nn.functional.cross_entropy(logits, targets).backward()
        assert len(calls) == 1 + checkpointing
        gradients.append({name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    assert all(torch.allclose(gradients[0][name], gradients[1][name], atol=1e-6) for name in gradients[0])


@pytest.mark.filterwarnings(RENAMED)
def test_training_itself_recomputes(tune, data, fit, tiny_llm):
    batches = data(8)
    module = tune(batches.cohort, llm=LLM(str(tiny_llm()), checkpointing=True))
    calls = []
    base_model(module.bridge.llm).model.layers[0].mlp.register_forward_pre_hook(lambda *_: calls.append(1))
    fit(module, batches, max_steps=1, limit_val_batches=0)
    assert len(calls) == 2


@pytest.fixture
def factless(tiny_cohort):
    """The tiny cohort with no facts and no texts: only the brain can be asked about."""
    obs = tiny_cohort.table.obs[["group", "split"]]
    gene, brain = tiny_cohort.raw("gene"), tiny_cohort.raw("brain")
    encoders = {"gene": GeneTable(dim=gene.shape[1]), "brain": RegionTable(tiny_cohort.card("brain").names)}
    return Cohort.assemble(obs, {"gene": (encoders["gene"], gene), "brain": (encoders["brain"], brain)}, source="factless")


def _hidden(batch, modality):
    return torch.isnan(batch.values[modality]).all(dim=1).tolist()


def _texts(batch):
    return [[turn.ids for turn in asked] for asked in batch.turns]
