"""Cards of a knowledge base become cards of encoders and back; what is written there by others stays to the letter."""

import difflib

import numpy as np
import pandas as pd
import pytest
import yaml

from bridge.data.build import build_cohort
from bridge.data.registry import read_recipe, resolve
from bridge.data.registry_cards import write_kb_card
from encoders.base import Card
from encoders.gene_table import GeneTable

STRATEGIES = """\
id: embedding_strategies
name: Recipes
status: drafting
strategies:
  # one recipe per width
  smri_ukb_pca64_v1:
    modality: smri
    source: "FreeSurfer tables (see ukb_smri.yaml)"
    cohort: ukb_smri
    level:
      per_subject: "Thickness and volume side by side."
    preprocessing:
      - "z-score per region"
      - "residualize(age, sex)"
    projector:
      type: PCA
      dim: 64
      fit_on: train_fold

  smri_ukb_pca128_v1:
    modality: smri
    source: "FreeSurfer tables (see ukb_smri.yaml)"
    cohort: ukb_smri
    projector: {type: PCA, dim: 128, fit_on: train_fold}

  rsfmri_swin_segments_v1:
    modality: rs-fmri
    source: "Segments of 20 frames"
    hierarchy:
      segment:
        frames: 20
        pooling: "mean over tokens"
      subject:
        aggregation: "mean over segments"
    projector:
      type: PCA
      dim: 512

  fusion_v1:
    modality: multimodal
    source: ["smri_ukb_pca128_v1", "genes_v1"]
    construction: "one behind the other"
    sources: [configs/a.yaml]

  genes_v1:
    modality: genetics
    source: "Scores"
    per_gene_pipeline: "as elsewhere"
    transformation: {method: "factors", dim: 16}
    gene_set: {size: null}

last_updated: 2025-11-19   # by hand
"""
DATASET = """\
id: ukb_smri
name: "Regions"
storage_location: {bucket: null}
modalities: [smri]
parcellation:
  atlas: "Desikan-Killiany (aparc) + aseg"
  n_rois: 176
license: "Terms of the biobank"
"""
MODEL = """\
id: swin
name: Swin4D
checkpoints:
  - name: contrastive.ckpt
    path: here
license: {code: MIT, weights: Apache-2.0, data: restricted}
embedding_recipe:
  level: subject
  pipeline:
    rsfmri:
      reference_strategy: rsfmri_swin_segments_v1
      segment_embedding:
        frames: 20
        layer: last_hidden_state
"""


@pytest.fixture
def registry(tmp_path):
    """A knowledge base; the file of the data set is not called as its id."""
    files = {"integration_cards/embedding_strategies": STRATEGIES, "datasets/regions": DATASET, "model_cards/swin": MODEL, "model_cards/template": "id: slug\n"}
    for name, text in files.items():
        path = tmp_path / "neuro-omics-kb" / "kb" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "neuro-omics-kb"


def test_a_strategy_its_data_set_and_its_model_become_the_provenance_of_a_card(registry):
    found = read_recipe(registry, "smri_ukb_pca64_v1")
    assert found.width == 64
    assert found.provenance == {
        "encoder": "smri_ukb_pca64_v1 (PCA 64, fitted on train_fold)",
        "pooling": "Thickness and volume side by side.",
        "atlas": "Desikan-Killiany (aparc) + aseg",
        "units": "z-score per region; residualize(age, sex)",
        "source": "FreeSurfer tables (see ukb_smri.yaml)",
        "version": "2025-11-19",
        "licence": "Terms of the biobank",
    }
    swin = read_recipe(registry, "rsfmri_swin_segments_v1").provenance
    assert swin["encoder"] == "rsfmri_swin_segments_v1 (Swin4D contrastive.ckpt; PCA 512)"
    assert swin["layer"] == "last_hidden_state"
    assert swin["pooling"] == "mean over tokens; mean over segments"
    assert swin["licence"] == "Apache-2.0"
    assert read_recipe(registry, "fusion_v1").provenance["source"] == "smri_ukb_pca128_v1; genes_v1"
    assert read_recipe(registry, "fusion_v1").width is None
    assert read_recipe(registry, "genes_v1").width == 16


def test_what_the_knowledge_base_does_not_know_yet_is_left_out(registry):
    path = registry / "kb" / "model_cards" / "swin.yaml"
    path.write_text(MODEL.replace("Apache-2.0", "TBD").replace("last_hidden_state", "TBD"))
    (registry / "kb" / "datasets" / "regions.yaml").write_text(
        DATASET.replace('parcellation:\n  atlas: "Desikan-Killiany (aparc) + aseg"\n  n_rois: 176', "parcellation: TBD")
    )
    assert {"licence", "layer"}.isdisjoint(read_recipe(registry, "rsfmri_swin_segments_v1").provenance)
    assert "atlas" not in read_recipe(registry, "smri_ukb_pca64_v1").provenance


def test_the_folder_the_kb_folder_and_the_file_of_strategies_are_one_registry(registry):
    places = [registry, registry / "kb", registry / "kb" / "integration_cards" / "embedding_strategies.yaml"]
    assert len({str(read_recipe(place, "smri_ukb_pca128_v1")) for place in places}) == 1


def test_every_recipe_builds_an_encoder(registry):
    for strategy in yaml.safe_load(STRATEGIES)["strategies"]:
        card = GeneTable(dim=4, modality="brain", provenance=read_recipe(registry, strategy).provenance).card()
        assert card.encoder.startswith(strategy)


def test_an_id_that_is_not_there_names_the_nearest_three(registry):
    with pytest.raises(ValueError, match=r"no strategy 'smri_ukb_pca182_v1'; the nearest of 5 are 'smri_ukb_pca128_v1', 'smri_ukb_pca64_v1', '"):
        read_recipe(registry, "smri_ukb_pca182_v1")
    with pytest.raises(ValueError, match="provenance: found registry alone"):
        resolve({"provenance": {"registry": str(registry)}})
    with pytest.raises(ValueError, match="expected a knowledge base"):
        read_recipe(registry / "kb" / "datasets", "fusion_v1")


def test_a_data_set_that_is_not_there_and_a_damaged_card_are_named(registry):
    (registry / "kb" / "datasets" / "regions.yaml").write_text(DATASET.replace("id: ukb_smri", "id: ukb_smri_freesurfer"))
    with pytest.raises(ValueError, match="field cohort: no data set 'ukb_smri'; the nearest are ukb_smri_freesurfer"):
        read_recipe(registry, "smri_ukb_pca64_v1")
    (registry / "kb" / "datasets" / "regions.yaml").write_text("id: [")
    with pytest.raises(ValueError, match=r"regions\.yaml: .*expected a YAML card"):
        read_recipe(registry, "fusion_v1")


@pytest.fixture
def vectors(tmp_path):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(12, 16))).add_prefix("v")
    frame.insert(0, "id", [f"s{row}" for row in range(12)])
    frame.to_csv(tmp_path / "vectors.csv", index=False)
    return tmp_path / "vectors.csv"


def spec(vectors, **provenance):
    return {"brain": {"class_path": "encoders.gene_table.GeneTable", "source": vectors, "init_args": {"provenance": provenance}}}


def test_data_build_takes_provenance_from_a_registry_and_what_is_given_beside_it(registry, vectors, tmp_path):
    cohort = build_cohort(tmp_path / "cohort.h5ad", spec(vectors, registry=str(registry), strategy="genes_v1", space="none"), group="id")
    card = cohort.card("brain")
    assert (card.encoder, card.space, card.version) == ("genes_v1", "none", "2025-11-19")
    other = build_cohort(tmp_path / "other.h5ad", spec(vectors, registry=str(registry), strategy="fusion_v1"), group="id").card("brain")
    with pytest.raises(ValueError, match=r"field 'encoder': expected \"genes_v1\", found \"fusion_v1\""):
        card.require_same(other)


def test_vectors_of_another_width_than_their_strategy_says_are_refused(registry, vectors, tmp_path):
    with pytest.raises(ValueError, match="16 values per sample, its strategy says 128"):
        build_cohort(tmp_path / "cohort.h5ad", spec(vectors, registry=str(registry), strategy="smri_ukb_pca128_v1"), group="id")


CARD = Card(
    modality="brain", encoder="Swin4D rev 3", tokens=2, dim=8, layer="11", pooling="mean: over windows", atlas="Ten regions", space="MNI", units="a.u.",
    source="My study", version="2026-01", licence="CC0",
)  # fmt: skip


@pytest.mark.parametrize("form", ["kept", "new"])
def test_a_card_that_is_written_is_read_back_whole(form, registry, tmp_path):
    place = registry if form == "kept" else tmp_path / "fresh"
    written = write_kb_card(CARD, place, "brain_mine_swin_v1", dataset="mine", model="swin_mine")
    assert [path.name for path in written] == ["embedding_strategies.yaml", "mine.yaml", "swin_mine.yaml"]
    found = read_recipe(place, "brain_mine_swin_v1")
    assert found.width == 16
    assert Card(modality="brain", tokens=2, dim=8, **found.provenance) == CARD
    assert write_kb_card(CARD, place, "brain_mine_swin_v1", dataset="mine", model="swin_mine") == []


def test_what_a_kb_strategy_says_survives_being_written_under_another_id(registry):
    provenance = read_recipe(registry, "rsfmri_swin_segments_v1").provenance
    write_kb_card(Card(modality="brain", tokens=1, dim=512, **provenance), registry, "rsfmri_swin_segments_v2")
    assert read_recipe(registry, "rsfmri_swin_segments_v2") == read_recipe(registry, "rsfmri_swin_segments_v1")


def test_writing_leaves_every_other_line_of_the_file_as_it_is(registry):
    path = registry / "kb" / "integration_cards" / "embedding_strategies.yaml"
    write_kb_card(CARD, registry, "brain_mine_swin_v1")
    text = path.read_text(encoding="utf-8")
    assert not [line for line in difflib.ndiff(STRATEGIES.splitlines(), text.splitlines()) if line.startswith(("- ", "? "))]
    after, before = yaml.safe_load(text), yaml.safe_load(STRATEGIES)
    assert after["strategies"].pop("brain_mine_swin_v1")["modality"] == "brain"
    assert after == before


def test_the_cards_that_are_written_have_the_fields_the_knowledge_base_asks_for(registry):
    write_kb_card(CARD, registry, "brain_mine_swin_v1", dataset="mine", model="swin_mine")
    dataset, model = (yaml.safe_load((registry / "kb" / name).read_text()) for name in ("datasets/mine.yaml", "model_cards/swin_mine.yaml"))
    assert all(dataset[field] for field in ("id", "name", "storage_location", "required_columns", "schema_ref", "modalities"))
    assert all(model[field] for field in ("id", "name", "repo", "weights", "license", "context_length", "tasks"))
    assert model["datasets"] == ["mine"]


def test_an_id_never_changes_its_meaning(registry):
    path = registry / "kb" / "integration_cards" / "embedding_strategies.yaml"
    with pytest.raises(ValueError, match=r"'genes_v1' is there and says something else.*_v2"):
        write_kb_card(CARD, registry, "genes_v1", dataset="mine")
    assert path.read_text(encoding="utf-8") == STRATEGIES
    assert not (registry / "kb" / "datasets" / "mine.yaml").exists()
    path.write_text("id: a\nstrategies: {b: {modality: c}}\n")
    with pytest.raises(ValueError, match="or one in braces"):
        write_kb_card(CARD, registry, "d_v1")
