#!/bin/sh
# Adds a locked set to the environment that install.sh made, every file checked by its hash. What is
# in both locks has one version: nothing of the first set changes.
set -eu
venv=${1:?usage: install_more.sh VENV LOCK}
lock=${2:?usage: install_more.sh VENV LOCK}
. tools/pip_configuration.sh

uv=$(command -v uv || echo "$venv/bin/uv")
if [ -x "$uv" ]; then
    as_pip_is_configured
    VIRTUAL_ENV="$venv" "$uv" pip install --quiet --no-deps --require-hashes -r "$lock" && exit
    echo "uv could not install $lock; pip tries." >&2
fi
pip install --quiet --no-deps --require-hashes -r "$lock"
