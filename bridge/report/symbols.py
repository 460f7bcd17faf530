"""How genes are written: symbols in their exact case, a few aliases, and the words that are both a symbol and something else."""

from __future__ import annotations

import re

#: A gene symbol of human form (HGNC guidelines, Bruford et al. 2020, doi:10.1038/s41588-020-0669-3), or an Ensembl id.
SYMBOL = re.compile(r"[A-Z][A-Z0-9]+(?:-[A-Z0-9]+)*|C(?:\d+|X|Y)orf\d+|ENSG\d{11}(?:\.\d+)?")

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
#: A few aliases that prose uses more than the symbol (HGNC, alias and previous symbols); only exact spellings count.
ALIASES = {
    "tau": "MAPT",
    "alpha-synuclein": "SNCA",
    "PARK1": "SNCA",
    "huntingtin": "HTT",
    "IT15": "HTT",
    "parkin": "PRKN",
    "PARK2": "PRKN",
    "dystrophin": "DMD",
    "frataxin": "FXN",
    "progranulin": "GRN",
    "ataxin-1": "ATXN1",
    "ataxin-3": "ATXN3",
    "reelin": "RELN",
    "tuberin": "TSC2",
    "hamartin": "TSC1",
    "neurofibromin": "NF1",
    "presenilin-1": "PSEN1",
    "presenilin-2": "PSEN2",
    "GLUT1": "SLC2A1",
    "SERT": "SLC6A4",
    "DAT1": "SLC6A3",
    "NR2A": "GRIN2A",
    "NR2B": "GRIN2B",
    "Nav1.1": "SCN1A",
    "Nav1.2": "SCN2A",
    "Nav1.6": "SCN8A",
    "TDP-43": "TARDBP",
    "NeuN": "RBFOX3",
    "p53": "TP53",
}
#: A word that could be a symbol, with the dots and hyphens inside it.
SYMBOL_WORD = re.compile(r"(?<![\w-])[A-Za-z][A-Za-z0-9]*(?:[.-][A-Za-z0-9]+)*(?![\w-])")
#: Forms of a symbol that mean something else: fields of the hippocampus, Brodmann areas, MRI contrasts, vertebrae.
NOT_GENES = re.compile(r"CA[1-4]|BA\d+|COVID\w*|[A-Z]\d+")
_CONTEXT = r"gene|genes|expression|expressed|transcripts?|mrna|symbol|transcription|(?:over|under)-?express\w*|(?:up|down)-?regulat\w*"
#: What follows or precedes a symbol that is also a word: "SET expression", "the REST gene", "expression of CAT".
AFTER = re.compile(rf"\W{{1,3}}(?:{_CONTEXT})\b", re.IGNORECASE)
BEFORE = re.compile(rf"\b(?:{_CONTEXT})\W+(?:(?:of|for|in|the)\W+){{0,2}}\Z", re.IGNORECASE)


def is_symbol(name: str) -> bool:
    """Whether a name has the form of a gene symbol."""
    return SYMBOL.fullmatch(name) is not None


def says_gene(text: str, start: int, end: int) -> bool:
    """Whether the words around a symbol say that it is a gene."""
    return bool(AFTER.match(text, end) or BEFORE.search(text[max(0, start - 40) : start]))
