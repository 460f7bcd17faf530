"""Benchmarks that find mentions: BC5CDR and NCBI-disease, one token and its tag a line."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

from bridge.corpora.files import lines_of
from bridge.instructions.item import Instruction
from bridge.medical.asking import asked, listed
from bridge.medical.files import split_files

STEMS = {"train": ("train",), "validation": ("devel", "dev"), "test": ("test",)}
CDR_QUESTION = "List the chemicals and diseases that the sentence mentions, as written, each with its kind, such as 'chemical: aspirin' or 'disease: fever'."


def tagged_sentences(path: Path) -> Iterator[tuple[list[str], list[tuple[str, str]]]]:
    """Tokens of each sentence, and its mentions as (kind, text); tags are B-kind, I-kind and O, a sentence ends with an empty line.

    Raises:
        ValueError: names the line that is no token with a tag, or whose tag goes on with what did not begin.
    """
    tokens: list[str] = []
    mentions: list[tuple[str, list[str]]] = []
    open_kind = ""
    for number, line in lines_of(path):
        if not line.strip():
            if tokens:
                yield tokens, [(kind, " ".join(words)) for kind, words in mentions]
            tokens, mentions, open_kind = [], [], ""
            continue
        token, tab, tag = line.rstrip().rpartition("\t")
        token, (mark, _, kind) = token.split("\t")[0], tag.partition("-")
        if not tab or mark not in ("B", "I", "O") or (mark == "I" and kind != open_kind):
            raise ValueError(f"{path}, line {number}: found {line!r}, expected a token, a tab and a tag: O, B-kind, or I-kind behind one of its kind")
        tokens.append(token)
        open_kind = kind if mark != "O" else ""
        if mark == "B":
            mentions.append((kind.casefold(), [token]))
        elif mark == "I":
            mentions[-1][1].append(token)
    if tokens:
        yield tokens, [(kind, " ".join(words)) for kind, words in mentions]


def _mentions(folder: Path, source: str, ask: str, kinds: bool, licence: str) -> Iterator[Instruction]:
    for split, path in split_files(folder, STEMS, (".tsv", ".txt")):
        for number, (tokens, mentions) in enumerate(tagged_sentences(path)):
            yield Instruction(
                id=f"{source}-{split}-{number:05d}",
                family="entity recognition",
                source=source,
                question=asked(f"Sentence: {' '.join(tokens)}\n{ask}", "items"),
                answer=listed([f"{kind}: {text}" if kinds else text for kind, text in mentions]),
                judged="items",
                split=split,
                licence=licence,
            )


#: Li et al., Database 2016.
bc5cdr = functools.partial(_mentions, source="bc5cdr", ask=CDR_QUESTION, kinds=True, licence="CC BY 4.0")
#: Dogan et al., Journal of Biomedical Informatics 2014.
ncbi_disease = functools.partial(
    _mentions, source="ncbi-disease", ask="List the diseases that the sentence mentions, as written.", kinds=False, licence="CC BY 4.0"
)
