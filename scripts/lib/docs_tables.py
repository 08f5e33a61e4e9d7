"""Makes the pages that say again what headers say: docs/errors.md and docs/options.md."""

import re
from pathlib import Path

OPTIONS = [  # header, aggregate
    ("runtime/include/troupe/runtime/options.hpp", "runtime_options"),
    ("net/stream/include/troupe/net/listening_port.hpp", "listen_options"),
    ("net/stream/include/troupe/net/transport.hpp", "output_limits"),
    ("net/socket/include/troupe/net/connector.hpp", "connect_options"),
    ("net/endpoint/include/troupe/net/client_service.hpp", "backoff"),
    ("net/endpoint/include/troupe/net/client_service.hpp", "client_service_options"),
    ("net/tls/include/troupe/net/tls_context.hpp", "tls_server_options"),
    ("net/tls/include/troupe/net/tls_context.hpp", "tls_client_options"),
    ("net/policy/include/troupe/net/throttling_factory.hpp", "throttle_limits"),
    ("net/process/include/troupe/net/spawn_process.hpp", "process_options"),
    ("actors/include/troupe/actors/supervisor.hpp", "supervisor_options"),
    ("actors/include/troupe/actors/supervisor.hpp", "restart_backoff"),
    ("actors/include/troupe/actors/child_spec.hpp", "child_spec"),
]


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


def errors(root):
    header = root / "runtime/include/troupe/runtime/errc.hpp"
    body = re.search(r"enum class errc.*?\{(.*?)^\};", header.read_text(), flags=re.M | re.S)[1]
    page = ["# Error codes", "", "One name for one event, and what to do. They are `troupe::errc`, in `<troupe/runtime/errc.hpp>`; the numbers travel",
            "between nodes, and none is used twice. `failure::check(errc::timed_out)` asks for one. This page is made from the header.", ""]
    said = []
    for line in body.splitlines():
        group, value = re.match(r"\s*// -- (.*?) -+$", line), re.match(r"\s*(\w+) = (\d+),", line)
        if group:
            page += ["", f"## {group[1].capitalize()}", "", "| name | number | what it means, and what to do |", "| --- | --- | --- |"]
        elif value and value[2] != "0":
            page.append(f"| `{value[1]}` | {value[2]} | {comment(said)} |")
        said = said + [line] if line.strip().startswith("///") else []
    return "\n".join(page) + "\n"


def aggregate(text, name):
    """Yields the members of a struct, each with its default and its comment."""
    found = re.search(rf"^struct {name} \{{\n(.*?)^\}};", text, flags=re.M | re.S)
    said, declared = [], ""
    for line in found[1].splitlines():
        stripped = line.strip()
        if stripped.startswith("///"):
            said, declared = said + [stripped], ""
            continue
        declared = f"{declared} {stripped}".strip()
        if declared.endswith("{") or declared.startswith(("template", "[[", "explicit")):
            if declared.endswith(("{", "}")):
                said, declared = [], ""
            continue
        bare = re.sub(r"<.*>", "", declared.split("=")[0]) + declared[len(declared.split("=")[0]):]  # without arguments of templates
        member = re.match(r"(?!static|using|friend|return)[\w:]+\s(\w+)\s*(?:=\s*(.*?)|\{(.*)\})?;\s*(?:///?.*)?$", bare, flags=re.S)
        if ";" in stripped or not stripped:
            if member:
                yield member[1], member[2] or (f"{{{member[3]}}}" if member[3] else ""), comment(said)
            if member or not stripped:
                said = [] if not stripped else said  # one comment may be about several
            declared = ""


def options(root):
    page = ["# Options", "", "Every option, its default, and why. All are aggregates, filled by designated initialisers:",
            "`troupe::runtime rt{{.loops = 2, .grace = 1s}};`. This page is made from the headers.", ""]
    for header, name in OPTIONS:
        page += [f"## {name}", "", f"In `<{header.split('include/')[1]}>`.", "", "| option | default | |", "| --- | --- | --- |"]
        for member, default, why in aggregate((root / header).read_text(), name):
            page.append(f"| `{member}` | {f'`{default}`' if default else ''} | {why} |")
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
    return wrong
