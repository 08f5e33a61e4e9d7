"""Makes a project with the installed troupe-new, builds it against the installed tree, and runs its tests.

Usage: generated_check.py <prefix> <folder> <C++ compiler> <its launcher, or nothing> <cmake> <ctest>
"""

import shutil
import subprocess
import sys
from pathlib import Path

prefix, folder = Path(sys.argv[1]), Path(sys.argv[2])
compiler, launcher, cmake, ctest = sys.argv[3:7]
shutil.rmtree(folder, ignore_errors=True)
folder.mkdir(parents=True)
new = prefix / "bin/troupe-new"

for wrong in ("", "Two Words", "../up", "9lives"):
    refused = subprocess.run([new, wrong], cwd=folder, capture_output=True, text=True)
    assert refused.returncode == 2 and refused.stderr.startswith("usage"), refused
for taken in ("class", "main", "test", "read", "signal", "world", "caf"):  # of each kind, first, last and in the middle
    refused = subprocess.run([new, taken], cwd=folder, capture_output=True, text=True)
    assert refused.returncode == 2 and f"such as my_{taken}" in refused.stderr, refused
assert not list(folder.iterdir())

made = subprocess.run([new, "my_chat"], cwd=folder, check=True, capture_output=True, text=True)
assert "cmake --workflow --preset dev" in made.stdout, made.stdout
assert subprocess.run([new, "my_chat"], cwd=folder, capture_output=True).returncode == 1, "it was made over another one"
project = folder / "my_chat"
for file in project.rglob("*"):
    assert "@NAME@" not in file.name and not (file.is_file() and "@NAME@" in file.read_text()), file
for name in ("Dockerfile", "my_chat.service", ".github/workflows/ci.yml", ".gitignore", "src/my_chat.hpp", "README.md"):
    assert (project / name).exists(), name
# What the container and the CI file take is not hidden from git.
assert "debs" in (project / "Dockerfile").read_text() and "debs" not in (project / ".gitignore").read_text()

subprocess.run([cmake, "--preset", "dev", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_CXX_COMPILER={compiler}",
                f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}"], cwd=project, check=True)
subprocess.run([cmake, "--build", "--preset", "dev"], cwd=project, check=True)
subprocess.run([ctest, "--preset", "dev"], cwd=project, check=True)
