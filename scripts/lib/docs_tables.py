"""Makes the pages that say again what headers say: docs/errors.md and docs/options.md."""

import re
from pathlib import Path

# Aggregates of options whose names do not say so.
MORE = ("backoff", "restart_backoff", "child_spec")


def comment(lines):
    """Returns the text of lines of a comment, as one paragraph, without examples and sources."""
    text, inside = [], False
    for line in lines:
        line = line.strip().removeprefix("///").strip()
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            text.append(line)
    return re.sub(r"\s+", " ", " ".join(text)).strip().replace("|", "\\|")


def codes(root):
    """Yields each enumeration of error codes: its header, its name and its body."""
    for top in ("runtime", "actors", "net"):
        for header in sorted((root / top).rglob("include/troupe/**/*.hpp")):
            for name, body in re.findall(r"^enum class (\w*errc)\b[^{;]*\{\n(.*?)^\};", header.read_text(), flags=re.M | re.S):
                yield header, name, body


def errors(root):
    page = ["# Error codes", "", "One name for one event, and what to do. They are `troupe::errc`, in `<troupe/runtime/errc.hpp>`; the numbers travel",
            "between nodes, and none is used twice. `failure::check(errc::timed_out)` asks for one. Components have more, below.",
            "This page is made from the headers.", ""]
    head = ["", "| name | number | what it means, and what to do |", "| --- | --- | --- |"]
    found = list(codes(root))
    assert found[0][1] == "errc", found[0]
    for header, name, body in found:
        if name != "errc":
            page += ["", f"## `{name}`", "", f"In `<{str(header).rpartition('include/')[2]}>`.", *head]
        said, numbers = [], set()
        for line in body.splitlines():
            group, value = re.match(r"\s*// -- (.*?) -+$", line), re.match(r"\s*(\w+) = (\d+),", line)
            if group:
                page += ["", f"## {group[1].capitalize()}", *head]
            elif value and value[2] != "0":
                text = comment(said)
                assert len(re.findall(r"[.;](?: |$)", text)) > 1, f"{header}: {value[1]} does not say what to do: {text}"
                assert value[2] not in numbers, f"{header}: {value[2]} is used twice"
                numbers.add(value[2])
                page.append(f"| `{value[1]}` | {value[2]} | {text} |")
            said = said + [line] if line.strip().startswith("///") else []
        assert numbers, f"{header}: nothing is read of {name}"
    return "\n".join(page) + "\n"


def aggregate(text, name):
    """Yields the members of a struct, each with its default and its comment."""
    found = re.search(rf"^struct {name} \{{\n(.*?)^\}};", text, flags=re.M | re.S)
    said, declared, over = [], "", False
    for line in found[1].splitlines():
        stripped = line.strip()
        if stripped.startswith("///"):
            said, declared, over = [stripped] if over else said + [stripped], "", False
            continue
        declared = f"{declared} {stripped}".strip()
        if declared.endswith("{") or declared.startswith(("template", "[[", "explicit")):
            if declared.endswith(("{", "}")):
                said, declared = [], ""
            continue
        bare = re.sub(r"<.*>", "", declared.split("=")[0]) + declared[len(declared.split("=")[0]):]  # without arguments of templates
        member = re.match(r"(?!static|using|friend|return)[\w:]+\s(\w+)\s*(?:=\s*(.*?)|\{(.*)\})?;\s*(?://+<? ?(.*))?$", bare, flags=re.S)
        if ";" in stripped or not stripped:
            if member:
                beside = [f"/// {member[4]}"] if member[4] else []
                yield member[1], member[2] or (f"{{{member[3]}}}" if member[3] else ""), comment(said + beside)
                over = True  # what is said next is about the next one; until then, one comment may be about several
            if not stripped:
                said = []
            declared = ""


def aggregates(root):
    """Returns all aggregates of options of public headers: header, namespace, name."""
    headers = [h for top in ("runtime", "actors", "net") for h in sorted((root / top).rglob("include/troupe/**/*.hpp"))]
    found = []
    for header in headers:
        if header.parent.name in ("detail", "testing"):
            continue
        text = header.read_text()
        namespace = re.search(r"^namespace troupe(::\w+)? \{", text, flags=re.M)
        for name in re.findall(r"^struct (\w+)(?: final)? \{", text, flags=re.M):
            if name.endswith(("_options", "_limits")) or name in MORE:
                found.append((header, (namespace[1] or "").removeprefix("::"), name))
    return found


def options(root):
    page = ["# Options", "", "Every option, its default, and why. All are aggregates, filled by designated initialisers:",
            "`troupe::runtime rt{{.loops = 2, .grace = 1s}};`. This page is made from the headers.", ""]
    for header, namespace, name in aggregates(root):
        page += [f"## `{namespace + '::' if namespace else ''}{name}`", "", f"In `<{str(header).rpartition('include/')[2]}>`.", "",
                 "| option | default | |", "| --- | --- | --- |"]
        members = list(aggregate(header.read_text(), name))
        assert members, f"{header}: {name}"
        page += [f"| `{member}` | {f'`{default}`' if default else ''} | {why} |" for member, default, why in members]
        page.append("")
    return "\n".join(page).rstrip() + "\n"


def said(root):
    """Returns what docs/mistakes.md says that Troupe says, and no source does."""
    sources = ""
    for folder in ("runtime", "actors", "net"):
        for file in sorted((root / folder).rglob("*.[hc]pp")):
            sources += file.read_text()
    sources = re.sub(r'"\s*\n?\s*"', "", sources)  # literals that stand side by side are one
    page = (root / "docs/mistakes.md").read_text()
    return [text for text in re.findall(r"^\| [^|]+ \| `([^`]*)` \|", page, flags=re.M) if text not in sources]


def headers(root):
    """Returns the headers that docs/headers.md names and that are not there, and the components that it does not name."""
    page = (root / "docs/headers.md").read_text()
    there = {h.name for top in ("runtime", "actors", "net") for h in (root / top).rglob("include/troupe/**/*.hpp")}
    components = [root / "net/cluster", *sorted(p.parent for p in (root / "net/protocols").glob("*/CMakeLists.txt"))]
    assert len(components) > 1, root
    there |= {f"{name}.hpp" for name in ("runtime", "actors", "net", "testing", "troupe", *(c.name for c in components))}  # umbrellas
    wrong = [f"docs/headers.md: there is no {h}" for h in re.findall(r"[\w-]+\.hpp", page) if h not in there]
    return wrong + [f"docs/headers.md: no link leads to {c.relative_to(root)}" for c in components
                    if f"](../{c.relative_to(root)}/README.md)" not in page]


PAGES = {"docs/errors.md": errors, "docs/options.md": options}


def check(root: Path, update: bool):
    """Returns what is wrong with the pages, or writes them."""
    wrong = []
    for name, make in PAGES.items():
        page, wanted = root / name, make(root)
        if page.exists() and page.read_text() == wanted:
            continue
        if update:
            page.write_text(wanted)
            print(f"renewed {name}")
        else:
            wrong.append(f"{name} is not what the headers say; scripts/docs update renews it")
    wrong += [f"docs/mistakes.md: nothing says `{text}`" for text in said(root)]
    return wrong + headers(root)
