#!/bin/sh
# Builds sdist and wheel into dist/, twice: the second time from the sdist alone, bit for bit the same.
# Then `twine check`. Times in the archives are the last commit's (SOURCE_DATE_EPOCH).
set -eu
bin=${1:?usage: dist.sh VENV/bin}
bin=$(cd "$bin" && pwd)
uv=$(command -v uv || echo "$bin/uv")
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

rm -rf dist
"$bin/hatchling" build -d dist >/dev/null
tar -xzf dist/*.tar.gz -C "$work"
(cd "$work"/nitro_workflow-* && "$bin/hatchling" build -d "$work/again" >/dev/null)
for file in dist/*; do
    cmp "$file" "$work/again/${file#dist/}" || {
        echo "$file is not the same when it is built again" >&2
        exit 1
    }
done
"$uv" venv --quiet --python "$bin/python" "$work/twine"
VIRTUAL_ENV="$work/twine" "$uv" pip install --quiet --require-hashes -r tools/twine.lock
"$work/twine/bin/twine" check --strict dist/*
(cd dist && sha256sum -- *)
