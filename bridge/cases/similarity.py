"""How alike a case and each disease are by their terms: simGIC, Resnik, phenodigm, TF-IDF.

Every function gives a score per case and candidate, higher is more alike; 0 for a disease without any annotation left.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from scipy import sparse

from bridge.cases.space import Profiles, Queries

BLOCK = 512  # query terms compared with all terms of diseases at once

Scores = Float[np.ndarray, "cases diseases"]


def simgic(queries: Queries, profiles: Profiles) -> Scores:
    """Information of the terms that both have over that of the terms that either has, ancestors included.

    Source: Pesquita et al., BMC Bioinformatics 2008, doi:10.1186/1471-2105-9-S5-S4.
    """
    weight = profiles.information
    both = _dense((queries.closed * weight) @ profiles.closed.T)
    either = (queries.closed @ weight)[:, None] + (profiles.closed @ weight)[None, :] - both
    return np.divide(both, either, out=np.zeros_like(both), where=either > 0)


def tfidf(queries: Queries, profiles: Profiles) -> Scores:
    """Cosine of the terms and their ancestors, weighted by information; of a disease also by frequency."""
    weight = profiles.information
    return _dense(_unit(queries.closed * weight) @ _unit(profiles.frequency * weight).T)


def resnik(queries: Queries, profiles: Profiles) -> Scores:
    """Best-match average both ways of the information of the closest common ancestor.

    Source: Resnik, IJCAI 1995; best-match average of Pesquita et al. 2008.
    """
    weight, above = profiles.information, profiles.terms.above
    used = np.unique(queries.direct.indices)
    ours = _mean_of(queries.direct[:, used]) @ _best_common(above[used], profiles.closed, weight)
    known = np.unique(profiles.direct.indices)
    theirs = _best_common(above[known], queries.closed, weight).T @ _mean_of(profiles.direct[:, known]).T
    return (np.asarray(ours) + np.asarray(theirs)) / 2


def phenodigm(queries: Queries, profiles: Profiles) -> Scores:
    """Exomiser's phenotype score: best and mean match, each over what the case's own terms would reach.

    A pair of terms matches by sqrt(information of the closest common ancestor x Jaccard of their ancestors).
    Source: Smedley et al., Database 2013, doi:10.1093/database/bat025.
    """
    used, known = np.unique(queries.direct.indices), np.unique(profiles.direct.indices)
    asked, annotated = queries.direct[:, used], profiles.direct[:, known]
    of_asked, of_known = np.zeros((len(used), annotated.shape[0])), np.zeros((queries.count, len(known)))
    members = _members(asked)
    for start in range(0, len(used), BLOCK):
        part = slice(start, start + BLOCK)
        pairs = _pairs(used[part], known, profiles)
        of_asked[part] = _best_of_rows(pairs, annotated)
        for row in range(queries.count):
            inside = members[row][(members[row] >= start) & (members[row] < start + BLOCK)] - start
            if len(inside):
                np.maximum(of_known[row], pairs[inside].max(axis=0), out=of_known[row])
    above = profiles.terms.above[used]
    own = np.sqrt(np.maximum.reduceat(profiles.information[above.indices], above.indptr[:-1])) if len(used) else np.zeros(0)
    return _over_own(asked, of_asked, np.asarray(annotated @ of_known.T).T, annotated.sum(axis=1), own)


def _over_own(asked: sparse.csr_array, of_asked: np.ndarray, sums: np.ndarray, counts: np.ndarray, own: np.ndarray) -> Scores:
    """Mean of (best match / best own match) and (mean match both ways / mean own match)."""
    size = asked.sum(axis=1)
    mean = (np.asarray(asked @ of_asked) + sums) / np.maximum(size[:, None] + counts[None, :], 1)
    best = np.stack([of_asked[row].max(axis=0, initial=0.0) for row in _members(asked)])
    best_own = np.array([own[row].max(initial=0.0) for row in _members(asked)])
    mean_own = (asked @ own) / np.maximum(size, 1)
    found = best / np.maximum(best_own, 1e-12)[:, None] + mean / np.maximum(mean_own, 1e-12)[:, None]
    return np.where((counts > 0)[None, :], found / 2, 0.0)


def _pairs(used: np.ndarray, known: np.ndarray, profiles: Profiles) -> Float[np.ndarray, "used known"]:
    above = profiles.terms.above
    size = np.diff(above.indptr)
    both = _dense(above[used] @ above[known].T)
    jaccard = both / (size[used][:, None] + size[known][None, :] - both)
    return np.sqrt(_best_common(above[used], above[known], profiles.information) * jaccard)


def _best_common(above: sparse.csr_array, closed: sparse.csr_array, weight: np.ndarray) -> Float[np.ndarray, "terms rows"]:
    """Largest information of an ancestor of each term that each row has too."""
    having = sparse.csc_array(closed)
    found = np.zeros((above.shape[0], closed.shape[0]))
    for number in range(above.shape[0]):
        ancestors = above.indices[above.indptr[number] : above.indptr[number + 1]]
        for term in ancestors[np.argsort(weight[ancestors], kind="stable")]:  # the most telling is written last
            found[number, having.indices[having.indptr[term] : having.indptr[term + 1]]] = weight[term]
    return found


def _best_of_rows(pairs: np.ndarray, annotated: sparse.csr_array) -> Float[np.ndarray, "terms diseases"]:
    """Best match of each term among the terms of each disease; 0 for a disease without any."""
    filled = np.flatnonzero(np.diff(annotated.indptr))
    found = np.zeros((len(pairs), annotated.shape[0]))
    if len(filled):
        found[:, filled] = np.maximum.reduceat(pairs[:, annotated.indices], annotated.indptr[filled], axis=1)
    return found


def _members(rows: sparse.csr_array) -> list[np.ndarray]:
    return np.split(rows.indices, rows.indptr[1:-1])


def _mean_of(rows: sparse.sparray) -> sparse.csr_array:
    """Rows that sum to 1; an empty one stays empty."""
    total = rows.sum(axis=1)
    return sparse.csr_array(sparse.diags_array(1 / np.maximum(total, 1)) @ rows)


def _unit(rows: sparse.sparray) -> sparse.csr_array:
    rows = sparse.csr_array(rows)
    length = np.sqrt(rows.multiply(rows).sum(axis=1))
    return sparse.csr_array(sparse.diags_array(1 / np.where(length > 0, length, 1.0)) @ rows)


def _dense(rows: sparse.sparray) -> np.ndarray:
    return rows.toarray()
