"""What the names of diseases say: many name their main phenotypes, and those of one series differ by a number alone.

A disease first described by the very publication that is left out has no annotation any more; its name still has words.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
from jaxtyping import Float
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from bridge.cases.space import Profiles, Queries

KIN = 0.3  # least cosine of two names for one disease to speak for the other
SHARPNESS = 3  # power of a similarity, so that few near diseases count and not many far ones
SHRINKAGE = 3.0  # a disease with few kin is pulled to 0 as if it had so many unlike ones

#: Words of a name that tell diseases of a series apart and no phenotype.
_SERIES = re.compile(r"\b(type|types|autosomal|dominant|recessive|linked|susceptibility|to|due|with|without|and|or|of|the|[ivx]+|\d+[a-z]*|[a-z])\b")


def plain(name: str) -> str:
    """A name without case, accents and punctuation, one space between words."""
    letters = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode("ascii")
    return " ".join(re.findall(r"[a-z0-9]+", letters))


def series_of(name: str) -> str:
    """The words of a name that other diseases of its series share."""
    return " ".join(_SERIES.sub(" ", plain(name)).split())


class DiseaseNames:
    """Names of diseases as vectors, beside the names of phenotypes.

    Args:
        profiles: Their diseases are the columns of every score.
    """

    def __init__(self, profiles: Profiles):
        self.profiles = profiles
        series = [series_of(disease.name) for disease in profiles.diseases]
        letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)  # "epilep" is in epilepsy and epileptic
        self.letters = letters.fit_transform(series)
        self.terms = letters.transform([plain(" ".join(texts)) for texts in profiles.terms.texts])
        words = TfidfVectorizer(token_pattern=r"[a-z]{3,}", sublinear_tf=True).fit_transform(series)
        kin = (words @ words.T).tocsr()
        kin.data[kin.data < KIN] = 0.0
        kin.eliminate_zeros()
        self.kin = sparse.csr_array(kin)

    def described(self, queries: Queries) -> Float[np.ndarray, "cases diseases"]:
        """Cosine of a case's phenotypes, by their names and synonyms, with the name of each disease."""
        told = normalize((queries.direct * self.profiles.information_or_most) @ self.terms)
        return np.asarray((told @ self.letters.T).todense())

    def kindred(self, similarity: Float[np.ndarray, "cases diseases"]) -> Float[np.ndarray, "cases diseases"]:
        """Mean similarity of a case with the diseases whose names are alike, ORPHA's and the disease itself among them."""
        annotated = (np.diff(self.profiles.direct.indptr) > 0).astype(float)
        return ((similarity**SHARPNESS * annotated) @ self.kin) / (annotated @ self.kin + SHRINKAGE)
