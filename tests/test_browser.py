"""Every page in a real browser: light and dark, desktop and phone, with its parts in use."""

import browser
import pytest
from axe_playwright_python.sync_playwright import Axe
from conftest import SITE, toc_files

SIZES = {"desktop": (1280, 900), "phone": (375, 720)}
KB = 1024
# Gzip, first visit. The promise is 250, 350 and 660; the book is lighter, and these keep it so.
TEXT, CHART_FIRST, CHART_LIVE, REQUESTS = 185 * KB, 220 * KB, 540 * KB, 30
REFERENCE = 260 * KB


def open_page(chromium, served, name, *, mode="light", size="desktop", **options):
    width, height = SIZES[size]
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=mode, reduced_motion="reduce", **options)
    page = context.new_page()
    watch = browser.Watch(page, served, SITE)
    page.goto(served + name)
    page.wait_for_load_state("networkidle")
    return page, watch


def use_everything(page):
    """Open what folds, answer a question wrongly, show a definition, bring every chart into view."""
    for figure in page.query_selector_all("figure.chart"):
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.classList.contains('is-live') || figure.dataset.failed", arg=figure, timeout=15_000)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate("document.querySelectorAll('button.toggle-button').forEach(b => b.click())")
    form = page.query_selector("form.quiz")
    if form:
        choice = form.query_selector('input[type=radio]:not([data-ok="1"]), input[type=checkbox]:not([data-ok="1"])') or form.query_selector("input")
        choice.check() if choice.get_attribute("type") in {"radio", "checkbox"} else choice.fill("-1")
        form.query_selector("button[type=submit]").click()
        assert form.query_selector("[role=status], [aria-live]").inner_text().strip()
    term = page.query_selector("a.term-link")
    if term:
        term.focus()
        page.wait_for_selector("#term-definition:not([hidden])", timeout=5_000)
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("name", [f"{name}.html" for name in [*toc_files(), "search"]])
def test_page(chromium, served, name, mode, size):
    page, watch = open_page(chromium, served, name, mode=mode, size=size)
    first = watch.weight
    requests = len(watch.files)
    charts = page.locator("figure.chart").count()
    assert page.evaluate("document.documentElement.dataset.theme") == mode
    use_everything(page)
    assert watch.others == [], "no other host is asked"
    assert watch.errors == [], "no error and no warning in the console"
    assert page.locator(".chart-live svg").count() == charts, "every chart is drawn"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"
    if name != "search.html":
        # Reference pages that list a whole table may weigh more.
        limit = CHART_FIRST if charts else REFERENCE if "/reference/" in name else TEXT
        assert first <= limit, f"{first / KB:.0f} KB at first view"
        assert requests <= REQUESTS, f"{requests} requests"
        assert watch.weight <= CHART_LIVE, f"{watch.weight / KB:.0f} KB in all"
    violations = Axe().run(page).response["violations"]
    assert [(v["id"], [n["html"][:200] for n in v["nodes"]]) for v in violations] == []
    page.context.close()


def chart_pages():
    return [f"{name}.html" for name in toc_files() if (SITE / f"{name}.html").is_file() and '<figure class="chart"' in (SITE / f"{name}.html").read_text("utf-8")]


def test_there_are_pages_with_charts(site):
    assert chart_pages()


DRAWN = "images => images.filter(image => !(image.complete && image.naturalWidth > 50)).length"


def load_pictures(page):
    """Bring each picture into view, so that it is fetched, and wait until all are drawn."""
    for image in page.query_selector_all("figure.chart img.only-light"):
        image.scroll_into_view_if_needed()
        image.evaluate("image => image.decode()")


def test_without_scripts_charts_are_pictures_and_quizzes_have_answers(chromium, served):
    for name in chart_pages():
        page, _ = open_page(chromium, served, name, java_script_enabled=False)
        load_pictures(page)
        pictures = page.locator("figure.chart img.only-light")
        assert pictures.count() == page.locator("figure.chart").count()
        assert pictures.evaluate_all(DRAWN) == 0
        forms = page.locator("form.quiz")
        answers = sum(forms.nth(i).locator("noscript, details").count() > 0 for i in range(forms.count()))
        assert answers == forms.count()
        page.context.close()


def test_text_does_not_wait_for_the_chart_library(chromium, served):
    page, watch = open_page(chromium, served, chart_pages()[0], size="phone")
    assert not [f for f in watch.files if "vega" in f], "no chart is in the first view of a phone, so no library is fetched"
    page.context.close()


def test_a_page_opened_as_a_file_shows_its_charts(chromium, site):
    page = chromium.new_page()
    errors = []
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.goto((SITE / chart_pages()[0]).as_uri())
    for figure in page.query_selector_all("figure.chart"):
        figure.scroll_into_view_if_needed()
        page.wait_for_function("figure => figure.classList.contains('is-live') || figure.dataset.failed", arg=figure)
    assert page.locator(".chart-live svg").count(), "charts with their specification on the page are live"
    assert page.locator("figure.chart:not(.is-live) img.only-light").evaluate_all(DRAWN) == 0
    assert errors == []
    page.close()


def test_print_has_every_chart_and_no_buttons(chromium, served):
    page, _ = open_page(chromium, served, chart_pages()[0], mode="dark")
    use_everything(page)
    page.emulate_media(media="print")
    load_pictures(page)
    pictures = page.locator("figure.chart img.only-light")
    assert all(pictures.nth(i).is_visible() for i in range(pictures.count()))
    assert pictures.evaluate_all(DRAWN) == 0
    assert not page.locator(".article-header-buttons").first.is_visible()
    assert len(page.pdf()) > 20_000
    page.context.close()


def test_definitions_by_keyboard_mouse_and_touch(chromium, served):
    name = chart_pages()[0]
    page, _ = open_page(chromium, served, name)
    term = page.locator("a.term-link").first
    tip = page.locator("#term-definition")
    term.focus()
    tip.wait_for(state="visible")
    assert len(tip.inner_text()) > 20
    assert term.get_attribute("aria-describedby") == "term-definition"
    page.keyboard.press("Escape")
    tip.wait_for(state="hidden")
    term.hover()
    tip.wait_for(state="visible")
    page.context.close()
    page, _ = open_page(chromium, served, name, size="phone", has_touch=True, is_mobile=True)
    before = page.url
    page.locator("a.term-link").first.tap()
    page.locator("#term-definition").wait_for(state="visible")
    assert page.url == before and page.locator("#term-definition a").count() == 1
    page.context.close()


def test_code_folds_away_and_stays_away(chromium, served):
    name = chart_pages()[0]
    page, _ = open_page(chromium, served, name)
    assert page.locator(".cell_input").first.is_visible()
    page.get_by_role("button", name="Hide the code").click()
    assert not page.locator(".cell_input").first.is_visible()
    page.reload()
    assert not page.locator(".cell_input").first.is_visible()
    page.context.close()


def test_dark_is_remembered_and_charts_follow(chromium, served):
    page, _ = open_page(chromium, served, chart_pages()[0])
    use_everything(page)
    colour = "document.querySelector('.chart-live svg text').getAttribute('fill')"
    light = page.evaluate(colour)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function(f"{colour} !== '{light}'")
    page.context.close()


def test_search_finds_a_chapter(chromium, served):
    page, _ = open_page(chromium, served, "search.html?q=kappa")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a", has_text="HER2").count()
    page.context.close()


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_chart_backgrounds_are_those_of_the_page(chromium, served, mode):
    """The palette's contrast is computed against these colours, so they must be the real ones."""
    from her2 import charts

    page, _ = open_page(chromium, served, "index.html", mode=mode)
    red, green, blue = (int(charts.BACKGROUND[mode][i : i + 2], 16) for i in (1, 3, 5))
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == f"rgb({red}, {green}, {blue})"
    page.context.close()


def test_a_frame_shows_the_text_alone(chromium, served):
    page, _ = open_page(chromium, served, chart_pages()[0] + "?content_only")
    assert page.locator("article h1").is_visible()
    assert not page.locator("#pst-primary-sidebar").is_visible()
    assert not page.locator(".bd-header-article").is_visible()
    page.context.close()
