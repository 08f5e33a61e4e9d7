"""Makes components in a project of small ones, installs them, and asks for them by CMake and pkg-config.

Usage: components_check.py <Troupe's source folder> <C++ compiler> <cmake> <generator>
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

troupe, compiler, cmake, generator = sys.argv[1:5]
here = Path(__file__).parent / "components"


def run(*command, **environment):
    """Returns whether `command` ends well, and what it says."""
    done = subprocess.run([str(word) for word in command], env=dict(os.environ, **environment), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode == 0, " ".join(done.stdout.split())


def must(*command, **environment):
    well, said = run(*command, **environment)
    assert well, f"{command}: {said}"
    return said


with tempfile.TemporaryDirectory() as folder:
    folder, prefix = Path(folder), Path(folder) / "prefix"
    common = ["-G", generator, f"-DCMAKE_CXX_COMPILER={compiler}"]
    for kind in ("OFF", "ON"):
        said = must(cmake, *common, "-S", here, "-B", folder / kind, f"-DTROUPE_SOURCE={troupe}",
                    f"-DBUILD_SHARED_LIBS={kind}", "-DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON",
                    "-DCMAKE_INSTALL_LIBDIR=lib")
        assert "troupe::besides is off; missing: NobodyHasThis" in said, said
        must(cmake, "--build", folder / kind)
        must(cmake, "--install", folder / kind, "--prefix", prefix)

    def user(asked, *more):
        return run(cmake, *common, "-S", here / "user", "-B", folder / f"user-{asked}", "--fresh",
                   f"-DCMAKE_PREFIX_PATH={prefix}", f"-DASKED_FOR={asked}", *more)

    # Either kind, from one prefix.
    for more, linked in (([], "libtroupe_above.so"), (["-Dtroupe_USE_STATIC_LIBS=ON"], "libtroupe_above.a")):
        well, said = user("above", *more)
        assert well, said
        said = must(cmake, "--build", folder / "user-above", "--verbose")
        assert linked in said, f"{linked} is not linked: {said}"
        must(folder / "user-above" / "user")

    # What a component needs is looked for only where it is asked for.
    missing = "-DCOUNTING_IS_MISSING=ON"
    well, said = user("runtime", missing)
    assert well, said
    well, said = user("above", missing)
    assert not well and "`above` is not usable: it needs troupe::below" in said, said
    assert "it needs Counting" in said, said

    # What there is not, and what there could be.
    well, said = user("bogus")
    assert not well and "no component `bogus`; it has runtime, below, above; without" in said, said
    well, said = user("besides")
    assert not well and "`besides` was not built; there are runtime, below, above" in said, said

    if pkg_config := shutil.which("pkg-config"):
        flags = must(pkg_config, "--cflags", "--libs", "troupe-above",
                     PKG_CONFIG_PATH=prefix / "lib/pkgconfig").split()
        assert "-DCOUNTS_BY=2" in flags, flags
        must(compiler, "-std=c++20", "-o", folder / "by_hand", here / "user/user.cpp", *flags)
        must(folder / "by_hand", LD_LIBRARY_PATH=prefix / "lib")
