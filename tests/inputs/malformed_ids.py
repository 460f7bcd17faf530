"""Two files whose ids do not agree: nothing may be joined wrongly, nothing lost without a word."""

from __future__ import annotations

from input_world import IDS, SYMBOLS, Case, World


def ids(change, *arguments, ids=IDS, flagged=False):
    """A case in which the gene file spells the ids in another way than the table of regions."""

    def try_it(world: World):
        found = tuple(change(each) if callable(change) else change[place] for place, each in enumerate(ids))
        genes = world.gene_csv(found).read_bytes()
        frame = world.regions.iloc[: len(ids)].set_axis(list(ids)).rename_axis("id")
        folder = world.new()
        (folder / "genes.csv").write_bytes(genes)
        frame.to_csv(folder / "regions.csv")
        return world.build("--gene", folder / "genes.csv", "--brain", folder / "regions.csv", *arguments)

    return try_it


def first(new):
    """A case in which the first id alone is spelled in another way."""
    return ids((new, *IDS[1:]))


ENSEMBL = tuple(f"ENSG{number:011d}" for number in range(1, 13))
GREEK = "\N{GREEK CAPITAL LETTER ALPHA}"
CYRILLIC = "\N{CYRILLIC SMALL LETTER ES}"

CASES = (
    Case("prefix missing everywhere", ids(lambda each: each.removeprefix("sub-"))),
    Case("another prefix everywhere", ids(lambda each: each.replace("sub-", "P"))),
    Case("blank behind every id", ids(lambda each: each + " ")),
    Case("tab before every id", ids(lambda each: "\t" + each)),
    Case("capitals everywhere", ids(str.upper)),
    Case("no zeros everywhere", ids(lambda each: each.replace("-0", "-"), ids=IDS[:9])),
    Case("three zeros everywhere", ids(lambda each: each.replace("-", "-00"))),
    Case("prefix, capitals and zeros at once", ids(lambda each: each.replace("sub-0", "SUB-").upper(), ids=IDS[:9])),
    Case("decomposed accents everywhere", ids(lambda each: each.replace("é", "e\u0301"), ids=tuple(each.replace("sub", "pré") for each in IDS))),
    Case("full-width digits everywhere", ids(lambda each: each.translate({48 + digit: 0xFF10 + digit for digit in range(10)}))),
    Case("zero-width blank in every id", ids(lambda each: each[:3] + "\u200b" + each[3:])),
    Case("soft hyphen in every id", ids(lambda each: each.replace("-", "\u00ad-"))),
    Case("non-breaking hyphen in every id", ids(lambda each: each.replace("-", "\u2011"))),
    Case("underscore for hyphen everywhere", ids(lambda each: each.replace("-", "_"))),
    Case("Cyrillic letter in every id", ids(lambda each: each.replace("s", CYRILLIC))),
    Case("zero-width blank in one id", first("sub-01\u200b")),
    Case("byte order mark in one id", first("\ufeffsub-01")),
    Case("right-to-left mark in one id", first("\u202esub-01")),
    Case("Cyrillic letter in one id", first("ѕub-01")),
    Case("Greek capital in one id", ids((f"{GREEK}POE", *SYMBOLS[:2], *SYMBOLS[3:]), ids=("APOE", *SYMBOLS[:2], *SYMBOLS[3:]))),
    Case("a line break in one id", first("sub-01\nx"), flagged=True),
    Case("a blank behind one id", first("sub-01 "), flagged=True),
    Case("capitals in one id", first("SUB-01"), flagged=True),
    Case("no zero in one id", first("sub-1"), flagged=True),
    Case("no prefix in one id", first("01"), flagged=True),
    Case("the samples of another study", ids(lambda each: f"participant{each[-1]}x{each[-2]}")),
    Case("Ensembl ids on one side, symbols on the other", ids(ENSEMBL, ids=SYMBOLS)),
    Case("versions on one side of Ensembl ids", ids(lambda each: each + ".4", ids=ENSEMBL)),
    Case("a rule that makes two ids one", ids(lambda each: each, "--id-rule", "zero-pad", ids=("sub-1", "sub-01", *IDS[1:11]))),
    Case("a rule nobody knows", ids(lambda each: each, "--id-rule", "fuzzy")),
)
