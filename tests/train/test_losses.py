"""The contrastive losses equal open_clip's, learn from every batch, and refuse one that has no negatives."""

import importlib.util
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.train.losses import MAX_SCALE, Temperature, info_nce, require_pairs, sigmoid_loss

SCALE, BIAS = torch.tensor(14.0), torch.tensor(-10.0)
LOSSES = {
    "info_nce": lambda a, b, scale=SCALE, groups=None: info_nce(a, b, scale, groups),
    "sigmoid": lambda a, b, scale=SCALE, groups=None: sigmoid_loss(a, b, scale, BIAS, groups),
}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def pairs(n, dim=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [F.normalize(torch.randn(n, dim, generator=generator), dim=1).requires_grad_() for _ in range(2)]


@pytest.fixture(scope="module")
def open_clip_losses():
    """The one file of open_clip that is compared with: importing the package needs torchvision."""
    found = importlib.util.find_spec("open_clip")
    if found is None:
        pytest.skip("open_clip_torch is not installed; 'make test' installs it")
    file = Path(found.submodule_search_locations[0]) / "loss.py"
    spec = importlib.util.spec_from_file_location("open_clip_loss", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("n", [2, 7, 64])
@pytest.mark.parametrize("scale", [1.0, 14.0, 100.0])
def test_info_nce_and_its_gradient_equal_those_of_open_clip(n, scale, open_clip_losses):
    (a, b), (c, d) = pairs(n), pairs(n)
    ours, theirs = info_nce(a, b, torch.tensor(scale)), open_clip_losses.ClipLoss()(c, d, torch.tensor(scale))
    torch.testing.assert_close(ours, theirs)
    ours.backward()
    theirs.backward()
    torch.testing.assert_close(a.grad, c.grad)
    torch.testing.assert_close(b.grad, d.grad)


@pytest.mark.parametrize("n", [2, 7, 64])
@pytest.mark.parametrize("bias", [-10.0, 0.0, 3.0])
def test_the_sigmoid_loss_and_its_gradient_equal_those_of_open_clip(n, bias, open_clip_losses):
    (a, b), (c, d) = pairs(n), pairs(n)
    ours, theirs = sigmoid_loss(a, b, SCALE, torch.tensor(bias)), open_clip_losses.SigLipLoss()(c, d, SCALE, torch.tensor(bias))
    torch.testing.assert_close(ours, theirs)
    ours.backward()
    theirs.backward()
    torch.testing.assert_close(a.grad, c.grad)
    torch.testing.assert_close(b.grad, d.grad)


@each_loss
@pytest.mark.parametrize("n", [0, 1])
def test_a_batch_below_two_pairs_is_refused(loss, n):
    with pytest.raises(ValueError, match=rf"found {n} pair\(s\) in the batch, expected at least 2"):
        loss(*pairs(n))


def test_two_pairs_are_enough():
    require_pairs(2)


@each_loss
def test_a_batch_of_a_single_group_has_no_negatives_and_is_refused(loss):
    with pytest.raises(ValueError, match="all 3 pairs are of one group, expected at least 2 groups"):
        loss(*pairs(3), groups=torch.tensor([4, 4, 4]))


@each_loss
def test_every_batch_of_two_or_more_gives_a_loss_and_a_gradient_on_both_sides(loss):
    for n in (2, 5):
        a, b = pairs(n)
        value = loss(a, b)
        value.backward()
        assert value > 0
        assert all((side.grad.abs().sum(dim=1) > 0).all() for side in (a, b))


@each_loss
def test_pairs_that_agree_cost_less_than_pairs_that_do_not(loss):
    a, b = pairs(6)
    assert loss(a, a) < loss(a, b) < loss(a, -a)


@each_loss
@settings(max_examples=30, deadline=None)
@given(n=st.integers(2, 12), seed=st.integers(0, 99), grouped=st.booleans())
def test_the_order_of_the_batch_and_of_the_sides_does_not_matter(loss, n, seed, grouped):
    a, b = pairs(n, seed=seed)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    groups = torch.arange(n) // 2 if grouped and n > 2 else None
    torch.testing.assert_close(loss(a[order], b[order], groups=None if groups is None else groups[order]), loss(a, b, groups=groups))
    torch.testing.assert_close(loss(b, a, groups=groups), loss(a, b, groups=groups))


@each_loss
def test_samples_of_one_group_are_not_each_others_negatives(loss):
    a, b = pairs(4)
    groups = torch.tensor([0, 1, 2, 0])
    moved = torch.cat([b[:3], -b[3:]])

    def pull(texts, groups):
        """What the texts do to sample 0."""
        return torch.autograd.grad(loss(a, texts, groups=groups), a)[0][0]

    torch.testing.assert_close(pull(moved, groups), pull(b, groups))
    assert not torch.allclose(pull(moved, None), pull(b, None))


@each_loss
def test_groups_of_one_sample_each_change_nothing(loss):
    a, b = pairs(5)
    torch.testing.assert_close(loss(a, b, groups=torch.tensor([7, 3, 9, 1, 0])), loss(a, b))


@each_loss
def test_the_temperature_learns(loss):
    temperature = Temperature()
    loss(*pairs(5), scale=temperature.scale).backward()
    assert temperature.log_scale.grad.abs() > 0


def test_the_bias_of_the_sigmoid_loss_learns():
    temperature = Temperature()
    sigmoid_loss(*pairs(5), temperature.scale, temperature.bias).backward()
    assert temperature.bias.grad.abs() > 0


def test_the_temperature_starts_as_in_clip_and_never_passes_one_hundred():
    temperature = Temperature()
    assert temperature.scale.item() == pytest.approx(1 / 0.07)
    optimiser = torch.optim.SGD(temperature.parameters(), lr=10.0)
    a, _ = pairs(5)
    for _ in range(5):  # sides that agree pull the scale up
        optimiser.zero_grad()
        info_nce(a.detach(), a.detach(), temperature.scale).backward()
        temperature.log_scale.grad.fill_(-1.0)
        optimiser.step()
    assert temperature.scale.item() == pytest.approx(MAX_SCALE)


def test_a_temperature_at_its_limit_still_learns_to_come_down():
    temperature = Temperature()
    with torch.no_grad():
        temperature.log_scale.fill_(math.log(MAX_SCALE) + 1)
    a, b = pairs(5)
    info_nce(a, b, temperature.scale).backward()
    assert temperature.log_scale.grad > 0
    torch.optim.SGD(temperature.parameters(), lr=0.1).step()
    assert temperature.scale.item() < MAX_SCALE
