#!/usr/bin/env bash
# Builds an environment with amplifier-core, and runs its validators, its suites and our own tests on the module.
# Exactly six tests of the suites must pass: a skipped one counts as a failure.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
server=""
cleanup() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

python=${PYTHON:-python3}
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ".[amplifier]" pytest pytest-asyncio
mkdir "$work/run"
cp -r tests/amplifier "$work/run/tests"
cd "$work/run"

"$work/venv/bin/python" -m vllm_tui.demo --port 0 --speed inf >"$work/server.log" &
server=$!
for _ in $(seq 100); do
  url=$(grep -o 'http://[0-9.:]*/v1' "$work/server.log" || true)
  [ -z "$url" ] || break
  sleep 0.1
done
[ -n "$url" ] || { echo "the demo server did not start" >&2; exit 1; }
export VLLM_BASE_URL="$url"
module=$("$work/venv/bin/python" -c 'import importlib.util as u; print(u.find_spec("vllm_tui").submodule_search_locations[0])')/amplifier

echo "== amplifier-core validate provider"
"$work/venv/bin/amplifier-core" validate provider "$module"

echo "== validation by import name"
"$work/venv/bin/python" - <<'PYTHON'
import asyncio
from amplifier_core.validation import ProviderValidator

result = asyncio.run(ProviderValidator().validate("vllm_tui.amplifier"))
print(result.summary())
assert result.passed
PYTHON

options=(-q -o asyncio_mode=auto -o asyncio_default_fixture_loop_scope=function)
echo "== behavioural and structural suites"
"$work/venv/bin/python" -m pytest "${options[@]}" tests/test_contract.py --module-path "$module" | tee "$work/suites.log"
grep -Eq '^6 passed in ' "$work/suites.log" || { echo "six tests must pass, none may be skipped" >&2; exit 1; }

echo "== our tests"
"$work/venv/bin/python" -m pytest "${options[@]}" -p no:amplifier_module tests | tee "$work/ours.log"
! grep -q 'skipped' "$work/ours.log" || { echo "no test may be skipped" >&2; exit 1; }
