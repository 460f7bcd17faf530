"""The page in a real browser: the whole way by mouse and by keyboard, on a desk and on a phone, and with everything hostile."""

import json
import re

import pytest
from browser import PHONE, overflow, watch
from hostile_texts import SCRIPTS
from running_server import base, running, wait_for
from stub_engine import StubEngine

# The page's policy forbids evaluating text as code, so these tests wait for elements alone.


def opened(page, server):
    """The page as the printed address opens it, with what it does from then on."""
    watched = watch(page)
    page.goto(server.link)
    page.wait_for_url(f"{base(server)}/")
    page.wait_for_selector("#suggested button, #file-brain", state="attached")
    return watched


def reported(page, example="HTT"):
    """The report of an example is on the page."""
    page.get_by_label("Held-out sample").fill(example)
    page.get_by_role("button", name="Write the report").click()
    page.wait_for_selector("#report:not([hidden])")
    page.frame_locator("#page").get_by_role("heading", level=1).wait_for()


def asked(page, question="Is it reduced?"):
    """A question is answered on the page."""
    page.get_by_label("Question", exact=True).fill(question)
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_selector(".told li")


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_the_whole_way_with_nothing_from_outside_and_no_error(page, server, tmp_path, width):
    if width == "phone":
        page.set_viewport_size(PHONE)
    watched = opened(page, server)
    assert overflow(page) == 0
    assert "token" not in page.url
    reported(page)
    asked(page)
    assert page.locator("#title").inner_text() == "HTT"
    assert "The left hippocampus is reduced. supported" in page.locator(".told").inner_text().replace("\u00a0", " ")
    assert "z −2.4, rank 83 of 83" in page.locator(".told").inner_text()
    assert overflow(page) == 0
    for name, ending, begins in (("HTML", "html", "<!DOCTYPE html>"), ("Markdown", "md", "# Report on HTT"), ("JSON", "json", "{")):
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        download.value.save_as(tmp_path / download.value.suggested_filename)
        assert (tmp_path / f"report.{ending}").read_text(encoding="utf-8").startswith(begins)
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["id"] == "HTT"
    assert watched.errors == []
    assert {request for request in watched.requests if not request.startswith((base(server), "data:"))} == set()


#: What has the focus, and how that is shown.
FOCUSED = """() => {
  const each = document.activeElement;
  if (each === document.body) return ["the page itself", "between its last and its first control"];
  const label = each.labels?.[0]?.innerText || each.innerText || each.getAttribute("aria-label") || each.tagName;
  return [label, getComputedStyle(each.matches(".choices input") ? each.nextElementSibling : each).outlineStyle];
}"""


def test_the_whole_way_by_keyboard_alone(page, server):
    watched = opened(page, server)
    seen = []

    def reach(name):
        for _ in range(80):
            page.keyboard.press("Tab")
            label, outline = page.evaluate(FOCUSED)
            seen.append(label)
            assert outline != "none" or label == "IFRAME", label  # inside the report its own page shows the focus
            if label.startswith(name):
                return
        raise AssertionError(f"{name} was not reached, {seen}")

    reach("Skip")
    reach("Held-out sample")
    page.keyboard.type("APOE")
    reach("Write the report")
    page.keyboard.press("Enter")
    page.wait_for_selector("#report:not([hidden])")
    assert page.locator(":focus").get_attribute("id") == "title"
    reach("Question")
    page.keyboard.type("Is it reduced?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".told li")
    assert page.locator(":focus").get_attribute("id") == "question"
    assert watched.errors == []


def test_a_file_is_uploaded_by_choosing_and_by_dropping_and_is_gone_afterwards(page, server, engine):
    opened(page, server)
    page.get_by_label("Your files").check(force=True)
    file = {"name": "sub-01_T1w.nii.gz", "mimeType": "application/gzip", "buffer": b"image"}
    page.set_input_files("#file-brain", file)
    page.wait_for_selector(".drop.ready")
    handle = page.evaluate_handle("() => { const made = new DataTransfer(); made.items.add(new File(['x'], 'genes.h5ad')); return made; }")
    page.dispatch_event(".drop:not(.ready)", "drop", {"dataTransfer": handle})
    page.wait_for_selector(".drop.ready >> nth=1")
    page.get_by_role("button", name="Write the report").click()
    page.wait_for_selector("#report:not([hidden])")
    (given,) = engine.seen
    assert {modality: file.name for modality, file in given.files.items()} == {"brain": "sub-01_T1w.nii.gz", "gene": "genes.h5ad"}
    assert [path.name for path in server.parts.uploads.folder.iterdir()] == ["lock"]


def test_a_refusal_is_shown_as_one_line_and_the_page_goes_on(page):
    engine = StubEngine(fails=ValueError("brain.nii: found 4-D, expected 3-D"))
    with running(engine) as server:
        opened(page, server)
        page.get_by_label("Held-out sample").fill("HTT")
        page.get_by_role("button", name="Write the report").click()
        page.get_by_role("alert").filter(has_text="found 4-D, expected 3-D").wait_for()
        engine.fails = None
        reported(page)


@pytest.mark.parametrize("leave", ["close", "cancel", "elsewhere"])
def test_a_closed_tab_and_a_cancel_free_the_worker_within_two_seconds(page, leave):
    engine = StubEngine(token_s=0.02, tokens=100_000)
    with running(engine) as server:
        opened(page, server)
        page.get_by_label("Held-out sample").fill("HTT")
        page.get_by_role("button", name="Write the report").click()
        wait_for(lambda: engine.busy)
        if leave == "close":
            page.close()
        elif leave == "cancel":
            page.get_by_role("button", name="Cancel").click()
        else:
            page.goto("about:blank")
        assert wait_for(lambda: not engine.busy and not server.parts.jobs.load["running"]) < 2
        assert server.parts.jobs.load["cancelled"] == 1


#: What markup of a hostile text would be; the templates have one script each, and the page the frame of the report.
LIVE = (
    "script:not([src='/page.js']):not(body > script), iframe:not(#page), object, embed, math, video, base, [onerror], [onload], [onfocus], [ontoggle], "
    "[autofocus], [srcdoc], a[href^='javascript' i], form[action^='javascript' i], meta[http-equiv='refresh' i], img[src='x']"
)


def live(page):
    """Markup, in the page and in the report, that no template of ours has."""
    report = page.frame(url=re.compile("/page$"))
    found = [each for frame in (page.main_frame, report) for each in frame.locator(LIVE).evaluate_all("all => all.map((each) => each.outerHTML.slice(0, 200))")]
    return found + [f"{count} scripts" for count in (page.locator("script").count(), report.locator("script").count()) if count != 1]


def test_nothing_hostile_comes_alive_in_any_field(page):
    engine, dialogs = StubEngine(), []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.add_init_script("window.hit = 0; Object.defineProperty(window, 'hit', {get: () => 0, set: () => console.error('HIT')})")
    for start in range(0, len(SCRIPTS), 34):  # many payloads in one text: each must stay text beside the others
        some = SCRIPTS[start : start + 34]
        engine.says = "\n".join(some)
        hostile = StubEngine(says=engine.says, bundle=some[0], examples=(some[1][:150], *some[2:8]))
        with running(hostile) as server:
            watched = opened(page, server)
            reported(page, some[1][:150])
            asked(page, "\n".join(some)[:900])
            assert live(page) == []
            assert page.title() == "Bridge: reports from genes and brains"
            page.get_by_label("Your files").check(force=True)
            page.set_input_files("#file-brain", {"name": f"{some[3][:80]}.nii", "mimeType": "x", "buffer": b"x"})
            page.wait_for_selector(".drop.ready")
            page.get_by_role("button", name="Write the report").click()
            page.wait_for_selector("#reports li:nth-child(2) button[aria-current='true']")
            page.frame_locator("#page").get_by_role("heading", level=1).wait_for()
            assert live(page) == []
            assert watched.errors == []
    assert dialogs == []


def test_the_report_has_an_origin_of_its_own(page, server):
    opened(page, server)
    reported(page)
    frame = page.frame(url=re.compile("/page$"))
    assert frame.evaluate("() => window.origin") == "null"
    assert frame.evaluate("() => { try { return document.cookie; } catch { return 'none'; } }") in ("", "none")
    assert page.evaluate("() => document.cookie") == ""


def test_a_file_whose_report_failed_stays_chosen_and_is_sent_again_with_what_was_missing(page, engine):
    engine.fails = ValueError("genes.h5ad: name one under the file, for example X")
    with running(engine) as server:
        watched = opened(page, server)
        page.get_by_label("Your files").check(force=True)
        page.set_input_files("#file-gene", {"name": "genes.h5ad", "mimeType": "x", "buffer": b"genes"})
        page.wait_for_selector(".drop.ready")
        page.get_by_role("button", name="Write the report").click()
        page.get_by_role("alert").filter(has_text="name one under the file").wait_for()
        assert [path.name for path in server.parts.uploads.folder.iterdir()] == ["lock"]
        engine.fails = None
        page.get_by_label("Table, where").first.fill("X")
        page.get_by_role("button", name="Write the report").click()
        page.wait_for_selector("#report:not([hidden])")
        assert [given.files["gene"].key for given in engine.seen] == ["", "X"]
        assert page.locator(".drop.ready").count() == 0
        assert watched.errors == []


def test_what_another_tab_deleted_and_a_server_that_has_gone_are_told(page, engine):
    with running(engine) as server:
        opened(page, server)
        reported(page)
        asked(page)
        other = page.context.new_page()
        other.goto(base(server))
        other.wait_for_selector("#reports li")
        other.get_by_role("button", name="Delete everything").click()
        other.wait_for_selector("#made", state="hidden")
        page.locator("#reports button").click()
        page.get_by_role("alert").filter(has_text="no longer there").wait_for()
    page.get_by_role("button", name="Write the report").click()
    page.get_by_role("alert").filter(has_text="does not answer").wait_for()


def test_answers_stay_with_their_report_and_no_report_is_a_step_that_the_browser_goes_back_to(page, server):
    opened(page, server)
    steps = page.evaluate("() => history.length")
    reported(page)
    asked(page)
    reported(page, "APOE")
    page.wait_for_selector("#reports li >> nth=1")
    assert page.locator(".told").count() == 0
    page.locator("#reports button").first.click()
    page.wait_for_selector(".told li")
    assert page.locator("#title").inner_text() == "HTT"
    assert page.evaluate("() => history.length") == steps
