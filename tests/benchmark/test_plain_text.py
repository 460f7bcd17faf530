"""The plain-text baseline is given the same inputs in words, all of them and no more, and no prefix."""

import functools
import types

import numpy as np
import pytest
import torch

from bridge.benchmark import plain_text
from bridge.benchmark.plain_text import TuneOnText, Written, plain_texts, tuned_on_text
from bridge.bundle import load
from bridge.data.batch import IGNORE
from bridge.data.cohort import Cohort
from bridge.data.module import CohortData
from bridge.language.llm import LLM, Lora
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from bridge.train.tune import Tune

PROJECTORS = {
    "gene": {"class_path": "bridge.project.mlp.FactorisedMLP", "init_args": {"k": 2, "hidden": 16, "rank": 4}},
    "brain": {"class_path": "bridge.project.identity.IdentityValue", "init_args": {"extremes": 4}},
}


@pytest.fixture
def named(tiny_cohort, tmp_path):
    """The tiny cohort with what each gene vector was made from, as a file."""
    table = tiny_cohort.table.copy()
    table.obs["molecular_name"] = [f"factor {row}" for row in range(table.n_obs)]
    Cohort(table).write(tmp_path / "named.h5ad")
    return tmp_path / "named.h5ad"


@pytest.fixture
def batch_of(named, tiny_llm):
    """``batch_of(kind, **settings)``: the batch of four samples as a stage makes it, and the stage."""

    def make(kind, **settings):
        data = CohortData(str(named), 4)
        projectors = {"gene": functools.partial(FactorisedMLP, k=2, hidden=16, rank=4), "brain": functools.partial(IdentityValue, extremes=4)}
        module = kind(data.cohort, projectors, llm=LLM(str(tiny_llm())), lora=Lora(r=2), max_tokens=900, **settings)
        module.trainer = types.SimpleNamespace(datamodule=data, current_epoch=0)
        return module.train().on_before_batch_transfer(data.batch([0, 1, 3, 5]), 0), module

    return make


def test_a_map_is_written_by_its_ends_and_a_vector_by_what_it_was_made_from(named, monkeypatch):
    monkeypatch.setattr(plain_text, "ENDS", 2)
    cohort = Cohort.read(named)
    text = Written(cohort)(0, {"gene", "brain"})
    values, names = cohort.values("brain")[0], cohort.card("brain").names
    order = np.argsort(-values)
    highest = ", ".join(f"{names[place]} {values[place]:.1f}" for place in order[:2])
    lowest = ", ".join(f"{names[place]} {values[place]:.1f}" for place in order[::-1][:2])
    assert text == f"Gene: factor 0. Brain map, standardised values: highest {highest}; lowest {lowest}."


def test_only_what_is_given_and_measured_is_written(named, tiny_cohort):
    written = Written(Cohort.read(named))
    assert written(0, {"gene"}) == "Gene: factor 0."
    assert written(3, {"gene", "brain"}).startswith("Brain map")  # sample 3 has no gene
    assert written(5, {"gene", "brain"}) == "Gene: factor 5."
    assert written(0, ()) == ""
    assert "Gene" not in Written(tiny_cohort)(0, {"gene", "brain"})  # nobody says what its vectors were made from
    assert all(name in written(0, {"brain"}) for name in tiny_cohort.card("brain").names)  # ten regions: five at either end


def test_questions_and_answers_are_those_of_stage_2_with_the_inputs_before_them(batch_of):
    (plain, module), (usual, _) = batch_of(TuneOnText, modality_dropout=0.0), batch_of(Tune, modality_dropout=0.0)
    decode = functools.partial(module.prompt.tokenizer.decode, skip_special_tokens=True)
    for row, number in enumerate([0, 1, 3, 5]):
        (told,), (turn,) = plain.turns[row], usual.turns[row]
        answers = [[label for label in each.labels if label != IGNORE] for each in (told, turn)]
        assert answers[0] == answers[1]
        asked = decode(told.ids)
        assert module.written(number, {"gene", "brain"}) in asked
        assert decode(turn.ids[: -len(answers[1])]).split("\n")[0].strip() in asked
    assert all(torch.isnan(column).all() for column in plain.values.values())
    assert not all(torch.isnan(column).all() for column in usual.values.values())


def test_what_is_hidden_for_a_step_is_not_written_either(batch_of):
    plain, module = batch_of(TuneOnText, modality_dropout=1.0)
    asked = [module.prompt.tokenizer.decode(turn.ids) for (turn,) in plain.turns[:2]]
    assert all(("factor" in text) != ("standardised" in text) for text in asked)


def test_the_baseline_is_tuned_once_without_a_prefix_and_writes_from_words(small_default, named, capsys):
    budget = {"seed": 0, "steps": 1, "projectors": PROJECTORS}
    bundle = tuned_on_text(small_default.folder / "words", named, **budget)
    assert tuned_on_text(small_default.folder / "words", named, **budget) == bundle
    assert "used again" in capsys.readouterr().out
    bridge, cohort = load(bundle), Cohort.read(named)
    assert bridge.blind
    adapter = [parameter for name, parameter in bridge.llm.named_parameters() if "lora_B" in name]
    assert any(parameter.abs().max() > 0 for parameter in adapter)
    asked = []
    genuine = plain_text.generate
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plain_text, "generate", lambda *given, **settings: asked.append(given) or genuine(*given, **settings))
        texts = plain_texts(bridge, cohort, [0, 1], max_new_tokens=5)
    assert len(texts) == 2
    (_, values, questions), *_ = asked
    assert [question.split("\n")[-1] for question in questions] == ["Write the report."] * 2
    assert "factor 1" in questions[1]
    assert all(torch.isnan(column).all() for column in values.values())
