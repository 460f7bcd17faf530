"""Texts like those of the default data, from their words alone: lengths are lognormal, as those of its clinical texts are."""

from __future__ import annotations

import numpy as np

SPREAD = 0.5  # standard deviation of the logarithm of the length; 0.51 in the default cohort's clinical texts
LONGEST = 2.6  # the longest of those over their median
TERMS = """seizure, microcephaly, global developmental delay, hypotonia, spasticity, cerebellar atrophy, hyperreflexia, ataxia, dysarthria,
Babinski sign, intellectual disability, leukoencephalopathy, ventriculomegaly, delayed myelination, dystonia, nystagmus, tremor,
hypoplasia of the corpus callosum, polymicrogyria, optic atrophy, peripheral neuropathy, areflexia, cognitive impairment, chorea,
sensorineural hearing impairment, muscle weakness, gait disturbance, encephalopathy, cortical dysplasia, autistic behaviour, apraxia,
bilateral tonic-clonic seizure, EEG abnormality, neonatal hypotonia, psychosis, parkinsonism, myoclonus, loss of speech""".replace("\n", " ").split(", ")


def made_up_texts(count: int, median_words: int, seed: int) -> list[str]:
    """Different texts of phenotype terms.

    Args:
        count: How many.
        median_words: Median of their lengths; about 2.3 tokens of the default LLM each.
        seed: Of the draw.
    """
    random = np.random.default_rng(seed)
    lengths = np.minimum(np.exp(random.normal(np.log(median_words), SPREAD, count)), LONGEST * median_words).round().astype(int)
    return [_text(random, max(4, int(length)), number) for number, length in enumerate(lengths)]


def _text(random: np.random.Generator, words: int, number: int) -> str:
    drawn = ", ".join(random.choice(TERMS, size=words)).split(" ")
    return " ".join([f"Patient {number}:", *drawn[:words]])
