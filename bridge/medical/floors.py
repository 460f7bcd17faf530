"""What a model has to be above: the commonest answer, and TF-IDF with logistic regression where there is training data."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from bridge.instructions.item import NOTHING, SEPARATOR, Instruction
from bridge.medical.scores import figure, scored

Setting = tuple[int, float, str | None]
#: Longest word sequence, inverse strength of regularisation, and how classes are weighed; chosen on held-out groups of the training split.
SETTINGS = tuple((words, strength, weights) for words in (1, 3) for strength in (1.0, 10.0, 100.0) for weights in (None, "balanced"))
HELD = 5  # one group in so many is held out to choose


def majority(training: Sequence[Instruction], test: Sequence[Instruction]) -> list[str]:
    """The commonest answer of the training split to every question, of the test split itself where there is no other; '' for free words.

    For labels and items it is the commonest single one, or nothing where most answers are nothing.
    """
    known = training or test
    if not known or known[0].judged == "text":
        return [""] * len(test)
    counts = Counter(part for item in known for part in (item.parts or (NOTHING,)))
    return [min(counts, key=lambda part: (-counts[part], part))] * len(test)


def can_learn(training: Sequence[Instruction]) -> bool:
    """Whether these are items of named classes that a classifier can be fitted to: letters of options mean something else in each item."""
    return bool(training) and training[0].judged in ("choice", "labels") and len({item.choices for item in training}) == 1 and "(A)" not in training[0].choices


def tfidf(training: Sequence[Instruction], test: Sequence[Instruction], *, metric: str = "macro_f1", negative: str = "") -> tuple[list[str], str]:
    """Answers of TF-IDF and logistic regression, fitted on the training split alone, and the setting that was chosen there.

    Args:
        training: Of named classes, see :func:`can_learn`.
        test: Items to answer.
        metric: What the setting is chosen by, on every fifth group of the training split.
        negative: See :func:`bridge.medical.scores.figure`.
    """
    texts, held = bodies(training), np.array([int(hashlib.sha256(item.unit.encode()).hexdigest(), 16) % HELD == 0 for item in training])
    best = _chosen(training, texts, held, metric, negative) if len(SETTINGS) > 1 and held.any() and not held.all() else SETTINGS[0]
    told = f"word 1-{best[0]}-grams, C = {best[1]:g}, class weights {best[2] or 'none'}"
    words = _vectorizer(best[0]).fit(texts)
    model = _fitted(best, words.transform(texts), _targets(training))
    return _answers(model.predict(words.transform(bodies(test))), training) if test else [], told


def bodies(items: Sequence[Instruction]) -> list[str]:
    """What the questions do not have in common: their lines without those that stand in each of them."""
    lines = [item.question.splitlines() for item in items]
    common = set(lines[0]).intersection(*map(set, lines)) if len(lines) > 1 else set()
    return ["\n".join(line for line in each if line not in common) for each in lines]


def _chosen(items: Sequence[Instruction], texts: Sequence[str], held: np.ndarray, metric: str, negative: str) -> Setting:
    """The setting that is best on the held-out items when it is fitted on the others."""
    choosing = [item for item, out in zip(items, held, strict=True) if out]
    targets, found = _targets(items)[~held], {}
    for words in dict.fromkeys(setting[0] for setting in SETTINGS):
        vectorizer = _vectorizer(words).fit([text for text, out in zip(texts, held, strict=True) if not out])
        table = vectorizer.transform(texts)
        for setting in (setting for setting in SETTINGS if setting[0] == words):
            answers = _answers(_fitted(setting, table[~held], targets).predict(table[held]), items)
            judged = [scored(item, answer) for item, answer in zip(choosing, answers, strict=True)]
            found[setting] = figure(judged, metric, negative=negative) or 0.0
    return max(found, key=found.__getitem__)


def _vectorizer(words: int) -> TfidfVectorizer:
    return TfidfVectorizer(ngram_range=(1, words), sublinear_tf=True, min_df=2)


def _fitted(setting: Setting, table: csr_matrix, targets: np.ndarray) -> OneVsRestClassifier:
    """Each class by itself, as liblinear does: several times faster than all of them together on texts."""
    model = OneVsRestClassifier(LogisticRegression(C=setting[1], class_weight=setting[2], max_iter=1000, solver="liblinear", random_state=0))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Label .* is present in all", UserWarning)  # a label that training lacks is never given
        return model.fit(table, targets)


def _targets(items: Sequence[Instruction]) -> np.ndarray:
    """The class of each item, or a column of 0 and 1 for each label."""
    if items[0].judged == "choice":
        return np.array([item.answer for item in items])
    return np.array([[label in item.parts for label in items[0].choices] for item in items], dtype=int)


def _answers(found: np.ndarray, items: Sequence[Instruction]) -> list[str]:
    if items[0].judged == "choice":
        return [str(label) for label in found]
    return [SEPARATOR.join(label for label, there in zip(items[0].choices, row, strict=True) if there) or NOTHING for row in found]
