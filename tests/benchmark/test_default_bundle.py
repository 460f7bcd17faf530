"""The shared bundles: each part is made once per setting, and every variant is what its name says."""

import json

import pytest
import yaml

from bridge.benchmark.default import default_alignment, default_bundle, projectors_of
from bridge.bundle import load


def stages(small_default):
    """The stages that ran since the last time."""
    ran = [stage for stage, _ in small_default.ran]
    small_default.ran.clear()
    return ran


def test_parts_are_made_once_and_shared_by_the_variants(small_default):
    bundle, cohort = default_bundle(small_default.folder)
    assert stages(small_default) == ["align", "tune"]
    assert cohort.is_file()
    assert load(bundle).space is not None
    assert default_bundle(small_default.folder) == (bundle, cohort)
    assert stages(small_default) == []
    other, _ = default_bundle(small_default.folder, steps=1)
    assert stages(small_default) == ["tune"]
    assert other != bundle
    assert default_alignment(small_default.folder).is_dir()
    assert stages(small_default) == []


def test_a_part_is_made_again_for_another_seed_or_configuration_and_after_a_stop(small_default):
    bundle, _ = default_bundle(small_default.folder, start=False)
    default_bundle(small_default.folder, start=False, seed=1)
    assert stages(small_default) == ["tune", "tune"]
    path = small_default.configs / "tune.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | {"seed_everything": 5}))
    default_bundle(small_default.folder, start=False, seed=1)
    assert stages(small_default) == ["tune"]
    bundle.with_name(f"{bundle.name}.settings.json").unlink()  # written last
    default_bundle(small_default.folder, start=False, seed=1)
    assert stages(small_default) == ["tune"]


def test_a_variant_without_stage_1_has_no_shared_space_and_a_blind_one_is_blind(small_default):
    fresh, _ = default_bundle(small_default.folder, start=False)
    blind, _ = default_bundle(small_default.folder, start=False, blind=True)
    assert stages(small_default) == ["tune", "tune"]
    assert load(fresh).space is None
    assert not load(fresh).blind
    assert load(blind).blind
    found = projectors_of(fresh)
    assert found["gene"]["init_args"].items() >= {"k": 2, "hidden": 16, "rank": 4}.items()
    assert not {"dim", "tokens", "width"} & set(found["gene"]["init_args"])
    assert found["brain"]["class_path"] == "bridge.project.identity.IdentityValue"


@pytest.mark.filterwarnings("ignore:tune. 1 samples are left out")  # the one without a brain
def test_a_bundle_of_one_modality_is_aligned_and_tuned_on_it_alone(small_default):
    bundle, _ = default_bundle(small_default.folder, modalities=["brain"])
    assert list(load(bundle).projectors) == ["brain"]
    pairs = small_default.ran[0][1]
    assert json.loads(pairs[pairs.index("--model.pairs") + 1]) == {"brain~anatomy": 1.0}
    with pytest.raises(ValueError, match=r"field modalities: found 'eeg', expected some of \['brain', 'gene'\]"):
        default_bundle(small_default.folder, modalities=["eeg"])
