"""The schedule, the refusal to train on nothing, and gradients that cannot be used."""

import itertools

import pytest
import torch

from bridge.train.optimise import cosine_schedule, require_trained
from bridge.train.stage import finite_gradients, random_states, set_random_states


def test_the_rate_rises_to_its_peak_and_falls_to_zero():
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = cosine_schedule(optimiser, 100, warmup=0.1)["lr_scheduler"]
    assert schedule["interval"] == "step"
    rates = []
    for _ in range(101):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule["scheduler"].step()
    assert rates[:10] == pytest.approx([0.2 * (step + 1) for step in range(10)])
    assert rates[10] == 2.0
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert rates[100] == pytest.approx(0.0, abs=1e-12)


def test_a_run_of_one_step_learns_at_the_full_rate():
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    cosine_schedule(optimiser, 1)
    assert optimiser.param_groups[0]["lr"] == 2.0


def test_a_frozen_part_is_refused_by_name():
    learns, frozen = torch.nn.Linear(2, 2), torch.nn.LayerNorm(2).requires_grad_(False)
    require_trained(learns, learns)
    with pytest.raises(ValueError, match=r"Linear: LayerNorm has no trainable parameter; expected at least one"):
        require_trained(learns, learns, frozen)


@pytest.mark.parametrize(("value", "usable"), [(1.0, True), (float("nan"), False), (float("inf"), False)])
def test_one_gradient_that_is_not_finite_spoils_them_all(value, usable):
    module = torch.nn.Linear(3, 2)
    assert finite_gradients(module)  # none yet
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    module.bias.grad[1] = value
    assert finite_gradients(module) == usable


def test_random_states_go_on_where_they_stood():
    states = random_states()
    first = torch.rand(3)
    set_random_states({})
    assert not torch.equal(torch.rand(3), first)
    set_random_states(states)
    assert torch.equal(torch.rand(3), first)
