"""The index of a cohort in a real browser: 300 rows, sorted by every column by mouse and keyboard, at two widths, whatever samples are called."""

import numpy as np
import pytest
from browser import DESKTOP, PHONE, overflow, watch

from bridge.report.cohort.cohort_index import COLUMNS, Row, index_page
from bridge.report.cohort.report_files import file_name

HOSTILE = (
    "<script>document.title='hit'</script>",
    "<img src=x onerror=document.title='hit'>",
    "../../etc/passwd",
    "a b#c?d%2e",
    "",
    "x" * 400,
    "\u202egpj",
    "10",
    "9",
)


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """A page of 300 rows, and failures of the hostile names."""
    random = np.random.default_rng(0)
    names = [*HOSTILE, *(f"sample-{number}" for number in range(300 - len(HOSTILE)))]
    rows = [Row(name, f"reports/{file_name(name)}.html", "brain, gene", "note", *map(int, random.integers(0, 30, size=6))) for name in names]
    path = tmp_path_factory.mktemp("cohort") / "index.html"
    path.write_text(index_page(rows, {name: f"because {name}" for name in HOSTILE}, f"Reports on <b>{'x' * 80}.h5ad"), encoding="utf-8")
    return path


def column(page, place):
    """What the rows have in a column, from above."""
    return page.evaluate("(place) => [...document.querySelectorAll('#reports tbody tr')].map((row) => row.cells[place].textContent)", place)


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_every_column_is_sorted_by_mouse_and_by_keyboard(page, index, size):
    page.set_viewport_size(size)
    watched = watch(page)
    page.goto(index.as_uri())
    assert overflow(page) == 0
    for place, (name, number) in enumerate(COLUMNS):
        button, head = (page.locator(f"#reports thead {part}").nth(place) for part in ("button", "th"))
        button.click()
        up = column(page, place)
        assert (head.get_attribute("aria-sort"), len(up)) == ("ascending", 300), name
        button.focus()
        page.keyboard.press("Enter")
        down = column(page, place)
        assert head.get_attribute("aria-sort") == "descending"
        assert page.locator("th[aria-sort$='scending']").count() == 1
        assert [sorted(each) for each in (up, down)] == [sorted(up)] * 2
        if number:
            assert [int(text) for text in up] == sorted(map(int, up))
            assert [int(text) for text in down] == sorted(map(int, up), reverse=True)
        page.keyboard.press("Space")
        assert column(page, place) == up
    assert watched.errors == []
    assert watched.requests == [index.as_uri()]


def test_names_are_text_and_lead_to_their_reports_and_the_head_stays_in_sight(page, index):
    page.goto(index.as_uri())
    assert page.title().startswith("Reports on <b>")
    assert page.locator("script, img, iframe, base, [onerror]").count() == 1  # its own script
    astray = "(all) => all.filter((each) => !each.innerText.trim() || !each.getAttribute('href').startsWith('reports/'))"
    assert page.locator("#reports tbody a").evaluate_all(astray) == []
    page.locator(".wide").evaluate("(table) => table.scrollTo(0, 1e6)")
    table, head = (page.locator(name).first.bounding_box() for name in (".wide", "#reports thead th"))
    assert table["y"] <= head["y"] < table["y"] + 2
