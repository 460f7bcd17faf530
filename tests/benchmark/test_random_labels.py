"""Stage 1 trained on shuffled pairs finds held-out partners as often as chance, and trained on the true pairs more often."""

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import stats

from bridge.bundle import load
from bridge.data.cohort import Cohort
from bridge.evaluate.retrieval import retrieval_scores
from bridge.retrieve.embed import shared_embeddings
from bridge.settings import quiet_libraries
from bridge.train.run import run_stage
from encoders.gene_table import GeneTable

TRAIN, HELD_OUT, SHUFFLES = 384, 200, 6
CHANCE = 10 / HELD_OUT
ORGANS = ("eye", "skin", "kidney", "heart", "brain", "lung", "liver", "bone", "ear", "nerve", "blood", "muscle", "tooth", "hair", "spleen", "gut")
PROJECTOR = {"class_path": "bridge.project.mlp.FactorisedMLP", "init_args": {"k": 2, "hidden": 32, "rank": 8, "dropout": 0.0}}


def made_up(shuffle):
    """Genes whose vector is a noisy linear image of which organs their text names.

    Args:
        shuffle: Seed by which every training gene gets the text of another one; None leaves the pairs true.
    """
    random = np.random.default_rng(0)
    affected = random.random((TRAIN + HELD_OUT, len(ORGANS))) < 0.5
    gene = affected @ random.normal(size=(len(ORGANS), 32)) + 0.2 * random.normal(size=(TRAIN + HELD_OUT, 32))
    texts = np.array([" ".join(organ for organ, is_so in zip(ORGANS, row, strict=True) if is_so) or "none" for row in affected])
    if shuffle is not None:
        texts[:TRAIN] = np.random.default_rng(shuffle).permutation(texts[:TRAIN])
    obs = pd.DataFrame({"split": ["train"] * TRAIN + ["test"] * HELD_OUT, "clinical": texts})
    obs.index = obs["group"] = [f"gene-{row}" for row in range(len(obs))]
    return Cohort.assemble(obs, {"gene": (GeneTable(dim=32), gene)}, texts=("clinical",))


@pytest.fixture
def held_out(tiny_llm, tmp_path):
    """``held_out(shuffle)``: R@10 of stage 1 in both directions on the held-out genes, whose pairs are true in every cohort."""

    def run(shuffle=None):
        quiet_libraries()
        cohort, out = made_up(shuffle), tmp_path / f"shuffle-{shuffle}"
        cohort.write(tmp_path / "cohort.h5ad")
        config = {
            "data": {"cohort": str(tmp_path / "cohort.h5ad"), "batch_size": 128},
            "model": {"llm": {"path": str(tiny_llm())}, "projectors": {"gene": PROJECTOR}, "pairs": {"gene~clinical": 1.0}, "text": {"layers": [0]}, "dim": 32},
            "trainer": {"accelerator": "cpu", "max_steps": 30, "enable_progress_bar": False, "limit_val_batches": 0},
        }
        (tmp_path / "align.yaml").write_text(yaml.safe_dump(config))
        bundle = run_stage("align", ["--config", str(tmp_path / "align.yaml"), "--out", str(out)])
        embedded = shared_embeddings(load(bundle), cohort, cohort.rows("test"), ["clinical"])
        similarity = embedded["gene"] @ embedded["clinical"].T
        return [retrieval_scores(matrix) for matrix in (similarity, similarity.T)]

    return run


def test_shuffled_pairs_teach_nothing_that_holds_for_new_samples(held_out):
    """The interval is over shuffles: what one of them happens to teach moves all held-out samples together."""
    found = [np.mean([scores["r10"] for scores in held_out(shuffle)]) for shuffle in range(SHUFFLES)]
    low, high = stats.t.interval(0.95, SHUFFLES - 1, np.mean(found), stats.sem(found))
    assert low <= CHANCE <= high
    assert high < 2 * CHANCE  # an interval that holds anything shows nothing


def test_true_pairs_teach_what_holds_for_new_samples(held_out):
    assert all(scores["r10_low"] > 5 * CHANCE for scores in held_out())
