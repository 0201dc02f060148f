"""Write the two locks, each exact for Python 3.11 to 3.13: the book's, and that of Binder at the same versions."""

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAD = "# Exact pins for Python 3.11 to 3.13, written by 'make lock' from {}.\n"


def compile_lock(source: str, versions: str = "") -> str:
    """Pins of everything that a list of direct dependencies needs, one a line, at the versions of another lock."""
    with tempfile.TemporaryDirectory() as folder:
        constraint = Path(folder, "versions.txt")
        constraint.write_text(versions, "utf-8")
        options = ["--universal", "--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "-q"]
        command = [sys.executable, "-m", "uv", "pip", "compile", *options, "--constraint", str(constraint), source]
        return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> int:
    pins = compile_lock("requirements.in")
    (ROOT / "requirements.txt").write_text(f"{HEAD.format('requirements.in')}-e ./data\n{pins}", "utf-8")
    binder = compile_lock("binder/requirements.in", pins)
    (ROOT / "binder" / "requirements.txt").write_text(f"{HEAD.format('binder/requirements.in')}./data\n{binder}", "utf-8")
    print(f"requirements.txt: {pins.count('==')} packages pinned; binder/requirements.txt: {binder.count('==')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
