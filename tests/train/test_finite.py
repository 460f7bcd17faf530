"""The gate before the optimiser: bad samples are named, their step changes nothing, and what is fitted beside training leaves them out."""

import json

import numpy as np
import pytest
import torch

from bridge.data.cohort import Cohort
from bridge.data.module import CohortData
from bridge.data.unfit import fit_samples, typical_sizes, unfit
from bridge.report.gate import training_reference


@pytest.fixture
def spoilt(tiny_cohort_file, tmp_path):
    """``spoilt(rows)``: the tiny cohort with absurd genes in these rows, as a file."""

    def make(*rows):
        cohort = Cohort.read(tiny_cohort_file)
        for row in rows:
            cohort.table.obsm["gene"][row] = 1e30
        cohort.write(tmp_path / "spoilt.h5ad")
        return tmp_path / "spoilt.h5ad"

    return make


@pytest.mark.parametrize(("value", "reason"), [(np.inf, "infinite values"), (-3e38, "an absurd size"), (1e5, "an absurd size")])
def test_an_infinite_or_absurd_sample_is_named_and_a_missing_one_is_not(tiny_cohort, value, reason):
    values = {modality: torch.from_numpy(tiny_cohort.values(modality)) for modality in tiny_cohort.modalities}
    assert unfit(values, typical_sizes(tiny_cohort)) == {}
    values["gene"][6] = value
    found = unfit(values, typical_sizes(tiny_cohort))
    assert list(found) == [6]
    assert reason in found[6]


def test_a_skipped_step_moves_no_weight_no_moment_and_no_rate(tune, data, fit):
    batches = data(4)
    batches.values["gene"][5] = torch.inf
    module = tune(batches.cohort, modality_dropout=0.0)
    trainer, _ = fit(module, batches, max_epochs=2, limit_val_batches=0)
    assert [bad.ids for bad in module.gate.bad] == [["sample-05"]] * 2
    assert {int(state["step"]) for state in trainer.optimizers[0].state.values()} == {6}
    assert trainer.lr_scheduler_configs[0].scheduler.last_epoch == 6


def test_what_a_bundle_keeps_of_training_knows_no_bad_sample(bridge, spoilt):
    reference = training_reference(bridge, Cohort.read(spoilt(6)))
    json.dumps(reference, allow_nan=False)
    assert reference["norms"]["gene"][1] < 100


def test_a_bad_sample_of_the_validation_split_is_left_out_and_named(spoilt, align, fit):
    batches = CohortData(str(spoilt(17)), batch_size=4)
    with pytest.warns(UserWarning, match=r"validation: sample 'sample-17' is left out: gene of an absurd size"):
        trainer, _ = fit(align(batches.cohort), batches, max_epochs=1)
    assert "validation/gene->brain/mrr" in trainer.callback_metrics


def test_a_cohort_without_bad_samples_is_taken_as_it_is(tiny_cohort):
    assert fit_samples(tiny_cohort) is tiny_cohort
