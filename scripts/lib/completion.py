"""Writes what bash completes of a program's options, from what that says to --help.

Usage: completion.py <program> <name> <file>
"""

import re
import subprocess
import sys
from pathlib import Path

program, name, file = sys.argv[1:]
said = subprocess.run([program, "--help"], text=True, check=True, capture_output=True).stdout
options, words, others = [], {}, []
# `-l,--listen`, `--port UINT`, `--placement TEXT:{round_robin,least_loaded}`: at two blanks.
for spelled, value in re.findall(r"^  (-[^ ]*)(?: ([A-Z][^ ]*))?(?: REQUIRED)?(?: |$)", said, flags=re.M):
    spelled = spelled.split(",")
    options += [o for o in spelled if o.startswith("--")]
    if choices := re.search(r"\{(.*)\}", value):
        words[" ".join(choices[1].split(","))] = spelled
    elif value and not value.startswith("TEXT"): # a number
        others += spelled
assert "--help" in options, said

function = "_" + name.replace("-", "_")
lines = [f"# What bash completes for {name}: its options, their words, and names of files.", f"{function}() {{",
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}", "  case $before in"]
for choices, spelled in words.items():
    lines.append(f"    {' | '.join(spelled)}) mapfile -t COMPREPLY < <(compgen -W '{choices}' -- \"$word\") && return ;;")
if others:
    lines.append(f"    {' | '.join(others)}) COMPREPLY=() && return ;;")
lines += ["  esac", "  if [[ $word == -* ]]; then",
          f"    mapfile -t COMPREPLY < <(compgen -W '{' '.join(options)}' -- \"$word\")", "  else",
          "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")", "  fi", "}",
          f"complete -o filenames -F {function} {name}"]
Path(file).parent.mkdir(parents=True, exist_ok=True)
Path(file).write_text("\n".join(lines) + "\n")
