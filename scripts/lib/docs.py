"""Checks the pages: that their listings are what the programs say, that their links lead somewhere, and
their spelling; or brings the listings up to date; or lays out what the site is built from.

Usage: docs.py check|update [<source folder>]
       docs.py stage <folder> [<source folder>]

A listing is a block of code with a line in front that says where it comes from: a file, or a region of it.

    <!-- from examples/guide/time.cpp: cancel -->

A region lies between the lines `// [cancel]` and `// [/cancel]` (`#` where that begins a comment). In the guide,
every block of C++ or Python is a listing, so that all that is shown was compiled and run.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import docs_tables

LISTING = re.compile(r"^<!-- from (\S+?)(?:: (\S+))? -->\n```(\w*)\n(.*?)^```$", flags=re.M | re.S)
MARKER = re.compile(r"\s*(?://|#) \[(/?)([\w-]+)\]\s*$")
COMPILED = ("cpp", "python", "py", "c++")  # such blocks must be listings
WORDS = "docs/words.txt"


def pages(root):
    """Returns all pages of the tree, but for those of folders of builds."""
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(f for f in folders if not f.startswith(".") and not f.startswith("build"))
        found += [Path(folder) / f for f in sorted(files) if f.endswith(".md")]
    return found


def of_guide(root, page):
    """Tells whether all code of this page is compiled."""
    where = page.relative_to(root)
    return where.parts[:2] == ("docs", "guide") or re.match(r"docs/from-\w+\.md", str(where)) is not None


def prose(text):
    """Returns a page without blocks of code, code, comments and the targets of links."""
    text = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.M | re.S)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"`[^`]*`", " ", text)
    text = re.sub(r"<https?:[^>]*>|https?:\S+", " ", text)
    return re.sub(r"\]\([^)]*\)", "] ", text)


def slug(title):
    """Returns the name by which a link finds a heading."""
    title = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
    return re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")


class checker:
    def __init__(self, root):
        self.root = root
        self.wrong = []
        self.used = {}  # path: the regions that pages show; None is the whole file

    def listing(self, where, path, region):
        """Returns the text of a listing, or None if there is none."""
        file = self.root / path
        self.used.setdefault(path, set()).add(region)
        if not file.is_file():
            self.wrong.append(f"{where}: there is no {path}")
            return None
        inside, lines, seen = region is None, [], False
        for line in file.read_text().splitlines():
            mark = MARKER.match(line)
            if mark:
                if mark[2] == region:
                    inside, seen = not mark[1], True
            elif inside:
                lines.append(line)
        if region is not None and (not seen or inside):
            self.wrong.append(f"{where}: {path} has no region {region}" if not seen else f"{path}: {region} does not end")
            return None
        return textwrap.dedent("\n".join(lines)).strip("\n") + "\n"

    def listings(self, page, update):
        where, text = page.relative_to(self.root), page.read_text()

        def renewed(found):
            path, region, language, shown = found.groups()
            wanted = self.listing(where, path, region)
            if wanted is None or wanted == shown:
                return found[0]
            if not update:
                self.wrong.append(f"{where}: the listing of {path}{': ' + region if region else ''} is not what that says; "
                                  "scripts/docs update renews it")
            return found[0][: found.start(4) - found.start()] + wanted + "```"

        new = LISTING.sub(renewed, text)
        if update and new != text:
            page.write_text(new)
            print(f"renewed {where}")
        if LISTING.sub("", new).count("\n<!-- from "):
            self.wrong.append(f"{where}: a line that says where a listing is from has no block of code behind it")
        if of_guide(self.root, page):
            for block in re.finditer(r"^```(\w*)$", LISTING.sub("", new), flags=re.M):
                if block[1] in COMPILED:
                    self.wrong.append(f"{where}: a block of {block[1]} is no listing, so nobody compiles it")

    def regions(self):
        """Every region and every output of the guide's programs is shown somewhere."""
        for file in sorted((self.root / "examples/guide").rglob("*")):
            if file.suffix not in (".cpp", ".hpp", ".py", ".js", ".txt"):
                continue
            path = str(file.relative_to(self.root))
            if file.suffix == ".txt" and file.name not in ("CMakeLists.txt", "session.txt") and path not in self.used:
                self.wrong.append(f"{path}: no page shows this output")
            for line in file.read_text().splitlines():
                mark = MARKER.match(line)
                if mark and not mark[1] and mark[2] not in self.used.get(path, ()):
                    self.wrong.append(f"{path}: no page shows the region {mark[2]}")

    def links(self, page):
        where, text = page.relative_to(self.root), page.read_text()
        text = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.M | re.S)
        text = re.sub(r"`[^`\n]*`", "", text)
        for target in re.findall(r"\]\((?!https?:|mailto:)([^)\s]*)\)", text):
            path, _, part = target.partition("#")
            to = page.parent / path if path else page
            if not to.exists():
                self.wrong.append(f"{where}: a link leads to {target}")
            elif part and to.suffix == ".md":
                titles = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", to.read_text(), flags=re.M | re.S), flags=re.M)
                if part not in map(slug, titles):
                    self.wrong.append(f"{where}: {path or where} has no part #{part}")

    def spelling(self, checked):
        if shutil.which("aspell") is None:
            print("aspell is not installed: the spelling was not checked")
            return
        words = self.root / WORDS
        known = {w for w in words.read_text().split() if not w.startswith("#")}
        for page in checked:
            found = subprocess.run(["aspell", "list", "--lang=en_GB", "--encoding=utf-8", "--ignore=2"], text=True,
                                   input=prose(page.read_text()), capture_output=True)
            if found.returncode != 0:
                self.wrong.append(f"aspell: {found.stderr.strip()}")
                return
            unknown = sorted({w for w in found.stdout.split() if w not in known and w.lower() not in known})
            if unknown:
                self.wrong.append(f"{page.relative_to(self.root)}: spelling (or add it to {WORDS}): {', '.join(unknown)}")

    def check(self, update):
        self.wrong += docs_tables.check(self.root, update)
        every = pages(self.root)
        for page in every:
            self.listings(page, update)
            self.links(page)
        self.regions()
        mine = [p for p in every if p.relative_to(self.root).parts[0] == "docs" or p == self.root / "README.md"]
        self.spelling(mine)
        shown = sum(map(len, self.used.values()))
        print(f"{len(every)} pages, {shown} listings, the spelling of {len(mine)} pages")
        return "\n".join(self.wrong) or 0


def title_of(page):
    found = re.search(r"^# (.*)$", page.read_text(), flags=re.M)
    return found[1].strip() if found else page.stem


def stage(root, to):
    """Copies the pages, and what they link to, to `to`/pages, and writes `to`/mkdocs.yml."""
    out = to / "pages"
    shutil.rmtree(out, ignore_errors=True)
    for page in pages(root):
        where, text = page.relative_to(root), page.read_text()

        def linked(found):
            path, hash_, part = found[1].partition("#")
            if not path or re.match(r"\w+:", path):
                return found[0]
            target = Path(os.path.normpath(page.parent / path))
            if target.is_dir():  # a site has pages only
                readme = target / "README.md"
                return f"]({path.rstrip('/')}/README.md{hash_}{part})" if readme.exists() else "]()"
            if target.suffix != ".md" and target.is_file():
                # A page of its own, which search finds and a browser shows.
                copy = out / target.relative_to(root).with_name(target.name + ".md")
                if not copy.exists():
                    copy.parent.mkdir(parents=True, exist_ok=True)
                    language = {".cpp": "cpp", ".hpp": "cpp", ".py": "python"}.get(target.suffix, "")
                    text = target.read_text()
                    fence = "````" if "```" in text else "```"
                    copy.write_text(f"# {target.relative_to(root)}\n\n{fence}{language}\n{text}{fence}\n")
                return f"]({path}.md)"
            return found[0]

        blocks = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
        blocks[::2] = [re.sub(r"\]\(([^)\s]*)\)", linked, part) for part in blocks[::2]]
        text = re.sub(r"\[([^]]*)\]\(\)", r"\1", "".join(blocks))
        (out / where).parent.mkdir(parents=True, exist_ok=True)
        (out / where).write_text(text)

    nav = ["  - Troupe: README.md", "  - The guide:", "    - Contents: docs/guide/README.md"]
    contents = (root / "docs/guide/README.md").read_text()
    for name in dict.fromkeys(re.findall(r"\]\(([\w-]+\.md)\)", contents)):
        nav.append(f"    - '{title_of(root / 'docs/guide' / name)}': docs/guide/{name}")
    nav.append("  - Coming from:")
    nav += [f"    - '{title_of(p)}': docs/{p.name}" for p in sorted((root / "docs").glob("from-*.md"))]
    nav.append("  - Reference:")
    others = [p for p in sorted((root / "docs").glob("*.md")) if not p.name.startswith("from-")]
    nav += [f"    - '{title_of(p)}': docs/{p.name}" for p in others]
    nav += [f"    - '{title_of(p)}': {p.relative_to(root)}" for p in sorted((root / "docs/internals").glob("*.md"))]
    nav += [f"  - '{t}': {n}" for t, n in (("Examples", "examples/README.md"), ("Changes", "CHANGELOG.md"))]
    (to / "mkdocs.yml").write_text(
        "site_name: Troupe\nsite_url: ''\nuse_directory_urls: false\ndocs_dir: pages\nsite_dir: site\n"
        "theme:\n  name: readthedocs\n  highlightjs: true\n"
        "plugins: [search]\nmarkdown_extensions: [tables, fenced_code, toc]\nnav:\n" + "\n".join(nav) + "\n")


def main():
    what, arguments = sys.argv[1], sys.argv[2:]
    here = Path(__file__).resolve().parents[2]
    if what == "stage":
        to = Path(arguments[0]).resolve()
        to.mkdir(parents=True, exist_ok=True)
        return stage(Path(arguments[1]).resolve() if len(arguments) > 1 else here, to)
    assert what in ("check", "update"), __doc__
    return checker(Path(arguments[0]).resolve() if arguments else here).check(what == "update")


sys.exit(main())
