"""Compiles misuse.cpp: each misuse must give one error, which says what is wrong and where.

Usage: compile_errors_check.py <compile_commands.json>
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

source = Path(__file__).with_name("misuse.cpp")
commands = json.loads(Path(sys.argv[1]).read_text())
entry = next(c for c in commands if Path(c["file"]).name == source.name)
command = shlex.split(entry["command"])
command = command[next(i for i, word in enumerate(command) if re.search(r"(\+\+|g\+\+|clang)(-\d+)?$", word)):]
command[command.index("-o"):command.index("-o") + 2] = ["-fsyntax-only"]
command = [word for word in command if word != "-Werror"]
compiled = subprocess.run(command, cwd=entry["directory"], text=True, capture_output=True)
assert compiled.returncode != 0, "it compiles"

expected = {n: m.group(1) for n, line in enumerate(source.read_text().splitlines(), 1)
            if (m := re.search(r"; +// error: (.+)", line))}
# The compiler tells each error's trace before it (GCC) or behind it (clang), up to the user's line.
places = [int(n) for n in re.findall(rf"{source.name}:(\d+)", compiled.stderr)]
errors = re.findall(r"^\S+:\d+:\d+: error: (.*)", compiled.stderr, re.MULTILINE)
wrong = []
for line, text in expected.items():
    if line not in places:
        wrong.append(f"nothing is said of line {line}: {text}")
for text in sorted(set(expected.values())):
    # One place that is compiled for several lines may tell its error once for each, or once.
    if not any(text in e for e in errors):
        wrong.append(f"no error says `{text}`")
for e in errors:
    if not any(text in e for text in expected.values()):
        wrong.append(f"unexpected: {e}")
if len(errors) > len(expected):
    wrong.append(f"{len(errors)} errors for {len(expected)} mistakes")
for e in errors:
    if len(e) > 300:
        wrong.append(f"too long to read: {e}")
if wrong:
    print(compiled.stderr)
    sys.exit("\n".join(wrong))
print(f"{len(expected)} mistakes, {len(errors)} errors, each of one line")
