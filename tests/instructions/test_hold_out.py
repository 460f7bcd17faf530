"""What is held out of training stays out, and batches keep the shares that were asked for."""

from collections import Counter

import pytest
import torch

from bridge.data.cohort import Cohort
from bridge.instructions.hold_out import HoldOut, split_off
from bridge.instructions.item import Instruction, write_instructions
from bridge.instructions.module import InstructionData


def item(number, family="question answering", **fields):
    return Instruction(**({"id": str(number), "family": family, "source": "made-up", "question": f"What of gene G{number}?", "answer": "ataxia"} | fields))


@pytest.fixture
def items():
    return [item(number, family) for family in ("question answering", "inference", "summarisation") for number in range(12)]


@pytest.fixture
def folder(items, tmp_path):
    write_instructions(items, tmp_path / "train.jsonl")
    write_instructions([item(99, split="validation")], tmp_path / "validation.jsonl")
    write_instructions([item(98, split="test")], tmp_path / "test.jsonl")
    return tmp_path


def test_a_family_a_gene_and_a_site_are_held_out(items, tiny_cohort):
    about = [item(50, "report", sample=tiny_cohort.ids[0]), item(51, "report", sample=tiny_cohort.ids[1])]
    kept, out = split_off(items, HoldOut(families=["inference"]))
    assert {each.family for each in out} == {"inference"}
    assert len(kept) == 24
    kept, out = split_off(items, HoldOut(genes=["G1"]))
    assert {each.id for each in out} == {"1"}  # and not G10 or G11
    column = tiny_cohort.table.obs["group"].astype(str)
    kept, out = split_off(items + about, HoldOut(column="group", values=[column.iloc[0]]), tiny_cohort)
    assert about[0] in out
    assert all(column[each.sample] != column.iloc[0] for each in kept if each.sample)


@pytest.mark.parametrize(
    ("hold_out", "message"),
    [
        ({"families": ["poetry"]}, "field families: found 'poetry'"),
        ({"column": "site"}, "expected both or neither"),
        ({"genes": ["NOWHERE"]}, "0 of 36 instructions name NOWHERE"),
        ({"column": "site", "values": ["a"]}, "there is no 'site'"),
    ],
)
def test_a_hold_out_that_holds_nothing_out_is_refused(items, hold_out, message):
    with pytest.raises(ValueError, match=message):
        split_off(items, HoldOut(**hold_out))


def test_batches_keep_the_shares_of_the_families(folder):
    data = InstructionData([str(folder)], shares={"inference": 3.0, "summarisation": 1.0}, batch_size=4)
    drawn = [row for batch in data.train_dataloader() for row in batch.rows.tolist()]
    assert Counter(data.items[row].family for row in drawn) == {"inference": 27, "summarisation": 9}


def test_without_shares_every_instruction_comes_once_an_epoch(folder):
    data = InstructionData([str(folder)], batch_size=5)
    loader = data.train_dataloader()
    drawn = [row for batch in loader for row in batch.rows.tolist()]
    assert len(drawn) == len(set(drawn)) == 35  # the last batch would be smaller
    loader.sampler.set_epoch(1)
    assert [row for batch in loader for row in batch.rows.tolist()] != drawn


def test_test_instructions_are_never_read_and_validation_is_not_trained_on(folder):
    data = InstructionData([str(folder)])
    assert {each.id for each in data.items}.isdisjoint({"98"})
    assert all(data.items[row].split == "train" for batch in data.train_dataloader() for row in batch.rows.tolist())
    assert [data.items[row].id for batch in data.val_dataloader() for row in batch.rows.tolist()] == ["99"]


def test_samples_bring_their_measurements_and_words_alone_bring_none(tiny_cohort_file, tmp_path):
    cohort = Cohort.read(tiny_cohort_file)
    sample = cohort.ids[int(cohort.rows("train")[0])]
    write_instructions([item(0), item(1, "report", sample=sample)], tmp_path / "train.jsonl")
    data = InstructionData([str(tmp_path)], str(tiny_cohort_file))
    values = data.batch([0, 1]).values["brain"]
    assert values[0].isnan().all()
    assert torch.equal(values[1], torch.from_numpy(cohort.values("brain"))[cohort.ids.index(sample)])


def test_a_sample_of_another_split_is_refused_and_without_a_cohort_it_is_left_out(tiny_cohort_file, tmp_path):
    cohort = Cohort.read(tiny_cohort_file)
    sample = cohort.ids[int(cohort.rows("test")[0])]
    write_instructions([item(0), item(1, "report", sample=sample)], tmp_path / "train.jsonl")
    with pytest.raises(ValueError, match=f"'{sample}' is of split 'train', in .* it is 'test'"):
        InstructionData([str(tmp_path)], str(tiny_cohort_file))
    with pytest.warns(UserWarning, match="1 instructions about samples are left out"):
        assert InstructionData([str(tmp_path)]).trained == 1


def test_a_folder_without_instructions_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"no train.jsonl there"):
        InstructionData([str(tmp_path)])
