"""How many statements of finished reports contradict the raw values of the cohort, by regular expressions on the text of the pages.

    python tests/report/independent_check.py REPORTS COHORT.h5ad

It shares no code with the checker whose gate the reports went through: names, lists, ranks and facts are read here again,
from the file's own columns. A region said to be highest (lowest) contradicts the map where it is not in the highest (lowest)
third, a fact where the sample has a list in that column and the item is not on it, a printed value where it is not the one
in the file, "not given" where the file has the input for the sample. A name that the cohort does not have is counted beside.
"""

import dataclasses
import html
import json
import math
import re
import sys
from pathlib import Path

import anndata
import numpy as np

NUMBER = r"[-+−]?\d+(?:\.\d+)?(?:e[-+]?\d+)?"


@dataclasses.dataclass
class Counted:
    """Statements that could be looked up, those that are wrong, and names that the cohort does not have."""

    looked_up: int = 0
    wrong: list = dataclasses.field(default_factory=list)
    unknown: int = 0

    def add(self, right, said):
        """One statement."""
        self.looked_up += 1
        if not right:
            self.wrong.append(said)


class Raw:
    """One sample as the file has it.

    Args:
        table: The AnnData table.
        sample: Its id.
    """

    def __init__(self, table, sample):
        about = json.loads(str(table.uns["bridge"]))
        row = list(table.obs_names).index(sample)
        self.maps, self.given = {}, [modality for modality in about["cards"] if np.isfinite(np.asarray(table.obsm[modality][row], dtype=float)).any()]
        for modality, card in about["cards"].items():
            values = np.asarray(table.obsm[modality][row], dtype=float)
            if card["names"] and len(card["names"]) == len(values) and np.isfinite(values).any():
                normal = self._normal(values, card["normalisation"])
                self.maps[modality] = {name: (value, place) for name, value, place in zip(card["names"], values, normal, strict=True) if np.isfinite(value)}
        self.every_name = {name for card in about["cards"].values() for name in card["names"]}
        self.facts = {column: {item for item in str(table.obs[column].iloc[row]).split("; ") if item} for column in about["facts"]}
        self.vocabulary = {column: {item for cell in table.obs[column].astype(str) for item in cell.split("; ") if item} for column in about["facts"]}

    @staticmethod
    def _normal(values, statistics):
        if statistics["method"] not in ("zscore", "global"):
            return values
        return (values - np.asarray(statistics["mean"])) / np.asarray(statistics["scale"])

    def rank(self, name, highest=True):
        """1 for the highest (lowest), and of how many; None where there is no value."""
        for values in self.maps.values():
            if name in values:
                mine = values[name][1]
                beyond = sum(other > mine if highest else other < mine for _, other in values.values())
                return beyond + 1, len(values)
        return None


def check_text(text, raw, counted):
    """Extremes, comparisons and facts of a text in the grammar of the reports.

    Args:
        text: One clause or many.
        raw: The sample.
        counted: Takes what is found.
    """
    names = "|".join(re.escape(name) for name in sorted(raw.every_name, key=len, reverse=True)) or r"(?!)"
    for clause in re.split(r"[;\n]|\.(?=\s|$)", text):
        compared = re.search(rf"\b(?:the )?({names}) is (higher|lower) than (?:the )?({names})", clause, re.IGNORECASE)
        if compared:
            first, second = (_value(raw, compared[group]) for group in (1, 3))
            if first is not None and second is not None:
                counted.add(first > second if compared[2].lower() == "higher" else first < second, clause.strip())
            continue
        for found in re.finditer(r"\b(highest|lowest) in (?:the )?(.*?)(?=\b(?:highest|lowest) in\b|$)", clause, re.IGNORECASE):
            _extremes(found[1].lower() == "highest", found[2], names, raw, counted)
        for column, items in raw.vocabulary.items():
            _facts(clause, column, items, raw, counted)
        for modality in raw.given:
            if re.fullmatch(rf"\s*{re.escape(modality.replace('_', ' '))}(?: map| findings)?\s*:\s*not given\s*", clause, re.IGNORECASE):
                counted.add(False, clause.strip())


def _extremes(highest, listed, names, raw, counted):
    found = re.findall(rf"(?<![\w-])({names})(?![\w-])", listed, re.IGNORECASE)
    rest = re.sub(rf"(?<![\w-])(?:{names})(?![\w-])", " ", listed, flags=re.IGNORECASE)
    counted.unknown += len([word for word in re.split(r",|\band\b", rest) if re.search(r"[a-z]{4,}", word, re.IGNORECASE) and word.strip() != "the"])
    by_key = {name.lower(): name for name in raw.every_name}
    for name in {each.lower() for each in found}:
        place = raw.rank(by_key[name], highest)
        if place is not None:
            counted.add(place[0] <= math.ceil(place[1] / 3), f"{'highest' if highest else 'lowest'}: {name} is rank {place[0]} of {place[1]}")


def _facts(clause, column, items, raw, counted):
    label = column.replace("_", " ")
    found = re.search(rf"\b{re.escape(label)}\b(.*)", clause, re.IGNORECASE)
    if not found or not raw.facts[column]:
        return
    others = [each.replace("_", " ") for each in raw.vocabulary if each != column]
    listed = re.split("|".join(map(re.escape, others)) or r"(?!)", found[1])[0]
    mine = {item.lower() for item in raw.facts[column]}
    for item in sorted(items, key=len, reverse=True):
        said = re.search(rf"(?<![\w-])(not |no )?{re.escape(item)}(?![\w-])", listed, re.IGNORECASE)
        if said:
            listed = listed.replace(said[0], " ")
            if not said[1]:
                counted.add(item.lower() in mine, f"{label}: {item}")


def _value(raw, name):
    for values in raw.maps.values():
        for each, (_, place) in values.items():
            if each.lower() == name.lower():
                return place
    return None


def check_printed(line, raw, counted):
    """Values and ranks that stand beside a statement: ``left insula: 0.83 units (z +1.9, rank 1 of 83)``."""
    for found in re.finditer(rf"(?:—|;)\s*([^:;—]+): ({NUMBER})[^;()]*\(z[^,)]*, rank (\d+) of (\d+)\)", line):
        name, value, rank, of = found[1].strip(), float(found[2].replace("−", "-")), int(found[3]), int(found[4])
        place, known = raw.rank(name), next((values[name][0] for values in raw.maps.values() if name in values), None)
        right = known is not None and place == (rank, of) and math.isclose(value, known, rel_tol=6e-3, abs_tol=1e-9)
        counted.add(right, f"{found[0]} against {known} {place}")


def standing_lines(page):
    """Statements of a page that were not struck, with what is printed beside them."""
    if page.lstrip().lower().startswith("<!doctype"):
        items = re.findall(r'<li class="claim(?! struck)[^"]*".*?</li>', page, re.DOTALL)
        return [html.unescape(re.search(r'class="statement">(.*?)</span>', item, re.DOTALL)[1]) for item in items]
    before = re.split(r"^## Struck", page, flags=re.MULTILINE)[0]
    parts = re.findall(r"^## [^\n]* findings\n(.*?)(?=^## |\Z)", before, re.MULTILINE | re.DOTALL) + re.findall(
        r"^### Not checkable\n(.*)", before, re.MULTILINE | re.DOTALL
    )
    lines = [line[2:] for part in parts for line in part.splitlines() if line.startswith("- ")]
    return [html.unescape(re.sub(r"\\(.)", r"\1", line)) for line in lines]


def of_folder(folder, cohort):
    """Per sample: statements before and after the gate, by the checker and by this file."""
    table, rows = anndata.read_h5ad(cohort), []
    for path in sorted(Path(folder).glob("*.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        raw, before, after, printed = Raw(table, report["id"]), Counted(), Counted(), Counted()
        check_text(report["text"], raw, before)
        page = next((each for each in (path.with_suffix(ending) for ending in (".md", ".html")) if each.is_file()), None)
        if page is None:
            raise SystemExit(f"{path}: found no page beside it, expected {path.stem}.html or .md; write the reports with --format html")
        for line in standing_lines(page.read_text(encoding="utf-8")):
            check_text(line.split(" — ")[0], raw, after)
            check_printed(line, raw, printed)
        rows.append((report["id"], _verdicts(report), before, after, printed))
    return rows


def _verdicts(report):
    standing = [claim["verdict"] for section in report["sections"] for claim in section["claims"]]
    every = standing + [claim["verdict"] for claim in report["struck"]]
    judged = ("supported", "near", "contradicted")
    return [sum(verdict in judged for verdict in verdicts) for verdicts in (every, standing)], [
        verdicts.count("contradicted") for verdicts in (every, standing)
    ]


def rate(pairs, seed=0):
    """Share of wrong statements with a 95 % interval over samples."""
    pairs = np.array(pairs, dtype=float).reshape(-1, 2)
    if not pairs[:, 1].sum():
        return "undefined (no statement)"
    drawn = pairs[np.random.default_rng(seed).integers(len(pairs), size=(2000, len(pairs)))].sum(axis=1)
    low, high = np.nanpercentile(drawn[:, 0] / np.where(drawn[:, 1] > 0, drawn[:, 1], np.nan), [2.5, 97.5])
    wrong, of = pairs.sum(axis=0)
    return f"{wrong / of:.3f} [{low:.3f}, {high:.3f}] ({wrong:.0f} of {of:.0f})"


def main(folder, cohort):
    """Print the table."""
    rows = of_folder(folder, cohort)
    print(f"{len(rows)} reports; share of statements that the raw values contradict, 95 % interval over samples")
    print(f"by the checker, before the gate:          {rate([(row[1][1][0], row[1][0][0]) for row in rows])}")
    print(f"by the checker, after the gate:           {rate([(row[1][1][1], row[1][0][1]) for row in rows])}")
    print(f"by the independent check, before:         {rate([(len(row[2].wrong), row[2].looked_up) for row in rows])}")
    print(f"by the independent check, on the page:    {rate([(len(row[3].wrong), row[3].looked_up) for row in rows])}")
    print(f"printed values that are not in the file:  {rate([(len(row[4].wrong), row[4].looked_up) for row in rows])}")
    print(f"names the cohort does not have: {sum(row[2].unknown for row in rows)} before, {sum(row[3].unknown for row in rows)} on the page")
    for sample, _, _, after, printed in rows:
        for wrong in (*after.wrong, *printed.wrong):
            print(f"  {sample}: {wrong}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
