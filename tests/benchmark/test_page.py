"""The page holds all of a run, loads nothing, escapes everything, and is the same for the same run."""

import base64
import datetime
import re
from html.parser import HTMLParser

import pytest

from bridge.benchmark.page import page
from bridge.benchmark.results import Record
from bridge.evaluate.canvas import new_figure, save

DATE = datetime.date(2026, 1, 2)
VOID = {"meta", "img", "br", "link", "input"}


class Parsed(HTMLParser):
    """Elements, attributes and text of a page; an element that is closed out of order is an error."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.cells, self.text = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style" and data.strip():
            self.text.append(data.strip())
            self.cells += [(self.open[-1], data.strip())] if self.open[-1] in ("td", "th", "caption") else []

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def of(self, tag):
        return [text for name, text in self.cells if name == tag]


@pytest.fixture
def record(tmp_path):
    record = Record("made-up", tmp_path, seed=7)
    record.command = "bridge evaluate made-up --limit 20"
    return record


def draw(path):
    figure = new_figure(2, 1)
    figure.add_subplot().plot([0, 1])
    return save(figure, path)


def shown(record, **options):
    return Parsed(page(record, date=DATE, **options))


def full(record):
    """A record with words, tables, two figures and rows of two directions."""
    record.words("Verdict", "a->b: bridge justified on this data: yes.")
    record.words("Data", "Source: https://example.org/data, licence CC0.")
    record.words("First", "One paragraph.\n\nAnother paragraph.")
    record.table("Second", ("step", "difference"), [("cca over ridge", "+0.038")])
    draw(record.figure("First", "one"))
    draw(record.figure("Third", "two"))
    for direction in ("a->b", "b->a"):
        record.row("r10", "bridge", 0.38412, n=1234, direction=direction, candidates=1000, low=0.351, high=0.417, p=0.0005)
        record.row("r10", "cca", 0.37, n=1234, direction=direction, candidates=1000, low=0.34, high=0.4)
        record.row("mrr", "bridge", 0.211, n=1234, direction=direction, candidates=1000)
        record.row("r10", "chance", 0.01, n=1234, direction=direction, candidates=1000)
    return record


def test_nothing_outside_the_page_is_loaded(record):
    text = page(full(record), date=DATE)
    parsed = Parsed(text)
    addresses = [value for _, attributes in parsed.elements for name, value in attributes.items() if name in ("src", "href", "srcset", "data", "poster")]
    assert addresses
    assert all(value.startswith(("#", "data:")) for value in addresses)
    assert {"script", "link", "iframe", "object", "base", "form"}.isdisjoint(tag for tag, _ in parsed.elements)
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style


def test_a_browser_is_told_to_load_nothing_either(record):
    (policy,) = [attributes["content"] for attributes in shown(record).all("meta") if "http-equiv" in attributes]
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_every_link_of_the_contents_leads_to_a_place_on_the_page(record):
    parsed = shown(full(record))
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    targets = [attributes["href"].removeprefix("#") for attributes in parsed.all("a")]
    assert len(ids) == len(set(ids))
    assert set(targets) == set(ids)


def test_every_figure_is_inlined_whole_with_words_for_who_cannot_see_it(record):
    parsed = shown(full(record))
    files = [part.figure.read_bytes() for part in record.parts if part.figure]
    assert [base64.b64decode(image["src"].removeprefix("data:image/png;base64,")) for image in parsed.all("img")] == files
    assert [image["alt"].split(".")[0] for image in parsed.all("img")] == ["First (one)", "Third (two)"]


def test_a_figure_that_was_not_drawn_is_named(record):
    record.figure("First", "forgotten")
    parsed = shown(record)
    assert parsed.all("img") == []
    assert "Figure not drawn: forgotten.png" in parsed.text


def test_every_row_is_in_the_table_of_its_metric_with_interval_p_and_counts(record):
    parsed = shown(full(record))
    assert parsed.of("caption") == ["R@10", "MRR"] * 2
    rows = [parsed.of("td")[start : start + 5] for start in range(2, len(parsed.of("td")), 5)]  # the first two are the table of steps
    first = [
        ["0.010", "–", "–", "1,234", "1,000"],
        ["0.370", "0.340 to 0.400", "–", "1,234", "1,000"],
        ["0.384", "0.351 to 0.417", "5.0e-04", "1,234", "1,000"],
    ]
    assert rows == [*first, ["0.211", "–", "–", "1,234", "1,000"]] * 2


def test_chance_is_first_and_ours_are_last_and_highlighted(record):
    for method in ("bridge ensemble", "bridge", "spin test", "cca", "chance"):
        record.row("r10", method, 0.5, n=9)
    text = page(record, date=DATE)
    lines = re.findall(r"<tr( class=\"ours\")?><th scope=\"row\">([^<]+)", text)
    assert lines == [("", "chance"), ("", "cca"), ("", "spin test"), (' class="ours"', "bridge"), (' class="ours"', "bridge ensemble")]


def test_splits_of_one_direction_are_not_mixed(record):
    record.row("r10", "bridge", 0.111, n=9, direction="a->b")
    record.row("r10", "bridge", 0.222, n=5, direction="a->b", split="transfer")
    parsed = shown(record)
    assert [attributes["id"] for attributes in parsed.all("h3")] == ["rows-1", "rows-2"]
    assert "a → b (transfer)" in parsed.text
    assert parsed.of("caption") == ["R@10", "R@10"]


def test_what_is_undefined_is_written_out(record):
    record.row("r10", "bridge", None, n=1, direction="a->b", candidates=1)
    assert shown(record).of("td") == ["undefined", "–", "–", "1", "1"]


def test_text_of_every_kind_is_escaped(record):
    attack = "<script>alert('x')</script>\"&"
    record.task, record.command = attack, attack
    record.words(attack, attack)
    record.words("Verdict", attack)
    record.words("Data", attack)
    record.table(attack, (attack,), [(attack,)])
    record.row(attack, attack, 0.5, n=3, direction=attack, split=attack)
    draw(record.figure(attack, "drawn"))
    record.figure("First", "<script>")
    text = page(record, title=attack, date=DATE)
    assert "<script" not in text
    parsed = Parsed(text)
    assert "script" not in [tag for tag, _ in parsed.elements]
    assert set(parsed.all("img")[0]) == {"src", "alt"}
    assert sum(attack in piece for piece in parsed.text) >= 12
    assert "Figure not drawn: <script>.png" in parsed.text


def test_the_head_says_what_was_run_with_what_and_how_to_run_it_again(record):
    text = " | ".join(shown(full(record), title="Articles and brain maps").text)
    for expected in (
        "Articles and brain maps",
        "made-up",
        "2026-01-02",
        "Seed | 7",
        "bridge evaluate made-up --limit 20",
        "licence CC0",
        "torch",
        "transformers",
        "Python 3",
    ):
        assert expected in text


def test_a_record_without_a_command_does_not_say_how_to_run_it(record):
    record.command = ""
    assert "Run again" not in shown(record).text


def test_the_verdict_stands_in_a_box_before_everything_else(record):
    text = page(full(record), date=DATE)
    box = re.search(r'<div class="verdict".*?</div>', text, re.DOTALL)
    assert "bridge justified on this data: yes." in box.group()
    assert box.end() < text.index("<nav")
    assert text.count("bridge justified on this data") == 1


def test_a_run_without_a_verdict_has_no_box(record):
    assert not [attributes for attributes in shown(record).all("div") if attributes.get("class") == "verdict"]


def test_parts_under_one_heading_stand_together_in_the_order_they_were_given(record):
    text = page(full(record), date=DATE)
    assert re.findall(r"<section id=\"section-\d+\">\n<h2>(.*)</h2>", text) == ["First", "Second", "Third"]
    first = text[text.index('id="section-1"') : text.index('id="section-2"')]
    assert first.index("<p>One paragraph.</p>") < first.index("<p>Another paragraph.</p>") < first.index("<img")
    assert "cca over ridge" in text[text.index('id="section-2"') : text.index('id="section-3"')]


def test_the_same_run_gives_the_same_page_and_only_the_date_differs(record):
    full(record)
    first, again, later = page(record, date=DATE), page(record, date=DATE), page(record, date=datetime.date(2026, 1, 3))
    assert first == again
    assert later.replace("2026-01-03", "2026-01-02") == first
    assert datetime.date.today().isoformat() in page(record)


def test_the_page_is_readable_in_print_and_in_the_dark(record):
    text = page(record, date=DATE)
    assert "@media print" in text
    assert "@media screen and (prefers-color-scheme: dark)" in text
