"""What a language model adds to ranked diagnoses: alone, on the candidates of a ranker, and with soft tokens in front.

Nothing a model writes is judged by a model: a name counts where it is exactly a name of a disease.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from bridge.cases.combine import reciprocal_rank
from bridge.cases.names import plain
from bridge.cases.words import Diagnoses, lines_of

ZERO_SHOT = "{case}\nName the ten most likely genetic disorders of this patient by their OMIM names, the likeliest first, one a line, nothing else."
RETRIEVED = "{case}\nOne of these disorders is likely:\n{disorders}\nWhich disorder does the patient have? Answer with its name."
ORDERED = "{case}\nOne of these disorders is likely:\n{disorders}\nWrite all of them, the likeliest first, one a line, with exactly these names, nothing else."
NOTHING_KNOWN = "A patient has a genetic disorder. Which disorder does the patient have? Answer with its name."
WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)

Scores = Float[np.ndarray, "cases candidates"]
#: Questions and their choices to log-probabilities.
Likelihoods = Callable[[Sequence[str], Sequence[Sequence[str]]], list[list[float]]]


def written_ranks(answers: Sequence[str], targets: Sequence[int], candidates: Sequence[str], diagnoses: Diagnoses) -> Float[np.ndarray, " cases"]:
    """Rank of the true disease in the list each answer writes, infinite where it is not in it; a name of several diseases gives their mean rank."""
    found = np.full(len(targets), np.inf)
    for row, (answer, target) in enumerate(zip(answers, targets, strict=True)):
        for place, meant in enumerate(diagnoses.written(answer), start=1):
            if candidates[target] in meant:
                found[row] = place + (len(meant) - 1) / 2
                break
    return found


def nearest(scores: Scores, k: int) -> list[list[int]]:
    """Columns of the k best candidates of each case, the best first; of equals the first column."""
    return [np.argsort(-row, kind="stable")[:k].tolist() for row in scores]


def retrieval_questions(cases: Sequence[str], shown: Sequence[Sequence[str]], asked: str = RETRIEVED) -> list[str]:
    """A question per case with its candidates, in the order of their names, which does not tell the ranker's."""
    return [asked.format(case=case, disorders="\n".join(f"- {name}" for name in sorted(names))) for case, names in zip(cases, shown, strict=True)]


def preferences(ask: Likelihoods, questions: Sequence[str], shown: Sequence[Sequence[str]], usual: dict[str, float]) -> list[list[float]]:
    """Log-probability of each name after the question, less what it has without any case: a common name is no diagnosis.

    Source: Holtzman et al., EMNLP 2021 (domain-conditional pointwise mutual information).
    """
    return [[value - usual[name] for value, name in zip(values, names, strict=True)] for values, names in zip(ask(questions, shown), shown, strict=True)]


def written_preferences(answers: Sequence[str], shown: Sequence[Sequence[str]]) -> list[list[float]]:
    """Preferences of a model that only writes: less for each line further down, least and alike for the names it leaves out."""
    found = []
    for answer, names in zip(answers, shown, strict=True):
        places = {plain(line): place for place, line in reversed(list(enumerate(lines_of(answer))))}
        found.append([-float(places.get(plain(name), len(places) + len(names))) for name in names])
    return found


def usual_likelihoods(ask: Likelihoods, shown: Sequence[Sequence[str]]) -> dict[str, float]:
    """Log-probability of each name where nothing is known of the patient."""
    names = sorted({name for each in shown for name in each})
    return {name: value for name, (value,) in zip(names, ask([NOTHING_KNOWN] * len(names), [[name] for name in names]), strict=True)}


def reordered(scores: Scores, best: Sequence[Sequence[int]], told: Sequence[Sequence[float]], weight: float) -> Scores:
    """The ranker's best candidates in the order of ranker and model together, above all others, which stay as they are.

    Args:
        scores: Of the ranker.
        best: Columns of its best candidates.
        told: The model's preference for each.
        weight: Of the model's standardised preference beside the ranker's standardised score.
    """
    found = scores.copy()
    for row, (columns, values) in enumerate(zip(best, told, strict=True)):
        both = _standard(scores[row, columns]) + weight * _standard(np.asarray(values))
        found[row, columns] = scores[row].max() + 1 + both - both.min()
    return found


def best_weight(scores: Scores, best: Sequence[Sequence[int]], told: Sequence[Sequence[float]], targets: Sequence[int]) -> float:
    """The weight with the largest mean reciprocal rank on validation cases; the smallest of equals."""
    return max(WEIGHTS, key=lambda weight: (round(reciprocal_rank(reordered(scores, best, told, weight), targets), 9), -weight))


def _standard(values: Float[np.ndarray, " candidates"]) -> Float[np.ndarray, " candidates"]:
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else np.zeros(len(values))
