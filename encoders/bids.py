"""BIDS datasets and derivatives: which file stands for each participant, by the entities of its name.

Source: Brain Imaging Data Structure 1.10, file names, entities and derivatives (bids-specification.readthedocs.io).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from encoders.files import require_readable
from encoders.tables import read_cells

#: Long names of the entities that choose between files, and the short ones that stand in file names.
ENTITIES = {
    "subject": "sub",
    "session": "ses",
    "task": "task",
    "acquisition": "acq",
    "reconstruction": "rec",
    "direction": "dir",
    "run": "run",
    "echo": "echo",
    "part": "part",
    "hemisphere": "hemi",
    "space": "space",
    "atlas": "atlas",
    "segmentation": "seg",
    "scale": "scale",
    "resolution": "res",
    "density": "den",
    "statistic": "stat",
    "measure": "meas",
    "label": "label",
    "description": "desc",
}

#: What may be asked for: entities under either name, the last word of the file name, and the folder it lies in (anat, func).
CHOICES = (*ENTITIES, *(short for name, short in ENTITIES.items() if short != name), "suffix", "datatype")

#: Files about an image rather than with measured values; one is read only when its suffix is asked for.
NOT_MEASURED = ("mask", "dseg", "probseg", "boldref", "sbref", "xfm", "defacemask")

#: Tables about a scan rather than with values of regions.
NOT_REGIONS = ("events", "scans", "sessions", "physio", "stim", "channels", "electrodes", "motion", "outliers", "relmat", "aslcontext", "dseg", "participants")

#: Values of ``session`` that name a place in order; a session that is really called so comes first.
IN_ORDER = {"first": 0, "last": -1}


def entities_of(file: Path) -> dict[str, str]:
    """Entities of a file name with its ``suffix`` and ``datatype``; none where the name is not of BIDS."""
    stem = file.name.partition(".")[0]
    parts = [part.split("-", 1) for part in stem.split("_")]
    found = {part[0]: part[1] for part in parts if len(part) == 2}
    if parts[0][0] != "sub" or not re.fullmatch(r"[A-Za-z0-9+]+", found.get("sub", "")):
        return {}
    return found | {"suffix": "" if len(parts[-1]) == 2 else parts[-1][0], "datatype": file.parent.name}


def sample_id(file: Path) -> str:
    """``sub-XX`` of a BIDS file name, otherwise the name without its ending."""
    subject = entities_of(file).get("sub")
    return f"sub-{subject}" if subject else re.sub(r"\.(nii|tsv|csv|txt)$", "", file.name.removesuffix(".gz"))


def wanted(entities: Mapping[str, str], session: str = "") -> dict[str, str]:
    """What was asked for under the short names of the entities, as they stand in file names.

    Raises:
        ValueError: an entity that BIDS does not have, or the session is named in two ways.
    """
    unknown = [name for name in entities if name not in CHOICES]
    if unknown:
        raise ValueError(f"entities: found {unknown[0]!r}, expected some of {', '.join(CHOICES)}")
    asked = {ENTITIES.get(name, name): str(value) for name, value in entities.items()}
    if session and asked.get("ses", session) != session:
        raise ValueError(f"session: found {session!r}, and entities say {asked['ses']!r}; expected one")
    asked |= {"ses": session} if session else {}
    return {name: value.removeprefix(f"{name}-") for name, value in asked.items()}


def chosen(source: Path, files: Iterable[Path], asked: Mapping[str, str], *, leave: tuple[str, ...], space: str = "") -> dict[str, Path | None]:
    """One file for each participant, None for one of ``participants.tsv`` that has none.

    Args:
        source: The folder that was searched.
        files: What was found there.
        asked: Entities, ``suffix`` and ``datatype`` that the file must have, see :func:`wanted`.
        leave: Suffixes that are taken only when they are asked for.
        space: Space that the values are read in; of files in several spaces those in this one are taken. '' is any.

    Raises:
        ValueError: no file has what was asked for, or several of one participant have it.
    """
    groups: dict[str, list[Path]] = {}
    for file in files:
        groups.setdefault(sample_id(file), []).append(file)
    asked = {**asked, "sub": asked["sub"].removeprefix("sub-")} if "sub" in asked else dict(asked)
    kept = {sample: _narrowed(group, asked, leave, space) for sample, group in groups.items()}
    if not any(kept.values()):
        raise ValueError(_none(source, groups, asked))
    several = {sample: group for sample, group in kept.items() if len(group) > 1}
    if several:
        raise ValueError(_several(source, several, asked))
    found = {sample: group[0] for sample, group in kept.items() if group}
    listed = participants(source) if "sub" not in asked else []
    _tell_unlisted(source, found, listed)
    lacking = [sample for sample in (*listed, *groups) if sample not in found and sample.startswith("sub-") and "sub" not in asked]
    return dict(sorted({**dict.fromkeys(lacking), **found}.items()))


def files_in(folder: Path, endings: tuple[str, ...]) -> list[Path]:
    """Files of a folder in order of their path, of a dataset those of its participants; hidden files are left out."""
    found = sorted(path for path in folder.rglob("*") if path.name.lower().endswith(endings))
    inside = [(path, path.relative_to(folder).parts) for path in found]
    dataset = is_dataset(folder)
    plain = [(path, parts) for path, parts in inside if "figures" not in parts and not any(part.startswith(".") for part in parts)]
    files = [path for path, parts in plain if not dataset or parts[0].startswith("sub-")]
    require_readable(files)
    return files


def is_dataset(folder: Path) -> bool:
    """Whether a folder is laid out as BIDS has it: participants have folders of their own."""
    return folder.is_dir() and any(path.is_dir() and path.name.startswith("sub-") for path in folder.iterdir())


def participants(folder: Path) -> list[str]:
    """Ids of ``participants.tsv``, which derivatives may leave to the dataset that they are in; none without one."""
    places = [folder, *(place.parent for place in (folder, *folder.resolve().parents) if place.name == "derivatives")]
    file = next((place / "participants.tsv" for place in places if (place / "participants.tsv").is_file()), None)
    if file is None:
        return []
    cells = read_cells(file)
    if "participant_id" not in cells:
        raise ValueError(f"{file}: found columns {list(cells.columns[:8])}, expected participant_id")
    return list(dict.fromkeys(name if name.startswith("sub-") else f"sub-{name}" for name in cells["participant_id"].str.strip() if name))


def require_space(file: Path, expected: str) -> None:
    """Refuse a file whose name says another space than its atlas is in; a name without ``space-`` says nothing.

    Args:
        file: The file.
        expected: Space of the atlas as its card has it, ``MNI152NLin6Asym, mm, RAS+``; a template without its version stands for all of them.
    """
    found = re.search(r"(?:^|_)space-([A-Za-z0-9]+)(?=[_.]|$)", file.name)
    if found and not _one_space(found[1], expected):
        need = f"expected {template(expected)!r}, the space of the atlas"
        raise ValueError(f"{file}, entity space: found {found[1]!r}, {need}; use the file that was normalised to it, or an atlas in the space of the image")


def template(space: str) -> str:
    """The template of a card's space; '' where the card names none that a file could be compared with."""
    name = re.split(r"[,;\s]", space.strip(), maxsplit=1)[0]
    return "" if not re.fullmatch(r"[A-Za-z0-9]+", name) or name.lower() in ("unknown", "scanner", "aligned", "native", "individual") else name


def _one_space(found: str, expected: str) -> bool:
    """MNI152 is any version of that template; two versions are two spaces."""
    one, other = found.lower(), template(expected).lower()
    return not other or one.startswith(other) or other.startswith(one)


def _narrowed(group: list[Path], asked: dict[str, str], leave: tuple[str, ...], space: str) -> list[Path]:
    """Files of one participant that fit what was asked."""
    known = {file: entities_of(file) for file in group}
    sessions = sorted({each["ses"] for each in known.values() if "ses" in each}, key=_natural)
    if asked.get("ses") in IN_ORDER and asked["ses"] not in sessions:
        asked = {name: value for name, value in asked.items() if name != "ses"} | ({"ses": sessions[IN_ORDER[asked["ses"]]]} if sessions else {})
    fits = [file for file in group if all(known[file].get(name) == value for name, value in asked.items())]
    if "suffix" not in asked:
        fits = [file for file in fits if known[file].get("suffix") not in leave]
    here = [file for file in fits if "space" in known[file] and _one_space(known[file]["space"], space)]
    return here if here and template(space) and "space" not in asked else fits


def _none(source: Path, groups: dict[str, list[Path]], asked: dict[str, str]) -> str:
    """What was asked for and what there is, and how to ask for files that are left out unasked."""
    found = f"{source}: none of {sum(map(len, groups.values()))} files fits; asked for {_said(asked) or 'measured values'}, {_there(groups)}"
    suffixes = {entities_of(file).get("suffix", "") for group in groups.values() for file in group} - {""}
    ask = "" if "suffix" in asked or not suffixes else f"; to read these, name their suffix: {source}#{_example({'suffix': min(suffixes)} | asked)}"
    return found + ask


def _several(source: Path, several: dict[str, list[Path]], asked: dict[str, str]) -> str:
    """What to ask for, from the entities in which the files of one participant differ."""
    sample, files = next(iter(several.items()))
    known = [entities_of(file) for file in files]
    labels = {name: sorted({each[name] for each in known if name in each}, key=_natural) for name in dict.fromkeys(key for each in known for key in each)}
    differing = {name: found for name, found in labels.items() if len({each.get(name) for each in known}) > 1}
    found = f"{sample} has {len(files)} files: {', '.join(str(file.relative_to(source)) for file in files[:4])}{' ...' if len(files) > 4 else ''}"
    others = f", and so have {len(several) - 1} others" if len(several) > 1 else ""
    if not differing:
        return f"{source}: {found}{others}; expected one per sample"
    differ = "; ".join(f"{name}: {', '.join(labels)}" for name, labels in differing.items())
    first = {name: found[0] for name, found in labels.items() if name in differing and (name != "datatype" or len(differing) == 1)}
    choose = f"choose with entities or session (a label, first or last), or after the name: {source}#{_example({**asked, **first})}"
    return f"{source}: {found}{others}.\nThey differ in {differ}; {choose}"


def _there(groups: dict[str, list[Path]]) -> str:
    """What the files have that were not taken."""
    known = [entities_of(file) for group in groups.values() for file in group]
    names = dict.fromkeys(name for each in known for name in each if name not in ("sub", "datatype"))
    found = {name: sorted({each[name] for each in known if each.get(name)}, key=_natural) for name in names}
    listed = "; ".join(f"{name}: {', '.join(labels[:6])}" for name, labels in found.items() if labels)
    return f"found {listed}" if listed else "and none has a name as BIDS has it (sub-01_suffix)"


def _tell_unlisted(source: Path, found: dict[str, Path], listed: list[str]) -> None:
    unlisted = [sample for sample in found if sample not in listed]
    if listed and unlisted:
        more = " ..." if len(unlisted) > 10 else ""
        warnings.warn(f"{source}: {len(unlisted)} samples have a file and no row in participants.tsv: {', '.join(unlisted[:10])}{more}", stacklevel=5)


def _example(asked: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in asked.items())


def _said(asked: Mapping[str, str]) -> str:
    return ", ".join(f"{name}-{value}" if name not in ("suffix", "datatype") else f"{name} {value}" for name, value in asked.items())


def _natural(label: str) -> list[tuple[int, int, str]]:
    """Order in which 2 comes before 10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.findall(r"\d+|\D+", label)]
