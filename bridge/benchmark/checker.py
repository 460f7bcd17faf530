"""``bridge evaluate checker``: how often the claim checker finds an error, and how often it finds one where there is none.

Template reports of known truth tell the errors of the whole checker; clinical prose from frames that were written apart
from its rules tells what the extractor reads of other people's wording.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np

from bridge.benchmark.checker_frames import FRAMES, PHRASES, PRIOR, SIDES, Frame
from bridge.benchmark.checker_reports import GENES, KINDS, REGIONS, Made, make_report, reference
from bridge.benchmark.results import OURS, Record
from bridge.benchmark.task import Task
from bridge.evaluate.audit import wilson
from bridge.evaluate.bootstrap import interval_of
from bridge.report.claims.anatomy import BOTH, place_of
from bridge.report.claims.mention import Spoken
from bridge.report.claims.parse import claims_in
from bridge.report.schema import Claim, Direction, Kind
from bridge.report.verify import check, struck

DETECTION, FALSE_ALARM = 0.99, 0.005
MAPS = {"brain": REGIONS, "expression": GENES}
SPLIT = "synthetic"


class Outcome(NamedTuple):
    """Whether the checker struck anything in one report; the error that is in it, None where there is none."""

    made: Made
    struck: tuple[Claim, ...]


class Reading(NamedTuple):
    """One paraphrase: what it claims and what the extractor read."""

    frame: int
    text: str
    said: frozenset[tuple[str, str]]
    read: frozenset[tuple[str, str]]


class Checker(Task):
    """The claim checker, measured.

    Args:
        reports: Template reports; every second one has an error, of each kind in turn.
        paraphrases: Sentences of clinical prose.
    """

    title: ClassVar[str] = "The claim checker, measured"

    def __init__(self, reports: int = 10_000, paraphrases: int = 500):
        self.reports, self.paraphrases = reports, paraphrases

    def run(self, record: Record) -> None:
        started = time.perf_counter()
        found = outcomes(self.reports, record.seed)
        seconds = time.perf_counter() - started
        _put_outcomes(record, found, seconds)
        _put_readings(record, readings(self.paraphrases, record.seed))


def outcomes(count: int, seed: int) -> list[Outcome]:
    """Template reports as the checker judges them: even ones are true, odd ones have one error, of each kind in turn."""
    random, known = np.random.default_rng(seed), reference()
    made = (make_report(KINDS[number // 2 % len(KINDS)] if number % 2 else None, random) for number in range(count))
    return [Outcome(report, struck(check(claims_in(report.text, known.regions, known.facts), report.subject, known))) for report in made]


def readings(count: int, seed: int) -> list[Reading]:
    """Paraphrases as the extractor reads them, every frame as often as any other."""
    random, spoken = np.random.default_rng([seed, 1]), Spoken(MAPS)
    found = []
    for number in range(count):
        text, said = _filled(FRAMES[number % len(FRAMES)], spoken, random)
        found.append(Reading(number % len(FRAMES), text, said, frozenset(map(_said, filter(_tells, claims_in(text, MAPS, {}))))))
    return found


def _filled(frame: Frame, spoken: Spoken, random: np.random.Generator) -> tuple[str, frozenset[tuple[str, str]]]:
    """A frame with names in its slots, and its claims with the names that the input has for them."""
    labels, genes = random.permutation(list(PHRASES))[:3], random.permutation([name for name in GENES if name not in _WORDS])[:2]
    slots = {"m": f"{random.uniform(2.1, 3.5):.1f}", "g": str(genes[0]), "h": str(genes[1]), "c": str(random.choice(PHRASES[labels[2]]))}
    names = {"g": str(genes[0]), "h": str(genes[1]), "c": _entity(spoken, labels[2], BOTH), "": ""}
    for slot, label in zip("ab", labels, strict=False):
        side = str(random.choice(["left", "right"]))
        form = {"side": side, "letter": side[0].upper(), "region": str(random.choice(PHRASES[label]))}
        slots[slot], names[slot] = str(random.choice(SIDES)).format(**form), _entity(spoken, label, side)
    text = frame.text.format(**slots)
    return text[:1].upper() + text[1:], frozenset((names[slot], said) for slot, said in frame.claims)


_WORDS = ("SET", "REST", "CAT", "MAX", "CLOCK")  # tested apart: in most frames they are words, not genes


def _entity(spoken: Spoken, label: str, side: str) -> str:
    resolved = spoken.resolve(place_of(label).concept, side)
    if resolved is None:
        raise ValueError(f"checker, label {label!r}: the made-up atlas has no such region; expected one of Desikan-Killiany")
    return resolved[1]


def _tells(claim: Claim) -> bool:
    """Whether a claim asserts anything."""
    return claim.kind is Kind.PRIOR or claim.direction is not Direction.NONE or claim.claimed is not None


def _said(claim: Claim) -> tuple[str, str]:
    if claim.kind is Kind.PRIOR:
        return "", PRIOR
    return claim.entity, f"{'not ' if claim.denied else ''}{claim.direction.value}"


def _put_outcomes(record: Record, found: Sequence[Outcome], seconds: float) -> None:
    wrong = {kind: [outcome for outcome in found if outcome.made.error == kind] for kind in KINDS}
    every = [outcome for kind in KINDS for outcome in wrong[kind]]
    for kind, some in (wrong | {"any": every}).items():
        _put_share(record, "detection", kind, sum(bool(outcome.struck) for outcome in some), len(some))
    true = [outcome for outcome in found if outcome.made.error is None]
    alarms = [outcome for outcome in true if outcome.struck]
    _put_share(record, "false_alarm", "true reports", len(alarms), len(true))
    missed = Counter(outcome.made.error for outcome in every if not outcome.struck)
    detected = 1 - sum(missed.values()) / max(len(every), 1)
    kept = "are kept" if detected >= DETECTION and len(alarms) <= FALSE_ALARM * len(true) else "are MISSED"
    words = f"detection {detected:.4f} of {len(every)} errors (bar {DETECTION}), false alarms in {len(alarms)} of {len(true)} true reports (bar {FALSE_ALARM})"
    record.words("Template reports", f"{words}: the bars {kept}. Missed by kind: {dict(missed) or 'none'}. {len(found)} reports took {seconds:.0f} s.")
    examples = [outcome for outcome in every if not outcome.struck][:5] + alarms[:5]
    record.table("Template reports", ("error", "struck", "report"), [_example(outcome) for outcome in examples])


def _example(outcome: Outcome) -> tuple[str, str, str]:
    return outcome.made.error or "none", "; ".join(claim.statement for claim in outcome.struck), outcome.made.text


def _put_readings(record: Record, found: Sequence[Reading]) -> None:
    right = sum(len(reading.said & reading.read) for reading in found)
    said, read = sum(len(reading.said) for reading in found), sum(len(reading.read) for reading in found)
    _put_share(record, "extractor_precision", "paraphrases", right, read)
    _put_share(record, "extractor_recall", "paraphrases", right, said)
    whole = sum(reading.said == reading.read for reading in found)
    _put_share(record, "extractor_exact", "paraphrases", whole, len(found))
    frames = [reading.frame for reading in found]
    spans = {
        name: interval_of(lambda rows, end=end: _ratio(found, rows, end), frames, seed=record.seed) for name, end in (("precision", "read"), ("recall", "said"))
    }
    told = "; ".join(f"{name} {low:.3f} to {high:.3f}" for name, (low, high) in spans.items() if low is not None)
    record.words(
        "Paraphrases",
        f"{len(found)} sentences from {len(set(frames))} frames, {said} claims, {read} read, {right} of them right. "
        f"The intervals of the rows take claims as independent; with whole frames drawn: {told or 'undefined'}.",
    )
    wrong = {reading.frame: reading for reading in found if reading.said != reading.read}
    rows = [(FRAMES[frame].text, _listed(reading.said - reading.read), _listed(reading.read - reading.said)) for frame, reading in sorted(wrong.items())]
    record.table("Paraphrases", ("frame", "missed", "read wrongly"), rows)


def _ratio(found: Sequence[Reading], rows: np.ndarray, whole: str) -> float | None:
    chosen = [found[row] for row in rows]
    total = sum(len(getattr(reading, whole)) for reading in chosen)
    return sum(len(reading.said & reading.read) for reading in chosen) / total if total else None


def _listed(claims: frozenset[tuple[str, str]]) -> str:
    return "; ".join(sorted(f"{name} {said}".strip() for name, said in claims))


def _put_share(record: Record, metric: str, direction: str, successes: int, n: int) -> None:
    low, high = wilson(successes, n) if n else (None, None)
    record.row(metric, OURS, successes / n if n else None, n=n, direction=direction, split=SPLIT, low=low, high=high)
