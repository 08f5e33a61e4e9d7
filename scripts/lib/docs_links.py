"""Links the pages of the built site with the reference, both ways: a name of the reference that a page has in code
leads there; and there stands which chapters of the guide tell of it.

Fails if a page says `troupe::name`, and the reference knows no such name.
"""

import html
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

root = Path(__file__).resolve().parents[2]
site = root / "build/docs/site"


def names():
    """Returns where the reference has each class and each function or other name of the namespace troupe."""
    there = {}
    for compound in ElementTree.parse(root / "build/docs/reference.tag").iter("compound"):
        name, file = compound.findtext("name"), compound.findtext("filename")
        if compound.get("kind") in ("class", "struct", "concept") and "<" not in name:
            there[name] = file
        elif compound.get("kind") == "namespace" and name.split("::")[0] == "troupe":
            for member in compound.findall("member"):
                there.setdefault(f"{name}::{member.findtext('name')}",
                                 f"{member.findtext('anchorfile')}#{member.findtext('anchor')}")
            there.setdefault(name, file)
    return {name.removeprefix("troupe::"): file for name, file in there.items() if name.startswith("troupe")}


known, unknown, told = names(), set(), {}
# Targets of CMake's are spelled alike.
targets = {"troupe", "runtime", "actors", "net", "testing", "cluster", *(p.name for p in (root / "net/protocols").glob("*"))}
assert len(known) > 300, f"only {len(known)} names"
links = 0
for page in sorted((site / "docs").rglob("*.html")):
    text = page.read_text()
    title = re.search(r"<title>(.*?)(?: - Troupe)?</title>", text, flags=re.S)[1]
    to_reference = os.path.relpath(site / "reference", page.parent)

    def linked(found):
        global links
        said = html.unescape(found[1])
        name = re.sub(r"(<.*>)?(\(.*\))?$", "", said, flags=re.S)
        mine = name.startswith("troupe::")
        name = name.removeprefix("troupe::")
        if name not in known:
            # A function of a class that is named with it leads to the class.
            owner = name.rpartition("::")[0]
            if mine and owner not in known and name not in targets and re.fullmatch(r"[\w:]+", name):
                unknown.add(f"{page.relative_to(site)}: {said}")
            if owner not in known:
                return found[0]
            name = owner
        links += 1
        if page.parent.name == "guide":
            told.setdefault(known[name].partition("#")[0], {})[page] = title
        return f'<a href="{to_reference}/{known[name]}">{found[0]}</a>'

    parts = re.split(r"(<pre.*?</pre>|<a\b.*?</a>|<h\d.*?</h\d>|<head>.*?</head>)", text, flags=re.S)
    parts[::2] = [re.sub(r"<code>([^<]*)</code>", linked, part) for part in parts[::2]]
    page.write_text("".join(parts))

for page in (site / "reference").glob("*.html"):
    text = page.read_text()
    text = text.replace('<div id="projectname">Troupe', '<div id="projectname"><a href="../index.html">Troupe</a>', 1)
    chapters = told.get(page.name, {})
    if page.name == "index.html":
        chapters = {site / "docs/guide/README.html": "contents"}
    if chapters:
        listed = ", ".join(f'<a href="{os.path.relpath(p, page.parent)}">{t}</a>' for p, t in sorted(chapters.items()))
        assert '<div class="contents">' in text, page
        text = text.replace('<div class="contents">', f'<div class="contents">\n<p>In the guide: {listed}</p>', 1)
    page.write_text(text)

for page in told:
    assert (site / "reference" / page).exists(), page
print(f"{links} links to the reference, {len(told)} of its pages lead to the guide")
sys.exit("\n".join(f"the reference has no {name}" for name in sorted(unknown)) or 0)
