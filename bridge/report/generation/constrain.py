"""No invented region and no invented gene: decoding that writes only names which the input has.

The rule is a question to the text, not to its tokens: may this text still become one that names nothing unknown? It is
answered by the finder of names that reads a report afterwards, so what may be written and what is read cannot differ.
Decoding asks it of the model's tokens, the likeliest first, and leaves the first that may stand.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from bridge.language import grammar
from bridge.report.claims.anatomy import spoken_forms
from bridge.report.claims.lexicon import MARK, MARKS, key, lexicon_of
from bridge.report.claims.symbols import ACRONYMS, NOT_GENES, SYMBOL, SYMBOL_WORD

_CLAUSE = re.compile(r"[.!?](?=\s|$)|;|\n")
_KEYWORD = re.compile(rf"(?<![\w-])(?:{grammar.HIGHEST}|{grammar.LOWEST})(?![\w-])", re.IGNORECASE)
_THAN = re.compile(r"\b(?:higher|lower|larger|greater|bigger|thicker|smaller|thinner)\s+than\b", re.IGNORECASE)
_COMPARED = re.compile(r"\s*(?:(?:yes|no)[,:.]\s*)?(?:the\s+)?(?P<first>.+?)\s+(?:is|are)\s+(?:higher|lower)\s+than\Z", re.IGNORECASE)
_SEPARATORS = (", and ", ", ", " and ")
#: What a level may be compared with: no region.
_NORMS = (" expected", " normal", " average", " usual", " in the reference", " the reference mean", " the training mean")
_LIKELIEST = 8  # tokens that are tried before all of them are sorted


class NamesOnly:
    """Whether a text keeps to the names of an input.

    Args:
        regions: Modality to the names of its regions or genes.
        facts: Fact column to its items, which may hold words of anatomy.
        aliases: Other names of genes.
    """

    def __init__(self, regions: Mapping[str, Sequence[str]], facts: Mapping[str, Sequence[str]], aliases: Mapping[str, str] | None = None):
        self.lexicon = lexicon_of(regions, facts, aliases)
        names = {name.casefold() for group in regions.values() for name in group if name.strip()}
        items = {item.casefold() for group in facts.values() for item in group}
        self.names, self.starts, self.item_starts = names, _starts(names), _starts(items)
        self.sayable_starts = _starts(names | set(self._sayable()))
        genes = set(self.lexicon.spoken.genes)
        words = {word for group in regions.values() for name in group for word in SYMBOL_WORD.findall(name)}
        self.capitals = genes | words | ACRONYMS | {alias for alias, gene in self.lexicon.spoken.aliases.items() if gene in genes}
        self.capital_starts = _starts(self.capitals)

    def allows(self, text: str, *, ended: bool = False) -> bool:
        """Whether the text can be continued, or with ``ended`` stand as it is, without a name that the input lacks.

        Only its last two clauses are looked at: what is before them was allowed when it was written.
        """
        if any(mark in text for mark in MARKS):
            return False
        clauses = _CLAUSE.split(text)[-2:]
        return all(self._clause(clause, closed=True) for clause in clauses[:-1]) and self._clause(clauses[-1], closed=ended)

    def _clause(self, clause: str, closed: bool) -> bool:
        keyword, than = _KEYWORD.search(clause), _THAN.search(clause)
        listed = keyword is None or self._follows(clause[keyword.end() :].casefold(), " in the ", closed)
        return listed and (than is None or self._compares(clause, than, closed)) and self._symbols(clause, closed) and self._prose(clause, closed)

    def _compares(self, clause: str, than: re.Match, closed: bool) -> bool:
        """``the A is higher than the B``, or than no region at all."""
        rest, found = clause[than.end() :].casefold(), _COMPARED.fullmatch(clause[: than.end()])
        if found and found["first"].casefold() in self.names and self._follows(rest, " the ", closed, several=False):
            return True
        return any(rest.startswith(norm) or (norm.startswith(rest) and not closed) for norm in _NORMS)

    def _follows(self, rest: str, opening: str, closed: bool, several: bool = True) -> bool:
        """Whether what follows a keyword is ``in the A, B and C`` as far as it goes."""
        if len(rest) < len(opening) or not rest.strip():
            return opening.startswith(rest) and not (closed and rest.strip())
        return rest.startswith(opening) and self._items(rest[len(opening) :], closed, several)

    def _items(self, rest: str, closed: bool, several: bool) -> bool:
        """A list of names; one name may begin another, so every end is tried."""
        if not closed and (not rest or rest in self.starts):
            return True
        ends = [end for end in range(1, len(rest) + 1) if rest[:end] in self.names]
        return any(self._after(rest[end:], closed, several) for end in ends)

    def _after(self, rest: str, closed: bool, several: bool) -> bool:
        """Nothing more, or a separator and more names."""
        if not rest.strip() and (closed or not rest):
            return True
        if not several:
            return False
        begun = not closed and any(separator.startswith(rest) for separator in _SEPARATORS)
        return begun or any(rest.startswith(separator) and self._items(rest[len(separator) :], closed, several) for separator in _SEPARATORS)

    def _prose(self, clause: str, closed: bool) -> bool:
        """No mention that the input does not have, but for one that is the beginning of a longer name."""
        marked, written = self.lexicon.mark(clause)
        text = MARK.sub(lambda mark: self._shown(written[int(mark[1])]), marked)
        unknown = [mention for mention in self.lexicon.spoken.find(text) if not mention.known]
        return all(not closed and self._begins(text[mention.start :].casefold()) for mention in unknown)

    def _begins(self, tail: str) -> bool:
        """Whether the end of a text is the beginning of a longer name, or has the beginning of a fact in it."""
        return tail in self.sayable_starts or any(tail[word.start() :] in self.item_starts for word in re.finditer(r"[^\W_]+", tail))

    def _sayable(self) -> Iterator[str]:
        """Every other way to say a region that some input has, with its side."""
        for form, concept in spoken_forms().items():
            for side, word in (("left", "left "), ("right", "right "), ("", "")):
                if self.lexicon.spoken.resolve(concept, side):
                    yield word + form

    def _shown(self, name: str) -> str:
        """A region or gene as it is, a fact as a blank."""
        return name if any(key(name) in names for names in self.lexicon.regions.values()) else " " * len(name)

    def _symbols(self, clause: str, closed: bool) -> bool:
        """No word in the form of a gene symbol that is neither a known gene nor a usual abbreviation."""
        for word in SYMBOL_WORD.finditer(clause):
            written, last = word.group(), word.end() == len(clause) and not closed
            known = written in self.capitals or (last and written in self.capital_starts)
            if not known and SYMBOL.fullmatch(written) and not NOT_GENES.fullmatch(written):
                return False
        return True


class KnownNames:
    """Chooses of each step's tokens the likeliest that keeps the text to known names; for greedy decoding.

    Names are written in the letters of the vocabulary: one that needs a character of several tokens is not reached.

    Args:
        tokenizer: Of the LLM.
        regions: Modality to the names of its regions or genes.
        facts: Fact column to its items.
        aliases: Other names of genes.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        regions: Mapping[str, Sequence[str]],
        facts: Mapping[str, Sequence[str]],
        aliases: Mapping[str, str] | None = None,
    ):
        self.tokenizer, self.rule, self.end = tokenizer, NamesOnly(regions, facts, aliases), tokenizer.eos_token_id
        self.silent = set(tokenizer.all_special_ids) - {self.end}  # they add nothing to a text: one after another they would never end a name

    def __call__(self, written: Sequence[Sequence[int]], scores: Float[Tensor, "answers vocabulary"]) -> list[int]:
        """The next token of each answer, by its tokens so far and its scores: the likeliest that may stand, the end where none may."""
        return [self._chosen(list(ids), row) for ids, row in zip(written, scores, strict=True)]

    def finished(self, ids: Sequence[int]) -> list[int]:
        """The tokens without those at the end that a limit of length has left in the middle of a name."""
        kept = list(ids)
        while kept and not self.rule.allows(self._text(kept), ended=True):
            kept.pop()
        return kept

    def _chosen(self, ids: list[int], scores: Float[Tensor, " vocabulary"]) -> int:
        return next((token for token in self._by_score(scores, self._text(ids)) if self._allowed(ids, token)), self.end)

    def _by_score(self, scores: Float[Tensor, " vocabulary"], text: str) -> Iterator[int]:
        """Tokens from the likeliest on; after the first few only those whose first letter may stand."""
        yield from scores.topk(min(_LIKELIEST, len(scores))).indices.tolist()
        letters = [letter for letter in set(self.first_letters) if self.rule.allows(text + letter)]
        possible = np.isin(self.first_letters, letters)
        possible[self.end] = True
        yield from (token for token in scores.argsort(descending=True).tolist() if token < len(possible) and possible[token])

    def _allowed(self, ids: list[int], token: int) -> bool:
        if token == self.end:
            return self.rule.allows(self._text(ids), ended=True)
        return token not in self.silent and self.rule.allows(self._text([*ids, token]))

    def _text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    @functools.cached_property
    def first_letters(self) -> np.ndarray:
        """The first letter that each token adds to a text, '' for a special token; decoded behind another, as some tokenizers drop a space in front."""
        anchor = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        texts = self.tokenizer.batch_decode([[*anchor, token] for token in range(len(self.tokenizer))], skip_special_tokens=True)
        length = len(self._text(anchor))
        return np.array([text[length : length + 1] for text in texts])


def _starts(names: set[str] | frozenset[str]) -> frozenset[str]:
    """Every beginning of every name, the whole name included."""
    return frozenset(name[:length] for name in names for length in range(1, len(name) + 1))
