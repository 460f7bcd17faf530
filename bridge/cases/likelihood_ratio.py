"""A frequency-aware naive Bayes model: how much likelier each finding is in a disease than in patients of any disease."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import sparse

from bridge.cases.space import Profiles, Queries

#: Chance that a finding has nothing to do with the disease; of any phenotype it is what a mismatch costs.
UNRELATED = 0.05
HIGHEST = 0.95  # a phenotype looked for in vain is possible in any disease


def likelihood_ratio(queries: Queries, profiles: Profiles) -> Float[np.ndarray, "cases diseases"]:
    """Sum over findings of the log-ratio of their probability in the disease and in all diseases, nats.

    A term the disease does not have counts by the ancestor that speaks most for it, since P(term | disease) is at least
    f(ancestor) x P(term | ancestor): the ratio of a finding is max over its ancestors of f(ancestor) / background(ancestor),
    mixed with what is unrelated. An excluded term counts (1 - f) / (1 - background). Only annotated terms speak against.
    Source: after Robinson et al. 2020 (LIRICAL), doi:10.1016/j.ajhg.2020.06.021, with this rule for ancestors.
    """
    used = np.unique(queries.direct.indices)
    ratio = profiles.frequency @ sparse.diags_array(1 / profiles.background)
    best = _best_ratio(profiles.terms.above[used], sparse.csc_array(ratio))
    present = queries.direct[:, used] @ np.log(UNRELATED + (1 - UNRELATED) * best)
    return np.asarray(present) + _absent(queries, profiles)


def _best_ratio(above: sparse.csr_array, ratio: sparse.csc_array) -> Float[np.ndarray, "terms diseases"]:
    found = np.zeros((above.shape[0], ratio.shape[0]))
    for number in range(above.shape[0]):
        for term in above.indices[above.indptr[number] : above.indptr[number + 1]]:
            part = slice(ratio.indptr[term], ratio.indptr[term + 1])
            rows = ratio.indices[part]
            found[number, rows] = np.maximum(found[number, rows], ratio.data[part])
    return found


def _absent(queries: Queries, profiles: Profiles) -> Float[np.ndarray, "cases diseases"]:
    """Log-ratio of the excluded terms; of a disease without the term only the background counts, alike for all."""
    lacking = profiles.frequency.copy()
    lacking.data = np.log(1 - np.minimum(lacking.data, HIGHEST))
    return (queries.excluded @ lacking.T).toarray()
