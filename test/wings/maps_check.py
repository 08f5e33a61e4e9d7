"""Proves that the maps are true: the tables of files name what there is, each once, and nothing else,
also those of net/protocols/ and net/cluster; net/README.md has the order that is compiled; the paths and
names that pages mention exist.

Usage: maps_check.py <source folder>
"""

import re
import sys
from pathlib import Path

root = Path(sys.argv[1]).resolve()
net = root / "net"
wrong = []


def wings():
    """Returns the wings, and what each sees as its CMake file says; `testing` has none."""
    made = {folder.parent.name: folder.read_text() for folder in net.glob("*/CMakeLists.txt")}
    found = {}
    for name, text in made.items():
        called = re.search(r"troupe_wing\((\w+)(?: SEES ([\w ]+?))?(?: LIBRARIES .*)?\)", text)
        if called:
            assert called[1] == name, text
            found[name] = (called[2] or "").split()
    assert len(found) > 8, found
    return found


def prose(page):
    """Returns the text of a page without its pictures and examples."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)


def code(text):
    """Returns what is set as code."""
    return re.findall(r"`([^`\n]+)`", text)


def rows(text, title):
    """Returns the cells of the rows of the table whose head is `title`, a pattern."""
    table = re.search(rf"^\| {title} \|.*\n\|[- |:]+\n((?:\|.*\n)+)", text, flags=re.M)
    return [[cell.strip() for cell in row.strip("|").split("|")]
            for row in table[1].splitlines()] if table else []


def is_source(path):
    return path.suffix in (".hpp", ".cpp")


def files_of(part):
    """Returns the sources and headers below `part`."""
    return {f for folder in ("src", "include") for f in (part / folder).rglob("*") if is_source(f)}


def named(part, name):
    """Returns the files of `part` that a table means by `name`: `x`, `src/x`, `detail/x` or `testing/x`.

    A header of users' brings its source along; one that is in src/ alone is named with that.
    """
    base = part / "include" / "troupe"
    own = base / (part.name if (base / part.name).is_dir() else "net")
    if name.startswith("src/"):
        tried = [part / f"{name}{end}" for end in (".hpp", ".cpp")]
    elif name.startswith("testing/"):
        tried = [base / f"{name}.hpp", part / "src" / f"{name}.cpp", part / "src" / f"{Path(name).name}.cpp"]
    else:
        header = own / f"{name}.hpp"
        tried = [header] + ([part / "src" / f"{Path(name).name}.cpp"] if header.exists() else [])
    return {f for f in tried if f.exists()}


def check_table(part):
    """The table of files in the README of `part` names each of its files once."""
    page = part / "README.md"
    where = page.relative_to(root)
    left, seen = files_of(part), set()
    for cells in rows(page.read_text(), "file"):
        for name in code(cells[0]):
            means = named(part, name)
            if not means:
                wrong.append(f"{where}: there is no `{name}`")
            if name in seen:
                wrong.append(f"{where}: `{name}` is there twice")
            seen.add(name)
            left -= means
    wrong.extend(f"{where}: no row has {f.relative_to(part)}" for f in sorted(left))


def check_order(seen):
    """The table of wings in net/README.md says what the CMake files say."""
    told = {}
    for link, _, sees in rows((net / "README.md").read_text(), "wing"):
        told[re.match(r"\[(\w+)\]\(\1/README.md\)", link)[1]] = sees
    compiled = {wing: ", ".join(below) or "`actors/`, `runtime/`" for wing, below in seen.items()}
    for wing, sees in {**compiled, "testing": "all"}.items():
        if told.pop(wing, None) != sees:
            wrong.append(f"net/README.md: no row says that {wing} sees {sees}")
    wrong.extend(f"net/README.md: {wing} is no wing" for wing in told)


def exists(page, name):
    """Tells whether a path that `page` mentions leads somewhere, from the top, from the page, or, for
    headers and sources, from where the page's part has them."""
    folder = page.parent
    bases = [root, folder, folder / "include/troupe", *folder.glob("include/troupe/*")]
    return any((base / f"{name}{end}").exists() for base in bases for end in ("", ".hpp", ".cpp"))


def is_path(name):
    """Tells whether `name`, set as code, is meant as a path of ours, and not as one of a system or a web."""
    return (re.fullmatch(r"[\w.-]+(/[\w.-]+)*/?", name) is not None
            and ("/" in name or re.search(r"\.(hpp|cpp|py|md|txt|cmake)$", name) is not None))


def check_mentions(page, words):
    """What `page` mentions exists: paths, headers, links to pages and their parts, members of classes."""
    where, text = page.relative_to(root), prose(page)
    for name in code(text):
        header = re.fullmatch(r"<(troupe/.+/.+\.hpp)>", name) # others are made by CMake
        if header:
            if not any(list(base.glob(f"*/include/{header[1]}")) for base in (net, net / "protocols", root)):
                wrong.append(f"{where}: there is no {name}")
        elif is_path(name) and not exists(page, name):
            wrong.append(f"{where}: there is no `{name}`")
        member = re.fullmatch(r"(?:\w+::)*(\w+)::(\w+)(?:\(.*\))?", name)
        if member and not any(set(member.groups()) <= names for names in words):
            wrong.append(f"{where}: no file has `{name}`")
    for row in re.findall(r"^\| [^|]* \| `([^`]+\.[hc]pp)` \| [^`\n]*`(?:\w+::)+(\w+)`", text, flags=re.M):
        if (root / row[0]).exists() and not re.search(rf"\b{row[1]}\b", (root / row[0]).read_text()):
            wrong.append(f"{where}: {row[0]} has no {row[1]}")
    for target in re.findall(r"\]\((?!https?:)([^)]*)\)", text):
        path, _, part = target.partition("#")
        to = page.parent / path if path else page
        if not to.exists():
            wrong.append(f"{where}: a link leads to {target}")
        elif part and part not in {re.sub(r"[^\w -]", "", title.lower()).strip().replace(" ", "-")
                                   for title in re.findall(r"^#+ (.*)$", to.read_text(), flags=re.M)}:
            wrong.append(f"{where}: {path} has no part #{part}")


def main():
    seen = wings()
    parts = [net / wing for wing in [*seen, "testing"]] + [root / "runtime", root / "actors"]
    parts += [made.parent for folder in ("protocols/*", "cluster")
              for made in sorted(net.glob(f"{folder}/CMakeLists.txt"))]
    for part in parts:
        check_table(part)
    check_order(seen)
    words = [set(re.findall(r"\w+", f.read_text())) for part in parts for f in files_of(part)]
    pages = [net / "README.md", *(part / "README.md" for part in parts), *root.glob("docs/internals/*.md")]
    for page in pages:
        check_mentions(page, words)
    if not wrong:
        print(f"{len(pages)} pages, {sum(len(files_of(part)) for part in parts)} files")
    return "\n".join(wrong) or 0


sys.exit(main())
