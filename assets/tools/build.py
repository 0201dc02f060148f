"""Build the site with warnings as errors, and say in one line where it is or what to mend."""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOISE = re.compile(r"^(matplotlib is not installed|Running Jupyter-Book|(Source Folder|Config Path|Output Path):|\s*$)")
FAULT = re.compile(r"(WARNING|ERROR|[Ee]rror):|[Ee]xception")


#: What every page depends on without Sphinx knowing: a change here builds all pages anew.
SHARED = ("_config.yml", "_toc.yml", "assets/extensions", "assets/templates", "assets/static", "assets/student", "assets/teaching", "data/src", "data/tables", "data/datapackage.json", "chapters/quizzes")


def shared_state(root: Path) -> str:
    """Hash of the files that all pages share, and of the settings taken from the environment."""
    digest = hashlib.sha256(repr(sorted((k, v) for k, v in os.environ.items() if k.startswith("BOOK_"))).encode())
    for name in SHARED:
        path = root / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(str(file.relative_to(root)).encode() + file.read_bytes())
    return digest.hexdigest()


def forget_if_shared_changed(root: Path, build: Path) -> Path:
    """Remove what was built from other shared files; returns where the state of this build is to be kept."""
    mark = build / ".shared"
    if not mark.is_file() or mark.read_text("utf-8") != shared_state(root):
        for name in (".doctrees", "html"):
            shutil.rmtree(build / name, ignore_errors=True)
    mark.unlink(missing_ok=True)
    return mark


def swap_in(built: Path, site: Path) -> None:
    """Put the built site in the place of the last one."""
    new, old = site.with_name(site.name + ".new"), site.with_name(site.name + ".old")
    for path in (new, old):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(built, new)
    if site.exists():
        site.rename(old)
    new.rename(site)
    shutil.rmtree(old, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--without-solutions", action="store_true", help="leave worked solutions out of pages, search and downloads")
    parser.add_argument("--root", type=Path, default=ROOT, help="the book to build")
    parser.add_argument("--lenient", action="store_true", help="let warnings pass; for measurements, never for the site")
    options = parser.parse_args()
    name = "-without-solutions" if options.without_solutions else ""
    # Built aside and swapped in when whole: a failed build leaves the last good site as it was.
    out = options.root / "_build" / f"work{name}"
    site = options.root / "_build" / f"html{name}"
    environment = os.environ | ({"BOOK_SOLUTIONS": "0"} if options.without_solutions else {})
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", str(options.root), "--path-output", str(out), "-n", "--keep-going", "-q"]
    command += [] if options.lenient else ["-W"]
    print("Building the book ...", flush=True)
    mark = forget_if_shared_changed(options.root, out / "_build")
    start = time.monotonic()
    run = subprocess.run(command, cwd=options.root, env=environment, capture_output=True, text=True, check=False)
    lines = [line for line in (run.stdout + run.stderr).splitlines() if not NOISE.match(line)]
    if run.returncode:
        faults = [line for line in lines if FAULT.search(line) and "warnings treated as errors" not in line]
        print("\n".join(faults or lines), file=sys.stderr)
        print(f"The book was not built: {len(faults)} faults above, each with its file and line; the last good site stays.", file=sys.stderr)
        return 1
    mark.write_text(shared_state(options.root), "utf-8")
    swap_in(out / "_build" / "html", site)
    pages = len(list(site.rglob("*.html")))
    print(f"The book is in {site.relative_to(options.root)}/index.html ({pages} pages, {time.monotonic() - start:.0f} s). Read it with 'make serve'.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
