"""What a bundle is worth on samples it has not seen: retrieval beside its baselines, facts of reports beside their controls."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from bridge.data.cohort import Cohort
from bridge.evaluate.audit import permutation_p
from bridge.evaluate.baselines import baseline_table, text_features, vector_features
from bridge.evaluate.controls import always, constant_texts, controlled, derangement, given_values, mean_prefix, noisy
from bridge.evaluate.facts import phenotype_scores, region_scores, summary
from bridge.evaluate.gain import nll_shares
from bridge.evaluate.likelihood import answer_nll, report_examples, true_reports
from bridge.evaluate.retrieval import retrieval_scores
from bridge.language.questions import REPORT_ASK
from bridge.language.subject import fact_vocabulary, region_names
from bridge.model import SemanticBridge
from bridge.project.prefix import zeroed
from bridge.project.space import JOINT
from bridge.report.generation.generate import generate
from bridge.retrieve.embed import shared_embeddings


def retrieval(bridge: SemanticBridge, cohort: Cohort, *, split: str = "test", seed: int = 0, controls: Sequence[str] = ()) -> dict[str, dict]:
    """Held-out retrieval of every pair of names, both directions, beside chance, ridge and CCA on the same split.

    Args:
        bridge: A bundle with a shared space.
        cohort: The cohort it was trained on.
        split: The split that is scored.
        seed: Of the bootstrap and of the permuted controls.
        controls: Pairs ``a~b`` for which the baselines are also fitted on shuffled training pairs.
    """
    names = [*bridge.projectors, *bridge.space.joint, *cohort.texts]
    rows, train = cohort.rows(split), cohort.rows("train")
    embedded = shared_embeddings(bridge, cohort, rows, cohort.texts)
    table: dict[str, dict] = {}
    for left, right in _pairs(names, {*bridge.projectors, *bridge.space.joint}):
        both = np.isfinite(embedded[left]).all(axis=1) & np.isfinite(embedded[right]).all(axis=1)
        fitted = train[_present(cohort, left, train) & _present(cohort, right, train)]
        if both.sum() < 2 or len(fitted) < 10:
            continue
        sides = {name: _features(cohort, name, fitted, rows[both], seed) for name in (left, right)}
        baselines = baseline_table(sides, cohort.groups[fitted])
        permuted = baseline_table(sides, cohort.groups[fitted], permuted=True, seed=seed) if f"{left}~{right}" in controls else {}
        groups, similarity = cohort.groups[rows[both]], embedded[left][both] @ embedded[right][both].T
        for direction, matrix in ((f"{left}->{right}", similarity), (f"{right}->{left}", similarity.T)):
            scores = retrieval_scores(matrix, groups, seed=seed)
            for method, other in baselines[direction].items():
                scores |= {f"{method}_{key}": value for key, value in retrieval_scores(other, groups, seed=seed).items() if key.startswith("r10")}
            if permuted:
                scores["permuted_r10"] = retrieval_scores(permuted[direction]["ridge"], groups, seed=seed)["r10"]
            table[direction] = scores
    return table


def report_facts(
    bridge: SemanticBridge, cohort: Cohort, *, split: str = "test", limit: int = 64, seed: int = 0, max_new_tokens: int = 120
) -> tuple[dict, dict]:
    """Facts of raw generations, for every subset of inputs: against the truth, against other samples' truth, and from prefixes that know nothing.

    The prompt is the same for every sample and decoding is greedy, so a swapped prefix writes the other sample's text:
    scoring the same texts against the other samples' truth is the swapped control. What is written from a zeroed, the
    cohort-mean and four noise prefixes is the same for every sample, and is scored against all of them.

    Returns:
        The table, and the generated texts per subset of inputs.
    """
    rows = sampled(cohort.rows(split), limit, seed)
    subsets = {**{modality: (modality,) for modality in bridge.projectors}, "both": tuple(bridge.projectors)}
    table, texts = {}, {}
    for name, given in subsets.items():
        values = given_values(bridge, cohort, rows, given)
        ask = [REPORT_ASK[0]] * len(rows)
        texts[name] = generate(bridge, values, ask, max_new_tokens=max_new_tokens, show_progress=True)
        constant = constant_texts(bridge, values, ask[0], mean_prefix(bridge, cohort, given), seed=seed, max_new_tokens=max_new_tokens)
        table[name] = _fact_row(cohort, rows, texts[name], constant, seed) | {"zeroed_text": constant["zeroed"][0]}
    return {**table["both"], **table, "seed": seed, "split": split}, {"ids": [cohort.ids[row] for row in rows], **texts}


def prefix_use(bridge: SemanticBridge, cohort: Cohort, *, split: str = "test", limit: int = 64, seed: int = 0) -> dict[str, dict]:
    """Does the answer's likelihood need the prefix? NLL per token of the true report with the true prefix against controls.

    Controls per modality: its values of another sample (``shuffled``) and its prefix hidden (``absent``); and of the whole
    prefix: another sample's, zeroed, the mean of the training split, and noise as long as the real soft tokens.
    """
    rows = sampled(cohort.rows(split), limit, seed)
    truth, controls = prefix_nll(bridge, cohort, rows, seed=seed)
    return nll_shares(truth, controls, cohort.groups[rows])


def prefix_nll(
    bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray, *, seed: int = 0
) -> tuple[Float[np.ndarray, " samples"], dict[str, Float[np.ndarray, " samples"]]]:
    """NLL per token of each sample's true report with its own prefix, and under each control of :func:`prefix_use`."""
    given, random, examples = tuple(bridge.projectors), np.random.default_rng(seed), report_examples(bridge, true_reports(cohort, rows))
    values = given_values(bridge, cohort, rows, given)
    other = torch.from_numpy(derangement(len(rows), random))
    found = {}
    for modality, column in values.items():
        found[f"{modality}_shuffled"] = answer_nll(bridge, values | {modality: column[other]}, examples)
        found[f"{modality}_absent"] = answer_nll(bridge, values | {modality: torch.full_like(column, torch.nan)}, examples)
    found["shuffled"] = answer_nll(bridge, {modality: column[other] for modality, column in values.items()}, examples)
    changes = {"zeroed": zeroed, "mean": always(mean_prefix(bridge, cohort, given)), "noise": functools.partial(noisy, random=random)}
    found |= {name: answer_nll(controlled(bridge, change), values, examples) for name, change in changes.items()}
    return answer_nll(bridge, values, examples), found


def _fact_row(cohort: Cohort, rows: np.ndarray, texts: list[str], constant: dict[str, list[str]], seed: int) -> dict:
    """Region and phenotype facts of one subset of inputs."""
    row: dict = {"n": len(rows)}
    groups = cohort.groups[rows]
    repeated = {name: (few * len(rows))[: len(rows)] for name, few in constant.items()}
    for modality, names in region_names(cohort).items():
        truth = cohort.values(modality)[rows]
        scores = region_scores(texts, truth, names)
        found, test = summary(scores), permutation_p(scores.share, groups, seed=seed)
        row |= {"region_precision": found["precision"], "region_precision_shuffled": found["shuffled"], "permutation_p": test["p"]}
        row |= {"region_difference_low": test["low"], "region_difference_high": test["high"], "contradiction_rate": found["contradiction_rate"]}
        row |= {"regions_named": found["named_per_report"], "silent": found["silent"]}
        row |= {f"region_precision_{name}": summary(region_scores(each, truth, names))["precision"] for name, each in repeated.items()}
    if cohort.facts:
        vocabulary = fact_vocabulary(cohort)
        facts = {column: cohort.fact(column) for column in cohort.facts}
        known = [{column: facts[column][index] for column in facts} for index in rows]
        names = [name for group in region_names(cohort).values() for name in group]
        scores = phenotype_scores(texts, known, vocabulary, names)
        found, test = summary(scores), permutation_p(scores.share, groups, seed=seed)
        row |= {"phenotype_precision": found["precision"], "phenotype_precision_shuffled": found["shuffled"], "phenotype_precision_p": test["p"]}
        row |= {"phenotype_difference_low": test["low"], "phenotype_difference_high": test["high"], "phenotypes_named": found["named_per_report"]}
        row |= {f"phenotype_precision_{name}": summary(phenotype_scores(each, known, vocabulary, names))["precision"] for name, each in repeated.items()}
    return row


def _features(cohort: Cohort, name: str, train: np.ndarray, test: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if parts := _modalities(cohort, name):
        values = np.concatenate([cohort.values(modality) for modality in parts], axis=1)
        return vector_features(values[train], values[test])
    strings = cohort.text(name)
    return text_features([strings[row] for row in train], [strings[row] for row in test], seed=seed)


def _present(cohort: Cohort, name: str, rows: np.ndarray) -> np.ndarray:
    if parts := _modalities(cohort, name):
        return np.all([np.isfinite(cohort.raw(modality)[rows]).any(axis=1) for modality in parts], axis=0)
    strings = cohort.text(name)
    return np.array([bool(strings[row]) for row in rows])


def _modalities(cohort: Cohort, side: str) -> list[str]:
    """The modalities that make a side; none where it is a text column."""
    return side.split(JOINT) if set(side.split(JOINT)) <= set(cohort.modalities) else []


def _pairs(names: list[str], modalities: set[str]) -> list[tuple[str, str]]:
    """Every pair with at least one side of modalities, and none in common."""
    pairs = [(left, right) for place, left in enumerate(names) for right in names[place + 1 :] if {left, right} & modalities]
    return [(left, right) for left, right in pairs if not set(left.split(JOINT)) & set(right.split(JOINT))]


def sampled(rows: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """At most ``limit`` rows, drawn once, in order."""
    return np.sort(np.random.default_rng(seed).choice(rows, min(limit, len(rows)), replace=False))
