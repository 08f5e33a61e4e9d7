"""Configures Troupe, with its tests and examples, where a library that some component needs is missing: that component and
those that stand on it are off, and the rest is there. And where all are there, a Debian package is known for each.

Usage: without_check.py <Troupe's source folder> <C++ compiler> <cmake> <generator>
"""

import subprocess
import sys
import tempfile

troupe, compiler, cmake, generator = sys.argv[1:5]

OFF = {
    "Llhttp": {"http", "http2", "http_cookies", "websocket", "observer_page"},
    "Nghttp2": {"http2"},
    "Psl": {"http_cookies"},
    "Idn2": set(),  # names of hosts that are not ASCII are refused
    "Brotli": set(),  # there is gzip
    "SQLite3": {"sqlite_history", "sqlite_leases"},
    "nlohmann_json": {"nats", "nats_backplane", "jetstream_history", "jetstream_leases", "observer_page"},
}


def configured(what, *options):
    """Returns what configuring says, with examples and these options."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([cmake, "-G", generator, f"-DCMAKE_CXX_COMPILER={compiler}", "-S", troupe, "-B", folder,
                               "-DTROUPE_BUILD_EXAMPLES=ON", *options],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, f"{what}: {done.stdout}"
    return done


configured("for packages", "-DTROUPE_BUILD_TESTS=OFF", "-DTROUPE_BUILD_PACKAGES=ON", "-DBUILD_SHARED_LIBS=ON")
for library, expected in OFF.items():
    done = configured(f"without {library}", "-DTROUPE_BUILD_TESTS=ON", f"-DCMAKE_DISABLE_FIND_PACKAGE_{library}=ON")
    off = {line.split("troupe::")[1].split()[0] for line in done.stdout.splitlines() if " is off; missing: " in line}
    assert off == expected, f"without {library}, these are off: {sorted(off)}"
