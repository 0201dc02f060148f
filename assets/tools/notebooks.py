"""What the author tools know of the book's notebooks: where they are, and how to name one."""

from difflib import get_close_matches
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = ROOT / "chapters"


class UnknownChapter(ValueError):
    """No chapter of this name; the message lists what there is."""


def notebooks() -> list[Path]:
    """Every notebook of the book, chapters and exercises, in the order of their paths."""
    return sorted(path for path in CHAPTERS.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


def slug(path: Path) -> str:
    """Name of a chapter as used in make targets: 'biology/testing'."""
    return path.relative_to(CHAPTERS).with_suffix("").as_posix()


def find(names: list[str]) -> list[Path]:
    """The notebooks of these names; all of them where no name is given."""
    known = {slug(path): path for path in notebooks()}
    wanted = [name.removeprefix("chapters/").removesuffix(".ipynb") for name in names] or list(known)
    for name in wanted:
        if name not in known:
            near = get_close_matches(name, known, n=3, cutoff=0.4)
            raise UnknownChapter(f"no chapter {name!r}; {'did you mean ' + ' or '.join(near) if near else 'known: ' + ', '.join(known)}?")
    return [known[name] for name in wanted]
