"""The default data and a bundle trained on them: made once, and shared by every benchmark that needs them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from bridge.data.cohort import Cohort
from bridge.data.default import build_default
from bridge.evaluate.page import write_json
from bridge.project.space import JOINT
from bridge.settings import config_file
from bridge.train.run import run_stage

#: Folder beside the benchmarks' own in which the shared parts are kept.
SHARED = "default"

#: Arguments of a projector that come from the encoder and the LLM.
WIDTHS = ("dim", "tokens", "width")


def default_bundle(
    out: Path,
    *,
    seed: int = 0,
    genes: int = 1000,
    steps: int | None = None,
    start: bool = True,
    blind: bool = False,
    modalities: Sequence[str] | None = None,
) -> tuple[Path, Path]:
    """A bundle of both stages over the default data, by the shipped configurations; parts made before are used again.

    Args:
        out: Folder that holds the data, stage 1, and one bundle per variant.
        seed: Of every draw.
        genes: Size of the subset of the default data.
        steps: Steps of stage 2; those of ``configs/tune.yaml`` when None.
        start: Start from stage 1; else projectors are new.
        blind: Train the blind twin.
        modalities: Modalities that are read; all of ``configs/align.yaml`` when None.

    Returns:
        The bundle's folder and the cohort's file.
    """
    cohort = default_cohort(out, seed=seed, genes=genes)
    aligned = default_alignment(out, seed=seed, genes=genes, modalities=modalities) if start else None
    name = "_".join(["bundle", *([str(steps)] if steps else []), *([] if start else ["no-stage-1"]), *(["blind"] if blind else []), *sorted(modalities or [])])
    projectors = None if start else _projectors(modalities)
    return tuned(Path(out) / name, cohort, seed=seed, steps=steps, start=aligned, projectors=projectors, blind=blind), cohort


def tuned(
    bundle: Path,
    cohort: Path,
    *,
    seed: int = 0,
    steps: int | None = None,
    start: Path | None = None,
    projectors: dict | None = None,
    blind: bool = False,
    llm: str | None = None,
) -> Path:
    """A bundle of stage 2 by the shipped configuration, made once.

    Args:
        bundle: Folder to write.
        cohort: The cohort's file.
        seed: Of every draw.
        steps: As for :func:`default_bundle`.
        start: Bundle of stage 1.
        projectors: Modality to class path and settings, where there is no stage 1.
        blind: Train the blind twin.
        llm: Another LLM than that of the configuration.
    """
    arguments = [*tune_arguments(cohort, seed=seed, steps=steps, start=start, projectors=projectors, llm=llm), "--out", str(bundle)]
    settings = part_settings(cohort, seed, steps=steps, start=str(start), projectors=projectors, blind=blind, llm=llm)
    made_once(bundle, settings, lambda: run_stage("tune", [*arguments, *(["--model.blind", "true"] if blind else [])]))
    return bundle


def tune_arguments(
    cohort: Path, *, seed: int = 0, steps: int | None = None, start: Path | None = None, projectors: dict | None = None, llm: str | None = None
) -> list[str]:
    """Arguments of stage 2, all but where it goes; see :func:`tuned`."""
    given = ["--model.start", str(start)] if start else ["--model.projectors", json.dumps(projectors)]
    more = [*(["--trainer.max_steps", str(steps)] if steps else []), *(["--model.llm.path", llm] if llm else [])]
    return [*_stage_arguments("tune", cohort, seed), *given, *more]


def default_cohort(out: Path, *, seed: int = 0, genes: int = 1000) -> Path:
    """The default data; what was built alike is used again."""
    build_default(Path(out) / "data", genes=genes, seed=seed)
    return Path(out) / "data" / "cohort.h5ad"


def default_alignment(out: Path, *, seed: int = 0, genes: int = 1000, modalities: Sequence[str] | None = None) -> Path:
    """The bundle of stage 1 over the default data."""
    cohort = default_cohort(out, seed=seed, genes=genes)
    aligned = Path(out) / "_".join(["aligned", *sorted(modalities or [])])
    chosen = ["--model.projectors", json.dumps(_projectors(modalities)), "--model.pairs", json.dumps(_pairs(modalities))] if modalities else []
    arguments = [*_stage_arguments("align", cohort, seed), *chosen, "--out", str(aligned)]
    made_once(aligned, part_settings(cohort, seed, modalities=modalities), lambda: run_stage("align", arguments))
    return aligned


def _stage_arguments(stage: str, cohort: Path, seed: int) -> list[str]:
    """The shipped configuration of a stage, for this cohort and seed."""
    return ["--config", str(config_file(f"{stage}.yaml")), "--data.cohort", str(cohort), "--seed_everything", str(seed), "--data.seed", str(seed)]


def made_once(path: Path, settings: dict, make: Callable[[], object]) -> None:
    """Make a part, unless it is there and was made with the same settings; these are kept beside it."""
    note = path.with_name(f"{path.name}.settings.json")
    if path.exists() and note.is_file() and json.loads(note.read_text(encoding="utf-8")) == settings:
        print(f"{path}: made before with the same settings, used again", flush=True)
        return
    note.unlink(missing_ok=True)
    make()
    write_json(note, settings)


def part_settings(cohort: Path, seed: int, **more: object) -> dict:
    """What decides a part: the data, the seed, the shipped configurations, and whatever else was asked for."""
    digests = {name: hashlib.sha256(Path(config_file(name)).read_bytes()).hexdigest()[:16] for name in ("align.yaml", "tune.yaml")}
    return {"seed": seed, "data": Cohort.read(cohort).about["notes"].get("settings"), "configs": digests} | json.loads(json.dumps(more))


def projectors_of(bundle: Path) -> dict:
    """The projectors of a bundle as a config names them: without the widths, which the code gives."""
    written = json.loads((Path(bundle) / "config.json").read_text(encoding="utf-8"))["projectors"]
    kept = {modality: {name: value for name, value in spec["init_args"].items() if name not in WIDTHS} for modality, spec in written.items()}
    return {modality: {"class_path": written[modality]["class_path"], "init_args": settings} for modality, settings in kept.items()}


def _align_config() -> dict:
    return yaml.safe_load(Path(config_file("align.yaml")).read_text(encoding="utf-8"))["model"]


def _projectors(modalities: Sequence[str] | None) -> dict:
    """Projectors of the shipped stage 1, of these modalities.

    Raises:
        ValueError: it has none for a modality.
    """
    shipped = _align_config()["projectors"]
    unknown = sorted(set(modalities or ()) - set(shipped))
    if unknown:
        raise ValueError(f"default bundle, field modalities: found {unknown[0]!r}, expected some of {sorted(shipped)}")
    return {modality: spec for modality, spec in shipped.items() if modality in (modalities or shipped)}


def _pairs(modalities: Sequence[str]) -> dict[str, float]:
    """Pairs of the shipped stage 1 that need no other modality."""
    config = _align_config()
    others = set(config["projectors"]) - set(modalities)
    return {pair: weight for pair, weight in config["pairs"].items() if not others & set(pair.replace("~", JOINT).split(JOINT))}
