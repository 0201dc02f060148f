"""Draw the two pictures that are files: the one for shared links, and the README's view of a chapter.

Run after 'make book' when the title or the first chapter's look has changed.
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))
import browser  # noqa: E402

SHARE = """
<body style="margin:0;width:1200px;height:630px;background:#14213d;color:#fff;font-family:system-ui,'DejaVu Sans',sans-serif">
<div style="padding:80px">
<div style="font-size:72px;line-height:1.15;font-weight:600">HER2-positive<br>breast cancer</div>
<div style="font-size:34px;margin-top:28px;color:#cdd9f0">An executable textbook: biology, resistance, therapies</div>
<svg width="1040" height="170" style="margin-top:56px" viewBox="0 0 1040 170">
<g stroke="#4d8fe0" stroke-width="6"><line x1="120" y1="25" x2="420" y2="25"/><line x1="210" y1="70" x2="560" y2="70"/><line x1="60" y1="115" x2="300" y2="115"/></g>
<g fill="#e8903a"><rect x="255" y="10" width="30" height="30"/><rect x="365" y="55" width="30" height="30"/><rect x="165" y="100" width="30" height="30"/></g>
<line x1="480" y1="0" x2="480" y2="150" stroke="#8d99ae" stroke-width="3" stroke-dasharray="8 8"/>
</svg></div></body>
"""


def main() -> int:
    site = ROOT / "_build" / "html"
    if not (site / "index.html").is_file():
        print("build the book first: make book", file=sys.stderr)
        return 1
    with browser.serve(site) as address, sync_playwright() as play:
        started = play.chromium.launch(executable_path=browser.executable(), args=browser.FLAGS)
        page = started.new_page(viewport={"width": 1200, "height": 630})
        page.set_content(SHARE)
        page.screenshot(path=ROOT / "assets" / "static" / "share.png")
        page = started.new_page(viewport={"width": 1280, "height": 800})
        page.goto(address + "chapters/biology/testing.html")
        page.locator("figure.chart").first.scroll_into_view_if_needed()
        page.locator(".chart-live svg").first.wait_for()
        page.locator("figure.chart").first.evaluate("figure => scrollTo(0, figure.getBoundingClientRect().top + scrollY - 330)")
        page.wait_for_timeout(500)
        page.screenshot(path=ROOT / "assets" / "figures" / "chapter.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
