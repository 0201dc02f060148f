"""Write heads, run notebooks and store their outputs: ``refresh.py [biology/testing ...]``; all without a name.

A notebook is written only when its whole run succeeded, so a failure leaves the stored one as it was.
"""

import os
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import heads
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from notebooks import UnknownChapter, find, slug


def run(path: Path) -> str | None:
    """Execute one notebook and store it; returns what went wrong, or None."""
    notebook = nbformat.read(path, as_version=4)
    heads.write(notebook)
    # Timings would change every file on every run.
    client = NotebookClient(notebook, kernel_name="python3", record_timing=False, resources={"metadata": {"path": str(path.parent)}})
    try:
        client.execute()
    except CellExecutionError as error:
        return str(error).strip().splitlines()[-1]
    notebook.metadata["language_info"] = {"name": "python"}
    notebook.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    temporary = path.with_suffix(".writing")
    nbformat.write(notebook, temporary)
    os.replace(temporary, path)
    return None


def main() -> int:
    try:
        paths = find(sys.argv[1:])
    except UnknownChapter as error:
        print(error, file=sys.stderr)
        return 2
    failed = 0
    with ProcessPoolExecutor(min(2, len(paths))) as pool:
        jobs = {pool.submit(run, path): path for path in paths}
        for count, job in enumerate(as_completed(jobs), start=1):
            fault = job.result()
            failed += bool(fault)
            print(f"[{count}/{len(jobs)}] {slug(jobs[job])}: {fault or 'outputs stored'}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
