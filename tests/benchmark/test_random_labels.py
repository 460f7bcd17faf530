"""Stage 1 trained on shuffled pairs finds held-out partners as often as chance, and trained on the true pairs more often."""

import functools

import numpy as np
import pandas as pd
import pytest
import yaml

from bridge.bundle import load
from bridge.data.cohort import Cohort
from bridge.evaluate.held_out import shared_embeddings
from bridge.evaluate.retrieval import retrieval_scores
from bridge.settings import quiet_libraries
from bridge.train.run import run_stage
from encoders.gene_table import GeneTable

TRAIN, HELD_OUT = 256, 100
ORGANS = ("eye", "skin", "kidney", "heart", "brain", "lung")
PROJECTOR = {"class_path": "bridge.project.mlp.FactorisedMLP", "init_args": {"k": 2, "hidden": 32, "rank": 8, "dropout": 0.0}}


def made_up(shuffled):
    """Genes whose vector is a noisy linear image of which organs their text names; a shuffled cohort has the texts of other training genes."""
    random = np.random.default_rng(0)
    affected = random.random((TRAIN + HELD_OUT, len(ORGANS))) < 0.5
    gene = affected @ random.normal(size=(len(ORGANS), 16)) + 0.2 * random.normal(size=(TRAIN + HELD_OUT, 16))
    texts = np.array([" ".join(organ for organ, is_so in zip(ORGANS, row, strict=True) if is_so) or "none" for row in affected])
    if shuffled:
        texts[:TRAIN] = random.permutation(texts[:TRAIN])
    obs = pd.DataFrame({"split": ["train"] * TRAIN + ["test"] * HELD_OUT, "clinical": texts})
    obs.index = obs["group"] = [f"gene-{row}" for row in range(len(obs))]
    return Cohort.assemble(obs, {"gene": (GeneTable(dim=16), gene)}, texts=("clinical",))


@pytest.fixture
def held_out(tiny_llm, tmp_path):
    """``held_out(shuffled)``: R@10 of stage 1 on the held-out genes, whose pairs are true in both cohorts."""

    @functools.cache
    def run(shuffled):
        quiet_libraries()
        cohort = made_up(shuffled)
        cohort.write(tmp_path / "cohort.h5ad")
        config = {
            "data": {"cohort": str(tmp_path / "cohort.h5ad"), "batch_size": 128},
            "model": {"llm": {"path": str(tiny_llm())}, "projectors": {"gene": PROJECTOR}, "pairs": {"gene~clinical": 1.0}, "text": {"layers": [0]}, "dim": 32},
            "trainer": {"accelerator": "cpu", "max_steps": 30, "enable_progress_bar": False, "limit_val_batches": 0},
        }
        (tmp_path / "align.yaml").write_text(yaml.safe_dump(config))
        bundle = run_stage("align", ["--config", str(tmp_path / "align.yaml"), "--out", str(tmp_path / f"shuffled-{shuffled}")])
        embedded = shared_embeddings(load(bundle), cohort, cohort.rows("test"), ["clinical"])
        return retrieval_scores(embedded["gene"] @ embedded["clinical"].T)

    return run


def test_shuffled_pairs_teach_nothing_that_holds_for_new_samples_and_true_pairs_do(held_out):
    chance = 10 / HELD_OUT
    shuffled, true = held_out(True), held_out(False)
    assert shuffled["r10_low"] <= chance <= shuffled["r10_high"]
    assert true["r10_low"] > 2 * chance
