"""Soft tokens in files are those of the bridge, fit to be sent, and of the bundle that is served; anything else is refused."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from bridge.data.cohort import Cohort
from bridge.export.embeds import FORMAT, Embeds, checked, request_part, write_embeds

FORM = {"width": 32, "dtype": torch.float32, "bundle": "abc"}


@pytest.fixture
def written(bridge, tiny_cohort, tmp_path):
    """The soft tokens of all samples, three in a file."""
    folder = tmp_path / "embeds"
    counts = write_embeds(bridge, tiny_cohort, tiny_cohort.rows("all"), folder, dtype=torch.float32, bundle="abc", shard=3)
    return folder, counts


def test_soft_tokens_are_read_as_the_bridge_made_them(bridge, tiny_cohort, written):
    folder, counts = written
    assert counts == (32, {})
    assert len(list(folder.iterdir())) == 11
    embeds = Embeds(folder, **FORM)
    assert list(embeds.files) == tiny_cohort.ids
    for row, present in ((0, ("gene", "brain")), (3, ("brain",)), (5, ("gene",)), (7, ("gene", "brain"))):
        values = {modality: torch.from_numpy(tiny_cohort.values(modality)[row : row + 1]) for modality in present}
        with torch.inference_mode():
            prefix = bridge.prefix(values)
        sample = tiny_cohort.ids[row]
        torch.testing.assert_close(embeds[sample], prefix.values[prefix.mask], rtol=0, atol=0)
        assert embeds.present[sample] == present
    assert len(embeds["sample-03"]) < len(embeds["sample-00"])


def test_soft_tokens_are_written_in_the_dtype_of_the_served_llm(bridge, tiny_cohort, tmp_path):
    write_embeds(bridge, tiny_cohort, [0], tmp_path / "embeds", dtype=torch.bfloat16, bundle="abc")
    assert Embeds(tmp_path / "embeds", width=32, dtype=torch.bfloat16, bundle="abc")["sample-00"].dtype == torch.bfloat16


def test_a_sample_that_no_report_is_written_of_is_refused_with_the_reason(bridge, tiny_cohort, tmp_path):
    table = tiny_cohort.table.copy()
    table.obsm["gene"][0] = 1e6
    table.obsm["gene"][1], table.obsm["brain"][1] = np.nan, np.nan
    number, refused = write_embeds(bridge, Cohort(table, "changed"), [0, 1, 2], tmp_path / "embeds", dtype=torch.float32, bundle="abc")
    assert number == 1
    assert list(Embeds(tmp_path / "embeds", **FORM).files) == ["sample-02"]
    assert refused["sample-00"].startswith("input 'gene': root mean square")
    assert refused["sample-01"].startswith("prefix: none of the modalities")
    with pytest.raises(ValueError, match="changed: none of 1 samples can be given to the bundle; the first: input 'gene'"):
        write_embeds(bridge, Cohort(table, "changed"), [0], tmp_path / "other", dtype=torch.float32, bundle="abc")


def foreign(path, tensors, present=None, **about):
    path.mkdir()
    named = {sample: ["gene"] for sample in tensors} if present is None else present
    save_file(tensors, path / "00000.safetensors", metadata={"format": FORMAT, "bundle": "abc", "present": json.dumps(named)} | about)
    return path


SOUND = torch.ones(2, 32)
FOREIGN = {
    "another width": ({"a": torch.ones(2, 31)}, {}, r"sample 'a': found F32 \[2, 31\], expected F32 \[k, 32\] with k above 0"),
    "another dtype": ({"a": torch.ones(2, 32, dtype=torch.float16)}, {}, r"sample 'a': found F16 \[2, 32\], expected F32"),
    "integers": ({"a": torch.ones(2, 32, dtype=torch.int64)}, {}, r"sample 'a': found I64"),
    "no token": ({"a": torch.ones(0, 32)}, {}, r"sample 'a': found F32 \[0, 32\], expected .* k above 0"),
    "a row": ({"a": torch.ones(32)}, {}, r"sample 'a': found F32 \[32\]"),
    "a tensor too many": ({"a": SOUND, "b": SOUND + 1}, {"present": {"a": ["gene"]}}, r"unknown tensors \['b'\], missing ones \[\]"),
    "a tensor too few": ({"a": SOUND}, {"present": {"a": ["gene"], "b": ["gene"]}}, r"unknown tensors \[\], missing ones \['b'\]"),
    "another bundle": ({"a": SOUND}, {"bundle": "xyz"}, "field bundle: found 'xyz', expected 'abc'"),
    "another form": ({"a": SOUND}, {"format": "weights"}, "field format: found 'weights'"),
}


@pytest.mark.parametrize(("tensors", "about", "message"), FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_file_is_refused(tensors, about, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        Embeds(foreign(tmp_path / "embeds", tensors, **about), **FORM)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_tokens_that_are_not_finite_or_all_zero_are_refused_when_they_are_read(value, tmp_path):
    embeds = Embeds(foreign(tmp_path / "embeds", {"a": torch.full((2, 32), value)}), **FORM)
    with pytest.raises(ValueError, match=r"00000\.safetensors, sample 'a': found zero, NaN or infinite soft tokens"):
        embeds["a"]


@pytest.mark.parametrize("content", [b"", b"not safetensors at all"])
def test_a_damaged_file_is_refused(content, tmp_path):
    (tmp_path / "00000.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="not a file of soft tokens"):
        Embeds(tmp_path, **FORM)


def test_a_file_without_our_metadata_is_refused(tmp_path):
    save_file({"a": SOUND}, tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match="field format: found None"):
        Embeds(tmp_path, **FORM)


def test_sparse_tokens_are_refused():
    with pytest.raises(ValueError, match=r"found soft tokens of layout torch.sparse_coo, expected dense ones"):
        checked(SOUND.to_sparse(), "sample 'a'", 32, torch.float32)


def test_a_part_holds_the_bytes_of_its_own_tokens_alone():
    whole = torch.randn(1000, 32)
    part = request_part(whole[10:13])
    data = base64.b64decode(part["data"], validate=True)
    assert part.keys() == {"type", "data"}
    assert len(data) < 3 * 32 * 4 + 2000
    found = torch.load(io.BytesIO(data), weights_only=True)
    assert torch.equal(found, whole[10:13])
    assert found.untyped_storage().nbytes() == 3 * 32 * 4
