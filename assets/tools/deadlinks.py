"""Ask every address of the references table whether it still answers, politely, and report in Markdown.

One request at a time and a pause between two to the same host; three tries, with longer waits, before a verdict.
A DOI is asked of the DOI system itself, since publishers turn robots away. Only an answer that says "gone" makes a
link dead; a time-out, a refusal or a fault of the server is reported as unsure and fails nothing.
"""

import argparse
import csv
import http.client
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "data" / "tables" / "references.csv"
RESOLVER = "https://doi.org/api/handles/"
GONE = {404, 410}
PERMANENT = {301, 308}


class Link(NamedTuple):
    """An address to ask, the one a reader follows, and the references that give it."""

    asked: str
    shown: str
    keys: tuple[str, ...]


class Result(NamedTuple):
    """What became of a link: ok, moved, dead or unsure, and why."""

    link: Link
    verdict: str
    reason: str


@dataclass
class Manners:
    """Seconds: between two requests to a host, until an answer, and before each further try."""

    pause: float = 1.0
    timeout: float = 20.0
    waits: tuple[float, ...] = (5.0, 30.0)


def links(table: Path = TABLE) -> list[Link]:
    """Every address of the table once: DOIs and web addresses; PubMed and the registry where there is no other."""
    keys: dict[tuple[str, str], list[str]] = defaultdict(list)
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found = []
            if row["doi"]:
                found.append((RESOLVER + quote(row["doi"], safe="/"), f"https://doi.org/{row['doi']}"))
            if row["url"]:
                found.append((row["url"], row["url"]))
            if not found and row["pmid"]:
                found.append((f"https://pubmed.ncbi.nlm.nih.gov/{row['pmid']}/",) * 2)
            if not found and row["nct"]:
                found.append((f"https://clinicaltrials.gov/study/{row['nct']}",) * 2)
            for pair in found:
                keys[pair].append(row["id"])
    return [Link(asked, shown, tuple(names)) for (asked, shown), names in keys.items()]


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects and remembers whether all of them were for good."""

    def __init__(self):
        self.codes: list[int] = []

    def redirect_request(self, request, file, code, message, headers, address):
        self.codes.append(code)
        return super().redirect_request(request, file, code, message, headers, address)


def ask(link: Link, manners: Manners) -> tuple[str, str, float]:
    """One try: verdict, reason, and the wait in seconds that the server asks for."""
    redirects = _Redirects()
    contact = os.environ.get("BOOK_REPOSITORY", "")
    agent = "her2-book-link-check/1" + (f" (+{contact})" if contact else "")
    request = urllib.request.Request(link.asked, headers={"User-Agent": agent, "Accept": "*/*"})
    try:
        # The body is not read: the first line of the answer is enough.
        with urllib.request.build_opener(redirects).open(request, timeout=manners.timeout) as answer:
            final = answer.url
    except urllib.error.HTTPError as error:
        error.close()
        after = error.headers.get("Retry-After", "")
        verdict = "dead" if error.code in GONE else "unsure"
        return verdict, f"{error.code} {error.reason}", float(after) if after.isdigit() else 0.0
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, socket.gaierror):
            return "dead", "no host of this name", 0.0
        return "unsure", "no answer in time" if isinstance(cause, TimeoutError) else str(cause) or type(cause).__name__, 0.0
    if redirects.codes and set(redirects.codes) <= PERMANENT and urlsplit(final)[1:3] != urlsplit(link.asked)[1:3]:
        return "moved", final, 0.0
    return "ok", "", 0.0


def check(link: Link, manners: Manners) -> Result:
    """Ask until the answer is good or the tries are used up."""
    for wait in (*manners.waits, None):
        verdict, reason, asked = ask(link, manners)
        if verdict in ("ok", "moved") or wait is None:
            return Result(link, verdict, reason)
        time.sleep(min(max(wait, asked), 120.0))
    raise AssertionError("unreachable")


def check_host(host: list[Link], manners: Manners) -> list[Result]:
    """The links of one host, one after the other."""
    out = []
    for number, link in enumerate(host):
        if number:
            time.sleep(manners.pause)
        out.append(check(link, manners))
    return out


def check_all(wanted: list[Link], manners: Manners, *, hosts: int = 4) -> list[Result]:
    """Every link, a few hosts at a time; progress goes to standard error."""
    groups: dict[str, list[Link]] = defaultdict(list)
    for link in wanted:
        groups[urlsplit(link.asked).netloc].append(link)
    out: list[Result] = []
    with ThreadPoolExecutor(hosts) as pool:
        # The longest first: the many small hosts run beside it.
        ordered = sorted(groups.values(), key=len, reverse=True)
        for job in as_completed([pool.submit(check_host, group, manners) for group in ordered]):
            out += job.result()
            print(f"[{len(out)}/{len(wanted)}] links asked", file=sys.stderr, flush=True)
    order = {link: number for number, link in enumerate(wanted)}
    return sorted(out, key=lambda result: order[result.link])


def report(results: list[Result]) -> str:
    """The results as Markdown; what is well is only counted."""
    count = Counter(result.verdict for result in results)
    out = ["## Links of the references", ""]
    out += [f"{len(results)} asked: {count['ok']} answer, {count['moved']} have moved, {count['dead']} are dead, {count['unsure']} unsure."]
    for verdict, heading, say in (
        ("dead", "Dead: find a copy or another source", "{reason}"),
        ("moved", "Moved for good: enter the new address", "now {reason}"),
        ("unsure", "Unsure: open by hand if it is here again next month", "{reason}"),
    ):
        found = [result for result in results if result.verdict == verdict]
        if found:
            out += ["", f"### {heading}", ""]
            out += [f"- {', '.join(f'`{key}`' for key in result.link.keys)}: <{result.link.shown}> {say.format(reason=result.reason)}" for result in found]
    return "\n".join(out) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, default=TABLE, help="references table")
    parser.add_argument("--pause", type=float, default=Manners.pause, help="seconds between two requests to a host")
    parser.add_argument("--timeout", type=float, default=Manners.timeout, help="seconds until an answer is late")
    options = parser.parse_args()
    results = check_all(links(options.table), Manners(options.pause, options.timeout))
    if results and not any(result.verdict in ("ok", "moved") for result in results):
        print("No address answers: the network of this machine is down, and nothing is reported.", file=sys.stderr)
        return 2
    print(report(results), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
