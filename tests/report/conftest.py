"""A subject with a map over 83 regions and known facts, and the training reference it is placed in."""

import numpy as np
import pytest
from browser import browser, page
from desikan_killiany import FACTS, REGIONS

from bridge.language.subject import RegionValues, Subject
from bridge.report.verify import Reference

__all__ = ["browser", "page"]

OWNERS = {"inheritance": "gene", "organ_systems": "gene"}


@pytest.fixture
def reference():
    size = len(REGIONS)
    return Reference({"brain": REGIONS}, {"brain": np.full(size, 0.5)}, {"brain": np.full(size, 0.1)}, FACTS, OWNERS)


@pytest.fixture
def make_subject():
    """A subject from the normalised values of its map; raw = values / 10 + 0.5, so z against the reference is the value."""

    def make(values, facts=None, present=("brain", "gene")):
        values = np.asarray(values, dtype=np.float64)
        maps = {"brain": RegionValues(REGIONS, values, values / 10 + 0.5, "a.u.")}
        return Subject("sample-1", maps, facts or {}, OWNERS, {}, frozenset(present))

    return make


@pytest.fixture
def subject(make_subject):
    """Region 0 is the highest, region 82 the lowest."""
    return make_subject(np.linspace(2, -2, len(REGIONS)), {"inheritance": ("autosomal recessive",), "organ_systems": ("nervous system", "head and neck")})
