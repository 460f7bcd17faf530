"""A semantic bridge between genes, brains and language."""

from bridge.bundle import load
from bridge.data.cohort import Cohort
from bridge.model import SemanticBridge
from bridge.report.schema import Report

__all__ = ["Cohort", "Report", "SemanticBridge", "load"]
