"""The commands ``align``, ``tune``, ``pretrain`` and ``instruct``: a LightningCLI whose record is the printed config, and a bundle at the end."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.utilities.exceptions import MisconfigurationException
from torch import nn

from bridge.arguments import plain_configs, require_classes, short, tidy
from bridge.bundle import WEIGHTS
from bridge.corpora.mixture import MixtureData
from bridge.data.module import CohortData
from bridge.data.whole import require_replaceable
from bridge.instructions.module import InstructionData
from bridge.language.llm import LLM, Lora
from bridge.model import SemanticBridge
from bridge.train.align import Align
from bridge.train.checkpoint import CheckpointFile, Saves, interrupted_by_end, newest
from bridge.train.instruct import Instruct
from bridge.train.log import StepLog, tabulate
from bridge.train.pretrain import Pretrain
from bridge.train.recompute import card_memory, recompute_where_needed
from bridge.train.record import LOG, clear, require_same_settings, settings_digest, write_settings
from bridge.train.stage import Stage
from bridge.train.tune import Tune
from bridge.train.whole import CARD

#: Command to the stage and to what it reads.
STAGES: dict[str, tuple[type[Stage], type[lightning.LightningDataModule]]] = {
    "align": (Align, CohortData),
    "tune": (Tune, CohortData),
    "pretrain": (Pretrain, MixtureData),
    "instruct": (Instruct, InstructionData),
}
PLANNED = ("align", "tune")  # for which ``bridge plan`` tells memory and time

#: Options that take several values.
LISTS = ("model.trust", "data.instructions")

HELP = {
    "align": "Stage 1: align every modality with text by contrast. Start from a shipped config and say what differs: "
    "bridge align --config configs/align.yaml --data.cohort COHORT.h5ad --out ALIGNED",
    "tune": "Stage 2: LoRA and projectors learn together to answer from the prefix. Start from a shipped config and say what differs: "
    "bridge tune --config configs/tune.yaml --data.cohort COHORT.h5ad --model.start ALIGNED --out BUNDLE",
    "pretrain": "Continual pretraining on a weighted mixture of domains. Start from a shipped config and say what differs: "
    "bridge pretrain --config configs/pretrain.yaml --data.corpus CORPUS --out PRETRAINED",
    "instruct": "Instruction tuning over task families, with soft tokens or in words alone. Start from a shipped config and say what differs: "
    "bridge instruct --config configs/instruct.yaml --data.instructions FOLDER --model.start PRETRAINED --out INSTRUCTED",
}


class StageCLI(LightningCLI):
    """Links the cohort to the model and adds where the bundle goes."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--out", type=str, required=True, help="Bundle folder to write; the run's log and checkpoint go beside it.")
        parser.add_argument("--resume", type=bool, default=True, help="Go on from the checkpoint of a stopped run of the same --out, where there is one.")
        parser.add_argument("--checkpoint_every", type=int, default=50, help="Steps from one checkpoint to the next.")
        self.link_cohort(parser)

    def link_cohort(self, parser: LightningArgumentParser) -> None:
        """The model is given the cohort that the data module read, where it wants one."""
        if "cohort" in inspect.signature(self.model_class).parameters:
            parser.link_arguments("data.cohort", "model.cohort", apply_on="instantiate", compute_fn=_identity)

    def before_instantiate_classes(self) -> None:
        require_classes(self.config.as_dict())
        self.out = Path(self.config.out)
        require_replaceable(self.out, *(("an LLM", CARD) if self.config.model.get("full") else ("a bundle", WEIGHTS)))
        self.run = self.out.with_name(f"{self.out.name}-{self.parser.prog.split()[-1]}")
        self.settings, self.checkpoint = self.run / "config.yaml", newest(self.run) if self.config.resume else None
        if self.checkpoint:
            require_same_settings(self.settings, self.record())

    def instantiate_trainer(self, **kwargs: Any) -> lightning.Trainer:
        """Lightning's trainer with our log beside any other, and checkpoints that a stopped run goes on from."""
        given = self.config_init.trainer
        loggers, plugins = ([each] if each and not isinstance(each, list) else each or [] for each in (given.logger, given.plugins))
        log = StepLog(self.run / LOG)
        given.callbacks = [*(given.callbacks or []), *self._saves(given.enable_checkpointing, log)]
        ours = {
            "logger": [log, *loggers],
            "plugins": [CheckpointFile(self.run, settings_digest(self.record())), *plugins],
            "default_root_dir": self.run,
            "enable_model_summary": False,
        }
        return super().instantiate_trainer(**ours, **kwargs)

    def record(self) -> str:
        """Everything this run uses, as a config."""
        return self.parser.dump(self.config, skip_none=False)

    def _saves(self, wanted: bool | None, log: StepLog) -> list[Saves]:
        return [] if wanted is False else [Saves(self.run, self.config.checkpoint_every, log)]


def run_stage(stage: str, arguments: Sequence[str]) -> Path:
    """Train a stage from command-line arguments and write its bundle.

    Args:
        stage: ``align``, ``tune``, ``pretrain`` or ``instruct``.
        arguments: As on the command line; ``--config`` files and single settings.

    Raises:
        ValueError: an argument or a setting is not as expected, or training went wrong.
    """
    with interrupted_by_end():
        return _run(stage, arguments)


def _run(stage: str, arguments: Sequence[str]) -> Path:
    """The same, from parsing to the last line."""
    cli = _parsed(stage, arguments)
    trainer: lightning.Trainer = cli.trainer
    _fit_to_card(cli)
    if trainer.is_global_zero:
        if not cli.checkpoint:
            clear(cli.run)
        write_settings(cli.settings, cli.record())
        print("\n".join(_sizes(cli.model.bridge)), flush=True)
    try:
        trainer.fit(cli.model, cli.datamodule, ckpt_path=cli.checkpoint, weights_only=True)
    except SystemExit as error:  # Lightning's answer to Ctrl-C and to a signal that ends
        raise KeyboardInterrupt(*getattr(error.__context__, "args", ())) from error
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError) as error:
        if cli.checkpoint is None or cli.model.begun:
            raise
        why = " ".join((str(error).splitlines() or [""])[-1].split())[:200]
        raise ValueError(f"{cli.checkpoint}: cannot be gone on from ({type(error).__name__}: {why}); begin again with --resume false") from error
    bridge = cli.model.whole()
    if trainer.is_global_zero:
        cli.model.write(bridge, cli.out, {stage: {name: float(value) for name, value in trainer.callback_metrics.items()}})
        tabulate(cli.run / LOG)
        clear(cli.run)
        print("\n".join([*cli.model.told(), f"{stage}: wrote {cli.out}"]), flush=True)
    return cli.out


def _identity(cohort):
    return cohort


def _parsed(stage: str, arguments: Sequence[str]) -> StageCLI:
    """Everything parsed and built."""
    settings = {"run": False, "seed_everything_default": 0, "save_config_callback": None}
    parser = {"prog": f"bridge {stage}", "description": HELP[stage], "exit_on_error": False}
    tidied = tidy(plain_configs(arguments), LISTS, renamed={"trust": "model.trust"})
    try:
        return StageCLI(*STAGES[stage], args=tidied, parser_kwargs=parser, **settings)
    except argparse.ArgumentError as error:
        raise ValueError(f"{short(error)}\nsee: bridge {stage} --help") from error
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {error}") from error


def _fit_to_card(cli: StageCLI) -> None:
    """Activations are recomputed where the LLM's entry leaves it to the card and the card is too small."""
    given, strategy = cli.config.model, cli.trainer.strategy
    if (given.llm or LLM()).checkpointing == "auto":
        shared = cli.trainer.world_size if isinstance(strategy, ModelParallelStrategy) else 1
        lora = Lora(**(given.get("lora") or {}))  # full weights have none, and keep at least as much
        recompute_where_needed(cli.model, lora, cli.datamodule, card_memory(strategy.root_device), shared)


def _sizes(bridge: SemanticBridge) -> Iterator[str]:
    """What is trained, part by part."""
    for modality, projector in bridge.projectors.items():
        yield f"projector {modality}: {type(projector).__name__}, {projector.k} prefix tokens, {_count(projector)}"
    yield f"LLM {bridge.language.name}: {_count(bridge.llm)}"


def _count(module: nn.Module) -> str:
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in module.parameters()]
    return f"{sum(size for size, _ in sizes):,} parameters, {sum(size for size, trained in sizes if trained):,} of them trained"
