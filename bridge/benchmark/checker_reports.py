"""Reports with known truth over made-up subjects, and the same reports with one error of a known kind.

A subject has the Desikan-Killiany regions of both sides and some genes, some of whose symbols are English words. Its
states are drawn first and its values to fit them, so the truth does not come from the checker.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from bridge.data.anatomy import REGION_WORDS
from bridge.language import grammar
from bridge.language.subject import RegionValues, Subject
from bridge.report.reference import Reference
from bridge.report.sheet import State

_MIDLINE = "brain stem"
_BOTH = [words for words in REGION_WORDS.values() if words != _MIDLINE]
REGIONS = (*(f"{side} {words}" for side in ("left", "right") for words in _BOTH), _MIDLINE)
_SYMBOLS = "MECP2 FOXP2 SCN1A GRIN2B SHANK3 CNTNAP2 SNCA MAPT APOE BDNF RELN TSC1 TSC2 NF1 PTEN DISC1 SLC6A4 HLA-DRB1 C9orf72 ATXN1 SET REST CAT MAX CLOCK"
GENES = tuple(_SYMBOLS.split())
ORGANS = ("eye", "skin", "skeletal system", "heart", "kidney", "ear")
KINDS = ("entity", "side", "direction", "magnitude", "negation", "invention")
MEAN, SPREAD = 0.5, 0.1

_UP, _DOWN, _WITHIN = "increased", "decreased", "within range"
_OPPOSITE = {_UP: _DOWN, _DOWN: _UP, _WITHIN: _UP}
_STATE_SAID = {State.UP: _UP, State.DOWN: _DOWN, State.WITHIN: _WITHIN}
_RANGES = {State.UP: (2.2, 4.5), State.DOWN: (-4.5, -2.2), State.WITHIN: (-0.8, 0.8), State.INDETERMINATE: (1.2, 1.8)}

#: What is said of a level, by direction and whether it is denied; {n} is the name, {z} the value, as a bracket or nothing.
_REGION_SENTENCES = {
    (_UP, False): (
        "The {n} is enlarged{z}.",
        "There is an increase in the {n}{z}.",
        "Elevated values are found in the {n}{z}.",
        "The {n} lies above the reference range{z}.",
        "The {n} is larger than expected{z}.",
    ),
    (_DOWN, False): (
        "The {n} is reduced{z}.",
        "There is atrophy of the {n}{z}.",
        "Thinning is found in the {n}{z}.",
        "The {n} lies below the reference range{z}.",
        "The {n} is smaller than expected{z}.",
    ),
    (_WITHIN, False): ("The {n} is within the normal range{z}.", "The {n} is unremarkable{z}.", "The {n} is normal{z}."),
    (_UP, True): ("The {n} is not enlarged.", "There is no increase in the {n}.", "No thickening of the {n} is seen."),
    (_DOWN, True): ("The {n} is not reduced.", "There is no atrophy of the {n}.", "No thinning of the {n} is seen."),
    (_WITHIN, True): ("The {n} is not within the normal range.", "The {n} is abnormal."),
}
_GENE_SENTENCES = {
    (_UP, False): ("{n} expression is increased{z}.", "The {n} gene is overexpressed{z}.", "Expression of {n} is elevated{z}."),
    (_DOWN, False): ("{n} expression is decreased{z}.", "The {n} gene is downregulated{z}.", "Expression of {n} is low{z}."),
    (_WITHIN, False): ("{n} expression is within the reference range{z}.", "Expression of {n} is normal{z}."),
    (_UP, True): ("{n} expression is not increased.", "The {n} gene is not overexpressed."),
    (_DOWN, True): ("{n} expression is not reduced.", "The {n} gene is not downregulated."),
    (_WITHIN, True): ("{n} expression is not within the reference range.", "{n} expression is abnormal."),
}
_UNKNOWN_REGIONS = ("left cerebellum", "corpus callosum", "right hypothalamus", "left angular gyrus", "right zonal gyrus", "left paravermian cortex", "pons")
_UNKNOWN_GENES = ("BRCA1", "ZNF9999", "QRSX12", "TP53", "NOTCH3")
_INVENTIONS = (
    "Compared with the previous scan, the {n} has become smaller.",
    "The {n} has progressed since the last examination.",
    "The {n} is unchanged from the prior study.",
    "There is interval enlargement of the {n}.",
    "The {n} was larger on the earlier MRI.",
    "Findings in the {n} are stable over time.",
    "The {n} is smaller than before.",
    "Since the previous visit the {n} has decreased.",
    "The {n} has worsened.",
    "The {n} measures {q} ml.",
    "The {n} is reduced by {q} %.",
)


class Made(NamedTuple):
    """A report, the subject it is about, and the kind of error in it; None where all of it is true."""

    text: str
    subject: Subject
    error: str | None


@dataclasses.dataclass(frozen=True)
class _Sentence:
    """One statement on a level.

    Args:
        name: Region or gene.
        direction: What is said.
        denied: Of it.
        z: The value that is stated; None where none is.
        form: Which of the wordings.
        style: Which way to state the value.
    """

    name: str
    direction: str
    denied: bool
    z: float | None
    form: int
    style: int

    def __str__(self) -> str:
        forms = (_GENE_SENTENCES if self.name in GENES or self.name in _UNKNOWN_GENES else _REGION_SENTENCES)[self.direction, self.denied]
        return grammar.capitalised(forms[self.form % len(forms)].format(n=self.name, z=_stated(self.z, self.style)))


def reference() -> Reference:
    """Mean 0.5 and standard deviation 0.1 for every region and gene."""
    maps = {"brain": REGIONS, "expression": GENES}
    mean, spread = ({name: np.full(len(names), number) for name, names in maps.items()} for number in (MEAN, SPREAD))
    return Reference(maps, mean, spread, {"organ_systems": ORGANS}, {"organ_systems": "expression"})


def make_report(error: str | None, random: np.random.Generator) -> Made:
    """A report on a new subject, true but for one error of this kind."""
    subject, states = _subject(random)
    z = {name: value for regions in subject.regions.values() for name, value in zip(regions.names, regions.values.tolist(), strict=True)}
    chosen = [random.permutation(REGIONS)[:5], random.permutation(GENES)[:3]]
    sentences = [_true_sentence(str(name), states[str(name)], z[str(name)], random) for names in chosen for name in names]
    sentences = [sentence for sentence in sentences if sentence is not None]
    spoiled = _spoil(error, sentences, states, z, random) if error else [str(sentence) for sentence in sentences]
    random.shuffle(spoiled)
    return Made(" ".join([_extremes(subject), _organs(subject), *spoiled]), subject, error)


def _subject(random: np.random.Generator) -> tuple[Subject, dict[str, State]]:
    names = (*REGIONS, *GENES)
    drawn = random.choice(np.array(list(_RANGES), dtype=object), size=len(names), p=[0.25, 0.25, 0.35, 0.15])
    states = dict(zip(names, drawn, strict=True))
    z = random.uniform(*np.array([_RANGES[state] for state in drawn]).T)
    maps = {"brain": (REGIONS, z[: len(REGIONS)]), "expression": (GENES, z[len(REGIONS) :])}
    regions = {modality: RegionValues(own, values, MEAN + SPREAD * values) for modality, (own, values) in maps.items()}
    organs = tuple(organ for organ in ORGANS if random.random() < 0.5) or ORGANS[:1]
    return Subject("made up", regions, {"organ_systems": organs}, {"organ_systems": "expression"}, {}, frozenset(maps)), states


def _true_sentence(name: str, state: State, z: float, random: np.random.Generator) -> _Sentence | None:
    """What is so, or a denial of what is not so; nothing of a region that is neither up, down nor within range."""
    if state is State.INDETERMINATE:
        return None
    direction, denied = _STATE_SAID[state], bool(random.random() < 0.3)
    if denied:
        direction = str(random.choice([other for other in (_UP, _DOWN, _WITHIN) if other != direction]))
    stated = round(z, 1) if not denied and random.random() < 0.5 else None
    return _Sentence(name, direction, denied, stated, int(random.integers(60)), int(random.integers(60)))


def _stated(z: float | None, style: int) -> str:
    if z is None:
        return ""
    deviations = f"{abs(z):.1f} {'standard deviations' if style % 2 else 'SD'} {'above' if z > 0 else 'below'} the mean"
    return (f" (z = {z:.1f})", f", z {z:+.1f}", f" (z-score {z:.1f})", f", {deviations}", f" ({deviations})")[style % 5]


def _extremes(subject: Subject) -> str:
    brain = subject.regions["brain"]
    return grammar.section("brain", [grammar.extreme(end, brain.extremes(end)) for end in (grammar.HIGHEST, grammar.LOWEST)])


def _organs(subject: Subject) -> str:
    return grammar.section("expression", [grammar.known("organ_systems", subject.facts["organ_systems"])])


def _spoil(kind: str, sentences: list[_Sentence], states: dict[str, State], z: dict[str, float], random: np.random.Generator) -> list[str]:
    """The sentences with one error; where none of them can hold it, one that can is added."""
    if kind == "invention":
        invented = str(random.choice(_INVENTIONS)).format(n=random.choice(REGIONS), q=f"{random.uniform(2, 30):.1f}")
        return [*map(str, sentences), invented]
    for number in random.permutation(len(sentences)):
        wrong = _WRONG[kind](sentences[number], states, random)
        if wrong is not None:
            return [str(wrong if other == number else sentence) for other, sentence in enumerate(sentences)]
    marked = [name for name in random.permutation(REGIONS) if states[name] in (State.UP, State.DOWN)]
    plain = (_Sentence(str(name), _STATE_SAID[states[name]], False, round(z[name], 1), int(random.integers(60)), int(random.integers(60))) for name in marked)
    return [*map(str, sentences), str(next(wrong for sentence in plain if (wrong := _WRONG[kind](sentence, states, random)) is not None))]


def _true_of(sentence: _Sentence, state: State) -> bool:
    return (_STATE_SAID.get(state) == sentence.direction) != sentence.denied


def _other_entity(sentence: _Sentence, states: dict[str, State], random: np.random.Generator) -> _Sentence | None:
    """A region or gene of which it is not so, or one that the input does not have."""
    pool, unknown = (GENES, _UNKNOWN_GENES) if sentence.name in GENES else (REGIONS, _UNKNOWN_REGIONS)
    false = [name for name in pool if states[name] is not State.INDETERMINATE and not _true_of(sentence, states[name])]
    name = random.choice(unknown if random.random() < 0.5 or not false else false)
    return dataclasses.replace(sentence, name=str(name))


def _other_side(sentence: _Sentence, states: dict[str, State], random: np.random.Generator) -> _Sentence | None:
    other = _mirrored(sentence.name)
    if states.get(other) in (None, State.INDETERMINATE) or _true_of(sentence, states[other]):
        return None
    return dataclasses.replace(sentence, name=other)


def _other_direction(sentence: _Sentence, states: dict[str, State], random: np.random.Generator) -> _Sentence | None:
    """The opposite, with the value left out: a sign would tell on it."""
    wrong = dataclasses.replace(sentence, direction=_OPPOSITE[sentence.direction], z=None)
    return None if _true_of(wrong, states[sentence.name]) else wrong


def _other_magnitude(sentence: _Sentence, states: dict[str, State], random: np.random.Generator) -> _Sentence | None:
    """A stated value that is half a standard deviation or more off, of the same sign."""
    if sentence.z is None:
        return None
    moved = sentence.z + np.sign(sentence.z or 1) * random.uniform(0.5, 2.5)
    return dataclasses.replace(sentence, z=round(float(moved), 1))


def _other_polarity(sentence: _Sentence, states: dict[str, State], random: np.random.Generator) -> _Sentence | None:
    return dataclasses.replace(sentence, denied=not sentence.denied, z=None)


_WRONG: dict[str, Callable[[_Sentence, dict[str, State], np.random.Generator], _Sentence | None]] = {
    "entity": _other_entity,
    "side": _other_side,
    "direction": _other_direction,
    "magnitude": _other_magnitude,
    "negation": _other_polarity,
}


def _mirrored(name: str) -> str:
    side, _, words = name.partition(" ")
    return f"{ {'left': 'right', 'right': 'left'}.get(side, '') } {words}".strip()
