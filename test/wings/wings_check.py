"""Proves that the order of the parts is compiled: what a part does not see, it cannot include.

For each part, one of its sources' commands is run on a line that includes a header of each other part:
it compiles exactly if that part is below.

Usage: wings_check.py <source folder> <compile_commands.json>
"""

import json
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

root, database = Path(sys.argv[1]).resolve(), Path(sys.argv[2])

# Each part, and those that it names; it sees what these see, too.
names = {"runtime": [], "actors": ["runtime"]}
for made in sorted((root / "net").glob("*/CMakeLists.txt")):
    called = re.search(r"troupe_wing\((\w+)(?: SEES ([\w ]+?))?(?: LIBRARIES .*)?\)", made.read_text())
    if called:
        names[f"net/{called[1]}"] = [f"net/{w}" for w in (called[2] or "").split()] or ["actors"]
assert len(names) > 10, names


def seen(part):
    """Returns the parts that `part` may include, itself too."""
    return {part}.union(*(seen(below) for below in names[part]))


# The order that the READMEs promise; a wing that asked for more would pass what follows.
assert seen("net/stream") == {"runtime", "actors", "net/stream"}
for wing in ("line", "policy", "socket", "process"):
    assert seen(f"net/{wing}") == seen("net/stream") | {f"net/{wing}"}, wing
for wing in ("tls", "datagram"):
    assert not seen(f"net/{wing}") & {"net/endpoint", "net/service"}, wing


def command_of(part):
    """Returns the command of a source of `part`, without the source and what it would write."""
    for entry in json.loads(database.read_text()):
        file = Path(entry["file"])
        lot = f"troupe_{Path(part).name}.dir/Unity/" in str(file)  # of several sources
        if lot or file.is_relative_to(root / part / "src") and "testing" not in file.parts:
            words = shlex.split(entry["command"])
            start = next(i for i, w in enumerate(words) if w.endswith(("++", "g++", "clang++")))
            kept = []
            skip = False
            for word in words[start:]:
                if skip:
                    skip = False
                elif word in ("-o", "-MF", "-MT", "-include", "-Xclang", "-c"):
                    skip = True
                elif word not in ("-MD", "-Winvalid-pch", str(file)):
                    kept.append(word)
            return entry["directory"], kept
    raise AssertionError(f"no source of {part} is compiled")


def compiles(part, header, folder):
    """Tells whether `part` may include `header`: whether it is found."""
    where, command = command_of(part)
    source = Path(folder) / f"{part}-{header}.cpp".replace("/", "-")
    source.write_text(f'#if !__has_include("{header}")\n#error hidden\n#endif\n')
    done = subprocess.run([*command, "-fsyntax-only", source], cwd=where, text=True, capture_output=True)
    assert done.returncode == 0 or "#error hidden" in done.stderr, done.stderr
    return done.returncode == 0


def headers_of(part):
    """Returns a header of `part` for users, and one for itself, as they are included."""
    public = sorted((root / part / "include").rglob("*.hpp"))
    private = sorted((root / part / "src").glob("*.hpp"))
    assert public, part
    return [str(public[0].relative_to(root / part / "include"))] + [h.name for h in private[:1]]


cases = [(a, b, header) for a in names for b in names for header in headers_of(b)
         # What a component has in src/ is its own; wings share theirs with those above.
         if header.startswith("troupe/") or b.startswith("net/")]
with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(2) as pool:
    found = pool.map(lambda case: compiles(case[0], case[2], made), cases)
    wrong = [f"{a} {'sees' if got else 'does not see'} {header} of {b}"
             for (a, b, header), got in zip(cases, found) if got != (b in seen(a))]
assert not wrong, "\n".join(wrong)
print(f"{len(cases)} includes, {sum(b not in seen(a) for a, b, _ in cases)} of them refused")
