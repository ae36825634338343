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
    echo "Installing the locked packages with pip (a minute or more; uv would take seconds) …"
    # The pipe's status is awk's: pip's own is whether the mark was set.
    {
        "$venv/bin/pip" install --disable-pip-version-check --require-hashes \
            --progress-bar off -r requirements.lock && touch "$venv/.locked"
    } | awk -v all="$(grep -c '^[a-z0-9].*==' requirements.lock)" '
        /^Collecting/ { printf "\r  fetching %d of at most %d", ++n, all; fflush() }
        /^Installing collected/ { printf "\r  installing them          "; fflush() }
        END { print "" }'
    [ -e "$venv/.locked" ] || exit 1
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
echo "Installed into $venv."
