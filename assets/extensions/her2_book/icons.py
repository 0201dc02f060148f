"""Cut the icon fonts down to the icons that the book's pages use: 290 KB become a few."""

import hashlib
import re
from pathlib import Path

FONTS = Path("_static", "vendor", "fontawesome", "webfonts")
ICON = re.compile(rb"\bfa-([a-z0-9-]+)")
# Codepoints stand in the theme's style sheet as  .fa-list:before{content:"\f03a"}
CODE = re.compile(r'((?:\.fa-[a-z0-9-]+:before,?)+)\{content:"\\([0-9a-f]+)"')


def used_codepoints(outdir: Path) -> set[int]:
    """Codepoints of the icons that pages name, and of those that styles draw by themselves."""
    styles = "".join(path.read_text("utf-8") for path in (outdir / "_static").rglob("*.css"))
    codes = {}
    for selectors, code in CODE.findall(styles):
        codes |= dict.fromkeys(re.findall(r"fa-([a-z0-9-]+)", selectors), int(code, 16))
    pages = b"".join(page.read_bytes() for page in [*outdir.rglob("*.html"), *(outdir / "_static").rglob("*theme.js")])
    named = {name.decode() for name in ICON.findall(pages)}
    drawn = {int(code, 16) for code in re.findall(r'"\\(f[0-9a-f]{3})"', CODE.sub("", styles))}
    drawn |= {ord(glyph) for glyph in styles if "\ue000" <= glyph <= "\uf8ff"}  # written as the glyph itself
    return drawn | {codes[name] for name in named if name in codes}


def subset(app, exception):
    if exception or app.builder.name not in {"html", "dirhtml", "singlehtml"}:
        return
    from fontTools import subset as tool

    outdir = Path(app.outdir)
    codepoints = used_codepoints(outdir)
    kept = Path(app.doctreedir).parent / ".icons"
    kept.mkdir(parents=True, exist_ok=True)
    for font in (outdir / FONTS).glob("*.woff2"):
        source = Path(_theme_fonts(), font.name)
        key = hashlib.sha256(repr((sorted(codepoints), source.stat().st_size)).encode()).hexdigest()[:16]
        small = kept / f"{font.stem}-{key}.woff2"
        if not small.is_file():
            options = tool.Options(flavor="woff2", layout_features=[], notdef_outline=True)
            loaded = tool.load_font(source, options)
            cutter = tool.Subsetter(options)
            cutter.populate(unicodes=codepoints)
            cutter.subset(loaded)
            tool.save_font(loaded, small, options)
        if font.read_bytes() != small.read_bytes():
            font.write_bytes(small.read_bytes())


def _theme_fonts() -> Path:
    import pydata_sphinx_theme

    return Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme" / "static" / FONTS.relative_to("_static")


def setup(app):
    app.connect("build-finished", subset)
