"""Gene sets from a GMT file, and which features of an input they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path


def read_gmt(path: str | Path) -> dict[str, tuple[str, ...]]:
    """Name of each set to its genes, in the order of the file.

    One set a line, tab-separated: name, description (left out here), genes. Source: GSEA documentation, "GMT: Gene
    Matrix Transposed file format", Broad Institute.

    Raises:
        ValueError: the file is not there, a line has no gene, or a name comes twice.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file; expected gene sets in GMT form")
    sets: dict[str, tuple[str, ...]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        name, *fields = (field.strip() for field in line.split("\t"))
        genes = tuple(dict.fromkeys(filter(None, fields[1:])))
        if not genes or name in sets:
            fault = f"set {name!r} comes twice" if name in sets else f"found {len(fields) + 1} fields"
            raise ValueError(f"{path}, line {number}: {fault}; expected a name of its own, a description and genes, tab-separated")
        sets[name] = genes
    return sets


def feature_sets(names: Sequence[str], modality: str, sets: Mapping[str, Sequence[str]] | None = None) -> dict[str, tuple[str, ...]]:
    """What is taken away at a time: set to those of its features that the input has; a set of which it has none is left out.

    Args:
        names: Features of the modality, empty where they have no names.
        modality: Name of the modality.
        sets: Set to features; without it every feature is a set of its own, and an input without names one whole.

    Raises:
        ValueError: sets are asked of features without names, or none of their features is found.
    """
    if not names:
        if sets is not None:
            raise ValueError(
                f"attribution of {modality!r}: found sets, but its features have no names (an embedding); "
                "expected named genes or regions; leave the sets out, then the input is taken away as a whole"
            )
        return {f"whole {modality}": ()}
    if sets is None:
        return {name: (name,) for name in names}
    known = set(names)
    found = {name: tuple(feature for feature in members if feature in known) for name, members in sets.items()}
    found = {name: members for name, members in found.items() if members}
    if not found:
        raise ValueError(f"attribution of {modality!r}: none of {len(sets)} sets has a feature of it; expected names like {list(names[:3])}; map the ids first")
    return found
