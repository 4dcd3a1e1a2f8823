#!/usr/bin/env bash
# Collect the wheels that a bare GPU machine needs for tests/gpu/check.sh; run it where packages can be downloaded.
#
#   tests/gpu/prepare.sh FOLDER [PRESENT]
#
# FOLDER   where the wheels go; nothing of it is to be committed
# PRESENT  a file with a package's name on each line: what the GPU machine has already, so that it is not collected.
#          Without it everything is collected, torch's CUDA build among it: some gigabytes.
#
# GPU_PYTHON  the version of Python there [3.12]
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?give the folder that the wheels go into}
present=${2:-/dev/null}
python=${PYTHON:-python3}
version=${GPU_PYTHON:-3.12}
mkdir -p "$folder"

target=(--only-binary=:all: --implementation cp --python-version "$version")
# pip takes each of these platforms by its exact name.
for libc in 2_39 2_35 2_34 2_31 2_28 2_27 2_24 2_17; do target+=(--platform "manylinux_${libc}_x86_64"); done
target+=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)

# What is asked for: the package's own requirements, and what runs its tests, less what is there.
"$python" - "$present" > "$folder/wanted.txt" <<'PYTHON'
import re, sys, tomllib
from pathlib import Path

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

present = {plain(line.strip()) for line in Path(sys.argv[1]).read_text().splitlines() if line.strip()}
project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
for line in [*project["dependencies"], "pytest>=8", "pytest-timeout>=2.3", "hypothesis>=6.100", "setuptools>=77"]:
    if plain(re.match(r"[A-Za-z0-9._-]+", line)[0]) not in present:
        print(line)
PYTHON

"$python" -m pip install --quiet --dry-run --ignore-installed --target "$folder/none" --report "$folder/resolved.json" \
    "${target[@]}" -c constraints.txt -r "$folder/wanted.txt"
"$python" - "$present" "$folder/resolved.json" > "$folder/versions.txt" <<'PYTHON'
import json, re, sys
from pathlib import Path

def plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()

present = {plain(line.strip()) for line in Path(sys.argv[1]).read_text().splitlines() if line.strip()}
for package in json.loads(Path(sys.argv[2]).read_text())["install"]:
    named = package["metadata"]
    if plain(named["name"]) not in present:
        print(f"{named['name']}=={named['version']}")
PYTHON
"$python" -m pip download --quiet --no-deps "${target[@]}" -d "$folder" -r "$folder/versions.txt"
rm -f "$folder/wanted.txt" "$folder/resolved.json"
echo "$(find "$folder" -name '*.whl' | wc -l) wheels, $(du -sh "$folder" | cut -f1), in $folder"
echo "there: WHEELS=$folder tests/gpu/check.sh"
