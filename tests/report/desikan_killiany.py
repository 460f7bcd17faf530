"""The names of the 83 Desikan-Killiany regions as a cohort spells them, and two fact columns."""

CORTEX = """banks of the superior temporal sulcus, caudal anterior cingulate, caudal middle frontal gyrus, cuneus, entorhinal cortex,
fusiform gyrus, inferior parietal lobule, inferior temporal gyrus, isthmus of the cingulate, lateral occipital cortex,
lateral orbitofrontal cortex, lingual gyrus, medial orbitofrontal cortex, middle temporal gyrus, parahippocampal gyrus,
paracentral lobule, pars opercularis, pars orbitalis, pars triangularis, pericalcarine cortex, postcentral gyrus,
posterior cingulate, precentral gyrus, precuneus, rostral anterior cingulate, rostral middle frontal gyrus,
superior frontal gyrus, superior parietal lobule, superior temporal gyrus, supramarginal gyrus, frontal pole, temporal pole,
transverse temporal gyrus, insula"""
SUBCORTEX = "thalamus, caudate, putamen, pallidum, accumbens area, hippocampus, amygdala"
NAMES = [name.strip() for name in f"{CORTEX}, {SUBCORTEX}".split(",")]
REGIONS = (*(f"{side} {name}" for side in ("left", "right") for name in NAMES), "brain stem")
FACTS = {
    "inheritance": ("autosomal recessive", "autosomal dominant", "X-linked recessive", "X-linked"),
    "organ_systems": ("nervous system", "eye", "skeletal system", "head and neck", "skin"),
}
