"""What a configuration asks for, read as the stage itself would read it; nothing large is loaded."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml
from lightning.pytorch.cli import LightningArgumentParser

from bridge.arguments import plain_configs, require_classes, short, tidy
from bridge.bundle import projector_class
from bridge.data.bundle_config import read_config
from bridge.data.cohort import Cohort
from bridge.data.sources import default_cache
from bridge.language.llm import DEFAULT, LLM, Lora, resolve_dtype
from bridge.language.prompts import Prompt
from bridge.language.questions import questions_for
from bridge.language.subject import subjects
from bridge.language.tiny import tokenizer_for
from bridge.project.base import Projector
from bridge.settings import config_file
from bridge.train.memory import BYTES, Row, Shape
from bridge.train.run import PLANNED, STAGES, StageCLI
from bridge.train.tune import turn_tokens

#: Width and number of the encoder's tokens where no cohort is given.
ASSUMED = {"gene": (1536, 1), "brain": (1, 83)}


class PlanCLI(StageCLI):
    """The stage's own parser, with the plan's settings in place of where its bundle goes."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--card", type=str, default="80GB", help="Memory of a card.")
        parser.add_argument("--cards", type=int, default=8, help="Cards of the strategies that use several.")
        parser.add_argument("--peak", type=float, default=989.0, help="TFLOP/s of a card in bfloat16; 989 is an H100 SXM without sparsity (its data sheet).")
        parser.add_argument("--utilisation", type=float, default=0.4, help="Share of the peak that a step is taken to reach.")
        parser.add_argument("--rehearse", type=bool, default=True, help="Run every step on a tiny random LLaMA too.")
        parser.add_argument("--out", type=str, default="", help="File for the plan as JSON.")
        self.link_cohort(parser)

    def before_instantiate_classes(self) -> None:
        """Nothing is written."""

    def instantiate_classes(self) -> None:
        """Nothing is built."""


@dataclasses.dataclass
class Job:
    """A stage as its configuration has it.

    Args:
        stage: ``align`` or ``tune``.
        config: All settings.
        llm: The LLM's entry.
        shape: Its shape.
        lora: The adapter, None where the LLM only encodes texts.
        projectors: Modality to class path and arguments.
        dims: Modality to width and number of its encoder's tokens.
        row: What a card works on at once.
        samples: Training samples, None without a cohort.
        notes: What was assumed.
    """

    stage: str
    config: dict[str, Any]
    llm: LLM
    shape: Shape
    lora: Lora | None
    projectors: dict[str, dict[str, Any]]
    dims: dict[str, tuple[int, int]]
    row: Row
    samples: int | None
    notes: list[str]

    @property
    def built(self) -> dict[str, Projector]:
        """The projectors without memory."""
        with torch.device("meta"):
            return {modality: _built(spec, *self.dims[modality], self.shape.width) for modality, spec in self.projectors.items()}

    @property
    def trained(self) -> int:
        """Trained weights: the adapter, the projectors and a tag for each."""
        ours = sum(parameter.numel() for projector in self.built.values() for parameter in projector.parameters())
        return ours + len(self.projectors) * self.shape.width + (self.shape.adapter(self.lora) if self.lora else 0)


def parsed(stage: str, arguments: Sequence[str]) -> dict[str, Any]:
    """All settings of a stage and of the plan.

    Raises:
        ValueError: an argument or a setting is not as expected.
    """
    if stage not in PLANNED:
        raise ValueError(f"plan {stage!r}: no such stage; expected {' or '.join(PLANNED)}, as in: bridge plan tune --config configs/tune_me-llama-13b.yaml")
    settings = {"run": False, "seed_everything_default": 0, "save_config_callback": None}
    parser = {
        "prog": f"bridge plan {stage}",
        "description": "Memory and time of a stage, and a rehearsal of it, before a card is booked.",
        "exit_on_error": False,
    }
    tidied = tidy(["--data.cohort=", *plain_configs(arguments)], ("model.trust",), ("rehearse",), renamed={"trust": "model.trust"})
    try:
        cli = PlanCLI(*STAGES[stage], args=tidied, parser_kwargs=parser, **settings)
    except argparse.ArgumentError as error:
        raise ValueError(f"{short(error)}\nsee: bridge plan {stage} --help") from error
    return yaml.safe_load(cli.parser.dump(cli.config, skip_none=False))


def read_job(stage: str, config: dict[str, Any]) -> Job:
    """What these settings ask for."""
    model, notes = config["model"], []
    llm = LLM(**(model["llm"] or {}))
    cohort = Cohort.read(config["data"]["cohort"]) if config["data"]["cohort"] else None
    projectors = _projectors(model, notes)
    dims = {modality: _dims(modality, cohort, notes, tuple(model["trust"] or ())) for modality in projectors}
    given = model["lora"] or {} if stage == "tune" else (model["text"] or {}).get("lora")
    lora = None if given is None else Lora(**given)
    shape = _shape(llm)
    size = BYTES[torch.bfloat16 if llm.dtype == "auto" else resolve_dtype(llm.dtype)]
    job = Job(stage, config, llm, shape, lora, projectors, dims, Row(0, 0, size), len(cohort.rows("train")) if cohort else None, notes)
    return dataclasses.replace(job, row=_row(job, cohort))


def _row(job: Job, cohort: Cohort | None) -> Row:
    """Tokens that a card works on at once; of stage 1 those of its texts where an adapter reads them."""
    batch, settings = job.config["data"]["batch_size"], job.config["model"]
    batch = min(batch, job.samples) if job.samples else batch
    texts = [text for column in cohort.texts for text in cohort.text(column)[:200]] if cohort else ["Which regions are highest?"]
    tokenizer, own = tokenizer_for(_folder(job.llm), texts, chat=job.llm.template == "chat")
    if job.stage == "align":
        longest = sum(len(tokenizer(text)["input_ids"]) for text in texts) // max(1, len(texts))
        return Row(batch * longest if job.lora else 0, 0, job.row.size)
    prompt = Prompt(tokenizer, job.llm.template)
    before = len(prompt.opening) + sum(1 + projector.k for projector in job.built.values())
    if cohort is None:
        job.notes.append(f"no cohort: {settings['max_tokens']} tokens (max_tokens) for each question with its answer, half of them the answer's")
        asked, answered = settings["max_tokens"], settings["max_tokens"] // 2
        return Row(batch * (before + settings["questions"] * asked), batch * settings["questions"] * answered, job.row.size)
    if not own:
        job.notes.append("the LLM's tokenizer is not here: tokens are counted with one that was trained on the cohort's texts")
    every = subjects(cohort, cohort.rows("train")[:256])
    counted = turn_tokens(prompt, every, questions_for(cohort, settings["report_text"]), settings["questions"])
    asked, answered = counted.mean(axis=0) if len(counted) else (0.0, 0.0)
    return Row(round(batch * (before + asked)), round(batch * answered), job.row.size)


def _folder(llm: LLM) -> Path:
    return default_cache() / DEFAULT if llm.path == DEFAULT else Path(llm.path)


def _shape(llm: LLM) -> Shape:
    path = _folder(llm) / "config.json"
    if path.is_file():
        return Shape.of(json.loads(path.read_text(encoding="utf-8")), str(path))
    if not llm.shape:
        raise ValueError(f"LLM {llm.path!r}: no {path}, and its entry has no shape; give the folder (--model.llm.path) or the fields (see configs/llm)")
    return Shape.of(llm.shape, f"LLM {llm.path!r}")


def _projectors(model: dict[str, Any], notes: list[str]) -> dict[str, dict[str, Any]]:
    """Those of the configuration, else of the bundle it starts from, else the shipped ones of stage 1."""
    if model["projectors"]:
        return model["projectors"]
    bundle = Path(model.get("start") or "") / "config.json"
    if bundle.is_file():
        specs = {modality: part.model_dump() for modality, part in read_config(bundle).projectors.items()}
        for spec in specs.values():
            projector_class(spec["class_path"], tuple(model.get("trust") or ()))
    else:
        notes.append("no projectors and no bundle to start from: those of configs/align.yaml")
        specs = yaml.safe_load(Path(config_file("align.yaml")).read_text(encoding="utf-8"))["model"]["projectors"]
    ours = {modality: {name: value for name, value in spec["init_args"].items() if name not in ("dim", "tokens", "width")} for modality, spec in specs.items()}
    return {modality: {"class_path": spec["class_path"], "init_args": ours[modality]} for modality, spec in specs.items()}


def _dims(modality: str, cohort: Cohort | None, notes: list[str], trust: tuple[str, ...]) -> tuple[int, int]:
    if cohort is not None:
        encoder = cohort.encoder(modality, trust)
        return encoder.dim, encoder.tokens
    width, tokens = ASSUMED.get(modality, (1024, 1))
    notes.append(f"no cohort: {modality} has {tokens} tokens of width {width}")
    return width, tokens


def _built(spec: dict[str, Any], dim: int, tokens: int, width: int) -> Projector:
    require_classes(spec)
    module = spec["class_path"].rpartition(".")[0]  # what the configuration names, and what was let in of a bundle
    return projector_class(spec["class_path"], (module,))(dim, tokens, width, **(spec.get("init_args") or {}))
