"""Other names of genes that a text may use: those that mean one gene and nothing else. The rest is left out and counted."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

#: Symbols that are English words or words of the clinic: they name a gene only beside a word that says so.
_STOP = """SET REST CAT MAX IMPACT CLOCK WAS MET KIT FAT CAMP CAD ACE AGER APP ARC BAD BAX BID CAP CARD CASK CAST CHAT CHIA CHIC CLIP COIL CP DES DO
    DST ECHS ENG FOR FOS GAN GAS GET GRIP HIP HOPE ICOS INS IPP JUN KEL LARGE LIPS LOX MAC MAG MAL MAP MARK MARS MASK MICE MICA MID MINOS MIP MPO MR MS
    NOV NUT PAH PAM PAX PC PIGS PIN POMP PROC PROM RAN RHO SHE SHOX SI SKI SLIT SOX SPARC SPIN SPRY STAR STIM TANK TAT TEN TH THE TIE TNT TOP TRIO TUB
    UBC VIP WARS WISP XK ZIP GATE LAMP NOS POLE CLASP ROCK RING WASP PLUS NODAL"""
STOP = frozenset(_STOP.split())
#: Capitals that are no genes.
_ACRONYMS = """MRI FMRI DTI CT PET EEG MEG ECG DNA RNA MRNA CDNA SNP SNV CNV GWAS QTL CSF GM WM ICV SD SE CI FDR IQ II III IV VI VII VIII IX XI XII
    HPO OMIM NCBI HGNC GO ID AD PD ASD ADHD OCD MDD TLE ALS US USA UK EU WHO NHS ICD DSM BMI ROI VBM TIV AM PM OK NA SI MNI RAS AAL DK LH RH STG MTG
    ITG ACC PCC DLPFC OFC PFC SMA IFG MFG SFG IPL SPL XY XX"""
ACRONYMS = frozenset(_ACRONYMS.split())
#: A word that could be a symbol, with the dots and hyphens inside it.
SYMBOL_WORD = re.compile(r"(?<![\w-])[A-Za-z][A-Za-z0-9]*(?:[.-][A-Za-z0-9]+)*(?![\w-])")
#: Forms of a symbol that mean something else: fields of the hippocampus, Brodmann areas, MRI contrasts, vertebrae.
NOT_GENES = re.compile(r"CA[1-4]|BA\d+|COVID\w*|[A-Z]\d+")
SEVERAL, WORD, FORM = "of several genes", "words and acronyms", "no single word of a gene's form"


class Aliases(NamedTuple):
    """Aliases to the gene each one means, and how many were left out for which reason."""

    names: dict[str, str]
    left_out: dict[str, int]


def clear_aliases(aliases: Mapping[str, Iterable[str]], others: Mapping[str, Iterable[str]] | None = None) -> Aliases:
    """Aliases that a reader can take for one gene alone.

    Left out are the name of another gene, a word of :data:`STOP` or :data:`ACRONYMS`, and what a reader would not take
    for a gene at all: one or two characters, several words, or a form of :data:`NOT_GENES` in any case.

    Args:
        aliases: Symbol of each gene to its other names.
        others: Likewise of genes that are not asked for: a name of theirs is ambiguous too.
    """
    asked = {symbol: set(names) - {symbol} for symbol, names in aliases.items()}
    every = [*asked.items(), *((symbol, set(names) - {symbol}) for symbol, names in (others or {}).items())]
    owners = Counter(name for symbol, names in every for name in (symbol, *names))
    found, left_out = {}, Counter()
    for symbol, names in asked.items():
        for name in sorted(names):
            if reason := _left_out(name, owners[name]):
                left_out[reason] += 1
            else:
                found[name] = symbol
    return Aliases(found, dict(left_out))


def _left_out(name: str, owners: int) -> str:
    """Why an alias is left out, '' for a clear one."""
    if owners > 1:
        return SEVERAL
    if name in STOP or name in ACRONYMS:
        return WORD
    return "" if len(name) > 2 and SYMBOL_WORD.fullmatch(name) and not NOT_GENES.fullmatch(name.upper()) else FORM
