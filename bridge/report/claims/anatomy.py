"""How brain regions are spoken of: the words of prose for the labels of an atlas, and regions that an atlas may not have.

A region is known by its concept, whatever it is called: "hippocampal", "left hippocampal formation" and the column
``Left-Hippocampus`` are one concept. The cortical labels are those of Desikan et al. 2006
(doi:10.1016/j.neuroimage.2006.01.021), the deep ones those of FreeSurfer's segmentation.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

#: Sides as they stand in prose and in the column names of tables.
SIDES = {"left": "left", "right": "right", "lh": "left", "rh": "right", "l": "left", "r": "right", "lt": "left", "rt": "right"}
BOTH = "both"
#: What may be said of the cortex beside its name.
TISSUE = ("gyrus", "gyri", "cortex", "cortices", "lobule", "lobules")
#: Words that name a region together with the words before them, whether an atlas has it or not.
HEADS = (*TISSUE, "sulcus", "sulci", "nucleus", "nuclei", "lobe", "lobes", "pole", "poles")

#: Concepts whose cortical name may be followed by a tissue word.
CORTICAL = {
    "caudal anterior cingulate": ("dorsal anterior cingulate",),
    "caudal middle frontal": (),
    "cuneus": ("cuneal",),
    "entorhinal": (),
    "fusiform": (),
    "inferior parietal": (),
    "inferior temporal": (),
    "isthmus cingulate": ("isthmus of the cingulate", "cingulate isthmus", "isthmus of cingulate"),
    "lateral occipital": (),
    "lateral orbitofrontal": ("lateral orbital frontal",),
    "lingual": (),
    "medial orbitofrontal": ("medial orbital frontal",),
    "middle temporal": (),
    "parahippocampal": (),
    "paracentral": (),
    "pars opercularis": ("opercular part of the inferior frontal",),
    "pars orbitalis": ("orbital part of the inferior frontal",),
    "pars triangularis": ("triangular part of the inferior frontal",),
    "pericalcarine": (),
    "postcentral": (),
    "posterior cingulate": (),
    "precentral": (),
    "precuneus": ("precuneal",),
    "rostral anterior cingulate": (),
    "rostral middle frontal": (),
    "superior frontal": (),
    "superior parietal": (),
    "superior temporal": (),
    "supramarginal": (),
    "transverse temporal": ("heschl's", "heschl"),
    "insula": ("insular", "insulae"),
}
#: Concepts with their other names; a name stands for itself alone.
WHOLE = {
    "banks of the superior temporal sulcus": ("superior temporal sulcus", "banks of the sts"),
    "frontal pole": ("frontal poles", "frontopolar"),
    "temporal pole": ("temporal poles", "temporopolar"),
    "hippocampus": ("hippocampal", "hippocampi", "hippocampal formation"),
    "amygdala": ("amygdalar", "amygdalae", "amygdaloid", "amygdaloid body"),
    "thalamus": ("thalamic", "thalami", "thalamus proper"),
    "caudate": ("caudate nucleus", "caudate nuclei"),
    "putamen": ("putaminal", "putamina"),
    "pallidum": ("globus pallidus", "pallidal", "globi pallidi"),
    "accumbens": ("nucleus accumbens", "accumbens area", "accumbens nucleus", "nuclei accumbentes"),
    "brain stem": ("brainstem",),
    "ventral diencephalon": ("ventral dc",),
    "lateral ventricle": ("lateral ventricles",),
    "cerebellum cortex": ("cerebellar cortex",),
    "cerebellum": ("cerebellar",),
    "cerebellar vermis": ("vermis", "vermal"),
    "hypothalamus": ("hypothalamic",),
    "midbrain": ("mesencephalon", "mesencephalic"),
    "pons": ("pontine",),
    "medulla oblongata": (),
    "substantia nigra": ("nigral",),
    "subthalamic nucleus": (),
    "corpus callosum": ("callosal",),
    "basal ganglia": ("basal ganglion",),
    "striatum": ("striatal",),
    "claustrum": ("claustral",),
    "habenula": ("habenular",),
    "anterior cingulate": ("anterior cingulate cortex", "anterior cingulate gyrus"),
    "cingulate": ("cingulate cortex", "cingulate gyrus"),
    "middle frontal gyrus": ("middle frontal gyri",),
    "inferior frontal gyrus": ("inferior frontal gyri", "inferior frontal cortex"),
    "orbitofrontal cortex": ("orbitofrontal", "orbitofrontal gyrus"),
    "prefrontal cortex": ("prefrontal",),
    "dorsolateral prefrontal cortex": ("dorsolateral prefrontal",),
    "motor cortex": ("primary motor cortex",),
    "somatosensory cortex": ("primary somatosensory cortex",),
    "visual cortex": ("primary visual cortex",),
    "auditory cortex": ("primary auditory cortex",),
    "angular gyrus": ("angular gyri",),
    "frontal lobe": ("frontal lobes",),
    "parietal lobe": ("parietal lobes",),
    "temporal lobe": ("temporal lobes",),
    "occipital lobe": ("occipital lobes",),
    "calcarine cortex": ("calcarine sulcus",),
}
#: Abbreviations of tables that are no words of prose.
LABELS = {
    "bankssts": "banks of the superior temporal sulcus",
    "hippo": "hippocampus",
    "amyg": "amygdala",
    "thal": "thalamus",
    "caud": "caudate",
    "put": "putamen",
    "pal": "pallidum",
    "accumb": "accumbens",
    "latvent": "lateral ventricle",
    "ventraldc": "ventral diencephalon",
}
_MEASURE = re.compile(r"\W(?:thickness|thickavg|area|surfarea|volume|grayvol|meancurv|gauscurv|thicknessstd)\Z", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:'s)?")


class Place(NamedTuple):
    """What a name says: a concept (its words when no concept is known) and a side, '' where it tells none."""

    concept: str
    side: str


@functools.cache
def spoken_forms() -> dict[str, str]:
    """Every way to say a region without its side, in lower-case words, to its concept."""
    forms = {said: name for name, others in WHOLE.items() for said in (name, *others)}
    for name, others in CORTICAL.items():
        forms |= {form: name for said in (name, *others) for form in (said, *(f"{said} {tissue}" for tissue in TISSUE))}
    return forms


@functools.cache
def _compact_forms() -> dict[str, str]:
    return {form.replace(" ", ""): concept for form, concept in spoken_forms().items()} | LABELS


@functools.lru_cache(maxsize=4096)
def place_of(name: str) -> Place:
    """The concept and side of a region's name in a table or a cohort: ``lh_superiortemporal_thickness``, ``Left-Putamen``, ``left insula``."""
    words = _WORD.findall(_MEASURE.sub("", re.sub(r"[_.-]", " ", name)).casefold())
    words, side = _without_side(words)
    concept = _compact_forms().get("".join(words))
    if concept is None and not side and len(words) == 1 and words[0][:1] in "lr":  # Lhippo, as ENIGMA writes it
        concept = _compact_forms().get(words[0][1:])
        side = SIDES[words[0][0]] if concept else ""
    return Place(concept or " ".join(words), side)


def _without_side(words: list[str]) -> tuple[list[str], str]:
    if len(words) > 1 and words[0] in SIDES:
        return words[1:], SIDES[words[0]]
    if len(words) > 1 and words[-1] in SIDES:
        return words[:-1], SIDES[words[-1]]
    return words, ""
