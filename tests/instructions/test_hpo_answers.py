"""Answers derived once more from the rows of the release, by code that shares nothing with the makers."""

import itertools
import re
from collections import Counter, defaultdict
from fractions import Fraction

import pytest

MODES = {"HP:0000006": "autosomal dominant", "HP:0000007": "autosomal recessive", "HP:0001419": "X-linked", "HP:0001427": "mitochondrial"}
ONSETS = {"HP:0003593": "infancy", "HP:0011463": "childhood", "HP:0003581": "adulthood", "HP:0003577": "at birth"}
SYSTEMS = ("nervous system", "eye", "ear", "cardiovascular system", "digestive system", "musculoskeletal system")


class Rows:
    """The raw files as dictionaries by disorder name and by term name."""

    def __init__(self, paths):
        self.above, self.name, self.synonym = {}, {}, {}
        for stanza in paths[0].read_text().split("[Term]")[1:]:
            fields = re.findall(r"^(\w+): (.*)$", stanza, re.MULTILINE)
            term = dict(fields)["id"]
            self.name[term] = dict(fields)["name"]
            self.above[term] = [value.split(" ")[0] for key, value in fields if key == "is_a"]
            self.synonym.update({value.split('"')[1].lower(): term for key, value in fields if key == "synonym"})
        self.term = {name.lower(): term for term, name in self.name.items() if term.startswith("HP:1")} | self.synonym
        self.found, self.excluded, self.modes, self.onsets, self.counts = (defaultdict(set) for _ in range(5))
        for line in paths[2].read_text().splitlines()[2:]:
            _, name, no, term, _, _, _, frequency, _, _, aspect, _ = line.split("\t")
            target = {"I": self.modes, "C": self.onsets}.get(aspect, self.excluded if no or frequency.startswith("0/") else self.found)
            target[name].add(term)
            self.counts[name].add((term, frequency))
        self.genes = defaultdict(set)
        id_to_name = {line.split("\t")[0]: line.split("\t")[1] for line in paths[2].read_text().splitlines()[2:]}
        for line in paths[1].read_text().splitlines()[1:]:
            self.genes[id_to_name[line.split("\t")[5]]].add(line.split("\t")[1])

    def ancestors(self, term):
        return {term, *itertools.chain.from_iterable(self.ancestors(above) for above in self.above[term])}

    def system(self, term):
        (number,) = {int(each[4]) for each in self.ancestors(term) if each.startswith("HP:1")}
        return SYSTEMS[number]

    def named(self, text):
        """Terms named in a text in order, the longest name at each place."""
        pattern = "|".join(sorted(map(re.escape, self.term), key=len, reverse=True))
        return [self.term[name] for name in re.findall(rf"(?<!\w)(?:{pattern})(?!\w)", text.lower())]

    def disorder(self, text):
        return [name for name in sorted(self.found, key=text.find) if re.search(rf"\b{name}\b", text)]


@pytest.fixture(scope="module")
def rows(release):
    return Rows(release)


@pytest.fixture
def of(items):
    """``of("inheritance-open")``: the items of a task."""

    def find(task):
        found = [item for item in items if item.template.rpartition("/")[0] == task]
        assert found, f"no items of {task}"
        return found

    return find


def option(item):
    """The words of the lettered answer."""
    letter = re.escape(item.answer)
    return re.search(rf"{letter} (.*?)(?= \([A-Z]\) |\n)", item.question)[1]


def asked_of(item, rows):
    """The disorder a question on two records is about: the one that is named outside its record."""
    (name,) = [name for name in rows.disorder(item.question) if item.question.count(name) == 2]
    return name


def test_inheritance_and_onset_are_those_of_the_rows(of, rows):
    for task, facts, words in (("inheritance-open", rows.modes, MODES), ("onset-open", rows.onsets, ONSETS)):
        for item in of(task):
            assert {words[term] for term in facts[asked_of(item, rows)]} == {item.answer}
    for item in of("closed-book-inheritance"):
        (name,) = rows.disorder(item.question)
        assert {MODES[term] for term in rows.modes[name]} == {option(item)}
    for item in of("closed-book-onset"):
        (name,) = rows.disorder(item.question)
        assert {ONSETS[term] for term in rows.onsets[name]} == {option(item)}


def test_counts_and_the_most_frequent_finding_are_those_of_the_rows(of, rows):
    for item in of("count-open"):
        (name,) = rows.disorder(item.question)
        (term,) = [term for term, count in Counter(rows.named(item.question)).items() if count == 2]
        assert (term, item.answer.replace(" of ", "/")) in rows.counts[name]
    for item in of("frequency-open"):
        (name,) = rows.disorder(item.question)
        share = {term: Fraction(count) for term, count in rows.counts[name] if "/" in count}
        assert max(item.choices, key=lambda choice: share[rows.term[choice]]) == item.answer


def test_the_finding_of_a_disorder_is_the_only_one_recorded(of, rows):
    for item in of("closed-book-finding"):
        (name,) = rows.disorder(item.question)
        options = re.findall(r"\([A-D]\) (.*?)(?= \([A-D]\) |\n)", item.question)
        assert [choice for choice in options if rows.term[choice] in rows.found[name]] == [option(item)]


def test_genes_and_disorders_are_linked_in_the_rows(of, rows):
    for item in (*of("gene-open"), *of("disorder-open")):
        said = item.answer if item.answer in rows.genes else next(name for name in rows.disorder(item.question) if item.question.count(name) == 2)
        gene = item.answer if item.template.startswith("disorder") else next(gene for gene in rows.genes[said] if item.question.count(gene) == 2)
        assert rows.genes[said] == {gene}
    for item in of("closed-book-gene"):
        assert rows.genes[rows.disorder(item.question)[0]] == {option(item)}
    for item in of("genes-by-inheritance"):
        asked = " ".join(line for line in item.question.split("\n") if not re.search(r"[A-Z]+1: ", line))
        (mode,) = [mode for mode in MODES.values() if mode in asked]
        listed = re.findall(r"([A-Z]+1): (\w+),", item.question)
        true = [gene for gene, name in listed if {MODES[term] for term in rows.modes[name]} == {mode}]
        assert list(item.parts) == true


def test_mentions_are_found_again_by_reading_the_note(of, rows):
    denials = r"no evidence of|no history of|negative for|had not noticed|No sign of"
    for task, kinds in (("mentions-present", (True,)), ("mentions-absent", (False,)), ("mentions-all", (True, False))):
        for item in of(task):
            kept = [sentence for sentence in re.split(r"(?<=\.)\s", item.question) if (not re.search(denials, sentence)) in kinds]
            found = rows.named(re.sub(r"findings (that|which)|Findings included", "", " ".join(kept)))
            assert [rows.term[part] for part in item.parts] == found
            assert all(part in item.question for part in item.parts)


def test_marked_relations_are_those_of_the_rows(of, rows):
    for task in ("disorder-phenotype", "gene-phenotype"):
        for item in of(task):
            first, second = re.findall(r"\[(.*?)\]", item.question)[:2]
            names = [first] if first in rows.found else [name for name, genes in rows.genes.items() if first in genes]
            passage = item.question.replace(f"[{first}]", "").replace(f"[{second}]", "")
            said = next(sentence for sentence in re.split(r"(?<=\.)\s", passage) if re.search(rf"\b{first}\b", sentence))
            expected = "no relation" if second not in said else "finding excluded" if f"but not {second}" in said else "has finding"
            assert item.answer == expected
            recorded = {"has finding": rows.found, "finding excluded": rows.excluded}.get(expected)
            assert recorded is None or any(rows.term[second] in recorded[name] for name in names)


def test_organ_systems_are_the_branches_of_the_ontology(of, rows):
    for item in of("system-of-finding"):
        assert {rows.system(term) for term in rows.named(item.question.split("\n")[0])} == {item.answer}
    for item in of("systems-of-patient"):
        affected = {rows.system(term) for term in rows.named(item.question)}
        assert set(item.parts) == affected & set(item.choices)
    for item in of("case-system"):
        counts = Counter(rows.system(term) for term in rows.named(item.question))
        assert counts.most_common(1)[0][0] == item.answer


def test_a_summary_says_what_the_rows_say(of, rows):
    for item in of("disorder-summary"):
        (name,) = rows.disorder(item.answer)
        share = {rows.name[term].lower(): Fraction(count) for term, count in rows.counts[name] if "/" in count}
        told = re.findall(r"(?:are |, | and )([a-z ]+?) \((\d+)%\)", item.answer)
        assert len(told) == 3
        assert [round(100 * share[words]) for words, _ in told] == [int(percent) for _, percent in told]
        assert [int(percent) for _, percent in told] == sorted((int(percent) for percent in re.findall(r"(\d+)%", item.question)), reverse=True)[:3]
        assert next(MODES[term] for term in rows.modes[name]) in item.answer
        for absent in re.findall(r"([A-Z][a-z ]+) was not found", item.answer):
            assert rows.term[absent.lower()] in rows.excluded[name]


def test_inference_holds_in_every_world_that_the_premise_allows(of, rows):
    """A world is any set of terms closed upwards; leaves decide it, so all of them around the terms of an item are tried."""
    for item in (*of("patient-inference"), *of("disorder-inference")):
        premise, hypothesis = split_texts(item.question)
        present, absent, (term, says) = *statements(premise, rows), claim(hypothesis, rows)
        near = sorted(
            {each for each in rows.above for known in (*present, *absent, term) if each.startswith("HP:1") and {each, known} & rows.ancestors(each) >= {known}}
        )
        found = set()
        for chosen in itertools.chain.from_iterable(itertools.combinations([*near, *present], size) for size in range(len(present) + 3)):
            world = set(itertools.chain.from_iterable(rows.ancestors(each) for each in chosen))
            if set(present) <= world and not world & set(absent):
                found.add((term in world) == says)
        assert {frozenset({True}): "entailment", frozenset({False}): "contradiction"}.get(frozenset(found), "neutral") == item.answer


def split_texts(question):
    lines = [
        re.sub(r"^(Premise|Hypothesis|Note|Statement|Given|Claimed|First|Second|Does it follow that|Judge this sentence by the text above): ", "", line)
        for line in question.split("\n")
    ]
    texts = [line for line in lines if re.search(r"(patient has|patient does not have|is absent|is present|Patients with|of them had|of these patients)", line)]
    assert len(texts) == 2, question
    return texts


def statements(premise, rows):
    sentences = re.split(r"(?<=\.)\s", premise)
    denied = [sentence for sentence in sentences if re.search(r"is absent|None of them", sentence)]
    return [term for sentence in sentences if sentence not in denied for term in rows.named(sentence)], [
        term for sentence in denied for term in rows.named(sentence)
    ]


def claim(hypothesis, rows):
    (term,) = rows.named(hypothesis)
    return term, not re.search(r"does not have|is absent|None of these", hypothesis)


def children(mother, father):
    """Every child of two parents, each a string of two alleles."""
    return ["".join(sorted(pair)) for pair in itertools.product(mother, father)]


def test_risks_are_those_of_mendel_counted_over_all_children(of):
    """Written as genotypes: 'a' is changed, 'A' is not, 'Y' is the other sex chromosome."""
    recessive = {
        "Both parents are healthy carriers": ("Aa", "Aa"),
        "other is a carrier": ("aa", "Aa"),
        "other is not a carrier": ("aa", "AA"),
        "Both parents are affected": ("aa", "aa"),
    }
    counted = {
        "of their children will be affected": lambda found: Fraction(found.count("aa"), len(found)),
        "of their children will be healthy carriers": lambda found: Fraction(found.count("Aa"), len(found)),
        "of their children will be carriers": lambda found: Fraction(found.count("Aa"), len(found)),
        "of their healthy children are carriers": lambda found: Fraction(found.count("Aa"), len(found) - found.count("aa")),
        "of their children will not be affected": lambda found: 1 - Fraction(found.count("aa"), len(found)),
    }
    said = {"none": Fraction(0), "1 in 4": Fraction(1, 4), "1 in 2": Fraction(1, 2), "2 in 3": Fraction(2, 3), "3 in 4": Fraction(3, 4), "all": Fraction(1)}
    checked = 0
    for item in of("recurrence-risk"):
        family = next((parents for words, parents in recessive.items() if words in item.question and "autosomal recessive" in item.question), None)
        share = next((count for words, count in counted.items() if words in item.question), None)
        if family and share:
            checked += 1
            assert share(children(*family)) == said[item.answer]
    assert checked >= 10


@pytest.mark.parametrize(
    ("mode", "mother", "father", "sex", "affected", "person", "family"),
    [
        ("X-linked recessive", "Xx", "XY", "Y", "x", "of their sons will be affected", "The mother is a carrier"),
        ("X-linked recessive", "XX", "xY", "Y", "x", "of their sons will be affected", "The father is affected"),
        ("X-linked dominant", "XX", "xY", "Y", "x", "of their sons will be affected", "The father is affected"),
        ("X-linked dominant", "XX", "xY", "", "x", "of their daughters will be affected", "The father is affected"),
        ("X-linked recessive", "Xx", "XY", "", "x", "of their daughters will be carriers", "The mother is a carrier"),
        ("X-linked recessive", "XX", "xY", "", "x", "of their daughters will be carriers", "The father is affected"),
    ],
)
def test_x_linked_risks_are_those_of_the_chromosomes(mode, mother, father, sex, affected, person, family):
    from bridge.instructions.counselling import SITUATIONS

    found = [child for child in itertools.product(mother, father) if ("Y" in child) == bool(sex)]
    share = Fraction(sum(affected in child for child in found), len(found))
    situation = next(each for each in SITUATIONS[mode] if each.person == person and each.family.startswith(family))
    assert {"none": 0, "1 in 2": Fraction(1, 2), "all": 1}[situation.risk] == share


def test_the_profile_of_a_case_is_the_one_that_shares_its_findings(of, rows):
    for item in of("case-profile"):
        text, _, options = item.question.partition("\n")
        shared = {}
        for letter, profile in re.findall(r"(\([A-C]\)) (.*?)(?= \([A-C]\) |\n)", options):
            listed = rows.named(profile.partition(":")[2])
            shared[letter] = sum(any(term in rows.ancestors(other) for other in listed) for term in rows.named(text))
        assert max(shared, key=shared.get) == item.answer
        assert sorted(shared.values())[-2] < shared[item.answer]
