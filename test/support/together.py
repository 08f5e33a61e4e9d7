"""Writes a source that holds several sources of tests, which are compiled as one.

    together.py OUTPUT SOURCE...

What the sources include comes first; then each of them, in a namespace that has its name. So two sources may
name their protocols alike, and nothing stands in a namespace that should not: what a source includes
again there is guarded. Sources that open a namespace of others, specialize one of their templates, include
tests, or compare names of their classes cannot be inside of another; see STANDS_ALONE.
"""

import os
import pathlib
import re
import sys

# Kept in step with troupe_test_program in test/CMakeLists.txt.
STANDS_ALONE = re.compile(r'^(CAF_BEGIN|CAF_ALLOW|CAF_ADD|namespace (troupe|caf|std|Catch)[ :{]|template <>|'
                          r'#include "support/transport_[a-z]*_test|.*\(anonymous namespace\))', re.MULTILINE)
INCLUDE = re.compile(r'^#include (?:<[^>]+>|"([^"]+)").*$', re.MULTILINE)


def together(sources, folder):
    """Returns the source; paths in it are relative to `folder`, where it will be, so that the clones of a project
    have the same."""
    includes, bodies = {}, []
    for source in sources:
        text = source.read_text()
        found = STANDS_ALONE.search(text)
        if found:
            sys.exit(f"{source}: '{found.group(0)}' cannot be inside of another namespace; configure again, and the "
                     "source is compiled alone")
        for line in INCLUDE.finditer(text):
            beside = source.parent / (line.group(1) or "")
            includes.setdefault(f'#include "{os.path.relpath(beside, folder)}"' if beside.is_file() else line.group(0))
        bodies.append(f'namespace {source.stem} {{\n#include "{os.path.relpath(source, folder)}"\n}}\n')
    return "\n".join(includes) + "\n\n" + "\n".join(bodies)


if __name__ == "__main__":
    output, *names = (pathlib.Path(name) for name in sys.argv[1:])
    output.write_text(together(names, output.parent))
