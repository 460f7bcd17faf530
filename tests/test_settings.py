"""What the libraries under a command are let say."""

import logging

import lightning.pytorch  # noqa: F401 - it chooses the logger of what is told once
import pytest
from lightning_utilities.core import rank_zero

from bridge.settings import quiet_libraries


@pytest.mark.parametrize(("said", "heard"), [("💡 Tip: For seamless logging, try another product.", False), ("Restored all states from the checkpoint", True)])
def test_a_library_may_speak_of_the_run_and_recommend_nothing(said, heard):
    quiet_libraries()
    assert bool(rank_zero.log.filter(logging.makeLogRecord({"msg": said}))) == heard
