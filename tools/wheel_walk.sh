#!/bin/sh
# Installs the wheel of dist/ with every extra into an empty environment, outside any checkout, and
# walks the 17 steps there. One package is installed in another version than the application's lock
# has: the image must be packed from the lock all the same.
set -eu
bin=${1:?usage: wheel_walk.sh VENV/bin}
bin=$(cd "$bin" && pwd)
uv=$(command -v uv || echo "$bin/uv")
wheel=$(ls "$PWD"/dist/*.whl)
other="six==1.16.0"
work=$(mktemp -d)
trap '"$work/venv/bin/nitro-workflow" down >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

# The versions that the tests know; a wheel's users get what their registry has.
sed -n 's/ *\\$//; /^[a-z0-9].*==/p' requirements.lock | grep -v '^six==' >"$work/versions.txt"
"$uv" venv --quiet --python "$bin/python" "$work/venv"
VIRTUAL_ENV="$work/venv" "$uv" pip install --quiet -c "$work/versions.txt" "$other" "$wheel[all]"

unset PYTHONPATH VIRTUAL_ENV
export NITRO_WORKFLOW_LAB="$work/lab"
cd "$work"
"$work/venv/bin/nitro-workflow" walk >"$work/walk.txt" || { cat "$work/walk.txt"; exit 1; }
grep -q "17 of 17 steps done" "$work/walk.txt"
ls "$work/lab/developer/wheels" | grep -q '^six-.*\.whl$' || {
    echo "six was not fetched in the locked version" >&2
    exit 1
}

# pytest finds the plugin by its entry point.
echo 'def test_mine(attestation_document): assert attestation_document(debug=True)' >"$work/test_mine.py"
"$work/venv/bin/python" -m pytest -q -p no:cacheprovider "$work/test_mine.py"
grep "17 of 17 steps done" "$work/walk.txt"
