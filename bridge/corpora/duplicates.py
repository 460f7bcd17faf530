"""Near-duplicates in a stream of documents, by MinHash and locality-sensitive hashing; the first of them is kept.

Source: Broder 1997, doi:10.1109/SEQUEN.1997.666900; the index is that of datasketch. What the index proposes is looked at
again by the estimated likeness of the two sketches, so the index may propose too much and misses little.
"""

from __future__ import annotations

import numpy as np
from datasketch import MinHash, MinHashLSH

from bridge.corpora.words import normalised_words, runs

#: What a missed duplicate costs against a proposal in vain.
WEIGHTS = (0.2, 0.8)


class NearDuplicates:
    """The documents seen so far, each as a sketch of ``4 * permutations`` bytes and its places in the index.

    Args:
        threshold: Jaccard likeness of the sets of shingles from which two documents are the same.
        permutations: Numbers in a sketch; the likeness is told to about ``0.5 / sqrt(permutations)``.
        shingle: Words of a shingle; a shorter document is one shingle.
    """

    def __init__(self, threshold: float = 0.8, permutations: int = 128, shingle: int = 5):
        if not 0 < threshold <= 1 or permutations < 16 or shingle < 1:
            found = f"{threshold}, {permutations}, {shingle}"
            raise ValueError(f"near-duplicates, fields threshold, permutations, shingle: found {found}, expected a share up to 1, at least 16, at least 1")
        self.threshold, self.shingle = threshold, shingle
        self.start = MinHash(num_perm=permutations, seed=1)
        self.index = MinHashLSH(threshold=threshold, num_perm=permutations, weights=WEIGHTS)
        self.sketches: list[np.ndarray] = []

    def seen(self, text: str) -> bool:
        """Whether a document like this one was seen; if not, it is now."""
        sketch = self.start.copy()
        words = normalised_words(text)
        sketch.update_batch({run.encode() for run in runs(words, self.shingle) or [" ".join(words)]})
        if any((self.sketches[number] == sketch.hashvalues).mean() >= self.threshold for number in self.index.query(sketch)):
            return True
        self.index.insert(len(self.sketches), sketch, check_duplication=False)
        self.sketches.append(sketch.hashvalues)
        return False
