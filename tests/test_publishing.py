"""Publishing: the workflows hold together, and their tools do what they say."""

import csv
import html
import json
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import bench
import changed_pages
import deadlinks
import multiply
import pytest
import release
import yaml
from conftest import ROOT, notebooks

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BIN = Path(sys.executable).parent
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def load(path: Path) -> dict:
    # YAML 1.1 reads the key 'on' as true.
    return {"on" if key is True else key: value for key, value in yaml.safe_load(path.read_text("utf-8")).items()}


def jobs() -> list[tuple[str, dict]]:
    return [(f"{path.stem}: {name}", job) for path in WORKFLOWS for name, job in load(path)["jobs"].items()]


def steps(job: dict) -> list[dict]:
    return job.get("steps", [])


def scripts() -> list[str]:
    return [step["run"] for _, job in jobs() for step in steps(job) if "run" in step]


# --- the workflows


def test_workflows_fit_their_schema():
    run = subprocess.run([BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_workflows_pass_the_linter():
    """Expressions, permissions, injection, credentials left behind: zizmor's rules, without a network."""
    run = subprocess.run([BIN / "zizmor", "--offline", "--no-progress", "--strict-collection", "--persona", "pedantic", *WORKFLOWS], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_linters_would_notice(tmp_path):
    """A linter that is called wrongly passes everything."""
    text = (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8")
    bad = tmp_path / "bad.yml"
    bad.write_text(text.replace("runs-on:", "run-on:"), "utf-8")
    assert subprocess.run([BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", bad], capture_output=True).returncode
    bad.write_text(text.replace("make test", "echo ${{ github.event.pull_request.title }}"), "utf-8")
    assert subprocess.run([BIN / "zizmor", "--offline", "--no-progress", bad], capture_output=True).returncode


def test_actions_are_pinned_by_commit():
    used = [line.split("uses:")[1].strip() for path in WORKFLOWS for line in path.read_text("utf-8").splitlines() if "uses:" in line]
    foreign = {use for use in used if not use.startswith("./")}
    assert not [use for use in foreign if not PINNED.fullmatch(use)]
    twice = Counter(use.split("@")[0] for use in foreign)
    assert max(twice.values()) == 1, "one action, one version"
    own = {use.split()[0] for use in used if use.startswith("./")}
    assert all((ROOT / use).is_file() for use in own)


@each_workflow
def test_jobs_have_only_the_rights_they_need(path):
    workflow = load(path)
    assert workflow["permissions"] == {}
    writing = {}
    for name, job in workflow["jobs"].items():
        assert "permissions" in job, f"{name} states its rights"
        assert job["permissions"] != "write-all"
        rights = {right for right, level in job["permissions"].items() if level == "write"}
        if rights:
            writing[name] = rights
            ran = " ".join(step.get("run", "") for step in steps(job))
            assert not re.search(r"make|pip|python", ran), f"{name} may write, and runs the book's code"
    allowed = {"publish": {"deploy": {"pages", "id-token"}}, "release": {"publish": {"contents", "actions"}}, "monthly": {"issue": {"issues"}}}
    assert writing == allowed.get(path.stem, {})


def test_jobs_end_and_build_on_known_jobs():
    for path in WORKFLOWS:
        known = load(path)["jobs"]
        for name, job in known.items():
            assert "uses" in job or 0 < job["timeout-minutes"] <= 120, f"{path.stem}: {name} has no end"
            needs = job.get("needs", [])
            assert set([needs] if isinstance(needs, str) else needs) <= known.keys()


def test_everything_called_exists():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for script in scripts():
        called = re.findall(r"\bmake (?:--silent |-C \S+ )?([a-z-]+)", script)
        assert set(called) <= targets, script
        assert all((ROOT / file).is_file() for file in re.findall(r"\bassets/[\w/.-]+", script)), script
        run = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        assert run.returncode == 0, f"{script}\n{run.stderr}"


def test_artifacts_fetched_were_put_there():
    for path in WORKFLOWS:
        text = path.read_text("utf-8")
        put = {step["with"]["name"] for job in load(path)["jobs"].values() for step in steps(job) if "upload-artifact@" in step.get("uses", "")}
        assert set(re.findall(r"gh run download \S+ --name (\S+)", text)) <= put


def test_schedules_and_pythons():
    crons = [entry["cron"] for path in WORKFLOWS for entry in load(path)["on"].get("schedule", [])]
    # Whole hours are when everybody's schedules are due, and GitHub drops some.
    assert sorted(crons) == sorted(set(crons)) and all(re.fullmatch(r"[1-9]\d? \d+ (\d+ \* \*|\* \* \d)", cron) for cron in crons)
    assert load(ROOT / ".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.13"]


def test_nothing_is_published_untested():
    for name, published in (("publish", "build"), ("release", "pack")):
        workflow = load(ROOT / f".github/workflows/{name}.yml")["jobs"]
        assert workflow["test"]["uses"] == "./.github/workflows/test.yml"
        assert workflow[published]["needs"] == "test"


def test_release_keeps_its_address():
    """The site is built for the address that the published site gives to a release."""
    built = load(ROOT / ".github/workflows/release.yml")["jobs"]["pack"]["env"]["BOOK_SITE"]
    current = load(ROOT / ".github/workflows/publish.yml")["jobs"]["build"]["env"]["BOOK_SITE"]
    assert built == current + "/versions/${{ github.ref_name }}"


# --- the list of changed pages

PAGE = '<html><head><title>{title} - Book</title></head><body><nav>{nav}</nav><article class="bd-article"><h1>{title}<a class="headerlink" href="#x">#</a></h1>{body}</article><footer>{day}</footer></body></html>'


def make_site(folder: Path, pages: dict[str, dict]) -> Path:
    for name, values in pages.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGE.format(**{"nav": "", "day": "", "body": ""} | values), "utf-8")
    return folder


@pytest.fixture
def two_sites(tmp_path):
    old = make_site(tmp_path / "old", {"index.html": {"title": "Start"}, "a/one.html": {"title": "One", "body": "<p>Old.\n</p><p>Kept.\n</p>"}, "a/two.html": {"title": "Two"}, "gone.html": {"title": "Gone [now]"}})
    new = make_site(tmp_path / "new", {"index.html": {"title": "Start"}, "a/one.html": {"title": "One &amp; only", "body": "<p>New.\n</p><p>Kept.\n</p><p>More.\n</p>"}, "a/two.html": {"title": "Two", "nav": "Three"}, "three.html": {"title": "Three"}})
    (old / "searchindex.js").write_text("old", "utf-8")
    (new / "notebooks").mkdir()
    (new / "notebooks" / "one.ipynb").write_text("{}", "utf-8")
    make_site(new / "versions" / "v0.1.0", {"index.html": {"title": "A release"}})
    return old, new


def test_changed_pages_are_sorted_by_what_happened(two_sites):
    changes = changed_pages.compare(*two_sites)
    assert changes.added == ["three.html"]
    assert list(changes.changed) == ["a/one.html"]
    assert changes.changed["a/one.html"] == (2, 1)
    assert changes.removed == ["gone.html"]
    assert changes.around == ["a/two.html"]
    assert changes.same == ["index.html"]
    assert changes.files == ["notebooks/one.ipynb"]


def test_changed_pages_are_linked_where_they_are(two_sites):
    changes = changed_pages.compare(*two_sites)
    text = changed_pages.report(changes, *two_sites, before="https://book.example/", after="site")
    assert "1 added, 1 changed, 1 removed; the site has 4 pages." in text
    assert "- [Three](site/three.html)\n" in text
    assert "- [One & only](site/a/one.html): lines of text +2 -1 ([before](https://book.example/a/one.html))" in text
    assert r"- [Gone \[now\]](https://book.example/gone.html)" in text
    assert "On 1 further pages only what stands around the text differs" in text
    assert "`notebooks/one.ipynb`" in text
    assert "Three (`three.html`)" in changed_pages.report(changes, *two_sites)


def test_changed_pages_as_a_command(two_sites):
    def run(*arguments):
        return subprocess.run([sys.executable, ROOT / "assets/tools/changed_pages.py", *arguments], capture_output=True, text=True)

    old, new = two_sites
    assert run(old, new).returncode == 0
    assert run(old, new, "--identical").returncode == 1
    assert run(old, old, "--identical").returncode == 0
    missing = run(old, new / "nowhere")
    assert missing.returncode == 2 and "not a built site" in missing.stderr


def test_no_page_of_the_book_differs_from_itself(site):
    changes = changed_pages.compare(site, site)
    assert not changes and changes.same


# --- dead links

# A late answer is waited for briefly only where one is expected: a busy machine is not a slow server.
FAST = deadlinks.Manners(pause=0.0, timeout=10.0, waits=(0.0, 0.0))
HASTY = deadlinks.Manners(pause=0.0, timeout=0.5, waits=(0.0, 0.0))


class Server(BaseHTTPRequestHandler):
    """Answers by the path; keeps the times of requests."""

    times: list[tuple[str, float]]

    def do_GET(self):
        self.times.append((self.path, time.monotonic()))
        tries = sum(path == self.path for path, _ in self.times)
        where = self.path.split("?")[0].strip("/")
        if where == "slow" or (where == "slow-once" and tries == 1):
            time.sleep(1.0)
        code = {"gone": 410, "refused": 403, "broken": 500, "moved": 301, "for-now": 302, "api/handles/10.1/no": 404}.get(where, 200)
        if where == "flaky":
            code = 503 if tries < 3 else 200
        if where == "gone-once":
            code = 404 if tries == 1 else 200
        try:
            self.send_response(code)
            if code in (301, 302):
                self.send_header("Location", "/new-place")
            self.send_header("Content-Length", "0")
            self.end_headers()
        except OSError:
            pass  # the asker has gone

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Server,), {"times": []})
    running = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{running.server_port}/", handler.times
    running.shutdown()
    running.server_close()


@pytest.mark.parametrize(
    ("where", "verdict", "requests"),
    [("fine", "ok", 1), ("gone", "dead", 3), ("gone-once", "ok", 2), ("flaky", "ok", 3), ("slow-once", "ok", 2), ("slow", "unsure", 3), ("refused", "unsure", 3), ("broken", "unsure", 3), ("moved", "moved", 2), ("for-now", "ok", 2)],
)
def test_verdict_on_a_link(server, where, verdict, requests):
    address, times = server
    result = deadlinks.check(deadlinks.Link(address + where, "shown", ("key",)), HASTY if "slow" in where else FAST)
    assert (result.verdict, len(times)) == (verdict, requests), result.reason


def test_a_host_that_does_not_exist_is_dead():
    assert deadlinks.check(deadlinks.Link("http://nowhere.invalid/", "shown", ("key",)), FAST).verdict == "dead"


def test_a_host_is_not_hurried(server):
    address, times = server
    wanted = [deadlinks.Link(f"{address}?{number}", "shown", ("key",)) for number in range(3)]
    deadlinks.check_all(wanted, deadlinks.Manners(pause=0.2, timeout=1, waits=()))
    moments = [moment for _, moment in times]
    assert moments[-1] - moments[0] >= 0.3, "two pauses of 0.2 s, less what the clocks differ"


def test_links_of_a_table(tmp_path):
    table = tmp_path / "references.csv"
    rows = [
        {"id": "both", "doi": "10.1/a(b)", "url": "https://a.example/x", "pmid": "1"},
        {"id": "again", "url": "https://a.example/x"},
        {"id": "pubmed", "pmid": "2"},
        {"id": "trial", "nct": "NCT00000001"},
        {"id": "print"},
    ]
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "doi", "url", "pmid", "nct"])
        writer.writeheader()
        writer.writerows(rows)
    found = {link.shown: link for link in deadlinks.links(table)}
    assert found.keys() == {"https://doi.org/10.1/a(b)", "https://a.example/x", "https://pubmed.ncbi.nlm.nih.gov/2/", "https://clinicaltrials.gov/study/NCT00000001"}
    assert found["https://doi.org/10.1/a(b)"].asked == "https://doi.org/api/handles/10.1/a%28b%29"
    assert found["https://a.example/x"].keys == ("both", "again")


def test_links_of_the_book_can_be_asked():
    wanted = deadlinks.links()
    assert len(wanted) > 300
    assert all(re.fullmatch(r"https?://[\x21-\x7e]+", link.asked) for link in wanted)


def test_report_of_links(server, tmp_path, monkeypatch, capsys):
    address, _ = server
    monkeypatch.setattr(deadlinks, "RESOLVER", address + "api/handles/")
    table = tmp_path / "references.csv"
    table.write_text(f"id,doi,url,pmid,nct\nwell,10.1/yes,,,\nlost,10.1/no,,,\nlate,,{address}slow,,\nnew,,{address}moved,,\n", "utf-8")
    monkeypatch.setattr(deadlinks.Manners, "__init__", lambda self, pause, timeout: self.__dict__.update(HASTY.__dict__))
    monkeypatch.setattr(sys, "argv", ["deadlinks.py", "--table", str(table)])
    assert deadlinks.main() == 0, "a dead link is a line of the report, not a failure"
    text = capsys.readouterr().out
    assert "4 asked: 1 answer, 1 have moved, 1 are dead, 1 unsure." in text
    assert "- `lost`: <https://doi.org/10.1/no> 404 Not Found" in text
    assert f"- `new`: <{address}moved> now {address}new-place" in text
    assert f"- `late`: <{address}slow> no answer in time" in text
    assert "well" not in text


def test_no_network_is_not_four_hundred_dead_links(tmp_path, monkeypatch, capsys):
    table = tmp_path / "references.csv"
    table.write_text("id,doi,url,pmid,nct\na,,http://nowhere.invalid/,,\n", "utf-8")
    monkeypatch.setattr(deadlinks.Manners, "__init__", lambda self, pause, timeout: self.__dict__.update(FAST.__dict__))
    monkeypatch.setattr(sys, "argv", ["deadlinks.py", "--table", str(table)])
    assert deadlinks.main() == 2
    assert "network" in capsys.readouterr().err


# --- releases

RECIPE = "book:\n\tmkdir -p _build/html && sed 's/^/<p>/' words.txt > _build/html/index.html\n\tprintf '%s' \"$$BOOK_SITE\" > _build/html/where.txt\n"


@pytest.fixture
def released(tmp_path, monkeypatch):
    """A small book in a repository of its own, with one release packed; yields the repository and the release."""
    root = tmp_path / "book"
    root.mkdir()
    for name, text in {"Makefile": RECIPE, "words.txt": "hello\n", "CITATION.cff": "version: 0.1.0\n", "CHANGELOG.md": "# Changes\n\n## 0.1.0\n", ".gitignore": "_build/\n"}.items():
        (root / name).write_text(text, "utf-8")
    monkeypatch.setenv("BOOK_SITE", "https://book.example/versions/v0.1.0")
    for key, value in {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_CONFIG_GLOBAL": "/dev/null"}.items():
        monkeypatch.setenv(key, value)
    for arguments in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"], ["tag", "v0.1.0"]):
        release.git(*arguments, root=root)
    subprocess.run(["make", "-s", "-C", root, "book"], check=True)
    out = tmp_path / "releases" / "v0.1.0"
    release.pack("v0.1.0", out, root=root, site=root / "_build" / "html")
    return root, out


def test_a_release_names_itself(released):
    root, _ = released
    release.check("v0.1.0", root)
    for tag, why in (("v0.2.0", "CITATION.cff"), ("0.1.0", "not the tag"), ("v0.1.0/..", "not the tag")):
        with pytest.raises(release.ReleaseError, match=why):
            release.check(tag, root)


def test_a_release_holds_site_repository_and_checksums(released, tmp_path):
    root, out = released
    name = "her2-book-v0.1.0"
    assert {path.name for path in out.iterdir()} == {f"{name}-site.tar.gz", f"{name}-source.tar.gz", f"{name}.bundle", "release.json", "SHA256SUMS"}
    built = release.verify(out)
    assert built["commit"] == release.git("rev-parse", "HEAD", root=root)
    assert built["addresses"]["BOOK_SITE"] == "https://book.example/versions/v0.1.0"
    again = tmp_path / "again.tar.gz"
    release.tree(root / "_build" / "html", again, name)
    assert again.read_bytes() == (out / f"{name}-site.tar.gz").read_bytes(), "the same site makes the same archive"


def test_a_release_is_packed_only_from_its_tag(released, tmp_path):
    root, _ = released
    (root / "words.txt").write_text("changed\n", "utf-8")
    with pytest.raises(release.ReleaseError, match="clean checkout"):
        release.pack("v0.1.0", tmp_path / "other", root=root, site=root / "_build" / "html")


def test_a_release_is_rebuilt_at_its_address(released, monkeypatch):
    _, out = released
    monkeypatch.setenv("BOOK_SITE", "https://elsewhere.example")
    release.rebuild(out)


def test_a_release_that_builds_to_something_else_is_reported(released, capsys):
    _, out = released
    site = out / "her2-book-v0.1.0-site.tar.gz"
    folder = out.parent / "spoilt"
    release.unpack(out, folder)
    (folder / "index.html").write_text("<p>other", "utf-8")
    release.tree(folder, site, "her2-book-v0.1.0")
    sums = (out / "SHA256SUMS").read_text("utf-8").splitlines()
    (out / "SHA256SUMS").write_text("".join(f"{release.checksum(out / line.split()[1])}  {line.split()[1]}\n" for line in sums), "utf-8")
    with pytest.raises(release.ReleaseError, match="not to the site that was released"):
        release.rebuild(out)
    assert "1 changed" in capsys.readouterr().out


def test_releases_stand_below_the_current_site(released, tmp_path):
    root, out = released
    for tag in ("v0.2.0", "v0.10.0", "v0.10.0rc1"):
        copy = out.parent / tag
        copy.mkdir()
        release.tree(root / "_build" / "html", copy / f"her2-book-{tag}-site.tar.gz", f"her2-book-{tag}")
        (copy / "release.json").write_text(json.dumps({"tag": tag}), "utf-8")
        (copy / "SHA256SUMS").write_text("".join(f"{release.checksum(path)}  {path.name}\n" for path in sorted(copy.iterdir())), "utf-8")
    current = make_site(tmp_path / "current", {"index.html": {"title": "Now"}})
    public = tmp_path / "public"
    tags = release.assemble(out.parent, public, site=current)
    assert tags == ["v0.10.0", "v0.10.0rc1", "v0.2.0", "v0.1.0"]
    assert (public / "versions" / "v0.1.0" / "index.html").read_bytes() == (root / "_build" / "html" / "index.html").read_bytes()
    listed = re.findall(r'href="([^"]+)"', (public / "versions" / "index.html").read_text("utf-8"))
    assert all((public / "versions" / link).is_file() for link in listed) and len(listed) == 5
    with pytest.raises(release.ReleaseError, match="not empty"):
        release.assemble(out.parent, public, site=current)


def test_a_release_that_was_tampered_with_is_not_published(released, tmp_path):
    _, out = released
    with (out / "her2-book-v0.1.0-site.tar.gz").open("ab") as file:
        file.write(b"x")
    current = make_site(tmp_path / "current", {"index.html": {"title": "Now"}})
    with pytest.raises(release.ReleaseError, match="not the file that was released"):
        release.assemble(out.parent, tmp_path / "public", site=current)


# --- the benchmark: ratios and bytes, never times


def results() -> dict:
    return json.loads(bench.RESULT.read_text("utf-8"))


def test_importing_her2_costs_little_more_than_pandas_and_altair():
    assert bench.import_ratio(runs=3) <= 1.3


def test_kernels_stay_small():
    """The heaviest notebook of the last benchmark, and every one that was not there yet."""
    known = results()["notebooks"]
    heaviest = max(known, key=lambda name: known[name]["peak_bytes"])
    names = [name for path in notebooks() if (name := path.relative_to(ROOT).with_suffix("").as_posix()) == heaviest or name not in known]
    peaks = {name: bench.profile(ROOT / f"{name}.ipynb")["peak_bytes"] for name in names}
    assert not {name: peak for name, peak in peaks.items() if peak > 350 * bench.MB}


def test_a_copy_of_a_chapter_is_a_chapter_of_its_own():
    for name in multiply.chapter_names():
        notebook = json.loads((ROOT / f"{name}.ipynb").read_text("utf-8"))
        copy = multiply.copy_of(notebook, 3)
        labels, copied = (set(re.findall(r"^\(([a-z0-9-]+)\)=", prose(book), re.MULTILINE)) for book in (notebook, copy))
        assert labels and copied == {f"{label}-copy-3" for label in labels}
        assert not set(re.findall(r"\]\(#([a-z0-9-]+)\)", prose(copy))) & labels
        charts, others = (stored_charts(book) for book in (notebook, copy))
        assert len(charts) == len(others) and not charts & others
        assert copy["metadata"]["her2"]["slug"] == f"{notebook['metadata']['her2']['slug']}-copy-3"


def prose(notebook: dict) -> str:
    return "\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")


def stored_charts(notebook: dict) -> set[str]:
    outputs = [output.get("data", {}) for cell in notebook["cells"] for output in cell.get("outputs", [])]
    return {json.dumps(spec, sort_keys=True) for data in outputs for mime, spec in data.items() if mime.startswith(multiply.VEGA)}


def test_copies_stand_beside_their_chapters(tmp_path):
    names = multiply.multiply(tmp_path / "book", 3)
    assert len(names) == 3 * len(multiply.chapter_names())
    assert names[:3] == [names[0], f"{names[0]}-copy-2", f"{names[0]}-copy-3"]
    assert all((tmp_path / "book" / f"{name}.ipynb").is_file() for name in names)
    assert not (tmp_path / "book" / "_build").exists()


def test_colophon_shows_what_was_measured(site):
    page = (site / "chapters" / "reference" / "colophon.html").read_text("utf-8")
    for goal in results()["goals"]:
        assert goal["what"] in html.unescape(page)
    for name, version in results()["versions"].items():
        assert f"<p>{name}</p>" in page and f"<p>{version}</p>" in page


def test_goals_are_judged_by_what_was_measured():
    for goal in results()["goals"]:
        assert goal["met"] == (goal["value"] <= goal["most"])
