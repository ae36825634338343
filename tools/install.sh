#!/bin/sh
# Creates a virtual environment and installs the locked set, every file checked by its hash.
# uv does it in seconds where it is present; pip does the same thing everywhere else.
set -eu
venv=${1:?usage: install.sh VENV}
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "nitro-workflow needs Python 3.11 or newer; found $("$python" --version)." >&2
    echo "Name another one: make PYTHON=python3.12 …" >&2
    exit 2
}
if command -v uv >/dev/null 2>&1; then
    uv venv --quiet --clear --python "$python" "$venv"
    VIRTUAL_ENV=$venv uv pip install --quiet --require-hashes -r requirements.lock
    VIRTUAL_ENV=$venv uv pip install --quiet --no-deps --no-build-isolation -e .
else
    rm -rf "$venv"
    "$python" -m venv "$venv" || {
        echo "The venv module is missing; on Debian or Ubuntu: apt-get install python3-venv" >&2
        exit 2
    }
    echo "Installing the locked packages with pip (about a minute; uv would take seconds) …"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
echo "Installed into $venv."
