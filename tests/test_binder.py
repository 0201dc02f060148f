"""Binder: what its image is made of, and that every notebook gives its stored outputs in that environment alone."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, notebooks

LOCK = ROOT / "binder" / "requirements.txt"
PYTHON = re.compile(r"python-3\.1[1-3]")


def pins(path: Path) -> dict[str, set[str]]:
    """Versions of each package that a lock pins; more than one where the Python decides."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text("utf-8"), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def names(path: Path) -> set[str]:
    """Packages that a list of direct dependencies names."""
    return set(re.findall(r"^([a-z0-9-]+)", path.read_text("utf-8"), re.MULTILINE))


def test_lock_pins_everything_exactly():
    loose = [line for line in LOCK.read_text("utf-8").splitlines() if not re.match(r"#|\./data$|[a-z0-9-]+==\S+( ; .+)?$", line)]
    assert not loose


def test_lock_agrees_with_the_book():
    """A reader on Binder runs the versions that the tests ran."""
    book, binder = pins(ROOT / "requirements.txt"), pins(LOCK)
    differing = {name: versions for name, versions in binder.items() if name in book and versions != book[name]}
    assert not differing
    assert names(ROOT / "binder" / "requirements.in") <= binder.keys()
    assert binder.keys() - book.keys() == {"jupyterlab-myst"}


def test_image_stays_small():
    """Neither the engine of the book nor its tests; and JupyterLab is the image's own, or its notebook server breaks."""
    assert not {"sphinx", "jupyter-book", "vl-convert-python", "playwright", "pytest", "jupyterlab", "notebook"} & pins(LOCK).keys()


def test_dry_run_takes_the_right_files():
    """repo2docker, without Docker, shows the image that it would make."""
    run = subprocess.run([sys.executable, "-m", "repo2docker", "--no-build", "--debug", "."], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    wanted = (ROOT / "binder" / "runtime.txt").read_text("utf-8").strip()
    assert PYTHON.fullmatch(wanted)
    assert f"python={wanted.removeprefix('python-')}" in run.stdout + run.stderr
    # The package is a folder of the repository: it installs only after the repository was copied.
    copied = run.stdout.index("COPY --chown=0:0 src/ ${REPO_DIR}/")
    installed = run.stdout.index('bin/pip install --no-cache-dir -r "binder/requirements.txt"')
    assert copied < installed
    assert run.stdout.count("pip install") == 1


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """An environment of exactly the files in binder/, as a kernel named ``her2-binder``; packages come from uv's cache."""
    folder = tmp_path_factory.mktemp("binder")
    python = folder / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV", "PYTEST", "COV"))}
    uv = [sys.executable, "-m", "uv", "-q"]
    subprocess.run([*uv, "venv", "--python", sys.executable, str(folder / "venv")], check=True, env=clean)
    # uv knows a folder by its pyproject.toml alone: without a refresh it would install the tables of last week.
    install = [*uv, "pip", "install", "--python", str(python), "--refresh-package", "her2", "-r", str(LOCK)]
    for extra in (["--offline"], []):
        run = subprocess.run([*install, *extra], cwd=ROOT, env=clean, capture_output=True, text=True)
        if run.returncode == 0:
            break
    else:
        assert "No solution found" not in run.stderr, run.stderr
        pytest.skip(f"Binder's packages are neither cached nor to be had: {run.stderr.strip().splitlines()[-1]}")
    spec = folder / "jupyter" / "kernels" / "her2-binder"
    spec.mkdir(parents=True)
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Binder", "language": "python"}), "utf-8")
    return clean | {"JUPYTER_PATH": str(folder / "jupyter"), "PYTHONNOUSERSITE": "1"}


def test_notebooks_give_their_stored_outputs(environment):
    command = [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "--nbval", "--nbval-kernel-name", "her2-binder", "-n", "2", "--dist", "loadscope"]
    paths = [*notebooks(), *sorted((ROOT / "assets" / "student").glob("*.ipynb"))]
    run = subprocess.run([*command, *map(str, paths)], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert "passed" in run.stdout
