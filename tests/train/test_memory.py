"""The estimate of a step's memory against what is really there: parameters counted, activations caught as autograd stores them."""

import functools

import pytest
import torch
import torch.nn.functional as F
from tiny_checkpoints import tiny_tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from bridge.language.attention import NAME, Segments
from bridge.language.llm import LanguageModel, Lora, add_lora, recompute_activations
from bridge.train.memory import Row, Shape, activation_bytes, logit_bytes, weight_bytes

SMALL = {"hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 6, "vocab_size": 400, "max_position_embeddings": 512}
LENGTHS = (90, 41, 127)


@pytest.fixture
def adapted():
    """``adapted(heads, dtype, lora, tied)``: a random LLaMA with an adapter in training mode."""

    def make(heads=6, dtype=torch.float32, lora=None, tied=False):
        config = LlamaConfig(**SMALL, num_key_value_heads=heads, tie_word_embeddings=tied, attn_implementation=NAME)
        language = LanguageModel(LlamaForCausalLM(config).to(dtype), tiny_tokenizer("llama-3"), "small")
        return add_lora(language, lora or Lora()).model.train()

    return make


def stored_bytes(model, run):
    """Bytes that autograd keeps for the backward pass; weights are not counted, and no memory is counted twice."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept = {}

    def keep(tensor):
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        result = run()
    assert result.requires_grad
    return sum(storage.nbytes() for storage in kept.values())


def forward(model, dtype):
    row = torch.randn(1, sum(LENGTHS), SMALL["hidden_size"], dtype=dtype, requires_grad=True)
    return model.get_base_model().model(inputs_embeds=row, use_cache=False, **Segments(LENGTHS, (-1,) * 3).inputs()).last_hidden_state


@pytest.mark.parametrize("heads", [6, 2])
@pytest.mark.parametrize("tied", [False, True])
def test_weights_and_adapter_are_counted_exactly(adapted, heads, tied):
    lora = Lora(r=4, targets=["q_proj", "k_proj", "down_proj"])
    model = adapted(heads, lora=lora, tied=tied)
    shape, adapter = Shape.of(model.config.to_dict()), sum(parameter.numel() for name, parameter in model.named_parameters() if "lora_" in name)
    assert shape.adapter(lora) == adapter
    assert shape.weights == sum(parameter.numel() for parameter in model.parameters()) - adapter
    assert weight_bytes(shape, 2) == 2 * shape.weights


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    "lora", [Lora(r=4, dropout=0.0), Lora(r=4, dropout=0.1), Lora(r=4, dropout=0.0, targets=["q_proj", "v_proj"])], ids=["all", "dropout", "two"]
)
@pytest.mark.parametrize("recomputed", [False, True], ids=["kept", "recomputed"])
@pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated:FutureWarning")
def test_activations_are_what_autograd_keeps(adapted, dtype, lora, recomputed):
    model = adapted(dtype=dtype, lora=lora)
    if recomputed:
        recompute_activations(model)
    measured = stored_bytes(model, functools.partial(forward, model, dtype))
    shape, row = Shape.of(model.config.to_dict()), Row(sum(LENGTHS), 0, 2 if dtype == torch.bfloat16 else 4)
    counted = activation_bytes(shape, lora, row, recomputed=recomputed)
    if recomputed:  # the layer that is whole again is so in the backward pass
        counted -= row.tokens * (activation_bytes(shape, lora, Row(1, 0, row.size), recomputed=True) - shape.layers * row.size * shape.width - 4 * shape.width)
    if lora.dropout:  # its mask takes a byte on a card and four on the CPU
        adapted_inputs = 3 * sum(shape.linear[target][0] for target in lora.targets)
        counted += row.tokens * adapted_inputs * (0 if recomputed else shape.layers)
    assert counted == pytest.approx(measured, rel=0.1)


def test_logits_take_what_their_loss_and_its_gradient_take():
    states, head, answers = (
        torch.randn(40, 96, dtype=torch.bfloat16, requires_grad=True),
        torch.nn.Linear(96, 400, False, dtype=torch.bfloat16),
        torch.arange(40),
    )
    shape = Shape.of(SMALL)
    kept = stored_bytes(head.requires_grad_(False), lambda: F.cross_entropy(head(states).float(), answers, reduction="sum"))
    gradients = 40 * 400 * (2 + 4)
    made = 40 * 400 * (2 + 4)  # logits in bfloat16 and in float32, alive beside the log-softmax that is kept
    assert logit_bytes(shape, Row(0, 40, 2)) == pytest.approx(kept + made + gradients, rel=0.01)


def test_a_shape_without_a_field_is_refused_by_name():
    with pytest.raises(ValueError, match=r"checkpoints/me, field shape.vocab_size: found none"):
        Shape.of({key: value for key, value in SMALL.items() if key != "vocab_size"}, "checkpoints/me")
