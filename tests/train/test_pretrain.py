"""Continual pretraining: packed rows give the loss of documents alone, a stopped run goes on exactly, forgetting is told."""

import json
import math

import pytest
import torch
import torch.nn.functional as F

from bridge.__main__ import main
from bridge.bundle import load
from bridge.corpora.mixture import MixtureData
from bridge.data.batch import Turn
from bridge.language.llm import LLM, Lora, load_llm
from bridge.model import SemanticBridge
from bridge.train import pretrain
from bridge.train.pretrain import Pretrain, perplexity, token_loss

LORA = Lora(r=4, alpha=8, dropout=0.0)


@pytest.fixture(scope="module")
def corpus(make_corpus):
    return make_corpus({"biomedical": 60, "clinical": 20, "general": 30})


@pytest.fixture
def data(corpus):
    return MixtureData(str(corpus), row_tokens=48, batch_size=2, validation=0.2, validation_tokens=400)


@pytest.fixture
def make(tiny_llm):
    def make(**settings):
        torch.manual_seed(0)
        return Pretrain(llm=LLM(str(tiny_llm())), **({"lora": LORA, "learning_rate": 1e-2} | settings))

    return make


def test_the_loss_of_a_packed_row_is_that_of_its_documents_alone(make, data):
    stage = make()
    data.tokenise(stage.bridge.language.tokenizer)
    turns = [data.turns(drawn) for drawn in data.mixture.draws(6)]
    states, targets = stage.bridge.states({}, [], turns)
    packed = token_loss(stage.bridge.llm.get_base_model().lm_head, states, targets)
    total, count = 0.0, 0
    for turn in (turn for row in turns for turn in row):
        if len(turn.ids) > 1:
            logits = stage.bridge.llm(torch.tensor([turn.ids])).logits[0, :-1]
            total, count = total + F.cross_entropy(logits, torch.tensor(turn.ids[1:]), reduction="sum"), count + len(turn.ids) - 1
    assert count == len(targets)
    assert float(packed.detach() / count) == pytest.approx(float(total.detach() / count), abs=1e-5)


def test_the_loss_in_parts_has_the_gradient_of_the_whole(monkeypatch):
    monkeypatch.setattr(pretrain, "LOSS_AT_ONCE", 7)
    torch.manual_seed(0)
    head, targets = torch.nn.Linear(6, 11), torch.randint(11, (30,))
    states = torch.randn(30, 6, requires_grad=True)
    token_loss(head, states, targets).backward()
    parts = states.grad.clone()
    states.grad = None
    F.cross_entropy(head(states), targets, reduction="sum").backward()
    torch.testing.assert_close(parts, states.grad)


def test_perplexity_is_that_of_the_mean_loss_and_undefined_without_text(language):
    bridge = SemanticBridge.text_only(language).eval()
    rows = [[Turn(ids, ids)] for ids in ([5, 6, 7, 8], [9, 10, 11])]
    losses = [bridge.llm(torch.tensor([turn.ids]), labels=torch.tensor([turn.ids])).loss.item() * (len(turn.ids) - 1) for (turn,) in rows]
    assert perplexity(bridge, rows) == pytest.approx(math.exp(sum(losses) / 5), rel=1e-5)
    assert perplexity(bridge, []) is None
    assert perplexity(bridge, [[Turn([5], [5])]]) is None


def test_it_learns_what_it_reads_and_says_what_it_forgot(make, data, fit):
    stage = make()
    fit(stage, data, max_steps=12)
    told = "\n".join(stage.told())
    for domain in ("biomedical", "clinical", "general"):
        assert stage.perplexity["after"][domain] < 0.9 * stage.perplexity["before"][domain]
        assert f"perplexity, {domain}: {stage.perplexity['before'][domain]:.2f} before" in told
    assert stage.forgot < 0
    assert "within the bound" in told


def test_forgetting_beyond_the_bound_is_said_with_what_to_do(make):
    stage = make(forgetting=0.01)
    stage.perplexity = {"before": {"general": 10.0}, "after": {"general": 10.5}}
    assert "general text +5.0%, beyond the bound of +1.0%; give 'general' a higher weight" in stage.told()[-1]
    stage.perplexity = {"before": {"biomedical": 10.0}, "after": {"biomedical": 9.0}}
    assert "not measured" in stage.told()[-1]


def command(corpus, out, llm, *more):
    settings = ["--data.row_tokens", "48", "--data.batch_size", "2", "--data.validation", "0.2", "--model.lora", "{r: 4, alpha: 8, dropout: 0.1}"]
    quiet = ["--trainer.enable_progress_bar", "false", "--trainer.accelerator", "cpu"]
    return ["pretrain", "--config", "pretrain.yaml", "--data.corpus", str(corpus), "--model.llm.path", str(llm), *settings, *quiet, "--out", str(out), *more]


def test_a_stopped_run_goes_on_to_the_very_same_weights(corpus, tiny_llm, tmp_path, monkeypatch, capsys):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    steps = ("--trainer.max_steps", "6", "--checkpoint_every", "2")
    assert main(command(corpus, whole, tiny_llm(), *steps)) == 0
    with monkeypatch.context() as patched:
        patched.setattr(Pretrain, "on_train_batch_end", lambda self, outputs, batch, index: (_ for _ in ()).throw(KeyboardInterrupt) if index == 4 else None)
        assert main(command(corpus, stopped, tiny_llm(), *steps)) == 130
    assert main(command(corpus, stopped, tiny_llm(), *steps)) == 0
    for file in ("adapters/default/adapter_model.safetensors", "metrics.json"):
        assert (whole / file).read_bytes() == (stopped / file).read_bytes()
    assert "forgetting: perplexity on general text" in capsys.readouterr().out
    metrics = json.loads((whole / "metrics.json").read_text())["pretrain"]
    assert metrics["perplexity/general/before"] > 0


def test_a_bundle_goes_on_learning_with_its_own_adapter(corpus, tiny_llm, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    assert main(command(corpus, first, tiny_llm(), "--trainer.max_steps", "2")) == 0
    assert main(command(corpus, second, tiny_llm(), "--trainer.max_steps", "2", "--model.start", str(first))) == 0
    before, after = (load(path).llm.state_dict() for path in (first, second))
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before if "lora_B" in name)


def test_another_adapter_than_the_bundles_own_is_refused(corpus, tiny_llm, tmp_path):
    assert main(command(corpus, tmp_path / "first", tiny_llm(), "--trainer.max_steps", "1")) == 0
    with pytest.raises(ValueError, match=r"found r 8, alpha 8.*the bundle's adapter has r 4, alpha 8.*leave lora out"):
        Pretrain(str(tmp_path / "first"), lora=Lora(r=8, alpha=8))


def test_full_weights_are_written_as_an_llm_that_loads(corpus, tiny_llm, tmp_path, capsys):
    out = tmp_path / "llm"
    arguments = command(corpus, out, tiny_llm(), "--trainer.max_steps", "2", "--model.full", "true")
    arguments = [each for each in arguments if "lora" not in each and not each.startswith("{r:")]
    assert main([*arguments, "--model.lora", "null", "--model.learning_rate", "0.01"]) == 0
    base, trained = (load_llm(path).model.state_dict() for path in (tiny_llm(), out))
    assert base.keys() == trained.keys()
    assert not torch.equal(base["model.layers.0.mlp.up_proj.weight"], trained["model.layers.0.mlp.up_proj.weight"])
    assert json.loads((out / "card.json").read_text())["base"] == str(tiny_llm())


def test_full_weights_and_an_adapter_exclude_each_other(make):
    with pytest.raises(ValueError, match="field full: found true beside an adapter"):
        make(full=True)


def test_a_folder_that_is_no_llm_is_not_replaced(corpus, tiny_llm, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("important")
    arguments = command(corpus, tmp_path / "mine", tiny_llm(), "--model.full", "true", "--model.lora", "null")
    assert main(arguments) == 2
    assert "found something that is not an LLM" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "important"
