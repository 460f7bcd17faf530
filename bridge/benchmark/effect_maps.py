"""Published case-control effect sizes per brain region as maps: tables of cortex and of subcortex put together by contrast."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.stats import norm, rankdata

from bridge.data.anatomy import REGION_WORDS, region_name

NAME = re.compile(r"(?P<study>[^_]+)_(?P<contrast>.+)_(?P<measure>CortThick|CortSurf|SubVol)(?:_(?P<part>[^_]+))?")
MEASURES = {"CortThick": "cortical thickness", "CortSurf": "cortical surface area", "SubVol": "subcortical volume"}
DISORDERS = {
    "22q": "22q11.2 deletion syndrome",
    "adhd": "attention deficit hyperactivity disorder",
    "asd": "autism spectrum disorder",
    "bd": "bipolar disorder",
}

#: Short names of subcortical structures; the lateral ventricles are in the tables and in no atlas of grey matter.
SUBCORTEX = {
    "accumb": "accumbensarea",
    "amyg": "amygdala",
    "caud": "caudate",
    "hippo": "hippocampus",
    "pal": "pallidum",
    "put": "putamen",
    "thal": "thalamusproper",
}
VENTRICLE = "LatVent"

#: A table that holds the numbers of another under a wrong name, and that other: thickness, not area, is what was published
#: as different in bipolar disorder (Hibar et al. 2018, doi:10.1038/mp.2017.73).
MISLABELLED = {"bd_case-controls_CortSurf": "bd_case-controls_CortThick_adult"}

COLUMNS = {"d": "d_icv", "se": "se_icv", "low": "low_ci_icv", "high": "up_ci_icv", "p": "fdr_p"}


@dataclasses.dataclass(frozen=True, eq=False)
class EffectMap:
    """One contrast as a map.

    Args:
        name: Study, contrast and what was measured.
        disorder: Whom the cases have it from.
        table: Region to ``d`` (cases minus controls in pooled standard deviations), ``low`` and ``high`` (95 %), and ``p`` (FDR); NaN where not given.
    """

    name: str
    disorder: str
    table: pd.DataFrame

    def values(self, names: Sequence[str]) -> Float[np.ndarray, " regions"]:
        """Effect sizes in the order of these regions, NaN where the study has none.

        Raises:
            ValueError: fewer than two regions are known here.
        """
        values = self.table["d"].reindex(list(names)).to_numpy(float)
        if np.isfinite(values).sum() < 2:
            raise ValueError(
                f"{self.name}: {int(np.isfinite(values).sum())} of its regions are known, expected at least 2 of names like {self.table.index[0]!r}"
            )
        return values


def effect_maps(folder: Path) -> tuple[list[EffectMap], list[str]]:
    """Every contrast of the tables of a folder, and what was corrected or left out, in words.

    Thickness and surface area are maps of their own, each with the subcortical volumes of the same contrast where
    there are any.

    Raises:
        ValueError: there is no table, or one cannot be read.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise ValueError(f"{folder}: found no table, expected .csv files such as 22q_case-controls_CortThick.csv")
    tables = {file.stem: read_effects(file) for file in files}
    notes = [_same_sides(tables)]
    for name, other in MISLABELLED.items():
        if name in tables and other in tables and tables[name]["d"].equals(tables[other]["d"]):
            notes.append(f"{name} holds the numbers of {other} and is left out.")
            del tables[name]
    return list(_maps(tables)), [note for note in notes if note]


def read_effects(file: Path) -> pd.DataFrame:
    """One table: region to ``d``, ``low``, ``high`` and ``p``; regions that no atlas here has are left out.

    Where an interval is not given it is d +- 1.96 SE; the sign of some tables' SE is wrong, and is not looked at.

    Raises:
        ValueError: the name of the file, a column or a structure is not one of these tables'.
    """
    if NAME.fullmatch(file.stem) is None:
        raise ValueError(f"{file}: expected a name like STUDY_CONTRAST_CortThick.csv, with one of {', '.join(MEASURES)}")
    table = pd.read_csv(file)
    missing = [column for column in ("Structure", *COLUMNS.values()) if column not in table]
    if missing:
        raise ValueError(f"{file}, field {missing[0]}: is missing, found {list(table.columns)}")
    names = [structure_name(structure, file) for structure in table["Structure"]]
    effects = pd.DataFrame({name: pd.to_numeric(table[column], errors="coerce") for name, column in COLUMNS.items()}).set_axis(names)
    half = norm.ppf(0.975) * effects["se"].abs()
    effects["low"], effects["high"] = effects["low"].fillna(effects["d"] - half), effects["high"].fillna(effects["d"] + half)
    return effects[effects.index != ""][["d", "low", "high", "p"]].dropna(subset=["d"])


def structure_name(structure: str, file: Path | str = "table") -> str:
    """The readable name of a structure, '' for a ventricle: ``L_bankssts``, ``Lhippo``.

    Raises:
        ValueError: it is no structure of these tables.
    """
    side, label = structure[:1], structure[1:].removeprefix("_")
    if side in "LR" and label == VENTRICLE:
        return ""
    label = SUBCORTEX.get(label, label)
    if side not in ("L", "R") or label not in REGION_WORDS:
        raise ValueError(f"{file}, field Structure: found {structure!r}, expected a side and a Desikan-Killiany label such as L_bankssts or Lhippo")
    return region_name(label, side)


def disorder_of(study: str) -> str:
    """Whom a study is about, whatever ages it is of: ``adhdadult`` and ``adhdpediatric`` are one."""
    return next((name for short, name in DISORDERS.items() if study.startswith(short)), study)


def as_training_map(values: Float[np.ndarray, " regions"], mean: float, spread: float) -> Float[np.ndarray, " regions"]:
    """The same order of regions with normal scores of the mean and spread of training maps; equal values stay equal, NaN stays.

    Source: van der Waerden 1952 (normal scores), with the ranks of Hazen 1914.
    """
    measured = np.isfinite(values)
    scores = np.full(len(values), np.nan)
    scores[measured] = mean + spread * norm.ppf((rankdata(values[measured]) - 0.5) / measured.sum())
    return scores


def _maps(tables: Mapping[str, pd.DataFrame]) -> Iterable[EffectMap]:
    """Tables of one study, contrast and part, the subcortical one added to each cortical one."""
    parts = {stem: NAME.fullmatch(stem).groupdict() for stem in tables}
    contrasts = {stem: (part["study"], part["contrast"], part["part"] or "") for stem, part in parts.items()}
    subcortex = {contrasts[stem]: stem for stem, part in parts.items() if part["measure"] == "SubVol"}
    joined = {contrasts[stem] for stem, part in parts.items() if part["measure"] != "SubVol"}
    for stem, part in parts.items():
        other = subcortex.get(contrasts[stem])
        if part["measure"] == "SubVol" and contrasts[stem] in joined:
            continue
        both = [stem] if other in (None, stem) else [stem, other]
        measured = " and ".join(MEASURES[parts[each]["measure"]] for each in both)
        said = " ".join(filter(None, contrasts[stem])).replace("_", " ")
        yield EffectMap(f"{said}: {measured}", disorder_of(part["study"]), pd.concat([tables[each] for each in both]))


def _same_sides(tables: Mapping[str, pd.DataFrame]) -> str:
    """Tables that give one number for both sides: of these no side can be right or wrong."""
    equal = []
    for name, table in tables.items():
        left = table["d"][[region for region in table.index if region.startswith("left ")]]
        right = table["d"].reindex([region.replace("left ", "right ", 1) for region in left.index])
        equal += [name] if np.array_equal(left, right) else []
    return f"{len(equal)} of {len(tables)} tables give one number for both sides: there no side is judged." if equal else ""
