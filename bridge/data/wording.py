"""Small rules of wording that the texts of the default data share."""

from __future__ import annotations

import re
from collections.abc import Sequence


def listed(items: Sequence[str]) -> str:
    """'a, b and c'; with semicolons where an item has a comma of its own."""
    if len(items) == 1:
        return items[0]
    separator = "; " if any("," in item for item in items) else ", "
    return f"{separator.join(items[:-1])}{';' if separator == '; ' else ''} and {items[-1]}"


def readable(name: str) -> str:
    """A term as a short noun: 'Abnormality of the eye' is 'eye', 'Autosomal recessive inheritance' is 'autosomal recessive'."""
    short = re.sub(r"^(Abnormality of (the )?|Abnormal )| (inheritance|abnormality|onset|symptom)$", "", name)
    return short if short[1:2].isupper() or short[1:2] == "-" else short[:1].lower() + short[1:]
