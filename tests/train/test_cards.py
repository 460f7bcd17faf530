"""The contrastive losses on two processes: the very value and gradient of one process with all rows, however these lie on the two."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from bridge.train import tiles
from bridge.train.cards import differ_over_all_cards
from bridge.train.losses import Temperature, info_nce, sigmoid_loss
from bridge.train.targets import Targets

ROWS = 9
SPLITS = [(5, 4), (2, 7), (9, 0), (0, 9)]
CASES = [
    {"kind": kind, "grouped": grouped, "targets": targets, "split": split}
    for kind in ("info_nce", "sigmoid")
    for grouped in (False, True)
    for targets in ("pairs", "labels", "vectors")
    for split in SPLITS
]
DIFFER = {
    "on one card": ([3, 3, 4], [4], True),
    "only together": ([3, 3], [4], True),
    "nowhere": ([3, 3], [3], False),
    "alone": ([0], [], False),
    "": ([], [], False),
}
REFUSED = {"one pair in all": (1, 0), "no pair": (0, 0)}


class Towers(nn.Module):
    """Two linear towers, a temperature, and a loss in the forward pass, as a stage has it under DDP."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.left, self.right, self.temperature = nn.Linear(6, 4, dtype=torch.float64), nn.Linear(5, 4, dtype=torch.float64), Temperature(5.0, -2.0)

    def forward(self, kind, left, right, *more):
        a, b, scale = F.normalize(self.left(left), dim=1), F.normalize(self.right(right), dim=1), self.temperature.scale
        return sigmoid_loss(a, b, scale, self.temperature.bias, *more) if kind == "sigmoid" else info_nce(a, b, scale, *more)


def loss_and_gradients(model, case, rows):
    """The loss of some rows of the made-up batch and the gradient that the trainer would see."""
    generator = torch.Generator().manual_seed(1)
    left, right, vectors = (torch.randn(ROWS, width, generator=generator, dtype=torch.float64)[rows] for width in (6, 5, 3))
    groups, labels = torch.tensor([0, 0, 1, 2, 3, 3, 3, 4, 5])[rows], torch.tensor([2, 1, 1, 0, 0, 3, 2, 2, 4])[rows]
    targets = {"pairs": None, "labels": Targets(labels=labels), "vectors": Targets(vectors=F.normalize(vectors, dim=1), sharpness=3.0)}[case["targets"]]
    model.zero_grad()
    loss = model(case["kind"], left, right, groups if case["grouped"] else None, targets)
    loss.backward()
    return [float(loss.detach())] + [number for parameter in model.parameters() if parameter.grad is not None for number in parameter.grad.flatten().tolist()]


def work(rank, folder):
    """What each of the two processes does."""
    tiles.CPU = tiles.Layout(3, 1)
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    model = DistributedDataParallel(Towers(), find_unused_parameters=True)
    found = [loss_and_gradients(model, case, own(case["split"], rank)) for case in CASES]
    refused = [refusal(model.module, own(split, rank)) for split in REFUSED.values()]
    differ = differ_over_all_cards([torch.tensor(each[rank], dtype=torch.int64) for each in DIFFER.values()])
    (folder / f"{rank}.json").write_text(json.dumps({"found": found, "refused": refused, "differ": differ}))
    torch.distributed.destroy_process_group()


def own(split, rank):
    start = sum(split[:rank])
    return slice(start, start + split[rank])


def refusal(model, rows):
    try:
        loss_and_gradients(model, CASES[0], rows)
    except ValueError as error:
        return str(error)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What both processes found, in the order of the cases."""
    folder = tmp_path_factory.mktemp("cards")
    torch.multiprocessing.spawn(work, (folder,), nprocs=2)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("number", range(len(CASES)), ids=["-".join(map(str, case.values())) for case in CASES])
def test_two_processes_find_the_loss_and_the_gradient_of_one(found, number):
    expected = loss_and_gradients(Towers(), CASES[number], slice(None))
    for rank in found:
        assert rank["found"][number] == pytest.approx(expected, rel=1e-6, abs=1e-9)  # the temperature is in single precision
    assert max(map(abs, expected[1:])) > 1e-2


def test_both_processes_refuse_a_batch_that_has_no_negatives_anywhere(found):
    for rank in found:
        assert [f"found {pairs} pair(s) in the batch" in message for pairs, message in zip((1, 0), rank["refused"], strict=True)] == [True, True]


def test_both_processes_know_what_differs_over_the_two(found):
    assert [rank["differ"] for rank in found] == [[expected for *_, expected in DIFFER.values()]] * 2


def test_one_process_alone_knows_what_differs():
    assert differ_over_all_cards([torch.tensor(first + second, dtype=torch.int64) for first, second, _ in DIFFER.values()]) == [
        expected for *_, expected in DIFFER.values()
    ]
