"""A tiny random LLaMA of the same kind as a large one, for a rehearsal: its sizes are small, its files and its ways are the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast

SPECIALS = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}
CHAT = (
    "{% for message in messages %}{{ '<s>' + message['role'] + '\n' + message['content'] + '</s>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<s>assistant\n' }}{% endif %}"
)


def tokenizer_for(path: str | Path, texts: Iterable[str], *, chat: bool) -> tuple[PreTrainedTokenizerBase, bool]:
    """The tokenizer of a LLM where its folder is here, else a byte-level one trained on a few texts.

    Args:
        path: Folder of the LLM.
        texts: What to train on.
        chat: Whether the one that is trained has a chat template.

    Returns:
        The tokenizer, and whether it is the LLM's own.
    """
    if (Path(path) / "tokenizer_config.json").is_file():
        return AutoTokenizer.from_pretrained(path, trust_remote_code=False), True
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learn = trainers.BpeTrainer(vocab_size=2000, special_tokens=list(SPECIALS.values()), initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(texts, learn)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=made, **SPECIALS)
    wrapped.chat_template = CHAT if chat else None
    return wrapped, False


def save_tiny(folder: Path, tokenizer: PreTrainedTokenizerBase, *, layers: int = 2, queries: int = 1, seed: int = 0) -> Path:
    """Write a random LLaMA of width 32 or a little more.

    Args:
        folder: Where to.
        tokenizer: Whose vocabulary it has.
        layers: Decoder layers.
        queries: Query heads to one key-value head; 1 is multi-head attention.
        seed: Of the weights.
    """
    shared = 4 if queries == 1 else 1
    heads = shared * queries
    sizes = {"vocab_size": len(tokenizer), "hidden_size": 8 * heads, "intermediate_size": 16 * heads, "num_hidden_layers": layers}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "max_position_embeddings": 8192}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(LlamaConfig(**sizes, **ends, num_attention_heads=heads, num_key_value_heads=shared))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
