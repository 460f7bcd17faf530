"""What a bundle is worth on samples it has not seen: retrieval beside its baselines, facts of reports beside their controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from rich.progress import track
from torch import Tensor

from bridge.data.batch import IGNORE, pad
from bridge.data.cohort import Cohort
from bridge.evaluate.audit import permutation_p, share_better
from bridge.evaluate.baselines import baseline_table, text_features, vector_features
from bridge.evaluate.facts import phenotype_scores, region_scores, summary
from bridge.evaluate.retrieval import retrieval_scores
from bridge.language.prompts import Prompt
from bridge.language.questions import REPORT_ASK, questions_for, subjects
from bridge.language.subject import fact_vocabulary, region_names
from bridge.language.textbank import TextBank
from bridge.model import SemanticBridge
from bridge.report.write import generate


def shared_embeddings(bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray, texts: Sequence[str]) -> dict[str, Float[np.ndarray, "samples dim"]]:
    """Unit vectors of every modality and text in the shared space; a row of NaN where a sample lacks it.

    Raises:
        ValueError: the bundle has no shared space.
    """
    if bridge.space is None:
        raise ValueError("evaluate: this bundle has no shared space, retrieval needs one; start stage 2 from a bundle of: bridge align")
    embedded = {}
    with torch.inference_mode():
        values = {modality: torch.from_numpy(cohort.values(modality)[rows]).to(bridge.llm.device) for modality in bridge.projectors}
        for modality, (summary_vector, present) in bridge.summaries(values).items():
            embedded[modality] = _missing(bridge.space.embed(modality, summary_vector), present)
        bank = TextBank(bridge.language, **bridge.text)
        for column in texts:
            strings = cohort.text(column)
            vectors = torch.from_numpy(bank.embed([strings[row] for row in rows])).to(bridge.llm.device)
            embedded[column] = _missing(bridge.space.embed_text(vectors.nan_to_num()), torch.isfinite(vectors).all(dim=1))
    return embedded


def retrieval(bridge: SemanticBridge, cohort: Cohort, *, split: str = "test", seed: int = 0, controls: Sequence[str] = ()) -> dict[str, dict]:
    """Held-out retrieval of every pair of names, both directions, beside chance, ridge and CCA on the same split.

    Args:
        bridge: A bundle with a shared space.
        cohort: The cohort it was trained on.
        split: The split that is scored.
        seed: Of the bootstrap and of the permuted controls.
        controls: Pairs ``a~b`` for which the baselines are also fitted on shuffled training pairs.
    """
    names = [*bridge.projectors, *cohort.texts]
    rows, train = cohort.rows(split), cohort.rows("train")
    embedded = shared_embeddings(bridge, cohort, rows, cohort.texts)
    table: dict[str, dict] = {}
    for left, right in _pairs(names, set(bridge.projectors)):
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
    """Facts of raw generations, for every subset of inputs: against the truth, against other samples' truth, and from a zeroed prefix.

    The prompt is the same for every sample and decoding is greedy, so a swapped prefix writes the other sample's text:
    scoring the same texts against the other samples' truth is the swapped control.

    Returns:
        The table, and the generated texts per subset of inputs.
    """
    rows = _sample(cohort.rows(split), limit, seed)
    subsets = {**{modality: (modality,) for modality in bridge.projectors}, "both": tuple(bridge.projectors)}
    table, texts = {}, {}
    for name, given in subsets.items():
        values = _given(bridge, cohort, rows, given)
        ask = [REPORT_ASK[0]] * len(rows)
        texts[name] = generate(bridge, values, ask, max_new_tokens=max_new_tokens, show_progress=True)
        first = {modality: column[:1] for modality, column in values.items()}
        zeroed = generate(bridge, first, ask[:1], max_new_tokens=max_new_tokens, zeroed=True) * len(rows)
        table[name] = _fact_row(cohort, rows, texts[name], zeroed, seed) | {"zeroed_text": zeroed[0]}
    return {**table["both"], **table, "seed": seed, "split": split}, {"ids": [cohort.ids[row] for row in rows], **texts}


def prefix_use(bridge: SemanticBridge, cohort: Cohort, *, split: str = "test", limit: int = 64, seed: int = 0) -> dict[str, dict]:
    """Does the answer's likelihood need the prefix? NLL per token of the true report with the true prefix against controls.

    Controls per modality: its values of another sample (``shuffled``) and its prefix hidden (``absent``); and the whole prefix zeroed.
    """
    rows = _sample(cohort.rows(split), limit, seed)
    values = _given(bridge, cohort, rows, tuple(bridge.projectors))
    truth = _nll(bridge, cohort, rows, values)
    roll = torch.from_numpy(_derangement(len(rows), np.random.default_rng(seed)))
    controls = {}
    for modality, column in values.items():
        controls[f"{modality}_shuffled"] = _nll(bridge, cohort, rows, values | {modality: column[roll]})
        controls[f"{modality}_absent"] = _nll(bridge, cohort, rows, values | {modality: torch.full_like(column, torch.nan)})
    groups = cohort.groups[rows]
    used = {name: {"nll_true": float(truth.mean()), "nll_control": float(nll.mean()), **share_better(truth, nll, groups)} for name, nll in controls.items()}
    return used


def _fact_row(cohort: Cohort, rows: np.ndarray, texts: list[str], zeroed: list[str], seed: int) -> dict:
    """Region and phenotype facts of one subset of inputs."""
    row: dict = {"n": len(rows)}
    groups = cohort.groups[rows]
    for modality, names in region_names(cohort).items():
        truth = cohort.values(modality)[rows]
        scores = region_scores(texts, truth, names)
        found, test = summary(scores), permutation_p(scores.share, groups, seed=seed)
        row |= {"region_precision": found["precision"], "region_precision_shuffled": found["shuffled"], "permutation_p": test["p"]}
        row |= {"region_difference_low": test["low"], "region_difference_high": test["high"], "contradiction_rate": found["contradiction_rate"]}
        row |= {"regions_named": found["named_per_report"], "silent": found["silent"]}
        row["region_precision_zeroed"] = summary(region_scores(zeroed, truth, names))["precision"]
    if cohort.facts:
        vocabulary = fact_vocabulary(cohort)
        facts = {column: cohort.fact(column) for column in cohort.facts}
        known = [{column: facts[column][index] for column in facts} for index in rows]
        names = [name for group in region_names(cohort).values() for name in group]
        scores = phenotype_scores(texts, known, vocabulary, names)
        found, test = summary(scores), permutation_p(scores.share, groups, seed=seed)
        row |= {"phenotype_precision": found["precision"], "phenotype_precision_shuffled": found["shuffled"], "phenotype_precision_p": test["p"]}
        row |= {"phenotype_difference_low": test["low"], "phenotype_difference_high": test["high"], "phenotypes_named": found["named_per_report"]}
        row["phenotype_precision_zeroed"] = summary(phenotype_scores(zeroed, known, vocabulary, names))["precision"]
    return row


@torch.inference_mode()
def _nll(bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray, values: dict[str, Tensor], batch_size: int = 16) -> Float[np.ndarray, " samples"]:
    """Mean NLL per answer token of each sample's true report."""
    prompt = Prompt(bridge.language.tokenizer, bridge.template)
    report = next(question for question in questions_for(cohort) if question.name == "report")
    asked = [report.put(subject, np.random.default_rng(0)) for subject in subjects(cohort, rows)]
    examples = [prompt.example(REPORT_ASK[0], each.answer) for each in asked]
    losses = []
    for start in track(range(0, len(rows), batch_size), "Likelihood", transient=True):
        part = slice(start, start + batch_size)
        ids, mask = pad([ids for ids, _ in examples[part]], prompt.tokenizer.pad_token_id)
        labels, _ = pad([labels for _, labels in examples[part]], IGNORE)
        device = bridge.llm.device
        chosen = {modality: column[part].to(device) for modality, column in values.items()}
        logits, targets = bridge.answer_logits(chosen, ids.to(device), mask.to(device), labels.to(device))
        counts = (labels[:, 1:] != IGNORE).sum(dim=1).tolist()
        losses += [float(each.mean()) for each in F.cross_entropy(logits.float(), targets, reduction="none").split(counts)]
    return np.array(losses)


def _given(bridge: SemanticBridge, cohort: Cohort, rows: np.ndarray, given: tuple[str, ...]) -> dict[str, Tensor]:
    """Values of the given modalities; the others are absent."""
    values = {modality: torch.from_numpy(cohort.values(modality)[rows]) for modality in bridge.projectors}
    return {modality: column if modality in given else torch.full_like(column, torch.nan) for modality, column in values.items()}


def _features(cohort: Cohort, name: str, train: np.ndarray, test: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if name in cohort.modalities:
        values = cohort.values(name)
        return vector_features(values[train], values[test])
    strings = cohort.text(name)
    return text_features([strings[row] for row in train], [strings[row] for row in test], seed=seed)


def _present(cohort: Cohort, name: str, rows: np.ndarray) -> np.ndarray:
    if name in cohort.modalities:
        return np.isfinite(cohort.raw(name)[rows]).any(axis=1)
    strings = cohort.text(name)
    return np.array([bool(strings[row]) for row in rows])


def _pairs(names: list[str], modalities: set[str]) -> list[tuple[str, str]]:
    """Every pair with at least one modality."""
    return [(left, right) for place, left in enumerate(names) for right in names[place + 1 :] if {left, right} & modalities]


def _missing(vectors: Tensor, present: Tensor) -> np.ndarray:
    return torch.where(present.unsqueeze(1), vectors, torch.nan).double().cpu().numpy()


def _sample(rows: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """At most ``limit`` rows, drawn once, in order."""
    return np.sort(np.random.default_rng(seed).choice(rows, min(limit, len(rows)), replace=False))


def _derangement(n: int, random: np.random.Generator) -> np.ndarray:
    """Another sample for each sample: a random order moved on by one."""
    order = random.permutation(n)
    other = np.empty(n, dtype=np.int64)
    other[order] = np.roll(order, 1)
    return other
