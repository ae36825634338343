#!/bin/sh
# Creates a virtual environment and installs the locked set, every file checked by its hash.
# uv does it; where the machine has none, its wheel comes first, pinned by hash too. Where uv cannot
# (it does not read pip's configuration, but for what is passed on here), pip does the same, slowly.
set -eu
venv=${1:?usage: install.sh VENV}
python=${PYTHON:-python3}
. tools/pip_configuration.sh

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "nitro-workflow needs Python 3.11 or newer; found $("$python" --version)." >&2
    echo "Name another one: make PYTHON=python3.12 …" >&2
    exit 2
}

environment_with_pip() {
    rm -rf "$venv"
    "$python" -m venv "$venv" || {
        echo "The venv module is missing; on Debian or Ubuntu: apt-get install python3-venv" >&2
        exit 2
    }
}

find_uv() {
    if uv=$(command -v uv); then
        "$uv" venv --quiet --clear --python "$python" "$venv"
        return
    fi
    environment_with_pip
    echo "Fetching uv, which installs the locked packages …"
    uv=$venv/bin/uv
    pip install --quiet --require-hashes --only-binary :all: -r tools/installer.lock
}

# A pipe's status is that of its last command: what ended well is known by the mark it sets.
with_uv() {
    find_uv || return 1
    as_pip_is_configured
    export VIRTUAL_ENV="$venv"
    if [ -t 2 ]; then
        "$uv" pip install --no-deps --require-hashes -r requirements.lock && touch "$venv/.locked"
    else
        { "$uv" pip install --no-deps --require-hashes -r requirements.lock && touch "$venv/.locked"; } 2>&1 |
            sed '/^ [+~-] /d'
    fi
    [ -e "$venv/.locked" ] && "$uv" pip install --quiet --no-deps --no-build-isolation -e .
}

with_pip() {
    environment_with_pip
    echo "Installing the locked packages with pip (a minute or two) …"
    {
        pip install --require-hashes --progress-bar off -r requirements.lock && touch "$venv/.locked"
    } | awk -v all="$(grep -c '^[a-z0-9].*==' requirements.lock)" '
        /^Collecting/ { printf "\r  fetching %d of at most %d", ++n, all; fflush() }
        /^Installing collected/ { printf "\r  installing them          "; fflush() }
        END { print "" }'
    [ -e "$venv/.locked" ] || exit 1
    pip install --quiet --no-deps --no-build-isolation -e .
}

with_uv || {
    echo "uv could not install the locked packages." >&2
    with_pip
}
echo "Installed into $venv."
