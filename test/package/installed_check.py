"""Looks at an installed tree, and builds a program against it by pkg-config.

Usage: installed_check.py <prefix> <C++ compiler> <cmake> <generator>
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

prefix, (compiler, cmake, generator) = Path(sys.argv[1]), sys.argv[2:5]
here = Path(__file__).parent
headers = sorted((prefix / "include").rglob("*.hpp"))
assert len(headers) > 100, f"only {len(headers)} headers"

# spdlog's definitions are not passed on, so a header with it would compile a second spdlog.
for header in headers:
    for name in re.findall(r'#\s*include\s*[<"]([^>"]*)', header.read_text()):
        assert not name.startswith("spdlog"), f"{header} includes {name}"

# The umbrellas have every header that a user may include.
have = {name for umbrella in (prefix / "include/troupe").glob("*.hpp")
        for name in re.findall(r"<(.*)>", umbrella.read_text())}
for header in headers:
    name = str(header.relative_to(prefix / "include"))
    if name.count("/") == 2 and name != "troupe/testing/leak_listener.hpp":
        assert name in have, f"no umbrella has {name}"

doc = next(prefix.rglob("doc/troupe"))
for name in ("LICENSE", "README.md", "CHANGELOG.md", "net/README.md", "net/stream/README.md",
             "docs/internals/received-byte.md", "examples/README.md",
             "examples/tested_protocol/CMakeLists.txt"):
    assert (doc / name).exists(), f"{name} is not installed"

with tempfile.TemporaryDirectory() as build:
    environment = dict(os.environ, CMAKE_PREFIX_PATH=str(prefix))
    unknown = subprocess.run([cmake, "-G", generator, "-S", here / "unknown_component", "-B", build],
                             env=environment, text=True, capture_output=True)
    said = " ".join(unknown.stderr.split())
    assert unknown.returncode != 0, "an unknown component is found"
    assert "no component `bogus`" in said, unknown.stderr
    components = {path.stem.removeprefix("troupe-") for path in prefix.rglob("pkgconfig/troupe-*.pc")}
    assert components >= {"runtime", "actors", "net", "testing"}, components
    listed = re.search(r"it has ([^;.]*)", said).group(1)
    assert components <= {word.strip() for word in listed.split(",")}, f"{components}: {said}"

    pkg_config = shutil.which("pkg-config")
    if pkg_config is None:
        print("pkg-config is not installed: not tried")
        sys.exit(0)
    environment = dict(os.environ, PKG_CONFIG_PATH=str(next(prefix.rglob("pkgconfig"))))
    libraries = dict(os.environ, LD_LIBRARY_PATH=str(next(prefix.rglob("pkgconfig")).parent))
    for module, source in (("troupe", "main.cpp"), ("troupe-runtime", "runtime_alone.cpp")):
        flags = subprocess.run([pkg_config, "--cflags", "--libs", module], env=environment, text=True,
                               check=True, capture_output=True).stdout.split()
        program = str(Path(build) / module)
        subprocess.run([compiler, "-std=c++20", "-o", program, here / source, *flags], check=True)
        subprocess.run([program], env=libraries, check=True)
    # Those of the others are whole, too.
    for component in sorted(components - {"runtime"}):
        module = f"troupe-{component}"
        flags = subprocess.run([pkg_config, "--cflags", "--libs", module], env=environment, text=True,
                               check=True, capture_output=True).stdout.split()
        assert {"-DASIO_STANDALONE", "-DASIO_DISABLE_STD_ALIGNED_ALLOC", "-ltroupe_runtime",
                f"-ltroupe_{component}"} <= set(flags), f"{module}: {flags}"

    # Without the definitions it says so, and does not compile.
    refused = subprocess.run([compiler, "-std=c++20", "-fsyntax-only", "-DASIO_STANDALONE",
                              f"-I{prefix}/include", here / "main.cpp"], text=True,
                             capture_output=True)
    assert refused.returncode != 0 and "ASIO_DISABLE_STD_ALIGNED_ALLOC" in refused.stderr
