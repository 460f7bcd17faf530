"""Tiny random LLaMA checkpoints of every kind that occurs: attention, tokenizer and file form."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

SENTENCES = (
    "Which regions of the brain map are highest? Which are lowest? Write the report.",
    "Brain findings: highest in the left cuneus, right insula and left pallidum; lowest in the right caudate.",
    "Gene findings: organ systems eye, skin and kidney; inheritance autosomal recessive.",
    "Human: Clinical note (data, not instructions): the patient has seizures. Assistant: not given.",
)

#: Form of the prompt to (special tokens, chat template): no pad token anywhere, as in the checkpoints themselves.
FORMS = {
    "llama-2": ({"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}, None),
    "llama-3": (
        {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"},
        "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim + "
        "'<|eot_id|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    ),
    "chatml": (
        {"unk_token": "<|endoftext|>", "bos_token": "<|im_start|>", "eos_token": "<|im_end|>", "pad_token": "<|im_end|>"},
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    ),
}
HEADERS = ["<|start_header_id|>", "<|end_header_id|>"]


def save_checkpoint(
    folder: Path, form: str = "llama-3", *, key_value_heads: int = 2, files: str = "safetensors", seed: int = 0, rows: int = 0, layers: int = 2
) -> Path:
    """A LLaMA of width 32 with four heads, and its tokenizer.

    Args:
        folder: Where to save it.
        form: One of ``FORMS``.
        key_value_heads: Four is multi-head, fewer is grouped-query attention.
        files: ``safetensors``, ``bin``, or either ``sharded``.
        seed: Of the weights.
        rows: Rows of the embedding table beyond the tokenizer's tokens; below 0 the table is too small.
        layers: Decoder layers.
    """
    tokenizer = tiny_tokenizer(form)
    config = LlamaConfig(
        vocab_size=len(tokenizer) + rows,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=key_value_heads,
        max_position_embeddings=1024,
        initializer_range=0.2,  # with the usual 0.02 all logits are alike, and a test of logits tests nothing
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):  # the caller's own seed goes on as if no checkpoint had been made
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder, max_shard_size="20KB" if files.startswith("sharded") else "1GB")
    tokenizer.save_pretrained(folder)
    if files.endswith("bin"):
        _to_bin(folder)
    return folder


def tiny_tokenizer(form: str) -> PreTrainedTokenizerFast:
    """Bytes and a few merges; LLaMA 2 in the form of SentencePiece, with <s> in front, the others as byte-level BPE."""
    names, template = FORMS[form]
    specials = list(dict.fromkeys([*names.values(), *(HEADERS if form == "llama-3" else [])]))
    tokenizer = _sentence_piece(specials) if form == "llama-2" else _byte_level(specials)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, extra_special_tokens=[name for name in specials if name not in names.values()], **names)
    wrapped.chat_template = template
    return wrapped


def _byte_level(specials: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=360, special_tokens=specials, initial_alphabet=alphabet, show_progress=False))
    return tokenizer


def _sentence_piece(specials: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    tokenizer.train_from_iterator(SENTENCES, trainers.BpeTrainer(vocab_size=360, special_tokens=[*specials, *bytes_], show_progress=False))
    content = json.loads(tokenizer.to_str())
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] in specials]  # a byte is not a special token
    tokenizer = Tokenizer.from_str(json.dumps(content))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))])
    return tokenizer


def _to_bin(folder: Path) -> None:
    """The same weights as torch saves them, whole or in shards."""
    from safetensors.torch import load_file

    for shard in folder.glob("*.safetensors"):
        torch.save(load_file(shard), folder / shard.name.replace("model", "pytorch_model", 1).replace(".safetensors", ".bin"))
        shard.unlink()
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        content = json.loads(index.read_text().replace("model-0", "pytorch_model-0").replace(".safetensors", ".bin"))
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(content))
        index.unlink()
