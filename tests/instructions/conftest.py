"""An instruction set of the small release of HPO."""

import pytest
from tiny_hpo import write_release


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="session")
def facts(release):
    from bridge.instructions.facts import read_facts

    return read_facts(*release)


@pytest.fixture(scope="session")
def built(release, tmp_path_factory):
    """The folder and card of a set built from the small release."""
    from bridge.instructions.build import build_instructions

    folder = tmp_path_factory.mktemp("set") / "instructions"
    card = build_instructions(folder, sources=release, limit_per_family=72, validation=0.2, test=0.3)
    return folder, card


@pytest.fixture(scope="session")
def items(built):
    from bridge.instructions.item import read_instructions

    return [item for split in ("train", "validation", "test") for item in read_instructions(built[0] / f"{split}.jsonl")]
