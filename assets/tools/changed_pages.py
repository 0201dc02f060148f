"""List the pages that differ between two built sites, as Markdown: what a reviewer of a change has to look at.

Two pages are the same when their articles are: a new chapter changes the navigation of every page, and the day of
the last change stands in the foot of each; neither is worth a reviewer's time.
"""

import argparse
import html
import re
import sys
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path

ARTICLE = re.compile(r'<article class="bd-article".*</article>', re.DOTALL)
TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>|<title>(.*?)</title>", re.DOTALL)
TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL)
#: Files that every build writes anew, or that follow from the pages.
DERIVED = {".buildinfo", "objects.inv", "searchindex.js"}


@dataclass
class Changes:
    """What differs: pages by name, with the lines of text added and taken away; and other files."""

    added: list[str] = field(default_factory=list)
    changed: dict[str, tuple[int, int]] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    around: list[str] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.around or self.files)


def article(text: str) -> str:
    """What a page says, without navigation and foot; the whole page where it has no article."""
    found = ARTICLE.search(text)
    return found.group() if found else text


def lines(text: str) -> list[str]:
    """Text of an article, line by line, without markup."""
    plain = html.unescape(TAG.sub(" ", article(text)))
    return [words for line in plain.splitlines() if (words := " ".join(line.split()))]


def title(text: str) -> str:
    """Heading of a page, else its title."""
    found = TITLE.search(article(text)) or TITLE.search(text)
    words = html.unescape(TAG.sub("", next(filter(None, found.groups())))) if found else "page without a title"
    return " ".join(words.removesuffix("#").split()).replace("[", r"\[").replace("]", r"\]")


def files(site: Path) -> dict[str, Path]:
    """Every file of a site by its path; a release that the site keeps is not part of it."""
    found = {path.relative_to(site).as_posix(): path for path in sorted(site.rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if not name.startswith("versions/") and name not in DERIVED}


def compare(old: Path, new: Path) -> Changes:
    """What the new site has that the old one had not, page by page."""
    before, after, out = files(old), files(new), Changes()
    for name in sorted(before.keys() | after.keys()):
        if not name.endswith(".html"):
            if name not in before or name not in after or before[name].read_bytes() != after[name].read_bytes():
                out.files.append(name)
        elif name not in before:
            out.added.append(name)
        elif name not in after:
            out.removed.append(name)
        else:
            texts = [path.read_text("utf-8") for path in (before[name], after[name])]
            if texts[0] == texts[1]:
                out.same.append(name)
            elif article(texts[0]) == article(texts[1]):
                out.around.append(name)
            else:
                out.changed[name] = counts(lines(texts[0]), lines(texts[1]))
    return out


def counts(old: list[str], new: list[str]) -> tuple[int, int]:
    """Lines of text added and taken away."""
    blocks = SequenceMatcher(a=old, b=new, autojunk=False).get_matching_blocks()
    kept = sum(block.size for block in blocks)
    return len(new) - kept, len(old) - kept


def report(changes: Changes, old: Path, new: Path, before: str = "", after: str = "") -> str:
    """The list as Markdown; a page is linked where the address of its site is given, and named where not."""

    def link(folder: Path, where: str, name: str) -> str:
        heading = title((folder / name).read_text("utf-8"))
        return f"[{heading}]({where.rstrip('/')}/{name})" if where else f"{heading} (`{name}`)"

    total = len(changes.added) + len(changes.changed) + len(changes.around) + len(changes.same)
    out = ["## Changed pages", ""]
    out += [f"{len(changes.added)} added, {len(changes.changed)} changed, {len(changes.removed)} removed; the site has {total} pages."]
    if changes.added:
        out += ["", "### Added", "", *(f"- {link(new, after, name)}" for name in changes.added)]
    if changes.changed:
        out += ["", "### Changed", ""]
        for name, (more, less) in changes.changed.items():
            what = f"lines of text +{more} -{less}" if more or less else "markup or charts alone"
            out += [f"- {link(new, after, name)}: {what} ([before]({before.rstrip('/')}/{name}))" if before else f"- {link(new, after, name)}: {what}"]
    if changes.removed:
        out += ["", "### Removed", "", *(f"- {link(old, before, name)}" for name in changes.removed)]
    if changes.around:
        out += ["", f"On {len(changes.around)} further pages only what stands around the text differs (navigation, head or foot)."]
    other = [name for name in changes.files if not name.startswith("_")]
    if other:
        out += ["", f"Downloads that differ: {', '.join(f'`{name}`' for name in other)}."]
    return "\n".join(out) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="folder of the site before the change")
    parser.add_argument("new", type=Path, help="folder of the site with the change")
    parser.add_argument("--before", default="", metavar="URL", help="address of the old site, for links")
    parser.add_argument("--after", default="", metavar="URL", help="address or folder of the new site, for links")
    parser.add_argument("--identical", action="store_true", help="fail where any page or file differs: proof that a release was rebuilt")
    options = parser.parse_args()
    for site in (options.old, options.new):
        if not (site / "index.html").is_file():
            print(f"{site} is not a built site: it has no index.html", file=sys.stderr)
            return 2
    changes = compare(options.old, options.new)
    print(report(changes, options.old, options.new, options.before, options.after), end="")
    if options.identical and changes:
        differing = [*changes.added, *changes.changed, *changes.removed, *changes.around, *changes.files]
        print(f"The two sites differ in {len(differing)} files: {', '.join(differing[:20])}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
