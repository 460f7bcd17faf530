"""Soft tokens of samples as files: dense, finite, checked when they are written and again when they are read; and as part of a request."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bridge.data.cohort import Cohort
from bridge.model import SemanticBridge
from bridge.report.gate import require_usable

FORMAT = "bridge soft tokens 1"
SHARD = 1024  # samples in a file: 18 soft tokens of width 8192 in bfloat16 are 300 MB
TYPES = {torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16"}


def write_embeds(
    bridge: SemanticBridge, cohort: Cohort, rows: Sequence[int] | np.ndarray, folder: Path, *, dtype: torch.dtype, bundle: str, shard: int = SHARD
) -> tuple[int, dict[str, str]]:
    """Soft tokens of samples, ``[k, width]`` each under the sample's id; what a sample lacks takes no token.

    Args:
        bridge: A loaded bundle.
        cohort: Holds the samples.
        rows: Which of them.
        folder: Where the files go.
        dtype: Of the served LLM.
        bundle: Digest of the bundle, kept in every file.
        shard: Samples in a file.

    Returns:
        How many were written, and why each of the others was refused.

    Raises:
        ValueError: none can be written.
    """
    refused: dict[str, str] = {}
    folder.mkdir(parents=True)
    kept, number = {}, 0
    for sample, soft, present in _soft_tokens(bridge, cohort, rows, dtype, refused):
        kept[sample] = soft, present
        if len(kept) == shard:
            _write(folder / f"{number // shard:05d}.safetensors", kept, bundle)
            kept = {}
        number += 1
    if kept:
        _write(folder / f"{number // shard:05d}.safetensors", kept, bundle)
    if not number:
        raise ValueError(f"{cohort.source}: none of {len(rows)} samples can be given to the bundle; the first: {next(iter(refused.values()), 'no sample')}")
    return number, refused


class Embeds:
    """Soft tokens from files; each is checked as it is read.

    Args:
        folder: Where the files are.
        width: Of the LLM.
        dtype: Of the LLM.
        bundle: Digest of the bundle they must be from.

    Raises:
        ValueError: a file is damaged, of another bundle or another form, or holds something else.
    """

    def __init__(self, folder: Path, *, width: int, dtype: torch.dtype, bundle: str):
        self.width, self.dtype, self.bundle = width, dtype, bundle
        self.files: dict[str, Path] = {}
        self.present: dict[str, tuple[str, ...]] = {}
        for path in sorted(folder.glob("*.safetensors")):
            self._index(path)

    def __getitem__(self, sample: str) -> Float[Tensor, "k width"]:
        """Soft tokens of a sample."""
        if sample not in self.files:
            raise ValueError(f"soft tokens: no sample {sample!r}; these files have {len(self.files)}, for example {next(iter(self.files), 'none')!r}")
        with safe_open(self.files[sample], framework="pt") as file:
            return checked(file.get_tensor(sample), f"{self.files[sample]}, sample {sample!r}", self.width, self.dtype)

    def _index(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as file:
                about = file.metadata() or {}
                self._require_ours(path, about)
                present = json.loads(about["present"])
                _require_same_samples(path, set(file.keys()), set(present))
                for sample in present:
                    self._require_form(path, sample, file.get_slice(sample))
        except (SafetensorError, KeyError, json.JSONDecodeError) as error:
            raise ValueError(f"{path}: not a file of soft tokens ({error}); write it again with: bridge export --cohort") from error
        self.present |= {sample: tuple(modalities) for sample, modalities in present.items()}
        self.files |= dict.fromkeys(present, path)

    def _require_ours(self, path: Path, about: dict[str, str]) -> None:
        if about.get("format") != FORMAT:
            raise ValueError(f"{path}, field format: found {about.get('format')!r}, expected {FORMAT!r}; write it with: bridge export --cohort")
        if about.get("bundle") != self.bundle:
            raise ValueError(f"{path}, field bundle: found {about.get('bundle')!r}, expected {self.bundle!r}; to another bundle they mean nothing")

    def _require_form(self, path: Path, sample: str, header) -> None:
        shape, kind = header.get_shape(), header.get_dtype()
        if len(shape) != 2 or shape[0] < 1 or shape[1] != self.width or kind != TYPES[self.dtype]:
            raise ValueError(f"{path}, sample {sample!r}: found {kind} {shape}, expected {TYPES[self.dtype]} [k, {self.width}] with k above 0")


def checked(soft: Tensor, name: str, width: int, dtype: torch.dtype) -> Float[Tensor, "k width"]:
    """The same tokens, once they are known to be fit to be sent: a server may crash on others.

    Raises:
        ValueError: sparse, of another shape or dtype, not finite, or all zero.
    """
    if soft.layout != torch.strided:
        raise ValueError(f"{name}: found soft tokens of layout {soft.layout}, expected dense ones")
    if soft.ndim != 2 or not len(soft) or soft.shape[1] != width or soft.dtype != dtype:
        raise ValueError(f"{name}: found soft tokens {soft.dtype} {list(soft.shape)}, expected {dtype} [k, {width}] with k above 0")
    if not torch.isfinite(soft).all() or float(soft.abs().max()) == 0:
        raise ValueError(f"{name}: found zero, NaN or infinite soft tokens, expected finite ones; the bundle, the input or the file is damaged")
    return soft


def request_part(soft: Float[Tensor, "k width"]) -> dict[str, str]:
    """Content part of a chat request: base64 of the tensor as ``torch.save`` writes it, which is what vLLM documents and decodes.

    The bytes of the k soft tokens alone: of a view, ``torch.save`` would write all that it is a view of. This is the only place where such
    bytes are made, since the server asks for them; nothing here ever reads any.

    Source: docs.vllm.ai/en/latest/features/prompt_embeds, section Chat Completions API.
    """
    written = io.BytesIO()
    torch.save(soft.detach().cpu().contiguous().clone(), written)
    return {"type": "prompt_embeds", "data": base64.b64encode(written.getvalue()).decode("ascii")}


def _soft_tokens(
    bridge: SemanticBridge, cohort: Cohort, rows: Sequence[int] | np.ndarray, dtype: torch.dtype, refused: dict[str, str]
) -> Iterator[tuple[str, Tensor, list[str]]]:
    """Id, soft tokens and modalities of every sample that passes the gate of a report."""
    tables = {modality: cohort.values(modality) for modality in bridge.projectors}
    ids = cohort.ids
    for row in map(int, rows):
        present = [modality for modality, table in tables.items() if not np.isnan(table[row]).all()]
        values = {modality: torch.from_numpy(tables[modality][row : row + 1]).float().to(bridge.llm.device) for modality in present}
        try:
            require_usable(bridge, values)
            with torch.inference_mode():
                prefix = bridge.prefix(values)
            yield ids[row], checked(prefix.values[prefix.mask].to(dtype).cpu(), f"sample {ids[row]!r}", bridge.language.width, dtype), present
        except ValueError as error:
            refused[ids[row]] = str(error)


def _write(path: Path, kept: dict[str, tuple[Tensor, list[str]]], bundle: str) -> None:
    about = {"format": FORMAT, "bundle": bundle, "present": json.dumps({sample: present for sample, (_, present) in kept.items()})}
    save_file({sample: soft.contiguous() for sample, (soft, _) in kept.items()}, path, metadata=about)


def _require_same_samples(path: Path, stored: set[str], named: set[str]) -> None:
    if stored != named:
        raise ValueError(f"{path}: unknown tensors {sorted(stored - named)[:3]}, missing ones {sorted(named - stored)[:3]}; expected neither")
