#!/usr/bin/env bash
# Writes reports/ and docs/ again from the scenarios: the committed part of them is what a reader wants to see at once.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --quiet
wavetank=target/release/wavetank
[ -z "${CARGO_TARGET_DIR:-}" ] || wavetank=$CARGO_TARGET_DIR/release/wavetank
for name in quickstart rolling-update drain; do
    folder=reports/$name
    rm -rf "$folder"
    "$wavetank" run "scenarios/$name.yaml" --out "$folder" --quiet >/dev/null
    # Tables and the machine-readable timeline are large and quickly made again.
    rm -f "$folder"/*.csv "$folder"/*.jsonl
done
"$wavetank" modelled >docs/modelled.md
mkdir -p docs/images
cp reports/rolling-update/lifecycle.svg docs/images/rolling-update.svg
python3 scripts/readme.py "$(dirname "$wavetank")"
