"""The best of many candidates: all compared where there are up to 100,000, through an index of faiss beyond."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

#: Candidates up to which all are compared.
EXACT = 100_000

#: Of the index: share of its cells that are searched, passes of k-means, and how many times more are taken than asked for, to be compared exactly.
SEARCHED, PASSES, WIDER = 0.125, 10, 10


class Best(NamedTuple):
    """Numbers of the best candidates, the best first, with their scores."""

    rows: Int[np.ndarray, " best"]
    scores: Float[np.ndarray, " best"]


class Nearest:
    """Search by ``scale * cosine + offset``, candidate by candidate; equal ones in the order of their ids.

    Beyond :data:`EXACT` candidates an inverted file of faiss (Jégou et al., TPAMI 2011) is made at the first search, the same from
    the same vectors: an index from a file would be read by code that does not check it. Its recall is measured in the tests.

    Args:
        vectors: Unit vectors of the candidates.
        scale: Weight of each one's cosine.
        offset: Added to it.
        ids: Their ids.
    """

    def __init__(
        self, vectors: Float[np.ndarray, "candidates dim"], scale: Float[np.ndarray, " candidates"], offset: Float[np.ndarray, " _"], ids: tuple[str, ...]
    ):
        self.vectors, self.scale, self.offset, self.ids = vectors, scale, offset, ids
        self.exact, self._index = len(ids) <= EXACT, None

    def best(self, query: Float[np.ndarray, " dim"], top: int, without: str = "") -> Best:
        """The best candidates for a unit vector.

        Args:
            query: The unit vector.
            top: How many.
            without: Id of a candidate that is left out.

        Raises:
            ValueError: there are more than 100,000 candidates and faiss is not installed.
        """
        rows = np.arange(len(self.ids)) if self.exact else self._near(query, WIDER * (top + 1))
        rows = rows[[self.ids[row] != without for row in rows]] if without else rows
        scores = self.scale[rows] * (self.vectors[rows] @ query.astype(self.vectors.dtype)) + self.offset[rows]
        if len(rows) > top > 0:
            kept = scores >= np.partition(scores, -top)[-top]
            rows, scores = rows[kept], scores[kept]
        order = sorted(range(len(rows)), key=lambda number: (-scores[number], self.ids[rows[number]]))[:top]
        return Best(rows[order], scores[order].astype(float))

    def _near(self, query: np.ndarray, many: int) -> np.ndarray:
        """Rows that may be among the best: offset and scale are part of the vectors, so that an inner product is the score."""
        self._index = self._index or self._made()
        found = self._index.search(np.append(query, 1.0).astype(np.float32)[None], min(many, len(self.ids)))[1][0]
        return np.sort(found[found >= 0])

    def _made(self):
        faiss = _faiss(len(self.ids))
        table = np.column_stack([self.vectors * self.scale[:, None], self.offset]).astype(np.float32)
        cells = round(np.sqrt(len(table)))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(table.shape[1]), table.shape[1], cells, faiss.METRIC_INNER_PRODUCT)
        index.cp.niter, index.cp.seed, index.nprobe = PASSES, 0, max(1, round(SEARCHED * cells))
        index.train(table)
        index.add(table)
        return index


def _faiss(candidates: int):
    try:
        import faiss
    except ImportError as error:
        raise ValueError(
            f"retrieval: {candidates:,} candidates, more than {EXACT:,}, are searched through an index of faiss, which is not installed; "
            "install the extra: pip install 'neuro-omics-bridge[search]'"
        ) from error
    return faiss
