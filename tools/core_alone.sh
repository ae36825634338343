#!/bin/sh
# Installs the wheel of dist/ without any extra, runs the tests that need nothing else, and asks for
# a notebook: the answer is one line that names the extra.
set -eu
bin=${1:?usage: core_alone.sh VENV/bin}
bin=$(cd "$bin" && pwd)
uv=$(command -v uv || echo "$bin/uv")
wheel=$(ls "$PWD"/dist/*.whl)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -n 's/ *\\$//; /^[a-z0-9].*==/p' requirements.lock >"$work/versions.txt"
"$uv" venv --quiet --python "$bin/python" "$work/venv"
export VIRTUAL_ENV="$work/venv"
"$uv" pip install --quiet -c "$work/versions.txt" "$wheel"
for absent in boto3 jupyterlab starlette pytest; do
    ! "$work/venv/bin/python" -c "import $absent" 2>/dev/null || { echo "$absent is there" >&2; exit 1; }
done

cd "$work" # away from the checkout, whose packages would be found first
said=$("$work/venv/bin/nitro-workflow" lab 2>&1) && { echo "a notebook without Jupyter?" >&2; exit 1; }
echo "$said"
[ "$(echo "$said" | wc -l)" = 1 ]
echo "$said" | grep -qF "nitro-workflow[notebooks]"
cd - >/dev/null

# The rooms of the formats, and the errors: their tests need a test runner and nothing else.
"$uv" pip install --quiet -c "$work/versions.txt" pytest hypothesis asn1crypto
mkdir "$work/checkout"
cp -R tests pyproject.toml "$work/checkout/"
cd "$work/checkout"
rooms="tests/attestation tests/encoding tests/cms tests/nsm tests/policy tests/image"
# Files that import more at their top are about that; single tests carry the mark `extras`.
# shellcheck disable=SC2086
beyond=$(grep -rlE "^(import|from) (boto3|botocore|tests\.cloud|nitro_workflow\.cloud)" $rooms || true)
# shellcheck disable=SC2046,SC2086
"$work/venv/bin/python" -m pytest -q -p no:cacheprovider -o addopts="" \
    -m "not interop and not extras and not slow" $(printf -- "--ignore=%s " $beyond) \
    $rooms tests/test_errors.py
