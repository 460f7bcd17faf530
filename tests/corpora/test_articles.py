"""Articles of PubMed Central and PubMed from their XML, read safely and with little memory."""

import gzip
import tracemalloc

import pytest
from corpus_files import JATS_HEAD, archive, gzipped, jats, pubmed, pubmed_article

from bridge.corpora.formats import read_corpus

BOMB = '<?xml version="1.0"?>\n<!DOCTYPE article [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>\n'
OUTSIDE = '<?xml version="1.0"?>\n<!DOCTYPE article [<!ENTITY file SYSTEM "file:///etc/hostname">]>\n'


def read(path, text=None, format="jats"):
    if text is not None:
        path.write_text(text, encoding="utf-8")
    return list(read_corpus(format, path))


def test_an_article_is_its_title_abstract_and_body_without_references_tables_and_pictures(tmp_path):
    (found,) = read(tmp_path / "one.nxml", jats())
    assert found.id == "PMC7000001"
    assert found.text.split("\n\n") == [
        "Seizures in SCN1A",
        "Background",
        "The abstract itself.",
        "Introduction",
        "Seizures begin early in life and are common (see Figure 1).",
        "Results",
        "We counted 10^6 cells.",
        "First finding.",
        "Second finding.",
    ]
    assert found.source == "one.nxml"


@pytest.mark.parametrize(
    ("licence", "name"),
    [
        ('<license xlink:href="https://creativecommons.org/licenses/by-nc/4.0/"><license-p>Text.</license-p></license>', "CC BY-NC 4.0"),
        ("<license><ali:license_ref>http://creativecommons.org/licenses/by/3.0/</ali:license_ref></license>", "CC BY 3.0"),
        ('<license><license-p>See <ext-link xlink:href="http://creativecommons.org/publicdomain/zero/1.0/">CC0</ext-link>.</license-p></license>', "CC0 1.0"),
        ("<license><license-p>For reading only.</license-p></license>", "For reading only."),
        ('<license xlink:href="https://example.org/terms"/>', "https://example.org/terms"),
        ('<license license-type="closed"/>', "closed"),
        ("", ""),
    ],
)
def test_the_licence_is_what_the_article_says(tmp_path, licence, name):
    assert read(tmp_path / "one.xml", jats(licence=licence))[0].licence == name


@pytest.mark.parametrize(
    "retracted",
    [{"kind": "retraction"}, {"title": "RETRACTED: Seizures"}, {"extra": '<related-article related-article-type="retraction-forward" id="d1"/>'}],
)
def test_what_was_retracted_has_no_text(tmp_path, retracted):
    assert [record.text for record in read(tmp_path / "one.xml", jats(**retracted))] == [""]


def test_a_folder_and_an_archive_are_read_article_by_article(tmp_path):
    (tmp_path / "a.xml").write_text(jats("PMC1"))
    archive(tmp_path / "b.tar.gz", {"PMC2/PMC2.nxml": jats("PMC2"), "PMC2/figure.jpg": "no text", "PMC3.xml": jats("PMC3")})
    assert [(record.id, record.source) for record in read(tmp_path)] == [("PMC1", tmp_path.name), ("PMC2", "b.tar.gz"), ("PMC3", "b.tar.gz")]


def test_a_set_of_articles_in_a_namespace_is_read(tmp_path):
    article = jats(head="").replace("&nbsp;", " ").replace("<article ", '<article xmlns="https://jats.nlm.nih.gov/ns/archiving/1.3/" ', 1)
    found = read(tmp_path / "set.xml", f"<records>{article}{article}</records>")
    assert [record.id for record in found] == ["PMC7000001"] * 2
    assert found[0].text.startswith("Seizures in SCN1A")
    assert found[0].licence == "CC BY-NC 4.0"


@pytest.mark.parametrize("head", [BOMB, OUTSIDE])
def test_a_file_that_declares_entities_is_refused(tmp_path, head):
    with pytest.raises(ValueError, match=r"bad.xml, DOCTYPE: found a declaration of the entity"):
        read(tmp_path / "bad.xml", jats(head=head).replace("The abstract", "&a;&b; &file; abstract"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (jats()[:900], "cannot be read to its end"),
        (jats().replace("&nbsp;", "&unheard;"), "undefined entity"),
        ("<html><body/></html>", "element article: found none below <html>"),
        ("", "cannot be read to its end"),
    ],
)
def test_damaged_xml_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path / "bad.xml", text)
    assert "bad.xml" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("lost", [10, 400])
def test_an_archive_that_was_cut_off_is_noticed(tmp_path, lost):
    path = archive(tmp_path / "cut.tar.gz", {"PMC2.nxml": jats("PMC2")})
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(ValueError, match=r"cut.tar.gz"):
        read(path)


def test_pubmed_gives_title_sections_and_the_notice_of_rights(tmp_path):
    sections = (
        '<AbstractText Label="METHODS" NlmCategory="METHODS">We used CO<sub>2</sub>.</AbstractText><AbstractText Label="RESULTS">It worked.</AbstractText>'
    )
    text = pubmed([pubmed_article(11, "Of <i>mice</i>.", sections=sections, rights="© A Publisher"), pubmed_article(12, kind="Retracted Publication")])
    first, second = read(gzipped(tmp_path / "pubmed24n0001.xml.gz", text), format="pubmed")
    assert first == ("PMID:11", "Of mice.\n\nMethods: We used CO2.\n\nResults: It worked.", "pubmed24n0001.xml.gz", "© A Publisher")
    assert (second.id, second.text) == ("PMID:12", "")


def test_a_baseline_file_is_read_to_its_end_and_two_joined_streams_are_one(tmp_path):
    head, _, tail = pubmed([pubmed_article(number) for number in range(400)]).partition('<PMID Version="1">200</PMID>')
    path = tmp_path / "joined.xml.gz"
    path.write_bytes(gzip.compress(head.encode()) + gzip.compress(f'<PMID Version="1">200</PMID>{tail}'.encode()))
    assert [record.id for record in read(path, format="pubmed")] == [f"PMID:{number}" for number in range(400)]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"joined.xml.gz: cannot be read to its end"):
        read(path, format="pubmed")


def test_memory_does_not_grow_with_the_number_of_articles(tmp_path):
    def peak(count):
        path = gzipped(
            tmp_path / f"{count}.xml.gz", pubmed([pubmed_article(number, sections=f"<AbstractText>{'word ' * 200}</AbstractText>") for number in range(count)])
        )
        tracemalloc.start()
        try:
            assert sum(1 for _ in read_corpus("pubmed", path)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small, large = peak(100), peak(1000)
    assert large < 1.5 * small  # 1,000 such articles kept would be ten times as much


def test_a_citation_without_a_number_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"bad.xml, element PMID"):
        read(tmp_path / "bad.xml", pubmed([pubmed_article("")]), format="pubmed")


def test_the_doctype_of_an_article_is_never_followed(tmp_path):
    assert "JATS-archivearticle1-3.dtd" in JATS_HEAD
    (tmp_path / "JATS-archivearticle1-3.dtd").write_text('<!ENTITY nbsp "loaded">')
    assert "loaded" not in read(tmp_path / "one.xml", jats())[0].text
