"""Makes the reference with doxygen, and fails if a public class, struct or concept of ours is undocumented.

What has no text of its own, and is a part of something that has one, needs none: members, nested structs,
specializations.
"""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

root = Path(__file__).resolve().parents[2]
done = subprocess.run(["doxygen", "docs/Doxyfile"], cwd=root, capture_output=True, text=True)
if done.returncode != 0:
    sys.exit(done.stderr)
compounds = {c.findtext("name") for c in ElementTree.parse(root / "build/docs/reference.tag").iter("compound")
             if c.get("kind") in ("class", "struct", "concept")}
assert len(compounds) > 200, f"only {len(compounds)} classes"
wrong = []
for where, name in re.findall(r"^(\S+): warning: Compound (\S.*) is not documented\.", done.stderr, flags=re.M):
    if "<" not in name and name.rpartition("::")[0] not in compounds:
        wrong.append(f"{where} {name} is not documented")
print(f"{len(compounds)} classes: build/docs/site/reference/index.html")
sys.exit("\n".join(wrong) or 0)
