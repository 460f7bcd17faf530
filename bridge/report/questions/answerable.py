"""Can the input answer a question at all? Decided by what the question is about, before the model is asked.

What a sample tells is a short list: values of named regions or genes, items of fact columns, and which inputs there are.
Every word of a question has to be one of these or a word that is about nothing; a question with any other word asks for
something that no input measures. So "blood flow in the hippocampus" is refused although the hippocampus is known, and a
question put in unforeseen words may be refused too, with the words that were not understood.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from bridge.language import grammar
from bridge.language.subject import Subject
from bridge.report.claims.level_words import CUE
from bridge.report.claims.lexicon import MARK, Lexicon, key, lexicon_of
from bridge.report.claims.mention import Mention
from bridge.report.questions.question_words import COURSE, GENERAL, IDENTITY, PLACES, WHOLE, WORD
from bridge.report.reference import Reference

_STEM = 5  # letters in which two forms of a long word agree
_ENDINGS = ("s", "es", "d", "ed", "ing", "er")


class Asked(NamedTuple):
    """What a question is about.

    Args:
        mentions: Regions and genes that it names.
        maps: Modalities whose values it asks for.
        columns: Fact columns that it asks for.
        whole: It asks for everything that was given.
        other: Words for which no input stands.
    """

    mentions: tuple[Mention, ...]
    maps: frozenset[str]
    columns: frozenset[str]
    whole: bool
    other: tuple[str, ...]


class Scope:
    """What the inputs of one sample can be asked for.

    Args:
        subject: The sample as measured, with the facts that stand beside it.
        reference: Names of maps and items of fact columns.
        words: Further words that the inputs tell of: units, atlas, the clinical note.
    """

    def __init__(self, subject: Subject, reference: Reference, words: Iterable[str] = ()):
        self.subject, self.reference = subject, reference
        self.lexicon: Lexicon = lexicon_of(reference.regions, reference.facts, reference.aliases)
        self.further = {word for text in words for word in _words(text)}

    def reason(self, question: str) -> str:
        """Why the inputs cannot answer; '' where nothing in the question says so."""
        if not WORD.search(question):
            return "the question holds no word"
        beside = self._marked(question)[1]
        if IDENTITY.search(beside):
            return "no input tells who the sample is of"
        if COURSE.search(beside):
            return "the input is one examination, and no input tells what was before or will be"
        return self._not_told(self.asked(question))

    def open_parts(self, question: str) -> tuple[str, ...]:
        """Parts of a question that can be answered otherwise: inputs that it asks for and that were not given."""
        asked = self.asked(question)
        return tuple(f"{self._called(modality)}: not given" for modality in sorted(self._owners(asked) - self.subject.present))

    def asked(self, question: str) -> Asked:
        """What a question is about."""
        written, text = self._marked(question)
        facts = {column for column, items in self.lexicon.facts.items() for name in written if key(name) in items and not self._is_region(name)}
        mentions = tuple(mention for mention in self.lexicon.spoken.find(text) if not self._is_empty(mention))
        rest = _words(_without(text, mentions))
        columns = facts | {column for column, words in self._fact_words.items() if words & {*rest} or self._labelled(grammar.label(column), rest)}
        maps = {mention.modality for mention in mentions if mention.known} | self._maps(rest)
        named = {modality for modality in self._modalities if self._labelled(grammar.label(modality), rest)}
        nothing_else = not (maps or columns or mentions)
        whole = nothing_else and bool(named or WHOLE & {*rest})
        other = tuple(dict.fromkeys(word for word in rest if not self._understood(word)))
        owners = {column for column, modality in self.reference.fact_modality.items() if modality in named} if nothing_else else set()
        return Asked(mentions, frozenset(maps | (named & set(self.reference.regions) if nothing_else else set())), frozenset(columns | owners), whole, other)

    def _marked(self, question: str) -> tuple[list[str], str]:
        """Known names in a question, and the question without items of fact columns."""
        marked, written = self.lexicon.mark(" ".join(question.split()))
        return written, MARK.sub(lambda mark: written[int(mark[1])] if self._is_region(written[int(mark[1])]) else " ", marked)

    @functools.cached_property
    def _modalities(self) -> list[str]:
        return sorted({*self.reference.regions, *self.reference.fact_modality.values(), *self.subject.present})

    @functools.cached_property
    def _fact_words(self) -> dict[str, set[str]]:
        """Words of the items of each fact column that are about something."""
        return {column: {word for item in items for word in _words(item)} - GENERAL for column, items in self.reference.facts.items()}

    @functools.cached_property
    def _vocabulary(self) -> set[str]:
        """Words of everything that the inputs tell."""
        labels = [grammar.label(name) for name in (*self.reference.facts, *self._modalities)]
        items = [item for items in (*self.reference.facts.values(), *self.reference.regions.values()) for item in items]
        return {word for text in (*labels, *items, self.subject.id) for word in _words(text)} | self.further

    @functools.cached_property
    def _stems(self) -> set[str]:
        """Of fact columns and their items alone: words of region names are so many that anything would begin like one of them."""
        facts = [*map(grammar.label, self.reference.facts), *(item for items in self.reference.facts.values() for item in items), *self.further]
        return {word[:_STEM] for text in facts for word in _words(text) if len(word) > _STEM}

    def _understood(self, word: str) -> bool:
        forms = {word, *(word.removesuffix(ending) for ending in _ENDINGS)}
        if forms & GENERAL or forms & self._vocabulary or word.endswith("ly") or CUE.fullmatch(word):
            return True
        return len(word) > _STEM and word[:_STEM] in self._stems

    def _maps(self, rest: list[str]) -> set[str]:
        """Maps that words such as "highest" or "brain map" ask for; the named one, else the first."""
        asked = bool(PLACES & {*rest}) or any(CUE.fullmatch(word) for word in rest)
        named = {modality for modality in self.reference.regions if self._labelled(grammar.label(modality), rest)}
        return (named or set(list(self.reference.regions)[:1])) if asked else set()

    def _labelled(self, label: str, rest: list[str]) -> bool:
        """Whether any word of a label, in any form, is in the question."""
        words = _words(label)
        forms = {word.removesuffix("s") for word in rest} | {word[:_STEM] for word in rest if len(word) > _STEM}
        return any(word.removesuffix("s") in forms or (len(word) > _STEM and word[:_STEM] in forms) for word in words)

    def _is_region(self, name: str) -> bool:
        return any(key(name) in names for names in self.lexicon.regions.values())

    def _is_empty(self, mention: Mention) -> bool:
        """The sample itself, or words such as "which lobe" that name no region."""
        return key(mention.written) == key(self.subject.id) or (not mention.known and {*_words(mention.written)} <= GENERAL)

    def _not_told(self, asked: Asked) -> str:
        """The first thing that the question asks for and that the inputs do not tell."""
        for mention in asked.mentions:
            if reason := self._unmeasured(mention):
                return reason
        if asked.other:
            return f"no input tells of {grammar.listing([repr(word) for word in asked.other])}"
        owners = self._owners(asked)
        if owners and not owners & self.subject.present:
            return f"{grammar.listing([self._called(modality) for modality in sorted(owners)])} not given"
        if not (asked.whole or owners):
            return f"the question names nothing that the inputs tell; they tell {self._told()}"
        return "" if self.subject.present else "no input was given"

    def _unmeasured(self, mention: Mention) -> str:
        if not mention.known:
            places = [self._called(modality) for modality in self.reference.regions]
            return (
                f"{grammar.listing(places) or 'no input'} has no {mention.written!r}"
                if places
                else f"no input has named values, such as of {mention.written!r}"
            )
        if mention.modality not in self.subject.present:
            return f"{self._called(mention.modality)} not given"
        regions = self.subject.regions.get(mention.modality)
        names = {mention.entity, *self.lexicon.spoken.sides(mention.entity, mention.modality)}
        values = [value for name, value in zip(regions.names, regions.values, strict=True) if name in names] if regions else []
        return "" if np.isfinite(values).any() else f"{self._called(mention.modality)} has no value for {mention.written!r}"

    def _owners(self, asked: Asked) -> set[str]:
        """Inputs that would tell what is asked."""
        return set(asked.maps) | {self.reference.fact_modality[column] for column in asked.columns}

    def _called(self, modality: str) -> str:
        return grammar.map_label(modality) if modality in self.reference.regions else grammar.label(modality)

    def _told(self) -> str:
        maps = [f"values of the {self._called(modality)}" for modality in self.reference.regions if modality in self.subject.present]
        facts = [grammar.label(column) for column, modality in self.reference.fact_modality.items() if modality in self.subject.present]
        return grammar.listing([*maps, *facts]) or grammar.listing(sorted(self.subject.present)) or "nothing"


def _words(text: str) -> list[str]:
    return [re.split(r"['’]", word.casefold())[0] for word in WORD.findall(text)]


def _without(text: str, mentions: Iterable[Mention]) -> str:
    for mention in sorted(mentions, key=lambda each: -each.start):
        text = f"{text[: mention.start]} {text[mention.end :]}"
    return text
