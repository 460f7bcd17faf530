"""What every projector keeps to; the classes are found, not listed."""

import importlib
import inspect
import json
import pkgutil

import pytest
import torch

import bridge.project
from bridge.project.base import Projector, masked_mean
from bridge.project.identity import IdentityValue
from bridge.project.mlp import FactorisedMLP, LinearProjector
from bridge.project.resampler import PerceiverResampler
from encoders.base import Tokens

WIDTH = 24
MODULES = [importlib.import_module(f"bridge.project.{module.name}") for module in pkgutil.iter_modules(bridge.project.__path__)]
KINDS = {kind for module in MODULES for kind in vars(module).values() if inspect.isclass(kind) and issubclass(kind, Projector) and not inspect.isabstract(kind)}
SORTED = sorted(KINDS, key=lambda kind: kind.__name__)
every_kind = pytest.mark.parametrize("kind", SORTED)
SHAPES = [(5, 1), (1, 10), (3, 7)]  # one vector, a map of single values, several vectors
every_case = pytest.mark.parametrize(
    ("kind", "dim", "tokens"), [(kind, *shape) for kind in SORTED for shape in SHAPES if kind is not FactorisedMLP or shape[0] > 1]
)


def make(kind, dim, tokens, width=WIDTH):
    torch.manual_seed(0)
    return kind(dim, tokens, width).eval()


def example(dim, tokens, batch=4):
    """Sample 1 lacks its first token, sample 2 has none."""
    values, mask = torch.randn(batch, tokens, dim, generator=torch.Generator().manual_seed(1)), torch.ones(batch, tokens, dtype=torch.bool)
    mask[1, 0] = tokens == 1
    mask[2] = False
    return Tokens(torch.where(mask.unsqueeze(-1), values, 0.0), mask)


def test_the_projectors_are_found():
    assert {LinearProjector, FactorisedMLP, PerceiverResampler, IdentityValue} <= KINDS


@every_case
def test_a_prefix_has_its_k_tokens_and_a_sample_without_tokens_has_none(kind, dim, tokens):
    projector, given = make(kind, dim, tokens), example(dim, tokens)
    prefix = projector(given)
    assert prefix.values.shape == (4, projector.k, WIDTH)
    assert prefix.mask.shape == (4, projector.k)
    assert torch.isfinite(prefix.values).all()
    assert prefix.mask.any(dim=1).tolist() == given.mask.any(dim=1).tolist()
    summary = projector.summary(given)
    assert summary.shape == (4, WIDTH)
    assert torch.isfinite(summary).all()


@every_case
def test_every_prefix_token_has_the_root_mean_square_of_the_embedding_table(kind, dim, tokens):
    projector, embeddings = make(kind, dim, tokens), 0.07 * torch.randn(100, WIDTH)
    projector.match(embeddings)
    prefix = projector(example(dim, tokens))
    found, expected = prefix.values[prefix.mask].pow(2).mean(dim=1).sqrt(), embeddings.pow(2).mean().sqrt()
    torch.testing.assert_close(found, expected.expand_as(found), rtol=1e-3, atol=0)


@every_case
def test_a_sample_alone_gives_the_prefix_it_has_in_a_batch_in_any_order(kind, dim, tokens):
    projector, given = make(kind, dim, tokens), example(dim, tokens)
    whole, order = projector(given), torch.tensor([3, 1, 0, 2])
    turned = projector(Tokens(given.values[order], given.mask[order]))
    torch.testing.assert_close(turned.values, whole.values[order])
    for row in range(4):
        alone = projector(Tokens(given.values[row : row + 1], given.mask[row : row + 1]))
        assert torch.equal(alone.mask[0], whole.mask[row])
        torch.testing.assert_close(alone.values[0][alone.mask[0]], whole.values[row][whole.mask[row]], rtol=1e-4, atol=1e-5)


@every_case
def test_the_arguments_it_keeps_build_it_again(kind, dim, tokens):
    projector, given = make(kind, dim, tokens), example(dim, tokens)
    again = kind(**json.loads(json.dumps(projector.init_args))).eval()
    again.load_state_dict(projector.state_dict(), strict=True)
    assert torch.equal(again(given).values, projector(given).values)
    assert again.init_args == projector.init_args
    assert projector.init_args.keys() == inspect.signature(kind).parameters.keys()


@every_case
def test_every_weight_is_learned_from_prefix_and_summary(kind, dim, tokens):
    projector, given = make(kind, dim, tokens), example(dim, tokens)
    direction = torch.randn(WIDTH, generator=torch.Generator().manual_seed(2))
    prefix = projector(given)
    ((prefix.values @ direction)[prefix.mask].pow(2).sum() + (projector.summary(given) @ direction).pow(2).sum()).backward()
    still = [name for name, parameter in projector.named_parameters() if parameter.grad is None or not parameter.grad.abs().sum() > 0]
    assert not still


@every_kind
def test_what_stage_two_must_keep_is_part_of_the_projector_and_enough_for_the_summary(kind):
    projector, given = make(kind, 3, 6), example(3, 6)
    kept = {id(parameter) for part in projector.aligned() for parameter in part.parameters()}
    assert kept <= {id(parameter) for parameter in projector.parameters()}
    before = projector.summary(given)
    with torch.no_grad():
        for parameter in projector.parameters():
            if id(parameter) not in kept:
                parameter += 1
    assert not kept or torch.equal(projector.summary(given), before)


@every_kind
def test_a_map_of_several_tokens_is_read_and_not_only_its_mean(kind):
    if kind is FactorisedMLP:  # takes the mean of vectors, so it is refused for a map of single values
        with pytest.raises(ValueError, match="found 10 tokens of width 1, expected a vector; use IdentityValue or PerceiverResampler"):
            make(kind, 1, 10)
        return
    projector = make(kind, 1, 10)
    values = torch.linspace(-1, 1, 10).reshape(1, 10, 1)
    prefixes = [projector(Tokens(each, torch.ones(1, 10, dtype=torch.bool))).values for each in (values, values.flip(1))]
    assert not torch.allclose(*prefixes, atol=1e-3)


def test_a_masked_region_does_not_change_the_token_of_another():
    projector, given = make(LinearProjector, 1, 10), example(1, 10)
    whole = projector(given).values
    mask = given.mask.clone()
    mask[:, 4] = False
    found = projector(Tokens(torch.where(mask.unsqueeze(-1), given.values, 0.0), mask))
    others = [number for number in range(10) if number != 4]
    assert torch.equal(found.values[:, others], whole[:, others])
    assert not found.mask[:, 4].any()


def test_a_factorised_mlp_is_far_smaller_than_a_dense_one():
    with torch.device("meta"):
        projector = FactorisedMLP(dim=768, tokens=1, width=5120, k=32, hidden=4096)
    parameters = sum(parameter.numel() for parameter in projector.parameters())
    assert parameters < 4096 * 32 * 5120 / 30
    assert parameters < 20e6


@pytest.mark.parametrize("missing", [0, 3, 5])
def test_a_resampler_does_not_read_a_missing_token(missing):
    projector, given = make(PerceiverResampler, 2, 6), example(2, 6)
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[:, missing] = False
    other = given.values.clone()
    other[:, missing] = 100.0
    torch.testing.assert_close(projector(Tokens(other, mask)).values, projector(Tokens(given.values, mask)).values)


def test_the_mean_of_what_is_present_leaves_out_the_rest_and_is_zero_for_nothing():
    values = torch.tensor([[[1.0], [3.0], [50.0]], [[1.0], [2.0], [3.0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(values, mask).tolist() == [[2.0], [0.0]]


def test_shapes_are_checked_while_the_tests_run():
    with pytest.raises(Exception, match=r"[Tt]ype-check"):
        masked_mean(torch.ones(2, 3, 4), torch.ones(2, 5, dtype=torch.bool))
