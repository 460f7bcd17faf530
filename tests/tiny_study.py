"""A tiny study: a cohort of made-up samples, and an untrained bridge over it."""

from __future__ import annotations

import functools
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import torch

from bridge.bundle import save
from bridge.data.cohort import Cohort
from bridge.language.llm import LanguageModel, Lora, add_lora, load_llm
from bridge.model import SemanticBridge
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP
from bridge.report.gate import training_reference
from encoders.base import Encoder
from encoders.brain_volume import BrainVolume
from encoders.gene_table import GeneTable
from encoders.region_table import RegionTable

REGIONS = tuple(f"{side} {name}" for side in ("left", "right") for name in ("cuneus", "insula", "pallidum", "caudate", "amygdala"))
ORGANS = ("eye", "skin", "kidney", "heart")
SAMPLES = 32


def make_cohort(brain_encoder: Encoder | None = None) -> Cohort:
    """32 samples of 16 groups: a gene vector and ten brain regions that share a latent cause with two texts and two fact columns.

    Sample 3 has no gene, sample 5 no brain, sample 7 lacks one region, sample 9 has no clinical text.
    """
    random = np.random.default_rng(0)
    cause = random.normal(size=(SAMPLES, 3))
    gene = cause @ random.normal(size=(3, 12)) + 0.1 * random.normal(size=(SAMPLES, 12))
    brain = 0.5 + 0.1 * (cause @ random.normal(size=(3, len(REGIONS))) + 0.1 * random.normal(size=(SAMPLES, len(REGIONS))))
    gene[3], brain[5], brain[7, 2] = np.nan, np.nan, np.nan
    modalities = {"gene": (_gene_encoder(), gene), "brain": (brain_encoder or _brain_encoder(), brain)}
    facts = {"modalities": modalities, "facts": {"organ_systems": "gene", "inheritance": "gene"}}
    notes = {"stand_ins": "Made-up samples.", "acknowledgements": ["Nobody is thanked."]}
    return Cohort.assemble(_observations(cause, brain), texts=("anatomy", "clinical"), normalise={"brain": "global"}, notes=notes, source="tiny", **facts)


def untrained(language: LanguageModel, cohort: Cohort, projectors: dict | None = None) -> SemanticBridge:
    """A bridge in evaluation mode, with what a bundle keeps of the training split."""
    torch.manual_seed(0)
    factories = projectors or {"gene": functools.partial(FactorisedMLP, k=2, hidden=16, rank=4), "brain": functools.partial(IdentityValue, extremes=4)}
    bridge = SemanticBridge.compose(language, cohort, factories).eval()
    bridge.reference = training_reference(bridge, cohort)
    return bridge


def image_encoder(folder: Path) -> BrainVolume:
    """An encoder of images over an atlas of the ten regions, 20 voxels of 2 mm each, written into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    nibabel.save(image_of(np.arange(len(REGIONS)) + 1), folder / "atlas.nii.gz")
    pd.DataFrame({"index": range(1, len(REGIONS) + 1), "name": REGIONS}).to_csv(folder / "atlas.tsv", sep="\t", index=False)
    return BrainVolume(atlas=str(folder / "atlas.nii.gz"), labels=str(folder / "atlas.tsv"))


def image_of(values: np.ndarray) -> nibabel.Nifti1Image:
    """An image in which each region has its value."""
    return nibabel.Nifti1Image(np.repeat(values, 20).reshape(len(REGIONS), 4, 5).astype(np.float32), np.diag([2.0, 2.0, 2.0, 1.0]))


def save_bundle(folder: Path, llm: Path, brain_encoder: Encoder | None = None) -> Path:
    """A bundle over the cohort and a checkpoint, with an adapter that nobody trained."""
    bridge = untrained(load_llm(str(llm)), make_cohort(brain_encoder))
    torch.manual_seed(0)
    bridge.wear(add_lora(bridge.language, Lora()))
    return save(bridge, folder)


def _gene_encoder():
    return GeneTable(dim=12, provenance={"encoder": "made up", "licence": "CC0"})


def _brain_encoder():
    return RegionTable(REGIONS, provenance={"atlas": "ten regions", "units": "a.u."})


def _observations(cause, brain):
    """Groups of two samples; validation and test have four groups each."""
    names = [f"sample-{row:02d}" for row in range(SAMPLES)]
    obs = pd.DataFrame({"group": [f"family-{row // 2}" for row in range(SAMPLES)]}, index=names)
    obs["split"] = ["train"] * (SAMPLES - 16) + ["validation"] * 8 + ["test"] * 8
    ordered = [[REGIONS[number] for number in np.argsort(-np.nan_to_num(row))] for row in brain]
    obs["anatomy"] = [f"Highest in the {row[0]} and {row[1]}, lowest in the {row[-1]}." for row in ordered]
    systems = [[organ for organ, weight in zip(ORGANS, [*row, -row[0]], strict=True) if weight > 0] or ["eye"] for row in cause]
    obs["organ_systems"] = ["; ".join(row) for row in systems]
    obs["inheritance"] = ["autosomal recessive" if row[0] > 0 else "autosomal dominant" for row in cause]
    obs["clinical"] = [f"Affects the {' and the '.join(row)}; {kind}." for row, kind in zip(systems, obs["inheritance"], strict=True)]
    obs.loc["sample-09", "clinical"] = ""
    return obs
