"""The contrastive losses equal open_clip's and the formula over the whole matrix, learn from every batch, and refuse one without negatives."""

import importlib.util
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from bridge.train import tiles
from bridge.train.losses import MAX_SCALE, Temperature, info_nce, require_pairs, sigmoid_loss
from bridge.train.targets import Targets

SCALE, BIAS = torch.tensor(14.0), torch.tensor(-10.0)
LOSSES = {
    "info_nce": lambda a, b, scale=SCALE, groups=None, targets=None: info_nce(a, b, scale, groups, targets),
    "sigmoid": lambda a, b, scale=SCALE, groups=None, targets=None: sigmoid_loss(a, b, scale, BIAS, groups, targets),
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


def whole_matrix(kind, a, b, scale, bias, groups=None, targets=None):
    """Both losses from their formula, in as many dense matrices as it takes."""
    n = len(a)
    together, logits = torch.eye(n).to(a), scale * a @ b.T + (bias if kind == "sigmoid" else 0)
    if targets is not None and targets.labels is not None:
        together = (targets.labels[:, None] == targets.labels).to(a)
    apart = torch.zeros(n, n, dtype=torch.bool) if groups is None else (groups[:, None] == groups) & (together == 0)
    if targets is not None and targets.vectors is not None:
        together = torch.exp(targets.sharpness * (targets.vectors @ targets.vectors.T - 1)).masked_fill(apart, 0)
    if kind == "sigmoid":
        pairwise = F.binary_cross_entropy_with_logits(logits, together, reduction="none")
        return pairwise.masked_fill(apart, 0).sum() / n
    logits = logits.masked_fill(apart, -1e9)
    return sum(-(together / together.sum(dim, keepdim=True) * logits.log_softmax(dim)).sum() for dim in (0, 1)) / (2 * n)


def tiled(kind, a, b, scale, bias, groups=None, targets=None):
    return sigmoid_loss(a, b, scale, bias, groups, targets) if kind == "sigmoid" else info_nce(a, b, scale, groups, targets)


def with_gradients(loss, kind, inputs, **more):
    """A loss and its gradients, in double precision."""
    leaves = [each.detach().clone().requires_grad_() for each in inputs]
    value = loss(kind, *leaves, **more)
    found = torch.autograd.grad(value, leaves, allow_unused=True)
    return [value.detach().double()] + [gradient.double() for gradient in found if gradient is not None]


N = 11  # not a multiple of the sides below
LABELS = torch.tensor([3, 1, 3, 0, 5, 5, 3, 2, 4, 7, 6])
VECTORS = F.normalize(torch.randn(N, 3, generator=torch.Generator().manual_seed(5), dtype=torch.float64), dim=1)
MORE = {
    "pairs": {},
    "groups": {"groups": torch.arange(N) // 3},
    "labels": {"targets": Targets(labels=LABELS)},
    "groups and labels": {"groups": torch.arange(N) // 3, "targets": Targets(labels=LABELS)},
    "vectors": {"targets": Targets(vectors=VECTORS, sharpness=4.0)},
    "groups and vectors": {"groups": torch.arange(N) // 3, "targets": Targets(vectors=VECTORS, sharpness=4.0)},
}
each_kind = pytest.mark.parametrize("kind", LOSSES)
each_way = pytest.mark.parametrize("more", MORE.values(), ids=MORE)


def inputs(n=N, dim=5, scale=14.0, bias=-10.0, dtype=torch.float64, seed=1):
    a, b = (side.detach() for side in pairs(n, dim, seed))
    return [each.to(dtype) for each in (a, b, torch.tensor(scale), torch.tensor(bias))]


@each_kind
@each_way
@pytest.mark.parametrize("layout", [(4, 0), (4, 2), (4, 99), (3, 1), (32, 0)])
def test_any_tiles_give_the_loss_and_gradients_of_the_whole_matrix(kind, more, layout, monkeypatch):
    monkeypatch.setattr(tiles, "CPU", tiles.Layout(*layout))
    ours, theirs = (with_gradients(loss, kind, inputs(bias=-3.0), **more) for loss in (tiled, whole_matrix))
    for found, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-12)


@each_kind
@each_way
def test_in_single_precision_loss_and_gradients_are_within_a_millionth(kind, more, monkeypatch):
    monkeypatch.setattr(tiles, "CPU", tiles.Layout(4, 2))
    single = inputs(dtype=torch.float32)
    ours, theirs = with_gradients(tiled, kind, single, **more), with_gradients(whole_matrix, kind, [each.double() for each in single], **more)
    for found, expected in zip(ours, theirs, strict=True):
        assert torch.linalg.vector_norm(found - expected) <= 1e-6 * torch.linalg.vector_norm(expected)


@each_kind
@each_way
def test_gradients_are_those_of_finite_differences(kind, more, monkeypatch):
    monkeypatch.setattr(tiles, "CPU", tiles.Layout(4, 1))
    leaves = [each.requires_grad_() for each in inputs(dim=2, scale=3.0, bias=-1.0)]
    assert torch.autograd.gradcheck(
        lambda a, b, scale, bias=None: tiled(kind, a, b, scale, bias, **more), leaves if kind == "sigmoid" else leaves[:3], fast_mode=True
    )


@each_kind
@pytest.mark.parametrize("likeness", [-1.0, 0.0, 1.0])
def test_the_largest_scale_stays_exact_where_every_logit_is_far_below_it(kind, likeness, monkeypatch):
    monkeypatch.setattr(tiles, "CPU", tiles.Layout(16, 1))
    noise = torch.randn(2, 50, 64, generator=torch.Generator().manual_seed(0))
    a, b = F.normalize(noise[0] + 40 * torch.eye(64)[0], dim=1), F.normalize(noise[1] + 40 * likeness * torch.eye(64)[0], dim=1)
    if likeness < 0:
        assert (torch.exp(MAX_SCALE * a @ b.T - MAX_SCALE) == 0).all()  # the bound as a fixed maximum would leave nothing
    single = [a, b, torch.tensor(MAX_SCALE), torch.tensor(-10.0)]
    ours, theirs = with_gradients(tiled, kind, single), with_gradients(whole_matrix, kind, [each.double() for each in single])
    for found, expected in zip(ours, theirs, strict=True):
        assert torch.isfinite(found).all()
        torch.testing.assert_close(found, expected, rtol=2e-5, atol=2e-5 * float(expected.abs().max()))  # a logit of 100 has an error of 4e-6


def test_a_small_loss_keeps_its_digits_where_logits_are_large():
    sides = F.normalize(torch.cat([torch.full((12, 1), 3.0), torch.eye(12)], dim=1), dim=1)  # cosines 1 and 0.9
    ours, theirs = (float(info_nce(sides.to(dtype), sides.to(dtype), torch.tensor(MAX_SCALE, dtype=dtype))) for dtype in (torch.float32, torch.float64))
    assert theirs == pytest.approx(math.log(1 + 11 * math.exp(-10)), rel=1e-5)
    assert ours == pytest.approx(theirs, rel=1e-3)  # a logarithm of sums of its own, near 100, would have an error of 1e-2


@pytest.mark.parametrize("n", [2, 7, 64, 1100])
@pytest.mark.parametrize("scale", [1.0, 14.0, 100.0])
def test_info_nce_and_its_gradient_equal_those_of_open_clip(n, scale, open_clip_losses):
    (a, b), (c, d) = pairs(n), pairs(n)
    ours, theirs = info_nce(a, b, torch.tensor(scale)), open_clip_losses.ClipLoss()(c, d, torch.tensor(scale))
    torch.testing.assert_close(ours, theirs)
    ours.backward()
    theirs.backward()
    torch.testing.assert_close(a.grad, c.grad)
    torch.testing.assert_close(b.grad, d.grad)


@pytest.mark.parametrize("n", [2, 7, 64, 1100])
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


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor had that came up."""

    numbers = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        result = operation(*args, **(kwargs or {}))
        self.numbers = max([self.numbers, *(leaf.untyped_storage().nbytes() // 4 for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor))])
        return result


@each_kind
@pytest.mark.parametrize("targets", [None, Targets(labels=torch.arange(320) // 2)], ids=["pairs", "labels"])
def test_no_tensor_grows_with_the_square_of_the_batch(kind, targets, monkeypatch):
    monkeypatch.setattr(tiles, "CPU", tiles.Layout(32, 4))
    leaves = [each.requires_grad_() for each in inputs(320, 6, dtype=torch.float32)]
    with Largest() as largest:
        tiled(kind, *leaves, groups=torch.arange(320) // 4, targets=targets).backward()
    assert largest.numbers <= 2 * 320 * 6  # the matrix has 102,400


def test_what_waits_for_the_second_pass_is_a_few_times_the_vectors(monkeypatch):
    monkeypatch.setattr(tiles, "CPU", tiles.Layout(8, 3))
    a, b, scale, _ = inputs(100, 8)
    found = tiles.Similarities(a, b, scale)
    first = [(tile.rows, tile.columns, tile.logits.clone()) for tile in found.tiles(keep=True)]
    assert 0.9 * 3 * a.numel() < sum(logits.numel() for logits in found.kept) <= 3 * a.numel()
    second = [(tile.rows, tile.columns, tile.logits.clone()) for tile in found.tiles()]
    assert not found.kept
    assert all(left[:2] == right[:2] and torch.equal(left[2], right[2]) for left, right in zip(first, second, strict=True))


@each_kind
def test_the_gradient_follows_what_is_done_with_the_loss_and_can_be_asked_for_twice(kind):
    a, b, *rest = inputs()
    a.requires_grad_()
    loss = tiled(kind, a, b, *rest)
    (once,) = torch.autograd.grad(loss, a, retain_graph=True)
    (thrice,) = torch.autograd.grad(3 * loss, a)
    torch.testing.assert_close(thrice, 3 * once)


@each_kind
def test_without_a_gradient_there_is_one_pass(kind, monkeypatch):
    made = []
    genuine = tiles.Similarities.tiles
    monkeypatch.setattr(tiles.Similarities, "tiles", lambda self, keep=False: made.append(keep) or genuine(self, keep))
    a, b, *rest = inputs()
    a.requires_grad_()
    with torch.no_grad():
        assert not tiled(kind, a, b, *rest).requires_grad
    assert made == [False]


@each_kind
def test_vectors_of_half_precision_are_summed_in_single(kind):
    half = inputs(300, 16, dtype=torch.bfloat16)
    ours = with_gradients(tiled, kind, half)
    theirs = with_gradients(whole_matrix, kind, [each.double() for each in half])
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-6, atol=0)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-2, atol=1e-4 * float(theirs[1].abs().max()))


@each_kind
def test_a_value_that_is_not_finite_shows_in_the_loss(kind):
    a, b, *rest = inputs()
    a[3, 1] = torch.nan
    assert not torch.isfinite(tiled(kind, a, b, *rest))


@each_loss
def test_a_batch_of_a_single_label_has_no_negatives_and_is_refused(loss):
    a, b = pairs(3)
    with pytest.raises(ValueError, match="all 3 pairs have one label, expected at least 2 labels"):
        loss(a, b, targets=Targets(labels=torch.tensor([4, 4, 4])))


@pytest.mark.parametrize("given", [{}, {"labels": LABELS, "vectors": VECTORS}])
def test_targets_are_either_labels_or_vectors(given):
    with pytest.raises(ValueError, match=f"targets: found {'both' if given else 'neither'} of labels and vectors"):
        Targets(**given)
