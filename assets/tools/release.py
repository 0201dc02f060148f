"""Releases: pack one so that it can be rebuilt, prove that it can, and keep every release at its address.

A release is a folder of files: the built site, the repository with its history (a git bundle) and as plain source,
what it was built with, and the checksums of all. Its site stays at ``versions/<tag>/`` of the published site.

    release.py check v0.1.0                          the book's own files name this version
    release.py pack v0.1.0 dist                      write the files of a release
    release.py rebuild dist                          build it again from its lock and compare every byte
    release.py assemble releases public              the current site with all releases below it
"""

import argparse
import gzip
import hashlib
import html
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import changed_pages

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "_build" / "html"
TAG = re.compile(r"v\d+(\.\d+)+([a-z]+\d+)?")
SUMS = "SHA256SUMS"
ADDRESSES = ("BOOK_REPOSITORY", "BOOK_SITE", "BOOK_BRANCH")


class ReleaseError(Exception):
    """A release cannot be made or trusted; the message says why."""


def check(tag: str, root: Path = ROOT) -> None:
    """The tag has the form of a version, and the book's citation and changelog name that version."""
    if not TAG.fullmatch(tag):
        raise ReleaseError(f"{tag!r} is not the tag of a release: write v0.2.0 or v0.2.0rc1")
    version = tag.removeprefix("v")
    for name, line in (("CITATION.cff", f"version: {version}"), ("CHANGELOG.md", f"## {version}")):
        text = (root / name).read_text("utf-8")
        if not re.search(rf"^{re.escape(line)}(\s|$)", text, re.MULTILINE):
            raise ReleaseError(f"{name} has no line {line!r}: enter the version before the tag is set")


def tree(folder: Path, out: Path, prefix: str) -> None:
    """Archive of a folder; the same files make the same bytes."""
    with out.open("wb") as raw, gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as zipped, tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            data = path.read_bytes()
            entry = tarfile.TarInfo(f"{prefix}/{path.relative_to(folder).as_posix()}")
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))


def git(*arguments: str, root: Path) -> str:
    run = subprocess.run(["git", *arguments], check=False, cwd=root, capture_output=True, text=True)
    if run.returncode:
        raise ReleaseError(f"git {' '.join(arguments)}: {run.stderr.strip()}")
    return run.stdout.strip()


def pack(tag: str, out: Path, *, root: Path = ROOT, site: Path = SITE) -> None:
    """Write the files of a release from a checkout of its tag and the site built there."""
    if git("rev-parse", f"{tag}^{{commit}}", root=root) != git("rev-parse", "HEAD", root=root) or git("status", "--porcelain", root=root):
        raise ReleaseError(f"the working tree is not that of {tag}: a release is packed from a clean checkout of its tag")
    if not (site / "index.html").is_file():
        raise ReleaseError(f"{site} is not a built site: run 'make book' first")
    out.mkdir(parents=True, exist_ok=True)
    name = f"her2-book-{tag}"
    tree(site, out / f"{name}-site.tar.gz", name)
    git("bundle", "create", "-q", str((out / f"{name}.bundle").resolve()), f"refs/tags/{tag}", root=root)
    git("archive", "--format=tar.gz", f"--prefix={name}/", "-o", str((out / f"{name}-source.tar.gz").resolve()), tag, root=root)
    built = {"tag": tag, "commit": git("rev-parse", "HEAD", root=root), "python": "{}.{}".format(*sys.version_info), "addresses": {key: os.environ.get(key, "") for key in ADDRESSES}}
    (out / "release.json").write_text(json.dumps(built, indent=2) + "\n", "utf-8")
    files = sorted(path for path in out.iterdir() if path.name != SUMS)
    (out / SUMS).write_text("".join(f"{checksum(path)}  {path.name}\n" for path in files), "utf-8")


def checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify(folder: Path) -> dict:
    """Every file of a release is there and has its checksum; returns what the release was built with."""
    if not (folder / SUMS).is_file():
        raise ReleaseError(f"{folder} holds no release: {SUMS} is missing")
    for line in (folder / SUMS).read_text("utf-8").splitlines():
        wanted, name = line.split(maxsplit=1)
        if not (folder / name).is_file() or checksum(folder / name) != wanted:
            raise ReleaseError(f"{folder / name} is missing or not the file that was released")
    built = json.loads((folder / "release.json").read_text("utf-8"))
    if not TAG.fullmatch(built["tag"]):
        raise ReleaseError(f"{folder}: {built['tag']!r} is not the tag of a release")
    return built


def unpack(folder: Path, out: Path) -> dict:
    """Put the site of a release, once verified, into a folder."""
    built = verify(folder)
    name = f"her2-book-{built['tag']}"
    with tempfile.TemporaryDirectory() as temporary, tarfile.open(folder / f"{name}-site.tar.gz") as archive:
        archive.extractall(temporary, filter="data")
        shutil.copytree(Path(temporary, name), out, dirs_exist_ok=True)
    return built


def rebuild(folder: Path) -> None:
    """Build a release again from its own lock, in a clone of its bundle, and compare the two sites byte by byte."""
    with tempfile.TemporaryDirectory() as temporary:
        before, clone = Path(temporary, "released"), Path(temporary, "clone")
        built = unpack(folder, before)
        git("clone", "-q", "-c", "advice.detachedHead=false", "--branch", built["tag"], str((folder / f"her2-book-{built['tag']}.bundle").resolve()), str(clone), root=folder)
        if git("rev-parse", "HEAD", root=clone) != built["commit"]:
            raise ReleaseError(f"the bundle of {built['tag']} is not at the commit that was released")
        # The clone makes an environment of its own; paths of the one that runs this would leak into it.
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS")}
        # The plain interpreter, not the environment that runs this: the clone's own is made from its lock alone.
        python = f"PY={getattr(sys, '_base_executable', sys.executable)}"
        run = subprocess.run(["make", "book", python], check=False, cwd=clone, env=environment | built["addresses"])
        if run.returncode:
            raise ReleaseError(f"{built['tag']} does not build from its lock any more: the lines above say why")
        changes = changed_pages.compare(before, clone / "_build" / "html")
        if changes:
            print(changed_pages.report(changes, before, clone / "_build" / "html"))
            raise ReleaseError(f"{built['tag']} builds from its lock, but not to the site that was released")


def newest_first(tags: list[str]) -> list[str]:
    """Tags by version; a candidate stands below its release."""

    def key(tag: str):
        numbers, candidate = re.fullmatch(r"v([\d.]+)(.*)", tag).groups()
        return [int(part) for part in numbers.split(".")], not candidate, [int(part) if part.isdigit() else part for part in re.findall(r"\d+|[a-z]+", candidate)]

    return sorted(tags, key=key, reverse=True)


def assemble(releases: Path, out: Path, *, site: Path = SITE) -> list[str]:
    """The current site with every release below ``versions/``; returns their tags."""
    if not (site / "index.html").is_file():
        raise ReleaseError(f"{site} is not a built site: run 'make book' first")
    if out.exists() and any(out.iterdir()):
        raise ReleaseError(f"{out} is not empty: a site is assembled anew")
    shutil.copytree(site, out, dirs_exist_ok=True)
    tags = []
    for folder in sorted(path for path in releases.glob("*") if path.is_dir()):
        built = verify(folder)
        if built["tag"] != folder.name:
            raise ReleaseError(f"{folder} holds the release {built['tag']}")
        unpack(folder, out / "versions" / built["tag"])
        tags.append(built["tag"])
    items = "\n".join(f'<li><a href="{tag}/index.html">{html.escape(tag)}</a></li>' for tag in newest_first(tags)) or "<li>none yet</li>"
    (out / "versions").mkdir(exist_ok=True)
    (out / "versions" / "index.html").write_text(VERSIONS.format(items=items), "utf-8")
    return newest_first(tags)


VERSIONS = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Releases of the book</title>
<style>body {{ max-width: 40rem; margin: 2rem auto; padding: 0 1rem; font: 1.1rem/1.6 system-ui, sans-serif }}</style>
</head>
<body>
<main>
<h1>Releases of the book</h1>
<p>Each release stays at its address as it was published. The <a href="../index.html">current book</a> has the latest evidence.</p>
<ul>
{items}
</ul>
</main>
</body>
</html>
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check").add_argument("tag")
    packing = verbs.add_parser("pack")
    packing.add_argument("tag")
    packing.add_argument("out", type=Path)
    verbs.add_parser("rebuild").add_argument("folder", type=Path)
    assembling = verbs.add_parser("assemble")
    assembling.add_argument("releases", type=Path)
    assembling.add_argument("out", type=Path)
    options = parser.parse_args()
    try:
        if options.verb == "check":
            check(options.tag)
            print(f"{options.tag}: citation and changelog name it")
        elif options.verb == "pack":
            check(options.tag)
            pack(options.tag, options.out)
            print(f"{options.tag}: {', '.join(sorted(path.name for path in options.out.iterdir()))} in {options.out}")
        elif options.verb == "rebuild":
            rebuild(options.folder)
            print("The release was built again from its lock, and every byte of its site is the same.")
        else:
            tags = assemble(options.releases, options.out)
            print(f"{options.out}: the current site and {len(tags)} releases")
    except ReleaseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
