"""The good files, written once."""

from __future__ import annotations

import pytest
from input_world import World


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Good inputs of every kind, to be spoiled one at a time."""
    return World(tmp_path_factory.mktemp("inputs"))
