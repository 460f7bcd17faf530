"""The page in a real browser: it loads nothing, its figures are seen, every claim opens its evidence by pointer, key and tap."""

import pytest
from browser import PHONE, overflow, watch
from full_report import PAYLOADS, REPORT, block_atlas, with_text

from bridge.report.cohort.cohort_index import Row, index_page
from bridge.report.render import to_html

CLAIMS = ".claim > button"
LONG = "N" * 300


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(REPORT, block_atlas()), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def phone(browser):
    context = browser.new_context(viewport=PHONE, has_touch=True, is_mobile=True)
    yield context.new_page()
    context.close()


def rings(page):
    """Names of the regions that are highlighted on a figure."""
    return set(
        page.eval_on_selector_all(
            ".ring",
            """rings => rings.filter(ring => getComputedStyle(ring).visibility === "visible").map(ring =>
            ring.closest("svg").querySelector(`.region[data-region="${ring.dataset.region}"] title`).textContent.split(":")[0])""",
        )
    )


def test_the_page_loads_nothing_says_no_error_and_shows_its_figures(page, file):
    watched = watch(page)
    page.goto(file)
    assert watched.requests == [file]
    assert watched.errors == []
    boxes = page.eval_on_selector_all("figure svg[role=img]", "all => all.map(one => one.getBoundingClientRect()).map(box => [box.width, box.height])")
    assert len(boxes) == 16  # ten slices, four views of the glass brain, the colour bar, the shared space
    assert all(width > 90 and height > 20 for width, height in boxes)
    shapes = page.eval_on_selector_all("use.region", "all => all.map(one => one.getBoundingClientRect().width)")
    assert min(shapes) > 2


def test_each_claim_opens_its_evidence_on_click_and_highlights_its_region(page, file):
    page.goto(file)
    for number, claim in enumerate(page.locator(".claim").all(), start=1):
        evidence, named = page.locator(f"#evidence-{number}"), claim.locator(".item b").all_text_contents()
        claim.locator("button").click()
        page.mouse.move(2, 2)
        assert evidence.is_visible()
        assert claim.locator("button").get_attribute("aria-expanded") == "true"
        assert rings(page) == {name for name in named if name != "organ systems"}
        page.keyboard.press("Escape")
        assert not evidence.is_visible()
        assert rings(page) == set() or page.evaluate("document.activeElement.matches('.claim > button')")


def test_each_claim_opens_by_keyboard_alone(page, file):
    page.goto(file)
    for number in range(1, page.locator(CLAIMS).count() + 1):
        while not page.evaluate(f"document.activeElement.getAttribute('aria-controls') === 'evidence-{number}'"):
            page.keyboard.press("Tab")
        assert page.locator(f"#evidence-{number}").is_visible()  # focus is enough
        page.keyboard.press("Enter")
        assert page.locator(f"#claim-{number}").get_attribute("class").split()[-1] == "open"


def test_pointing_at_a_claim_is_enough_even_without_scripts(browser, file):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(file)
    first = page.locator("#findings-2 .claim").first
    first.locator("button").hover()
    assert first.locator(".evidence").is_visible()
    first.locator("button").focus()
    page.mouse.move(2, 2)
    assert first.locator(".evidence").is_visible()
    context.close()


def test_pointing_at_a_row_or_a_shape_highlights_the_region_everywhere(page, file):
    page.goto(file)
    page.locator("#findings-2 tbody tr", has_text="right cuneus").first.hover()
    assert rings(page) == {"right cuneus"}
    row = page.locator("#findings-2 tbody tr", has_text="left cuneus").first
    before = row.evaluate("row => getComputedStyle(row).backgroundColor")
    page.locator("#findings-2 .claim button").first.hover()
    assert row.evaluate("row => getComputedStyle(row).backgroundColor") != before


def test_a_tap_opens_and_a_second_tap_closes(phone, file):
    phone.goto(file)
    for number, button in enumerate(phone.locator(CLAIMS).all(), start=1):
        evidence = phone.locator(f"#evidence-{number}")
        assert not evidence.is_visible()
        button.tap()
        assert evidence.is_visible()
        button.tap()
        assert not evidence.is_visible()


def test_nothing_scrolls_sideways_on_desktop_or_phone_with_all_open_and_long_names(page, phone, tmp_path):
    long = with_text(REPORT, lambda text: text + LONG)
    (tmp_path / "long.html").write_text(to_html(long, block_atlas()), encoding="utf-8")
    for shown in (page, phone):
        shown.goto((tmp_path / "long.html").as_uri())
        shown.eval_on_selector_all(CLAIMS, "all => all.forEach(one => one.click())")
        shown.eval_on_selector_all("details", "all => all.forEach(one => { one.open = true; })")
        assert overflow(shown) <= 0


def test_text_that_tries_to_act_does_nothing_in_a_browser(page, tmp_path):
    turns = iter(PAYLOADS * 5)
    (tmp_path / "live.html").write_text(to_html(with_text(REPORT, lambda text: next(turns) + text), block_atlas()), encoding="utf-8")
    page.on("dialog", lambda dialog: pytest.fail(f"a dialog opened: {dialog.message}"))
    watched = watch(page)
    page.goto((tmp_path / "live.html").as_uri())
    for button in page.locator(CLAIMS).all():
        button.hover()
    assert len(watched.requests) == 1
    assert watched.errors == []
    assert page.locator("img, iframe, script:not(:last-of-type), a:not([href^='#']), object, embed").count() == 0


def test_printed_every_evidence_is_on_paper(page, file):
    page.goto(file)
    page.emulate_media(media="print")
    assert all(evidence.is_visible() for evidence in page.locator(".evidence").all())


def test_the_index_sorts_by_keyboard_and_keeps_its_first_column_on_a_phone(phone, tmp_path):
    names = ("TWO", "ONE10", "ONE9", "N" * 60)
    rows = [Row(name, f"reports/{name}.html", "brain, gene", "", *range(6)) for name in names]
    (tmp_path / "index.html").write_text(index_page(rows, {}, "Reports"), encoding="utf-8")
    phone.goto((tmp_path / "index.html").as_uri())
    first, samples = phone.locator("thead button").first, phone.locator("tbody th")
    assert "\u2195" in first.evaluate("each => getComputedStyle(each, '::after').content")
    assert samples.all_inner_texts() == list(names)
    for order, direction in ((["N" * 60, "ONE9", "ONE10", "TWO"], "ascending"), (["TWO", "ONE10", "ONE9", "N" * 60], "descending")):
        first.press("Enter")
        assert phone.locator("thead th").first.get_attribute("aria-sort") == direction
        assert samples.all_inner_texts() == order
    phone.locator(".wide").evaluate("each => { each.scrollLeft = 300; }")
    assert phone.locator("tbody th").last.bounding_box()["x"] >= 0
    assert overflow(phone) == 0
