"""Clinical prose for measuring the extractor: sentence frames written apart from its rules, with what each of them claims.

The frames were written before the extractor and are not changed to suit it; some are hard on purpose. Two faults that
they showed in the first run were mended in the extractor (a side in one letter, and a side before "head of the"), so
the figures are a little kind. A slot is a region with its side (``a``, ``b``), a region of both sides (``c``), a gene
(``g``, ``h``) or a z value (``m``).
"""

from __future__ import annotations

from typing import NamedTuple

#: What a frame says of a slot.
UP, DOWN, NORMAL, NOT_UP, NOT_DOWN, PRIOR = "increased", "decreased", "within range", "not increased", "not decreased", "prior"


class Frame(NamedTuple):
    """A sentence and its claims; a z value that it states has the sign of the direction."""

    text: str
    claims: tuple[tuple[str, str], ...]


def _frame(text: str, *claims: tuple[str, str]) -> Frame:
    return Frame(text, claims)


FRAMES = (
    _frame("Volumetry demonstrates {a} volume well below that of age-matched peers.", ("a", DOWN)),
    _frame("There is marked volume loss involving the {a}.", ("a", DOWN)),
    _frame("The {a} appears shrunken relative to the training cohort.", ("a", DOWN)),
    _frame("On visual inspection the {a} looks bulky.", ("a", UP)),
    _frame("Measurements of the {a} exceed what one would anticipate for a subject of this age.", ("a", UP)),
    _frame("No appreciable atrophy of the {a} can be identified.", ("a", NOT_DOWN)),
    _frame("Cortical thinning is most conspicuous in the {a} and, to a lesser degree, in the {b}.", ("a", DOWN), ("b", DOWN)),
    _frame("The {a} is of normal calibre, in contrast to the {b}, which is thinned.", ("a", NORMAL), ("b", DOWN)),
    _frame("While the {a} is preserved, the {b} shows a clear reduction.", ("a", NORMAL), ("b", DOWN)),
    _frame("Neither the {a} nor the {b} is enlarged.", ("a", NOT_UP), ("b", NOT_UP)),
    _frame("Expression of {g} is higher than in the reference samples.", ("g", UP)),
    _frame("{g} transcript levels were markedly suppressed.", ("g", DOWN)),
    _frame("{g} was found to be overexpressed.", ("g", UP)),
    _frame("We saw no upregulation of {g}.", ("g", NOT_UP)),
    _frame("The {a} measured {m} standard deviations below the mean.", ("a", DOWN)),
    _frame("The {a} (z = -{m}) is thin.", ("a", DOWN)),
    _frame("Relative to the prior study, the {a} has lost further volume.", ("", PRIOR)),
    _frame("Since the last examination, there has been interval enlargement of the {a}.", ("", PRIOR)),
    _frame("The appearance of the {a} is stable compared to the MRI of two years ago.", ("", PRIOR)),
    _frame("The {a} volume is down; the {b} volume is up.", ("a", DOWN), ("b", UP)),
    _frame("A hypertrophic {a} stands out.", ("a", UP)),
    _frame("The {a} lies comfortably inside the reference interval.", ("a", NORMAL)),
    _frame("Size of the {a}: unremarkable.", ("a", NORMAL)),
    _frame("There was relative sparing of the {a}.", ("a", NORMAL)),
    _frame("The {a}, but not the {b}, is atrophic.", ("a", DOWN), ("b", NOT_DOWN)),
    _frame("Bilateral {c} volume loss is noted.", ("c", DOWN)),
    _frame("The {c} is small on both sides.", ("c", DOWN)),
    _frame("The {a} falls in the first percentile.", ("a", DOWN)),
    _frame("It cannot be excluded that the {a} is reduced."),
    _frame("Possible reduction of the {a}, although motion artefacts limit assessment."),
    _frame("The {a} might be slightly larger than expected."),
    _frame("Slightly thickened cortex is present in the {a}.", ("a", UP)),
    _frame("An increase in grey matter is seen in the {a}, whereas the {b} shows a decrease.", ("a", UP), ("b", DOWN)),
    _frame("Grey matter deficits were evident across the {a} and {b}.", ("a", DOWN), ("b", DOWN)),
    _frame("The {a} does not deviate from the norm.", ("a", NORMAL)),
    _frame("We observed elevated values in the {a}; the {b} was likewise elevated.", ("a", UP), ("b", UP)),
    _frame("Compared with healthy controls, the {a} was significantly thinner.", ("a", DOWN)),
    _frame("The {a} is the same as in the reference population.", ("a", NORMAL)),
    _frame("{g} sits at the top of the distribution with a z-score of {m}.", ("g", UP)),
    _frame("Low {g} and high {h}.", ("g", DOWN), ("h", UP)),
    _frame("{g} and {h} are both downregulated.", ("g", DOWN), ("h", DOWN)),
    _frame("This person's {a} has a reduced volume.", ("a", DOWN)),
    _frame("Absent any enlargement, the {a} is considered normal.", ("a", NORMAL)),
    _frame("The {a} fails to show the expected volume; it is diminished.", ("a", DOWN)),
    _frame("Diminutive {a}.", ("a", DOWN)),
    _frame("The {a} is plump.", ("a", UP)),
    _frame("Hypoplasia of the {a} is suspected."),
    _frame("The {a} lies more than 2 SD above the mean.", ("a", UP)),
    _frame("Thinning: {a}, {b}.", ("a", DOWN), ("b", DOWN)),
    _frame("Signal in the {a} is increased, as it is in the {b}.", ("a", UP), ("b", UP)),
    _frame("The impression of an enlarged {a} could not be confirmed.", ("a", NOT_UP)),
    _frame("The {a} is no smaller than expected.", ("a", NOT_DOWN)),
    _frame("Far from being enlarged, the {a} is actually small.", ("a", DOWN)),
    _frame("There is asymmetry, with the {a} being reduced.", ("a", DOWN)),
    _frame("In keeping with earlier scans, the {a} remains small.", ("", PRIOR)),
    _frame("{g} expression: within the reference range.", ("g", NORMAL)),
    _frame("Loss of {g} expression was observed in this sample.", ("g", DOWN)),
    _frame("{g} is not differentially expressed.", ("g", NORMAL)),
    _frame("The {a} shows neither thickening nor thinning.", ("a", NOT_UP), ("a", NOT_DOWN)),
    _frame("Although initially thought to be thin, the {a} is of average thickness.", ("a", NORMAL)),
    _frame("With the exception of the {a}, which is thickened, the cortex is normal.", ("a", UP)),
    _frame("The {a} is, if anything, on the large side, z {m}.", ("a", UP)),
)

#: How clinicians write a region without its side; the first is the plainest. Keys are Desikan-Killiany labels.
PHRASES = {
    "hippocampus": ("hippocampus", "hippocampal formation"),
    "amygdala": ("amygdala",),
    "thalamusproper": ("thalamus",),
    "caudate": ("caudate nucleus", "caudate", "head of the caudate"),
    "putamen": ("putamen",),
    "pallidum": ("globus pallidus", "pallidum"),
    "accumbensarea": ("nucleus accumbens", "accumbens"),
    "insula": ("insula", "insular cortex"),
    "superiortemporal": ("superior temporal gyrus", "superior temporal cortex", "STG"),
    "middletemporal": ("middle temporal gyrus", "middle temporal cortex"),
    "inferiortemporal": ("inferior temporal gyrus",),
    "superiorfrontal": ("superior frontal gyrus", "superior frontal cortex"),
    "precentral": ("precentral gyrus", "precentral cortex", "primary motor cortex"),
    "postcentral": ("postcentral gyrus",),
    "fusiform": ("fusiform gyrus", "fusiform"),
    "lingual": ("lingual gyrus",),
    "entorhinal": ("entorhinal cortex", "entorhinal region"),
    "parahippocampal": ("parahippocampal gyrus", "parahippocampal cortex"),
    "supramarginal": ("supramarginal gyrus",),
    "precuneus": ("precuneus",),
    "cuneus": ("cuneus",),
    "inferiorparietal": ("inferior parietal lobule", "inferior parietal cortex"),
    "superiorparietal": ("superior parietal lobule",),
    "posteriorcingulate": ("posterior cingulate cortex", "posterior cingulate", "posterior cingulate gyrus"),
    "lateraloccipital": ("lateral occipital cortex",),
    "medialorbitofrontal": ("medial orbitofrontal cortex",),
    "pericalcarine": ("pericalcarine cortex", "calcarine cortex"),
    "parsopercularis": ("pars opercularis",),
    "temporalpole": ("temporal pole",),
    "bankssts": ("banks of the superior temporal sulcus",),
}

#: How a side is put to a region, the plainest first.
SIDES = ("{side} {region}", "{side} {region}", "{side} {region}", "{side}-sided {region}", "{region} on the {side}", "{letter} {region}")
