#!/usr/bin/env bash
# Writes constraints/*.txt anew: every package with version and hashes, for every platform, without the index it came from.
# Needs uv on PATH. Run it when pyproject.toml's dependencies change, and read the diff.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() {
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate "$@"
}
lock pyproject.toml --extra highs -o constraints/run.txt
lock pyproject.toml --extra highs constraints/dev.in -c constraints/run.txt -o constraints/dev.txt
lock constraints/olah.in -o constraints/olah.txt
