"""Writes the manual page of an example, of the comment at the head of its source and what it says to --help.

Usage: manual_page.py <program> <source> <version> <page.1.gz>
"""

import gzip
import re
import subprocess
import sys
from pathlib import Path

program, source, version, page = sys.argv[1:]
name = Path(page).name.removesuffix(".1.gz")


def installed(line):
    """Names the programs as they are installed; what stands in a second column stays there."""
    def renamed(found):
        now = "troupe-" + found[1].replace("_", "-") + found[2]
        return now + " " * (len(found[0]) - len(now) if found[3] else 0)
    return re.sub(r"build/release/examples/(\w+)((?: ?\S)*)(  )?", renamed, line)


def roff(line):
    line = line.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + line if line[:1] in (".", "'") else line


head = []
for line in Path(source).read_text().splitlines():
    if not line.startswith("//"):
        break
    head.append(line[2:].removeprefix(" "))
# The first sentence is what the program does; the first paragraph says it all.
first = " ".join(head[: head.index("") if "" in head else len(head)])
about = re.match(r"(.*?)(?:\.(?= |$)|$)", first)[1]

lines = [f'.TH {name.upper()} 1 "" "Troupe {version}" "Examples of Troupe"', ".SH NAME",
         roff(f"{name} - {about[:1].lower()}{about[1:]}"), ".SH DESCRIPTION"]
literal = False
for line in head:
    shown = line.startswith("  ")
    if shown != literal and line:
        lines.append(".nf" if shown else ".fi")
        literal = shown
    lines.append(roff(installed(line).rstrip()) if line else ".PP" if not literal else "")
if literal:
    lines.append(".fi")
if '"command_line.hpp"' in Path(source).read_text() or '"server_program.hpp"' in Path(source).read_text():
    told = subprocess.run([program, "--help"], text=True, check=True, capture_output=True).stdout
    lines += [".SH OPTIONS", ".nf", *(roff(line.rstrip()) for line in told.strip().splitlines()), ".fi"]
lines += [".SH SEE ALSO", "The sources are in", roff("/usr/share/doc/troupe/examples, of the package libtroupe-dev.")]
Path(page).parent.mkdir(parents=True, exist_ok=True)
with open(page, "wb") as out, gzip.GzipFile("", "wb", 9, out, mtime=0) as packed:
    packed.write(("\n".join(lines) + "\n").encode())
