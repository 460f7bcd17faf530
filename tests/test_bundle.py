"""A bundle gives back the bridge bit by bit, and refuses whatever is not exactly what was saved."""

import json
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import bridge as package
from bridge import bundle
from bridge.bundle import load, save
from bridge.data.batch import Turn
from bridge.data.bundle_config import FIELDS, LATER
from bridge.data.manifest import MANIFEST, write_manifest
from bridge.language.llm import Lora, add_lora, load_llm
from bridge.language.prompts import Prompt
from bridge.project.space import SharedSpace

RANDOM_PROJECTOR = """
from bridge.project.mlp import LinearProjector
class Own(LinearProjector):
    pass
"""


@pytest.fixture
def values(tiny_cohort):
    return {modality: torch.from_numpy(tiny_cohort.values(modality)[:4]) for modality in tiny_cohort.modalities}


@pytest.fixture
def complete(bridge):
    """A bridge with a shared space and two adapters whose weights are not zero."""
    bridge.space = SharedSpace(["gene", "brain"], bridge.language.width, 64, dim=8).eval()
    bridge.space.fit_text(torch.randn(10, 64))
    bridge.text, bridge.template = {"layers": [0, 1], "pooling": "mean"}, "me-llama"
    bridge.wear(add_lora(add_lora(bridge.language, Lora(r=2), "text"), Lora(r=2, targets=["q_proj", "v_proj"])))
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in (*bridge.projectors.parameters(), *bridge.tags.parameters()):
            parameter += 0.01 * torch.randn_like(parameter)
        for name, parameter in bridge.llm.named_parameters():
            torch.nn.init.normal_(parameter, std=0.2) if "lora_B" in name else None
    return bridge.eval()


@pytest.fixture
def saved(complete, tmp_path):
    return save(complete, tmp_path / "bundle", {"align": {"r10": 0.5}})


def logits_of(bridge, values):
    prompt = Prompt(bridge.language.tokenizer, bridge.template)
    asked = prompt.question("Write the report.")
    with torch.inference_mode():
        return bridge(values, prompt.opening, [[Turn(asked, asked)]] * 4)[0]


def edit(path, **changes):
    """Change fields of a JSON file; None takes one away."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))
    sign(path.parent)


def rewrite(path, change):
    """Put other tensors into a safetensors file of a bundle."""
    save_file(change(load_file(path)), path)
    folder = next(place for place in path.parents if (place / "config.json").is_file())
    sign(folder)


def sign(folder):
    """A manifest that fits what lies there now, as whoever damages a bundle on purpose would write it."""
    write_manifest(folder, json.loads((folder / MANIFEST).read_text())["about"])


def test_a_bundle_with_space_and_two_adapters_comes_back_bit_by_bit(complete, saved, values):
    found = load(saved)
    assert found.trained_state().keys() == complete.trained_state().keys()
    for name, tensor in complete.trained_state().items():
        assert torch.equal(found.trained_state()[name], tensor), name
    adapters = {name: tensor for name, tensor in complete.llm.state_dict().items() if "lora_" in name}
    assert adapters
    assert all(torch.equal(found.llm.state_dict()[name], tensor) for name, tensor in adapters.items())
    assert torch.equal(logits_of(found, values), logits_of(complete, values))
    again = found.embed(values)
    assert all(torch.equal(again[side][0], vectors) for side, (vectors, _) in complete.embed(values).items())
    for field in ("cards", "text", "template", "reference"):
        assert getattr(found, field) == getattr(complete, field), field
    assert not any(module.training for module in found.modules())


def test_a_bundle_without_space_and_adapter_comes_back_bit_by_bit(bridge, values, tmp_path):
    found = package.load(save(bridge, tmp_path / "bundle"))
    assert found.space is None
    assert torch.equal(logits_of(found, values), logits_of(bridge, values))


def test_saved_again_it_is_the_same_bundle(saved, tmp_path):
    again = save(load(saved), tmp_path / "again", {"align": {"r10": 0.5}})
    files = sorted(path.relative_to(saved) for path in saved.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    for file in files:
        if file.suffix == ".safetensors":
            first, second = load_file(saved / file), load_file(again / file)
            assert first.keys() == second.keys()
            assert all(torch.equal(first[name], second[name]) for name in first)
        else:
            assert (saved / file).read_text() == (again / file).read_text(), file


def test_the_llm_may_have_moved_or_be_in_memory(saved, values, tiny_llm, tmp_path):
    shutil.copytree(tiny_llm(), tmp_path / "moved")
    edit(saved / "config.json", llm=str(tmp_path / "gone"))
    expected = logits_of(load(saved, llm=str(tmp_path / "moved")), values)
    assert torch.equal(logits_of(load(saved, language=load_llm(tiny_llm())), values), expected)
    with pytest.raises(ValueError, match=r"gone.*cannot be loaded"):
        load(saved)


def test_another_base_llm_is_refused_by_its_fingerprint(saved, tiny_llm):
    with pytest.raises(ValueError, match=r"config.json, field fingerprint: the bundle was made with .* is another one; name the folder of the right one"):
        load(saved, llm=str(tiny_llm(seed=1)))


@pytest.mark.parametrize("field", sorted(FIELDS - LATER))
def test_a_missing_field_of_the_config_is_refused(field, saved):
    content = json.loads((saved / "config.json").read_text())
    del content[field]
    (saved / "config.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"config.json: unknown fields \[\], missing fields \['{field}'\]"):
        load(saved)


def test_an_unknown_field_or_another_format_is_refused(saved):
    edit(saved / "config.json", trust=["everything"])
    with pytest.raises(ValueError, match=r"config.json: unknown fields \['trust'\], missing fields \[\]"):
        load(saved)
    edit(saved / "config.json", trust=None, format=2)
    with pytest.raises(ValueError, match=r"config.json, field format: found 2, expected 1; make the bundle again"):
        load(saved)


@pytest.mark.parametrize("file", ["config.json", "cards.json", "reference.json", "projectors.safetensors"])
@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_a_file_that_is_gone_or_cut_is_named(file, damage, saved):
    content = (saved / file).read_bytes()
    (saved / file).unlink()
    if damage == "cut":
        (saved / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=rf"bundle.*{file}.*(expected a bundle|damaged)"):
        load(saved)


@pytest.mark.parametrize("half", ["lora_A", "lora_B"])
def test_an_adapter_that_lost_a_half_is_refused(half, saved):
    rewrite(saved / "adapters/default/adapter_model.safetensors", lambda state: {name: tensor for name, tensor in state.items() if half not in name})
    with pytest.raises(ValueError, match=r"default/adapter_model.safetensors: missing weights \["):
        load(saved)


def test_an_adapter_that_lost_a_whole_layer_is_refused(saved):
    rewrite(saved / "adapters/text/adapter_model.safetensors", lambda state: {name: tensor for name, tensor in state.items() if "layers.1." not in name})
    with pytest.raises(ValueError, match=r"text/adapter_model.safetensors: missing weights \["):
        load(saved)


def test_an_adapter_with_a_weight_too_many_or_of_another_shape_is_refused(saved):
    file = saved / "adapters/default/adapter_model.safetensors"
    name = next(iter(load_file(file)))
    rewrite(file, lambda state: state | {name.replace("layers.0", "layers.7"): torch.zeros(2, 32)})
    with pytest.raises(ValueError, match=r"unknown weights \['base_model.model.model.layers.7"):
        load(saved)
    rewrite(file, lambda state: {key: tensor[:, :-1].contiguous() if key == name else tensor for key, tensor in state.items() if "layers.7" not in key})
    with pytest.raises(ValueError, match=r"default: the adapter cannot be read .*size mismatch"):
        load(saved)


def test_an_adapter_that_is_gone_is_refused(saved):
    shutil.rmtree(saved / "adapters" / "default")
    sign(saved)
    with pytest.raises(ValueError, match=r"adapters/default: adapter_model.safetensors is missing"):
        load(saved)


CHANGES = {
    "missing": (
        lambda state: {name: tensor for name, tensor in state.items() if name != "tags.brain"},
        r"missing weights \['tags.brain'\], unknown weights \[\]",
    ),
    "extra": (lambda state: state | {"llm.model.norm.weight": torch.ones(32)}, r"missing weights \[\], unknown weights \['llm.model.norm.weight'\]"),
    "another shape": (lambda state: state | {"tags.gene": torch.ones(1, 31)}, r"weight 'tags.gene': found shape \(1, 31\), expected \(1, 32\)"),
    "not finite": (lambda state: state | {"tags.gene": torch.full((1, 32), torch.nan)}, r"weight 'tags.gene': found NaN or infinite values"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES.values(), ids=CHANGES)
def test_weights_that_do_not_fit_are_refused_by_name(change, message, saved):
    rewrite(saved / "projectors.safetensors", change)
    with pytest.raises(ValueError, match=r"projectors.safetensors.*" + message):
        load(saved)


def test_a_file_of_weights_without_end_is_refused_before_it_is_read(saved):
    """Names alone: hours and all memory, were each made a tensor."""
    contents = json.dumps({f"weight-{number}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for number in range(60_000)}).encode()
    (saved / "projectors.safetensors").write_bytes(len(contents).to_bytes(8, "little") + contents)
    sign(saved)
    with pytest.raises(ValueError, match=r"projectors.safetensors: found a table of contents of [\d,]+ bytes, expected at most"):
        load(saved)


@pytest.mark.parametrize("part", ["projectors.brain", "tags.gene", "space.heads", "lora_B"])
def test_a_weight_that_is_nan_is_not_saved_and_the_old_bundle_stays(part, complete, saved):
    before = sorted(saved.parent.rglob("*"))
    with torch.no_grad():
        next(parameter for name, parameter in complete.named_parameters() if part in name).view(-1)[0] = torch.nan
    with pytest.raises(ValueError, match="a trained weight is NaN or infinite, expected finite weights; the bundle was not written"):
        save(complete, saved)
    assert sorted(saved.parent.rglob("*")) == before
    load(saved)


def test_a_folder_that_is_no_bundle_is_not_written_over(bridge, tmp_path):
    folder = tmp_path / "results"
    folder.mkdir()
    save(bridge, folder)
    save(bridge, folder)
    (folder / "projectors.safetensors").unlink()
    with pytest.raises(ValueError, match="results: found something that is not a bundle, expected a new or empty folder"):
        save(bridge, folder)
    assert (folder / "config.json").is_file()


def test_nothing_half_written_stays_when_saving_fails(complete, saved, monkeypatch):
    before = sorted(saved.parent.rglob("*"))
    monkeypatch.setattr(bundle, "model_card", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space left"):
        save(complete, saved)
    assert sorted(saved.parent.rglob("*")) == before


def test_a_metric_that_is_not_defined_is_saved_as_unknown(bridge, tmp_path):
    path = save(bridge, tmp_path / "bundle", {"align": {"r10": float("nan"), "mrr": 0.25}})
    assert json.loads((path / "metrics.json").read_text()) == {"align": {"r10": None, "mrr": 0.25}}


def test_a_bundle_holds_no_pickles_and_no_base_weights(complete, saved, tiny_llm):
    files = [path for path in saved.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}
    base = {name for name, _ in load_llm(tiny_llm()).model.named_parameters()}
    held = {name for path in files if path.suffix == ".safetensors" for name in load_file(path)}
    assert held
    assert all("lora_" in name or name.startswith(("projectors.", "tags.", "space.")) for name in held)
    assert not any(name.endswith(tuple(base)) for name in held)
    trained = sum(tensor.numel() for tensor in complete.trained_state().values())
    adapters = sum(parameter.numel() for name, parameter in complete.llm.named_parameters() if "lora_" in name)
    stored = sum(tensor.numel() for path in files if path.suffix == ".safetensors" for tensor in load_file(path).values())
    assert stored == trained + adapters


def test_the_model_card_names_sources_licences_results_and_terms(saved):
    card = (saved / "README.md").read_text()
    for words in ("not a medical device", "made up", "CC0", "| brain | RegionTable | 10 x 1 | IdentityValue |", '"r10": 0.5', "Nobody is thanked."):
        assert words in card


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """A module outside the packages with a projector of its own."""
    (tmp_path / "own_projectors.py").write_text(RANDOM_PROJECTOR)
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_projectors"
    sys.modules.pop("own_projectors", None)


def test_a_projector_from_outside_loads_only_where_its_module_is_trusted(own_module, make_bridge, values, tmp_path):
    kind = __import__(own_module).Own
    bridge = make_bridge({"gene": kind, "brain": kind})
    path = save(bridge, tmp_path / "bundle")
    del sys.modules[own_module]
    with pytest.raises(ValueError, match=r"projector 'own_projectors.Own': module 'own_projectors' is outside bridge.project; pass --trust own_projectors"):
        load(path)
    assert own_module not in sys.modules
    assert torch.equal(logits_of(load(path, trust=(own_module,)), values), logits_of(bridge, values))


def test_an_encoder_from_outside_is_not_imported_unless_trusted(saved, own_module):
    encoders = json.loads((saved / "config.json").read_text())["encoders"]
    edit(saved / "config.json", encoders=encoders | {"gene": {"class_path": f"{own_module}.Own", "init_args": {}}})
    with pytest.raises(ValueError, match="module 'own_projectors' is outside the 'encoders' package; pass --trust own_projectors"):
        load(saved)
    assert own_module not in sys.modules


WRONG = {
    "no such module": {"class_path": "bridge.project.transformer.Transformer", "init_args": {}},
    "no such class": {"class_path": "bridge.project.mlp.MLP", "init_args": {}},
    "part of a name": {"class_path": "bridge.project.mlp.Linear", "init_args": {}},
    "not a projector": {"class_path": "bridge.project.base.masked_mean", "init_args": {}},
    "another argument": {"class_path": "bridge.project.mlp.LinearProjector", "init_args": {"dim": 12, "tokens": 1, "width": 32, "depth": 3}},
}


@pytest.mark.parametrize("spec", WRONG.values(), ids=WRONG)
def test_a_projector_is_found_by_its_exact_name_and_arguments_or_not_at_all(spec, saved):
    projectors = json.loads((saved / "config.json").read_text())["projectors"]
    edit(saved / "config.json", projectors=projectors | {"gene": spec})
    with pytest.raises(ValueError, match=f"projector '{spec['class_path']}': .*expected"):
        load(saved)


def test_no_sample_of_the_cohort_is_named_in_a_bundle(saved, tiny_cohort):
    written = "".join(path.read_text() for path in saved.rglob("*") if path.suffix in (".json", ".md"))
    assert "gene" in written
    assert not [name for name in tiny_cohort.ids if name in written]


@pytest.mark.parametrize("file", ["README.md", "adapters/default/adapter_model.safetensors", "metrics.json", MANIFEST])
def test_one_bit_of_any_file_turned_over_is_noticed(file, saved):
    content = bytearray((saved / file).read_bytes())
    content[len(content) // 2] ^= 1
    (saved / file).write_bytes(content)
    with pytest.raises(ValueError, match=r"bundle/.*the bundle is damaged or was edited"):
        load(saved)


def test_a_file_that_the_manifest_does_not_list_is_refused_but_for_hidden_ones(saved):
    (saved / ".gitattributes").write_text("* text")
    load(saved)
    (saved / "adapters" / "default" / "adapter_model.bin").write_bytes(b"")
    with pytest.raises(ValueError, match=r"adapters/default/adapter_model.bin: unknown file, expected what manifest.json lists"):
        load(saved)


def test_a_bundle_that_lost_its_manifest_is_refused(saved):
    (saved / MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"manifest.json: no such file, expected the list of the bundle's files"):
        load(saved)


def test_a_bundle_may_be_given_other_metrics_and_stays_whole(saved):
    bundle.put_metrics(saved, {"r10": 0.25, "undefined": float("nan")})
    assert json.loads((saved / "metrics.json").read_text()) == {"r10": 0.25, "undefined": None}
    assert load(saved)


FIELDS_OF_ANOTHER_KIND = {
    "adapters": [None, 5, {"default": 1}, "default", ["default", "default"], ["../default"], ["/etc"]],
    "projectors": [None, [1], {"gene": "x"}, {"gene": {"class_path": 5, "init_args": {}}}, {}],
    "encoders": [None, {"gene": []}],
    "space": [[1], "x", {"modalities": ["gene"], "width": -1}],
    "latent": [-1, True, "a"],
    "blind": ["yes", None],
    "cohort": ["x", {"path": 5, "sha256": 5}],
}


@pytest.mark.parametrize(("field", "found"), [(field, found) for field, every in FIELDS_OF_ANOTHER_KIND.items() for found in every])
def test_a_field_of_another_kind_is_refused_in_a_line(field, found, saved):
    content = json.loads((saved / "config.json").read_text()) | {field: found}
    (saved / "config.json").write_text(json.dumps(content))
    if field == "cohort" or found is not None:
        sign(saved)
    with pytest.raises(ValueError, match="bundle") as refusal:
        load(saved)
    assert len(str(refusal.value).splitlines()) == 1


@pytest.mark.parametrize("change", [{"hidden": 10**12}, {"rank": -4}, {"k": 10**40}, {"width": 10**9}, {"dim": 10**9}])
def test_a_record_cannot_ask_for_more_memory_than_the_bundle_has_weights(change, saved):
    """Such sizes would end the process, were the part made before its weights are looked at."""
    projectors = json.loads((saved / "config.json").read_text())["projectors"]
    projectors["gene"]["init_args"] |= change
    edit(saved / "config.json", projectors=projectors)
    with pytest.raises(ValueError, match=r"gene|FactorisedMLP"):
        load(saved)


def test_cards_of_other_modalities_or_sizes_are_refused(saved):
    cards = json.loads((saved / "cards.json").read_text())
    edit(saved / "cards.json", gene=cards["gene"] | {"dim": 99})
    with pytest.raises(ValueError, match=r"cards.json, field gene: found 1 tokens x 99 of 'gene', expected 1 x 12"):
        load(saved)
    edit(saved / "cards.json", gene=None)
    with pytest.raises(ValueError, match=r"cards \['brain'\], expected the same modalities in each"):
        load(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"lora_alpha": float("nan")},
        {"lora_alpha": 1e308},
        {"lora_alpha": "4"},
        {"lora_dropout": 2.0},
        {"r": True},
        {"r": 10**9},
        {"target_modules": [f"layer{number}" for number in range(50_000)]},
        {"peft_version": [[]]},
    ],
    ids=str,
)
def test_an_adapter_whose_own_settings_cannot_be_is_refused(change, saved):
    path = saved / "adapters/default/adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    sign(saved)
    with pytest.raises(ValueError, match=r"adapter_config.json(, field |: not JSON)"):
        load(saved)


@pytest.mark.parametrize("dtype", [torch.float64, torch.int8, torch.float8_e4m3fn], ids=str)
@pytest.mark.parametrize("file", ["projectors.safetensors", "adapters/default/adapter_model.safetensors"])
def test_weights_of_another_kind_of_number_are_refused(file, dtype, saved):
    rewrite(saved / file, lambda state: {name: tensor.to(dtype) for name, tensor in state.items()})
    with pytest.raises(ValueError, match=rf"found {dtype}, expected torch.float32"):
        load(saved)


def test_an_adapter_that_the_config_does_not_name_is_refused(saved):
    edit(saved / "config.json", adapters=["default"])
    with pytest.raises(ValueError, match=r"adapters/text: found an adapter that config.json does not name"):
        load(saved)


def test_a_manifest_of_another_base_llm_is_refused(saved):
    write_manifest(saved, {"base_llm": "0" * 64})
    with pytest.raises(ValueError, match=r"manifest.json, field about: found .* expected the base LLM of config.json"):
        load(saved)
