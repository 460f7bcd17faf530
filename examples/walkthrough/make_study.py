"""Made-up files of a study, in the forms a user has them: ``python make_study.py FOLDER``. Nobody's data are in them.

Gene vectors, regional thickness, brain tokens and notes of 96 participants share a hidden cause, so there is something to learn.
"""

import sys
from pathlib import Path

import anndata
import numpy as np
import pandas as pd

PARTICIPANTS = 96
REGIONS = [f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "insula", "precuneus", "fusiform", "entorhinal", "parahippocampal")]
SIGNS = ("seizures", "unsteady gait", "slow speech", "poor memory")
NOTE = "Referred for a first opinion.\nThe family reports slow speech since school age; no seizures.\n"


def write_study(folder: Path, seed: int = 0) -> None:
    """Write genes.h5ad, thickness.csv, tokens.npz, participants.csv and note.txt."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    ids = [f"sub-{number:03d}" for number in range(1, PARTICIPANTS + 1)]
    cause = random.normal(size=(PARTICIPANTS, len(SIGNS)))
    scanned = np.arange(PARTICIPANTS) % 32 != 0  # three participants have no scan
    genes = anndata.AnnData(obs=pd.DataFrame(index=ids), obsm={"X_geneformer": _seen(cause, 64, random)})
    genes.write_h5ad(folder / "genes.h5ad")
    thickness = pd.DataFrame(2.5 + 0.1 * _seen(cause, len(REGIONS), random), index=ids, columns=REGIONS)
    thickness[scanned].round(3).to_csv(folder / "thickness.csv", index_label="participant_id")
    tokens = _seen(cause, 6 * 32, random).reshape(PARTICIPANTS, 6, 32)
    np.savez(folder / "tokens.npz", ids=np.array(ids)[scanned], values=tokens[scanned])
    _people(ids, cause, random).to_csv(folder / "participants.csv", index=False)
    (folder / "note.txt").write_text(NOTE, encoding="utf-8")


def _seen(cause: np.ndarray, width: int, random: np.random.Generator) -> np.ndarray:
    """A linear view of the cause, with noise."""
    return (cause @ random.normal(size=(cause.shape[1], width)) + 0.3 * random.normal(size=(len(cause), width))).astype(np.float32)


def _people(ids: list[str], cause: np.ndarray, random: np.random.Generator) -> pd.DataFrame:
    """One row per participant: two of a family, age, known diagnoses, and a note that one in eight lacks."""
    signs = [[sign for sign, strength in zip(SIGNS, row, strict=True) if strength > 0] for row in cause]
    notes = [f"Seen for {' and '.join(each)}." if each else "Seen without complaints." for each in signs]
    return pd.DataFrame(
        {
            "participant_id": ids,
            "family": [f"family-{number // 2:02d}" for number in range(len(ids))],
            "age": random.integers(18, 80, len(ids)),
            "diagnoses": ["; ".join(["ataxia"] * ("unsteady gait" in each) + ["epilepsy"] * ("seizures" in each)) for each in signs],
            "notes": ["" if number % 8 == 7 else note for number, note in enumerate(notes)],
        }
    )


if __name__ == "__main__":
    write_study(Path(sys.argv[1]))
