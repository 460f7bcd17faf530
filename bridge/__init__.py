"""A semantic bridge between genes, brains and language."""

import importlib
from typing import Any

from bridge.floors import require_sound

require_sound()

#: Public name to its module; loaded when asked for, so that a command that needs no LLM does not wait for one.
_PUBLIC = {"Cohort": "bridge.data.cohort", "Report": "bridge.report.schema", "SemanticBridge": "bridge.model", "load": "bridge.bundle"}

__all__ = ["Cohort", "Report", "SemanticBridge", "load"]


def __getattr__(name: str) -> Any:
    """The public names."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'bridge' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
