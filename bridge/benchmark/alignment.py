"""Stage 1 against the baseline ladder on one cohort: what the tasks of retrieval have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import yaml
from jaxtyping import Float

from bridge.benchmark.ladder import Rung, climb
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.two_tower import two_tower_retrieval
from bridge.bundle import load
from bridge.data.cohort import Cohort
from bridge.evaluate.audit import wilson
from bridge.evaluate.baselines import cca_retrieval, neighbour_retrieval, ridge_retrieval, text_features, vector_features
from bridge.evaluate.retrieval import cosine_similarity, ranks, without_hubs
from bridge.evaluate.strata import within_strata
from bridge.language import grammar
from bridge.model import SemanticBridge
from bridge.project.space import JOINT
from bridge.retrieve.embed import shared_embeddings, text_bank
from bridge.settings import config_file
from bridge.train.run import run_stage

ENSEMBLE = f"{OURS} ensemble"
PLAIN = "plain text"
NAMED = 10  # regions that the plain-text rendering of a map names at either end


def trained(record: Record, cohort: Cohort, settings: dict, *, seed: int, name: str = "bundle") -> SemanticBridge:
    """The bridge of stage 1 over a cohort; the cohort, the configuration and the bundle stay in the run's folder.

    Args:
        record: Of the run.
        cohort: The cohort.
        settings: What differs from ``configs/align.yaml``, as in its sections ``data``, ``model`` and ``trainer``.
        seed: Of weights, dropout and order.
        name: Folder of the bundle.
    """
    folder = record.folder("stage1")
    path, config = folder / f"{name}.h5ad", folder / f"{name}.yaml"
    cohort.write(path)
    shipped = yaml.safe_load(Path(config_file("align.yaml")).read_text(encoding="utf-8"))
    merged = {section: _merged(shipped[section], settings.get(section, {})) for section in ("data", "model", "trainer")}
    merged["model"]["llm"] = str(config_file(merged["model"]["llm"])) if isinstance(merged["model"]["llm"], str) else merged["model"]["llm"]
    config.write_text(yaml.safe_dump(merged), encoding="utf-8")
    bundle = folder / name
    run_stage("align", ["--config", str(config), "--data.cohort", str(path), "--seed_everything", str(seed), "--data.seed", str(seed), "--out", str(bundle)])
    return load(bundle)


@dataclasses.dataclass(frozen=True, eq=False)
class Scored:
    """One pair of a side and a text column on the rows that are scored.

    Args:
        left: Side.
        right: Text column.
        rows: Rows of the scored split that have both.
        train: Training rows that have both.
    """

    left: str
    right: str
    rows: np.ndarray
    train: np.ndarray


class Found(NamedTuple):
    """Similarities of one direction and the cohort's rows they are about."""

    rows: np.ndarray
    similarity: np.ndarray


def compare(record: Record, cohort: Cohort, bridges: Sequence[SemanticBridge], *, split: str = "test", limit: int | None = None) -> dict[str, Found]:
    """Every pair of a side and a text that stage 1 aligned, up the ladder, both directions; what the first bridge found, by direction.

    Args:
        record: Of the run.
        cohort: The cohort the bridges were trained on.
        bridges: The same stage 1 with different seeds; the first is ``bridge``, all together are the ensemble.
        split: Split that is scored.
        limit: Candidates at most, drawn once.
    """
    found = {}
    for side, column in _pairs(bridges[0], cohort):
        pair = _scored(cohort, side, column, split, limit, record.seed)
        ours = [_similarities(bridge, cohort, pair) for bridge in bridges]
        rungs = _baselines(cohort, pair, bridges[0], record.seed)
        if not any(rung.method == PLAIN for rungs_of in rungs.values() for rung in rungs_of):
            record.words("Plain text", f"{side}: its values have no names, so they cannot be written out as text; that rung is left out.")
        for place, direction in enumerate(rungs):
            rungs[direction].append(Rung(OURS, ours[0][place]))
            if len(ours) > 1:
                rungs[direction].append(Rung(ENSEMBLE, np.mean([each[place] for each in ours], axis=0)))
            climb(record, direction, rungs[direction], cohort.groups[pair.rows], split=split)
            found[direction] = Found(pair.rows, ours[0][place])
    return found


def within(record: Record, cohort: Cohort, found: dict[str, Found], column: str, *, split: str = "test") -> None:
    """Retrieval within the strata of one column, beside galleries of the same size that mix them.

    Args:
        record: Of the run.
        cohort: The cohort the rows are of.
        found: Direction to similarities.
        column: Column of ``obs``; numbers are cut at quantiles.
        split: Split that is scored.
    """
    lines = []
    for direction, (rows, similarity) in found.items():
        scores = within_strata(similarity, cohort.table.obs[column].iloc[rows], cohort.groups[rows], seed=record.seed)
        for method in ("pooled", "matched", "within"):
            interval = {"low": scores[f"{method}_low"], "high": scores[f"{method}_high"]}
            record.row("r10", f"bridge ({method}, {column})", scores[method], n=scores["n"], direction=direction, split=split, **interval)
        share = [scores[name] for name in ("confound_share", "confound_share_low", "confound_share_high")]
        lines.append((direction, str(scores["n"]), str(scores["strata"]), *("undefined" if value is None else f"{value:+.3f}" for value in share)))
    record.table("Confounds", ("direction", "n", f"strata of {column}", "R@10 explained by the column", "low", "high"), lines)


def shuffled_pairs(cohort: Cohort, seed: int) -> Cohort:
    """The cohort with the texts of its training and validation samples dealt out at random: what is learned of it must be nothing."""
    table = cohort.table.copy()
    random = np.random.default_rng(seed)
    for split in ("train", "validation"):
        rows = cohort.rows(split)
        dealt = rows[random.permutation(len(rows))]
        for column in cohort.texts:
            texts = cohort.text(column)
            values = table.obs[column].astype(object).to_numpy(copy=True)
            values[rows] = [texts[row] for row in dealt]
            table.obs[column] = pd.Series(values, index=table.obs.index)
    return Cohort(table, f"{cohort.source}, pairs shuffled")


def control(record: Record, cohort: Cohort, bridge: SemanticBridge, *, split: str = "test", limit: int | None = None) -> None:
    """Recall of a bridge trained on shuffled pairs: its interval must hold chance."""
    for side, column in _pairs(bridge, cohort):
        pair = _scored(cohort, side, column, split, limit, record.seed)
        for direction, similarity in zip(_directions(side, column), _similarities(bridge, cohort, pair), strict=True):
            found = (ranks(similarity) <= 10).mean()
            low, high = wilson(round(found * len(similarity)), len(similarity))
            place = {"n": len(similarity), "candidates": similarity.shape[1], "direction": direction, "split": split}
            record.row("r10", f"{OURS} (shuffled pairs)", found, low=low, high=high, **place)
            chance = f"chance {10 / similarity.shape[1]:.3f}, {similarity.shape[1]} candidates"
            record.words("Controls", f"{direction}: trained on shuffled pairs, R@10 is {found:.3f} ({chance}).")


def _similarities(bridge: SemanticBridge, cohort: Cohort, pair: Scored) -> tuple[np.ndarray, np.ndarray]:
    """Side to text and text to side."""
    test, train = (shared_embeddings(bridge, cohort, rows, [pair.right]) for rows in (pair.rows, pair.train))
    return both_ways(test[pair.left], test[pair.right], train[pair.left], train[pair.right])


def both_ways(
    left: Float[np.ndarray, "samples dim"],
    right: Float[np.ndarray, "samples dim"],
    train_left: Float[np.ndarray, "training dim"],
    train_right: Float[np.ndarray, "training dim"],
) -> tuple[Float[np.ndarray, "samples samples"], Float[np.ndarray, "samples samples"]]:
    """Similarities from left to right and from right to left, hubs taken out by the training split."""
    similarity = left @ right.T
    return without_hubs(similarity, train_left, right), without_hubs(similarity.T, train_right, left)


def _baselines(cohort: Cohort, pair: Scored, bridge: SemanticBridge, seed: int) -> dict[str, list[Rung]]:
    """Rungs below the bridge, per direction, from the lowest to the highest; all are fitted on the training rows alone."""
    forward, back = _directions(pair.left, pair.right)
    values = np.concatenate([cohort.values(modality) for modality in pair.left.split(JOINT)], axis=1)
    validation, strings, n = _scored(cohort, pair.left, pair.right, "validation", None, seed).rows, cohort.text(pair.right), len(pair.rows)
    others = np.concatenate([pair.rows, validation])
    x, x_others = vector_features(values[pair.train], values[others])
    y, y_others = text_features([strings[row] for row in pair.train], [strings[row] for row in others], seed=seed)
    own, own_test = bridge_text_features(bridge, [strings[row] for row in pair.train], [strings[row] for row in pair.rows])
    groups, sides = cohort.groups[pair.train], (x, y, x_others[:n], y_others[:n])
    turned = (y, x, y_others[:n], x_others[:n])
    # The scores of these are symmetric: one direction is the transpose of the other.
    symmetric = [("cca", cca_retrieval(*sides, groups=groups)), ("cca (bridge's text vectors)", cca_retrieval(x, own, x_others[:n], own_test, groups=groups))]
    if len(validation) >= 2:
        symmetric.insert(0, ("two-tower mlp", two_tower_retrieval((x, y), (x_others[n:], y_others[n:]), (x_others[:n], y_others[:n]), seed=seed)))
    plain = [(PLAIN, found)] if (found := _plain(cohort, pair, bridge)) is not None else []
    rungs = {}
    for direction, some in ((forward, sides), (back, turned)):
        found = [*plain, *symmetric] if direction == forward else [(method, similarity.T) for method, similarity in (*plain, *symmetric)]
        directed = [("nearest neighbour", neighbour_retrieval(*some)), ("ridge", ridge_retrieval(*some, groups=groups))]
        rungs[direction] = [Rung(*each) for each in (*found[: len(plain)], *directed, *found[len(plain) :])]
    return rungs


def bridge_text_features(bridge: SemanticBridge, train: Sequence[str], test: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The text vectors that the bridge's own text side reads, standardised by the training texts."""
    bank = text_bank(bridge)
    with torch.inference_mode():
        found = [bridge.space.standardised(torch.from_numpy(bank.embed(texts)).to(bridge.llm.device)) for texts in (list(train), list(test))]
    return tuple(vectors.double().cpu().numpy() for vectors in found)


def _plain(cohort: Cohort, pair: Scored, bridge: SemanticBridge) -> np.ndarray | None:
    """The map written out as text and compared with the texts as they are; None for values without names."""
    names = cohort.card(pair.left).names if JOINT not in pair.left else ()
    if not names or cohort.card(pair.left).dim != 1:
        return None
    written = [_written(cohort.values(pair.left)[row], names) for row in pair.rows]
    texts = cohort.text(pair.right)
    left, right = bridge_text_features(bridge, written, [texts[row] for row in pair.rows])
    return cosine_similarity(left, right)


def _written(values: np.ndarray, names: Sequence[str]) -> str:
    order = np.argsort(-np.nan_to_num(values, nan=-np.inf))
    highest, lowest = ([names[number] for number in part] for part in (order[:NAMED], order[np.isfinite(values[order])][-NAMED:][::-1]))
    return f"{grammar.extreme(grammar.HIGHEST, highest)}; {grammar.extreme(grammar.LOWEST, lowest)}"


def _pairs(bridge: SemanticBridge, cohort: Cohort) -> list[tuple[str, str]]:
    """What stage 1 aligned with a text; without a linear part, every side with every text."""
    if bridge.space.linear is not None:
        return [(block.side, block.column) for block in bridge.space.linear.blocks]
    return [(side, column) for side in (*bridge.projectors, *bridge.space.joint) for column in cohort.texts]


def _scored(cohort: Cohort, side: str, column: str, split: str, limit: int | None, seed: int) -> Scored:
    texts = np.array([bool(text) for text in cohort.text(column)])
    measured = np.all([np.isfinite(cohort.raw(modality)).any(axis=1) for modality in side.split(JOINT)], axis=0)
    rows, train = (np.array([row for row in cohort.rows(name) if texts[row] and measured[row]], dtype=int) for name in (split, "train"))
    if limit is not None and len(rows) > limit:
        rows = np.sort(np.random.default_rng(seed).choice(rows, limit, replace=False))
    return Scored(side, column, rows, train)


def _directions(side: str, column: str) -> tuple[str, str]:
    return f"{side}->{column}", f"{column}->{side}"


def _merged(shipped: dict, own: dict) -> dict:
    """The shipped section with the run's own settings; a projector or the pairs are replaced as a whole."""
    return shipped | {name: (shipped[name] | value if name == "text" else value) for name, value in own.items()}
