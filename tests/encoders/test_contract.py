"""The contract holds for every encoder in the package and for one outside, and catches each way to break it."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

from encoders.base import Encoder, Raw, Tokens, masked_tokens
from encoders.contract import check, classes, report

EXAMPLES = Path(__file__).parents[2] / "examples"


class Kept(Encoder):
    """Three tokens of width 2 that keep the contract; the others break one rule each."""

    def __init__(self, modality="brain", dim=2, names=("a", "b", "c"), provenance=None):
        super().__init__(modality, dim, names, provenance)

    def read(self, source):
        if not Path(source).exists():
            raise ValueError(f"{source}: no such file")
        return Raw(["one", "two"], np.zeros((2, 6)))

    def forward(self, values):
        return masked_tokens(values.reshape(len(values), 3, 2))

    @classmethod
    def example(cls):
        return cls()


class ReadsAFile(Kept):
    @classmethod
    def example(cls):
        Path(__file__).read_text()
        return cls()


class CannotBeBuilt(Kept):
    @classmethod
    def example(cls):
        raise RuntimeError("weights are missing")


class BadModality(Kept):
    def __init__(self, modality="brain map", **others):
        super().__init__(modality, **others)


class TwoNamesForThreeTokens(Kept):
    tokens = 3

    def __init__(self, names=("a", "b"), **others):
        super().__init__(names=names, **others)


class OneRowWhateverTheBatch(Kept):
    def example_values(self, batch):
        return torch.zeros(1, 6)


class HalfPrecision(Kept):
    def forward(self, values):
        tokens = super().forward(values)
        return Tokens(tokens.values.half(), tokens.mask)


class NoMask(Kept):
    def forward(self, values):
        return super().forward(values).values


class CentresTheBatch(Kept):
    def forward(self, values):
        return super().forward(values - values.nanmean(dim=0))


class AddsThePlaceInTheBatch(Kept):
    def forward(self, values):
        tokens = super().forward(values)
        place = torch.arange(len(values)).reshape(-1, 1, 1)
        return Tokens(tokens.values + place * tokens.mask.unsqueeze(-1), tokens.mask)


class ZeroForMissing(Kept):
    def forward(self, values):
        return super().forward(values.nan_to_num())


class NanSpreads(Kept):
    def forward(self, values):
        return super().forward(values + 0 * values.sum())


class MasksTheWholeSample(Kept):
    def forward(self, values):
        return super().forward(values + 0 * values.sum(dim=1, keepdim=True))


class MaskForgotten(Kept):
    def forward(self, values):
        tokens = super().forward(values)
        return Tokens(values.reshape(-1, 3, 2), tokens.mask)


class OverwritesItsInput(Kept):
    def forward(self, values):
        return super().forward(values.mul_(2))

    def example_values(self, batch):
        return super().example_values(batch)


class Random(Kept):
    def forward(self, values):
        return super().forward(values + torch.rand(len(values), 1))


class CardOfAnother(Kept):
    def card(self):
        return Kept(names=("x", "y", "z")).card()


class ForgetsAnArgument(Kept):
    def __init__(self, scale=1.0, **others):
        super().__init__(**others)
        self.scale = scale

    def forward(self, values):
        return super().forward(values * self.scale)

    @classmethod
    def example(cls):
        return cls(scale=2.0)


class RowsFromNothing(Kept):
    def read(self, source):
        return Raw([], np.zeros((0, 6)))


class ReadsTooFew(Kept):
    def read(self, source):
        super().read(source)
        return Raw(["one", "two"], np.zeros((2, 5)))


class ReadsAnIdTwice(Kept):
    def read(self, source):
        super().read(source)
        return Raw(["one", "one"], np.zeros((2, 6)))


BROKEN = {
    ReadsAFile: "example is built without files",
    CannotBeBuilt: "example is built without files",
    BadModality: "modality is an identifier",
    TwoNamesForThreeTokens: "names are one per token or none",
    OneRowWhateverTheBatch: "example values are one row per sample",
    HalfPrecision: "forward gives tokens of the promised shape",
    NoMask: "forward gives tokens of the promised shape",
    CentresTheBatch: "one sample alone gives the row it has in a batch",
    AddsThePlaceInTheBatch: "permuting the batch permutes the tokens",
    ZeroForMissing: "a sample of nan is absent and disturbs no other",
    NanSpreads: "a sample of nan is absent and disturbs no other",
    MasksTheWholeSample: "a missing feature masks only its own token",
    MaskForgotten: "a missing feature masks only its own token",
    OverwritesItsInput: "the input is left as it was",
    Random: "the same input gives the same tokens",
    CardOfAnother: "the card agrees with the encoder and survives json",
    ForgetsAnArgument: "the record builds the same encoder",
    RowsFromNothing: "a source that is not there is refused",
}


def test_the_walk_finds_the_encoders_without_a_list():
    found = {kind.__name__ for kind in classes()}
    assert {"GeneTable", "Expression", "RegionTable", "BrainTokens", "BrainVolume"} <= found
    assert "Encoder" not in found


@pytest.mark.parametrize("kind", [*classes(), Kept], ids=lambda kind: kind.__name__)
def test_every_encoder_keeps_the_contract(kind):
    assert check(kind) == []


@pytest.mark.parametrize(("kind", "rule"), BROKEN.items(), ids=lambda part: getattr(part, "__name__", ""))
def test_a_broken_encoder_is_caught_by_the_rule_it_breaks(kind, rule):
    lines = check(kind)
    assert any(line.startswith(f"{kind.__name__}: {rule}: ") for line in lines), lines


@pytest.mark.parametrize("kind", [BadModality, ForgetsAnArgument, RowsFromNothing, MasksTheWholeSample], ids=lambda kind: kind.__name__)
def test_a_rule_that_is_kept_is_not_blamed(kind):
    assert [finding.rule for finding in report(f"{__name__}:{kind.__name__}") if not finding.ok] == [BROKEN[kind]]


@pytest.mark.parametrize("kind", [ReadsTooFew, ReadsAnIdTwice])
def test_what_read_gives_is_checked_when_a_file_is_at_hand(kind, tmp_path):
    (tmp_path / "samples.csv").write_text("id\n")
    assert check(Kept, tmp_path / "samples.csv") == []
    assert check(kind) == []
    assert "read gives what example values promise" in check(kind, tmp_path / "samples.csv")[0]


def test_an_encoder_outside_the_packages_keeps_the_contract_and_reads_its_file(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    (tmp_path / "eeg.csv").write_text("id,delta,theta,alpha,beta,gamma\n01,10,1,100,,1\n02,1,1,1,1,1\n")
    outcome = report("encoder_outside:BandPower", tmp_path / "eeg.csv")
    assert len(outcome) == 15
    assert all(finding.ok for finding in outcome), [finding for finding in outcome if not finding.ok]
    kind = importlib.import_module("encoder_outside").BandPower
    ids, values = kind().read(tmp_path / "eeg.csv")
    assert ids == ["01", "02"]
    np.testing.assert_allclose(values[0], [1, 0, 2, np.nan, 0])
    assert kind()(torch.tensor(values)).mask.tolist()[0] == [True, True, True, False, True]


def test_a_report_names_the_broken_rule_and_why():
    broken = [finding for finding in report(f"{__name__}:BadModality") if not finding.ok]
    assert [(finding.rule, "brain map" in finding.why) for finding in broken] == [("modality is an identifier", True)]


@pytest.mark.parametrize(("path", "message"), [("no_such_module:Kind", "no_such_module"), (f"{__name__}:EXAMPLES", "expected a subclass")])
def test_a_class_that_is_no_encoder_is_refused(path, message):
    with pytest.raises(ValueError, match=message):
        report(path)


def test_a_name_or_a_card_field_that_cannot_be_is_refused_when_built():
    with pytest.raises(ValueError, match="'a' occurs twice"):
        Kept(names=("a", "b", "a"))
    with pytest.raises(ValueError, match="unknown card field 'license'"):
        Kept(provenance={"license": "MIT"})
