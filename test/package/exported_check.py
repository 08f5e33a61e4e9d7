"""Looks at what shared libraries export: names of Troupe and nothing else, but for objects of which a process
must have one. Where the objects that they are made of are at hand, none of those may be missing.

Usage: exported_check.py <shared library>... [--made-of <folder of object files or archives>...]
"""

import re
import subprocess
import sys
from pathlib import Path

arguments = sys.argv[1:]
made_of = []
if "--made-of" in arguments:
    at = arguments.index("--made-of")
    made_of, arguments = [Path(folder) for folder in arguments[at + 1:]], arguments[:at]
assert arguments, "no library is named"

# What a name belongs to, behind what it is (a vtable, a guard, a thunk, a local variable of a function).
owner = re.compile(r"_Z(?:T[VTISCHW]|GV|T[hvc][n\d_]+)?Z?(?:N[VK]*[RO]?)?(\d+)")
waiters = "_ZZNSt8__detail18__waiter_pool_base6_S_forEPKvE3__w" # who waits for which std::atomic


def belongs_to(name):
    found = owner.match(name)
    return name[found.end():][:int(found[1])] if found else ""


def symbols(*command):
    """Yields the kind and the name of each symbol that is defined."""
    listed = subprocess.run(["nm", "--defined-only", "--format=posix", *map(str, command)], text=True,
                            check=True, capture_output=True).stdout
    for line in listed.splitlines():
        words = line.split()
        if len(words) >= 2 and len(words[1]) == 1:
            yield words[1], words[0]


exported = set()
for library in arguments:
    mine = dict((name, kind) for kind, name in symbols("-D", library))
    wrong = [name for name, kind in mine.items()
             if belongs_to(name) != "troupe" and name != waiters and name != "_ZGV" + waiters[2:]
             # Of Asio's, variables alone, and the functions that make those that belong to a thread.
             and not (belongs_to(name) == "asio" and (kind in "uVBDR" or name.startswith(("_ZTH", "_ZTW"))))]
    for name in wrong[:20]:
        print(f"{library} exports", subprocess.run(["c++filt", name], text=True,
                                                   capture_output=True).stdout.strip() or name)
    assert not wrong, f"{library}: {len(wrong)} names that are not Troupe's"
    assert len(mine) > 10, f"{library} exports {len(mine)} names"
    owners = [belongs_to(name) for name in mine]
    print(f"{Path(library).name}: {owners.count('troupe')} names of Troupe, "
          f"{len(mine) - owners.count('troupe')} variables that are shared")
    exported |= set(mine)

if made_of:
    files = [file for folder in made_of for kind in ("*.o", "libtroupe_*.a") for file in folder.rglob(kind)]
    assert files, f"nothing in {made_of}"
    lost = {name for kind, name in symbols(*files)
            if kind == "u" and (belongs_to(name) in ("troupe", "asio") or name == waiters)} - exported
    assert not lost, "each library has its own: " + ", ".join(sorted(lost)[:10])
