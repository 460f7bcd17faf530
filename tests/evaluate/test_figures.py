"""Figures show what the numbers say, leave no half-written file, and touch no global plotting state."""

import nibabel
import numpy as np
import pytest
from matplotlib import image as pictures
from matplotlib.figure import Figure

from bridge.evaluate import figures


def said(figure):
    """All text of a figure."""
    return " | ".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")) if text.get_text())


def require_png(path, pixels=400):
    shape = pictures.imread(path).shape
    assert min(shape[:2]) >= pixels
    assert [file.name for file in path.parent.iterdir() if file.suffix != ".csv"] == [path.name]


def row(r10, **more):
    return {"n": 200, "r10": r10, "r10_low": r10 - 0.05, "r10_high": r10 + 0.05, "chance_r10": 0.05, "ridge_r10": 0.3, "cca_r10": 0.4} | more


def test_losses_of_a_run_are_drawn_with_blank_cells_left_out(tmp_path, drawn):
    metrics = tmp_path / "metrics.csv"
    metrics.write_text("epoch,step,loss,validation/loss,lr\n0,0,3.0,,1\n0,1,2.0,,1\n0,1,,2.5,\n1,2,1.0,,1\n")
    require_png(figures.loss_curves(metrics, tmp_path / "loss.png", title="Stage 1", n=800, seed=3))
    lines = {line.get_label(): line.get_xydata().tolist() for line in drawn[0].axes[0].lines}
    assert lines == {"loss": [[0, 3], [1, 2], [2, 1]], "validation/loss": [[1, 2.5]]}
    assert "Stage 1 (n = 800, seed 3)" in said(drawn[0])


def test_losses_may_be_given_by_name(tmp_path, drawn):
    figures.loss_curves({"stage 1": ([0, 1], [3.0, 2.0])}, tmp_path / "loss.png")
    assert drawn[0].axes[0].lines[0].get_ydata().tolist() == [3.0, 2.0]


@pytest.mark.parametrize("header", ["step,lr\n0,1\n", "epoch,loss\n0,1\n", "step,loss\n0,\n"])
def test_a_metrics_file_without_steps_or_losses_is_refused_by_name(tmp_path, header):
    metrics = tmp_path / "metrics.csv"
    metrics.write_text(header)
    with pytest.raises(ValueError, match=r"metrics\.csv: found columns"):
        figures.loss_curves(metrics, tmp_path / "loss.png")
    assert not (tmp_path / "loss.png").exists()


def test_retrieval_stands_beside_its_baselines_chance_and_interval(tmp_path, drawn):
    rows = {"brain->anatomy": row(0.9), "gene->clinical": row(0.2, permuted_r10=0.06)}
    require_png(figures.retrieval_bars(rows, tmp_path / "retrieval.png", seed=0))
    axes = drawn[0].axes[0]
    assert sorted(round(bar.get_height(), 3) for bar in axes.patches) == [0.06, 0.2, 0.3, 0.3, 0.4, 0.4, 0.9]
    segments = [np.round(segment, 3).tolist() for lines in axes.collections for segment in lines.get_segments()]
    assert sum(first[1] == last[1] == 0.05 for first, last in segments) == 2
    assert sorted((first[1], last[1]) for first, last in segments if first[0] == last[0]) == [(0.15, 0.25), (0.85, 0.95)]
    for expected in ("seed 0", "95 % bootstrap over groups", "n = 200", "bridge", "ridge", "CCA", "permuted control", "chance", "R@10"):
        assert expected in said(drawn[0])


def test_an_undefined_score_is_called_undefined_and_a_measured_zero_is_not(tmp_path, drawn):
    undefined = {"n": 8, "r10": None, "r10_low": None, "r10_high": None, "chance_r10": None}
    figures.retrieval_bars({"a->b": undefined, "b->a": row(0.0)}, tmp_path / "retrieval.png")
    assert said(drawn[0]).count("undefined") == 1
    assert "0.00" in said(drawn[0])


def test_the_audit_has_a_panel_per_score_and_a_group_per_input_set(tmp_path, drawn):
    fields = {"region_precision": 0.7, "region_precision_shuffled": 0.1, "region_precision_zeroed": 0.12, "permutation_p": 0.001}
    report = {
        "gene": {"n": 64, "phenotype_precision": 0.4, "phenotype_precision_shuffled": 0.3},
        "both": {"n": 64, "phenotype_precision": None, "phenotype_precision_p": 0.2} | fields,
    }
    require_png(figures.audit_bars(report, tmp_path / "audit.png", seed=1))
    regions, phenotypes = drawn[0].axes
    assert [bar.get_height() for bar in regions.patches] == [0.7, 0.1, 0.12]
    assert [bar.get_height() for bar in phenotypes.patches] == [0.4, 0.3, 0.0]
    assert [label.get_text() for label in regions.get_xticklabels()] == ["both\nn = 64\np = 0.001"]
    assert [label.get_text() for label in phenotypes.get_xticklabels()] == ["gene\nn = 64", "both\nn = 64\np = 0.2"]
    assert "real input" in said(drawn[0])


def test_an_audit_without_a_known_score_is_refused(tmp_path):
    with pytest.raises(ValueError, match="none of"):
        figures.audit_bars({"both": {"n": 3}}, tmp_path / "audit.png")


def two_modalities(n=30, dim=8):
    text = np.random.default_rng(0).normal(size=(n, dim))
    return {"brain": text + 0.1 * np.random.default_rng(1).normal(size=(n, dim)), "text": text}


def test_the_shared_space_joins_the_modalities_of_named_samples(tmp_path, drawn):
    names = [f"gene{number}" for number in range(30)]
    require_png(figures.shared_space(two_modalities(), names, tmp_path / "space.png", named=["gene3", "gene7"], seed=0))
    axes = drawn[0].axes[0]
    brain, text = (points.get_offsets() for points in axes.collections[:2])
    joined = sorted(line.get_xydata().tolist() for line in axes.lines)
    assert np.allclose(joined, sorted([brain[number].tolist(), text[number].tolist()] for number in (3, 7)))
    assert "gene7" in said(drawn[0])
    assert "n = 30, seed 0" in said(drawn[0])


def test_the_length_of_an_embedding_does_not_move_its_point(tmp_path, drawn):
    embeddings, names = two_modalities(), [str(number) for number in range(30)]
    figures.shared_space(embeddings, names, tmp_path / "a.png")
    figures.shared_space({name: vectors * np.arange(1, 31)[:, None] for name, vectors in embeddings.items()}, names, tmp_path / "b.png")
    first, second = (figure.axes[0].collections[0].get_offsets() for figure in drawn)
    assert np.allclose(first, second)


def test_a_sample_without_a_modality_is_left_out_of_that_modality_only(tmp_path, drawn):
    embeddings = two_modalities()
    embeddings["brain"][0], embeddings["brain"][1] = np.nan, 0.0
    figures.shared_space(embeddings, [str(number) for number in range(30)], tmp_path / "space.png", named=["0"])
    brain, text = (np.isfinite(np.ma.filled(points.get_offsets(), np.nan)).all(axis=1).sum() for points in drawn[0].axes[0].collections[:2])
    assert (brain, text) == (28, 30)


def test_embeddings_of_another_width_or_number_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected one row per label and one width"):
        figures.shared_space({"brain": np.ones((3, 4)), "text": np.ones((3, 5))}, ["a", "b", "c"], tmp_path / "space.png")
    with pytest.raises(ValueError, match="expected at least 2"):
        figures.shared_space({"brain": np.full((3, 4), np.nan)}, ["a", "b", "c"], tmp_path / "space.png")


@pytest.fixture
def atlas():
    """Four blocks on a 6 mm grid over the brain, labels 2, 4, 6 and 8."""
    codes = np.zeros((30, 36, 30), dtype=np.int16)
    for number, label in enumerate((2, 4, 6, 8)):
        codes[6 + 4 * number : 9 + 4 * number, 10:24, 8:22] = label
    return nibabel.Nifti1Image(codes, np.array([[6.0, 0, 0, -90], [0, 6, 0, -126], [0, 0, 6, -72], [0, 0, 0, 1]]))


NAMES = ["left insula", "left cuneus", "right cuneus", "right insula"]


def test_a_brain_map_names_the_highest_and_lowest_regions(tmp_path, drawn, atlas):
    path = figures.brain_map(np.array([-1.0, 2.0, np.nan, 0.5]), NAMES, atlas, tmp_path / "map.png", "Map of one sample", unit="z")
    require_png(path)
    assert "Map of one sample (z)" in said(drawn[0])
    assert "highest: left cuneus 2, right insula 0.5, left insula -1" in said(drawn[0])
    assert "right cuneus" not in said(drawn[0])


def test_values_are_painted_into_their_own_labels_and_a_measured_zero_stays_visible(atlas):
    painted = figures.region_image(np.array([-1.0, 2.0, np.nan, 0.0]), NAMES, atlas)
    codes, values = np.asarray(atlas.dataobj), np.asarray(painted.dataobj)
    assert set(values[codes == 2]) == {-1.0}
    assert set(values[codes == 4]) == {2.0}
    assert not values[(codes == 6) | (codes == 0)].any()
    assert (values[codes == 8] > 0).all()
    assert (values[codes == 8] < 1e-3).all()
    assert np.array_equal(painted.affine, atlas.affine)


def test_labels_may_come_in_another_order_than_in_the_image(atlas, tmp_path):
    file = tmp_path / "atlas.nii.gz"
    nibabel.save(atlas, file)
    painted = figures.region_image(np.array([1.0, 2.0, 3.0, 4.0]), NAMES, file, labels=[8, 6, 4, 2])
    assert set(np.asarray(painted.dataobj)[np.asarray(atlas.dataobj) == 8]) == {1.0}


@pytest.mark.parametrize(("values", "message"), [([1.0, 2.0], "2 values, 4 names"), ([np.nan] * 4, "0 finite of 4"), ([1, 2, 3, np.inf], "3 finite of 4")])
def test_values_that_do_not_fit_the_atlas_are_refused(tmp_path, atlas, values, message):
    with pytest.raises(ValueError, match=message):
        figures.brain_map(np.array(values), NAMES, atlas, tmp_path / "map.png", "title")
    assert not list(tmp_path.iterdir())


def test_a_failed_write_keeps_the_old_figure_and_leaves_no_part(tmp_path, monkeypatch):
    path = tmp_path / "loss.png"
    path.write_bytes(b"old")

    def full_disk(figure, partial, **options):
        partial.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(Figure, "savefig", full_disk)
    with pytest.raises(OSError, match="no space left"):
        figures.loss_curves({"loss": ([0], [1.0])}, path)
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["loss.png"]


def test_figures_leave_nothing_in_the_global_state_of_pyplot(tmp_path, atlas):
    from matplotlib import pyplot

    figures.loss_curves({"loss": ([0, 1], [1.0, 0.5])}, tmp_path / "loss.png")
    figures.brain_map(np.arange(4.0), NAMES, atlas, tmp_path / "map.png", "title")
    assert pyplot.get_fignums() == []


def test_the_same_data_give_the_same_file(tmp_path):
    paths = [figures.retrieval_bars({"a->b": row(0.5)}, tmp_path / name) for name in ("one.png", "two.png")]
    assert paths[0].read_bytes() == paths[1].read_bytes()
