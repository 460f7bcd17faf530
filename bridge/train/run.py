"""The commands ``align`` and ``tune``: a LightningCLI whose record is the printed config, and a bundle at the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightning
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger

from bridge.bundle import save
from bridge.data.module import CohortData
from bridge.train.align import Align
from bridge.train.tune import Tune

STAGES = {"align": Align, "tune": Tune}


class StageCLI(LightningCLI):
    """Links the cohort to the model and adds where the bundle goes."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--out", type=str, required=True, help="Bundle folder to write; the run's log and checkpoints go beside it.")
        parser.add_argument("--resume", type=bool, default=True, help="Go on from the last checkpoint of the same --out, where there is one.")
        parser.link_arguments("data.cohort", "model.cohort", apply_on="instantiate", compute_fn=_identity)


def _identity(cohort):
    return cohort


def run_stage(stage: str, arguments: Sequence[str]) -> Path:
    """Train a stage from command-line arguments and write its bundle.

    Args:
        stage: ``align`` or ``tune``.
        arguments: As on the command line; ``--config`` files and single settings.
    """
    settings = {"run": False, "seed_everything_default": 0, "save_config_callback": None, "parser_kwargs": {"prog": f"bridge {stage}"}}
    cli = StageCLI(STAGES[stage], CohortData, args=list(arguments), **settings)
    out = Path(cli.config.out)
    run = out.with_name(f"{out.name}-{stage}")
    trainer = _trainer(cli, run)
    latest = run / "last.ckpt"
    trainer.fit(cli.model, cli.datamodule, ckpt_path=latest if cli.config.resume and latest.is_file() else None, weights_only=True)
    (run / "config.yaml").write_text(cli.parser.dump(cli.config, skip_none=False))
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    if trainer.is_global_zero:
        save(cli.model.bridge, out, {stage: metrics})
        print(f"{stage}: wrote {out}", flush=True)
    return out


def _trainer(cli: StageCLI, run: Path) -> lightning.Trainer:
    """Lightning's trainer with a CSV log and a checkpoint that a stopped run goes on from."""
    saved = ModelCheckpoint(run, filename="last", save_last=False, every_n_train_steps=50, enable_version_counter=False)
    given = {"logger": CSVLogger(run, name="", version="log"), "callbacks": [saved], "default_root_dir": run}
    chosen = {key: value for key, value in vars(cli.config.trainer).items() if value is not None and key not in given}
    return lightning.Trainer(**given, **chosen, enable_model_summary=False)
