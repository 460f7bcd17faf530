"""``bridge ...`` as a user types it, in the process of the test."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from bridge.__main__ import main


def typed(capsys, line: str | Sequence[str]) -> tuple[int, str, str]:
    """Run a command; its status, what it printed, and what it complained of.

    Args:
        capsys: Of pytest.
        line: As typed, without ``bridge``; or its words, where one holds what a shell would take apart.
    """
    capsys.readouterr()
    try:
        status = main(shlex.split(line) if isinstance(line, str) else list(line))
    except SystemExit as end:
        status = end.code
    said = capsys.readouterr()
    return status, said.out, said.err
