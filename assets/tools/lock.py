"""Write requirements.txt from requirements.in: one exact lock for Python 3.11 to 3.13, without host names."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
UV = "uv==0.13.9"
HEAD = "# Exact pins for Python 3.11 to 3.13, written by 'make lock' from requirements.in.\n"


def compile_lock(source: str) -> str:
    """Pins of everything that a list of direct dependencies needs, one a line."""
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", UV], check=True)
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", "3.11", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "-q", source]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> int:
    pins = compile_lock("requirements.in")
    (ROOT / "requirements.txt").write_text(f"{HEAD}-e ./data\n{pins}", "utf-8")
    print(f"requirements.txt: {pins.count('==')} packages pinned")
    return 0


if __name__ == "__main__":
    sys.exit(main())
