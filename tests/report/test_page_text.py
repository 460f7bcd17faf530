"""Text from a model or a file never acts: whatever it is, the page has the same elements as with harmless text."""

import dataclasses
import html
from html.parser import HTMLParser

import pytest
from full_report import NAMES, OTHERS, PAYLOADS, REPORT, block_atlas, with_text

from bridge.report.page.plain import plain
from bridge.report.render import to_html

#: Attributes that say something in words.
WORDS = {"aria-label"}


class Elements(HTMLParser):
    """Every node of a page but its text: elements with their attributes, comments, declarations."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.nodes, self.text = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.nodes.append((tag, [(name, "" if name in WORDS else value) for name, value in attrs]))

    def handle_endtag(self, tag):
        self.nodes.append((f"/{tag}", []))

    def handle_comment(self, data):
        self.nodes.append(("comment", data))

    def handle_decl(self, decl):
        self.nodes.append(("declaration", decl))

    def unknown_decl(self, data):
        self.nodes.append(("unknown", data))

    def handle_pi(self, data):
        self.nodes.append(("instruction", data))

    def handle_data(self, data):
        self.text.append(data)


def around(payload):
    return with_text(REPORT, lambda text: f"{payload}{text}{payload}")


@pytest.fixture(scope="module")
def harmless():
    return Elements(to_html(around("harmless"))).nodes


def test_there_are_a_hundred_payloads_and_more():
    assert len(set(PAYLOADS)) >= 100


def test_no_payload_in_any_text_field_is_live_on_the_page(harmless):
    assert [payload for payload in PAYLOADS if Elements(to_html(around(payload))).nodes != harmless] == []


def test_no_payload_in_the_names_of_an_atlas_is_live():
    def drawn(payload):
        atlas = dataclasses.replace(block_atlas(), names=tuple(f"{payload}{name}{payload}" for name in (*NAMES, "more")))
        return Elements(to_html(around(payload), atlas))

    expected = drawn("harmless").nodes
    assert [payload for payload in OTHERS[::3] if drawn(payload).nodes != expected] == []
    assert sum(tag == "use" for tag, _ in expected) > 100


@pytest.mark.parametrize("payload", OTHERS)
def test_a_payload_is_read_as_the_text_it_is(payload):
    report = REPORT.model_copy(update={"id": payload, "unknown": (payload,)})
    read = Elements(to_html(report))
    assert plain(payload) in {plain(text) for text in read.text}


def test_without_escaping_the_comparison_would_see_it(harmless):
    page = to_html(around("harmless"))
    assert Elements(page.replace("harmlesss1harmless", "<b>s1</b>", 1)).nodes != harmless


def test_every_text_of_a_report_is_changed_by_the_walk():
    marked = with_text(REPORT, lambda text: "\u2620")
    left = marked.model_dump_json()
    assert not [word for word in ("cuneus", "Seizure", "s1", "OMIM", "torch", "CC BY", "a notice", "organ") if word in left]


def test_hidden_characters_do_not_reach_the_page():
    page = to_html(around("a\u202eb\u2066c\u200bd"))
    assert not {"\u202e", "\u2066", "\u200b"} & set(page)
    assert "abcds1abcd" in html.unescape(page)
