"""Region names of the default atlas, and the sentence that says what a map of region values shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from bridge.data.wording import listed

#: Desikan-Killiany labels (Desikan et al. 2006, doi:10.1016/j.neuroimage.2006.01.021) to words a reader knows.
REGION_WORDS = {
    "bankssts": "banks of the superior temporal sulcus",
    "caudalanteriorcingulate": "caudal anterior cingulate cortex",
    "caudalmiddlefrontal": "caudal middle frontal gyrus",
    "cuneus": "cuneus",
    "entorhinal": "entorhinal cortex",
    "fusiform": "fusiform gyrus",
    "inferiorparietal": "inferior parietal lobule",
    "inferiortemporal": "inferior temporal gyrus",
    "isthmuscingulate": "isthmus of the cingulate gyrus",
    "lateraloccipital": "lateral occipital cortex",
    "lateralorbitofrontal": "lateral orbitofrontal cortex",
    "lingual": "lingual gyrus",
    "medialorbitofrontal": "medial orbitofrontal cortex",
    "middletemporal": "middle temporal gyrus",
    "parahippocampal": "parahippocampal gyrus",
    "paracentral": "paracentral lobule",
    "parsopercularis": "pars opercularis",
    "parsorbitalis": "pars orbitalis",
    "parstriangularis": "pars triangularis",
    "pericalcarine": "pericalcarine cortex",
    "postcentral": "postcentral gyrus",
    "posteriorcingulate": "posterior cingulate cortex",
    "precentral": "precentral gyrus",
    "precuneus": "precuneus",
    "rostralanteriorcingulate": "rostral anterior cingulate cortex",
    "rostralmiddlefrontal": "rostral middle frontal gyrus",
    "superiorfrontal": "superior frontal gyrus",
    "superiorparietal": "superior parietal lobule",
    "superiortemporal": "superior temporal gyrus",
    "supramarginal": "supramarginal gyrus",
    "frontalpole": "frontal pole",
    "temporalpole": "temporal pole",
    "transversetemporal": "transverse temporal gyrus",
    "insula": "insula",
    "thalamusproper": "thalamus",
    "caudate": "caudate nucleus",
    "putamen": "putamen",
    "pallidum": "pallidum",
    "accumbensarea": "accumbens area",
    "hippocampus": "hippocampus",
    "amygdala": "amygdala",
    "brainstem": "brain stem",
}

#: Regions named as highest, and as lowest.
NAMED_REGIONS = 3

#: A side is called higher beyond this contrast: left and right of one map correlate only .6 at the median, and
#: exchanging the sides of every pair at random gives a contrast above .41 in 1 % of draws.
SIDE_MARGIN = 0.4

#: Cortex or subcortex is called higher beyond this contrast.
TISSUE_MARGIN = 0.5


class Regions:
    """The regions of the atlas in the order of the values.

    A name holds its side, since left and right were measured apart; it does not say that one side is higher.

    Args:
        indices: Value of each region in the label image.
        names: Readable name of each region, with its side.
        cortical: Whether a region is cortex; otherwise it is subcortex or brain stem.
    """

    def __init__(self, indices: Sequence[int], names: Sequence[str], cortical: Sequence[bool]):
        self.indices, self.names, self.cortical = list(indices), list(names), np.asarray(cortical)
        row = {name: number for number, name in enumerate(names)}
        mirrored = {left: left.replace("left ", "right ", 1) for left in names if left.startswith("left ")}
        self.left = [row[left] for left, right in mirrored.items() if right in row]
        self.right = [row[right] for right in mirrored.values() if right in row]


def read_regions(path: Path) -> Regions:
    """Read the label table of the atlas: columns id, label, hemisphere (L, R, B), structure (cortex or not).

    Raises:
        ValueError: a column is missing, a label is unknown, or a region is found twice.
    """
    table = pd.read_csv(path)
    missing = [column for column in ("id", "label", "hemisphere", "structure") if column not in table]
    if missing:
        raise ValueError(f"{path}: column {missing[0]!r} is missing, found {list(table.columns)}")
    names = [region_name(label, side) for label, side in zip(table["label"], table["hemisphere"], strict=True)]
    if len(set(names)) != len(names):
        raise ValueError(f"{path}: a label is found twice with one hemisphere, expected each region once")
    return Regions(table["id"].tolist(), names, (table["structure"] == "cortex").tolist())


def region_name(label: str, side: str) -> str:
    """The readable name of a region with its side, such as 'left hippocampus'.

    Raises:
        ValueError: unknown label or side.
    """
    sides = {"L": "left ", "R": "right ", "B": ""}
    if label not in REGION_WORDS or side not in sides:
        raise ValueError(f"region {label!r} with hemisphere {side!r}: expected a Desikan-Killiany label and L, R or B")
    return sides[side] + REGION_WORDS[label]


def describe(values: Float[np.ndarray, " regions"], regions: Regions) -> str:
    """The anatomy sentence of one map: highest and lowest regions in order; tissue and side where they are clear."""
    order = np.argsort(-values, kind="stable")
    highest = [regions.names[row] for row in order[:NAMED_REGIONS]]
    lowest = [regions.names[row] for row in order[::-1][:NAMED_REGIONS]]
    sentence = f"Expression is highest in the {listed(highest)}, and lowest in the {listed(lowest)}."
    tissue = _contrast_sentence(tissue_contrast(values, regions), TISSUE_MARGIN, ("in cortex", "in subcortex"))
    side = _contrast_sentence(side_contrast(values, regions), SIDE_MARGIN, ("on the left", "on the right"))
    return " ".join(part for part in (sentence, tissue, side) if part)


def side_contrast(values: Float[np.ndarray, " regions"], regions: Regions) -> float:
    """Mean left-minus-right difference over paired regions, in standard deviations of the map."""
    return _in_deviations(float((values[regions.left] - values[regions.right]).mean()), values)


def tissue_contrast(values: Float[np.ndarray, " regions"], regions: Regions) -> float:
    """Mean of cortex minus mean of subcortex and brain stem, in standard deviations of the map."""
    return _in_deviations(float(values[regions.cortical].mean() - values[~regions.cortical].mean()), values)


def _in_deviations(difference: float, values: Float[np.ndarray, " regions"]) -> float:
    deviation = float(values.std())
    return difference / deviation if deviation > 0 else 0.0


def _contrast_sentence(contrast: float, margin: float, sides: tuple[str, str]) -> str:
    higher, lower = sides if contrast > 0 else sides[::-1]
    return f"It is higher {higher} than {lower}." if abs(contrast) > margin else ""
