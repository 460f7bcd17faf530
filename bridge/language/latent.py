"""Latent semantic vectors of texts: the word-count side of the text tower, fitted on the training texts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from torch import Tensor, nn

NGRAMS = (1, 2)
MOST_TERMS = 30_000
RAREST = 3  # a term in fewer training texts tells nothing of others


class LatentText(nn.Module):
    """TF-IDF (sublinear counts of words and word pairs) reduced by truncated SVD.

    Where an LLM's states tell what a text means, the counts tell which words it holds; in specialist literature the
    second is hard to beat (measured in examples/LOG.md). Source: Deerwester et al., JASIS 1990.

    Args:
        terms: The vocabulary; columns of the counts.
        components: Width of a vector.
    """

    def __init__(self, terms: Sequence[str], components: int):
        super().__init__()
        self.terms, self.components = list(terms), components
        self.counter = CountVectorizer(vocabulary=self.terms, ngram_range=NGRAMS)
        self.register_buffer("idf", torch.ones(len(self.terms)))
        self.register_buffer("axes", torch.zeros(components, len(self.terms)))

    @classmethod
    def fit(cls, texts: Sequence[str], components: int = 400, *, seed: int = 0) -> LatentText:
        """Vocabulary, weights and axes of the training texts; fewer components where there are fewer texts or terms.

        Raises:
            ValueError: fewer than two different texts.
        """
        present = [text for text in texts if text]
        if len(set(present)) < 2:
            raise ValueError(f"latent text: found {len(set(present))} different training texts, expected at least 2; check the text column")
        rarest = RAREST if len(present) >= 100 * RAREST else 1
        counts = CountVectorizer(ngram_range=NGRAMS, min_df=rarest, max_features=MOST_TERMS).fit(present)
        terms = counts.get_feature_names_out().tolist()
        weights = TfidfTransformer(sublinear_tf=True).fit(counts.transform(present))
        rank = min(components, len(present) - 1, len(terms) - 1)
        axes = TruncatedSVD(rank, random_state=seed).fit(weights.transform(counts.transform(present))).components_
        fitted = cls(terms, rank)
        fitted.idf.copy_(torch.from_numpy(weights.idf_))
        fitted.axes.copy_(torch.from_numpy(axes))
        return fitted

    def forward(self, texts: Sequence[str]) -> Float[Tensor, "texts components"]:
        """One vector per text, zero for one without a known term; a row of NaN for an empty text."""
        counts = self.counter.transform(texts).astype(np.float32)
        counts.data = 1 + np.log(counts.data)
        weighted = counts.multiply(self.idf.cpu().numpy()).tocsr()
        length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        vectors = weighted @ self.axes.cpu().numpy().T / np.where(length > 0, length, 1.0)[:, None]
        vectors[[not text for text in texts]] = np.nan
        return torch.from_numpy(vectors.astype(np.float32)).to(self.axes.device)
