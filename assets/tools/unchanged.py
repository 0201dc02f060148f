"""Run a command and fail if it changed the working tree: tests read the book, they never write it."""

import subprocess
import sys


def state() -> str:
    """Every change against the last commit, untracked files included; empty outside a checkout."""
    status = subprocess.run(["git", "status", "--porcelain", "--untracked-files=all"], capture_output=True, text=True, check=False)
    difference = subprocess.run(["git", "diff", "HEAD"], capture_output=True, text=True, check=False)
    return status.stdout + difference.stdout


def main() -> int:
    before = state()
    code = subprocess.run(sys.argv[1:], check=False).returncode
    if state() != before:
        print("The tests changed the working tree; 'git status' and 'git diff' show what:", file=sys.stderr)
        subprocess.run(["git", "status", "--short"], stdout=sys.stderr, check=False)
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main())
