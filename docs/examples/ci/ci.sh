#!/bin/sh
# What must hold before an image is released. Called by the workflow file, and by hand:
#   ./ci.sh            all of it
#   ./ci.sh image …    one part or several: image policy enclave notebooks notebooks-alone
#   ./ci.sh pin        build, and take what is measured as what is expected: look, then commit
set -eu
cd "$(dirname "$0")"
PYTHON=${PYTHON:-python3}
OWNER=arn:aws:iam::111122223333:role/data-owner
PARENT=arn:aws:iam::111122223333:role/enclave-parent

build() { # build FOLDER EIF: the program, then the image; the measurements go to standard output
    # shellcheck disable=SC2046
    gcc -static -O2 -w -o "$1/opener" "$1/opener.c" $(pkg-config --static --libs libcrypto) 2>/dev/null
    nitro-cli build-enclave --docker-dir "$1" --docker-uri opener:v1 --output-file "$2" 2>/dev/null
}

image() { # the image that is built now is the one that was looked at
    mkdir -p build policy
    build enclave build/opener.eif >build/measurements.json
    diff measurements.json build/measurements.json || {
        echo "The image is another one. If that is meant: ./ci.sh pin, and commit." >&2
        return 1
    }
}

policy() { # no way to the plaintext but this image, and this image passes
    nitro-workflow policy check policy/key-policy.json --pcrs measurements.json
}

enclave() { # it decrypts, attested; a changed one does not
    "$PYTHON" -m pytest tests
}

validate() { # validate NOTEBOOK…: in a lab of their own, outputs compared with the committed ones
    lab=$(mktemp -d)
    status=0
    NITRO_WORKFLOW_LAB=$lab/lab "$PYTHON" -m pytest -p no:cacheprovider \
        --nbval --nbval-sanitize-with=notebooks/sanitize.cfg "$@" || status=$?
    NITRO_WORKFLOW_LAB=$lab/lab nitro-workflow down >/dev/null
    rm -rf "$lab"
    return "$status"
}

notebooks() { validate notebooks/*.ipynb; }

notebooks_alone() {
    for one in notebooks/*.ipynb; do validate "$one"; done
}

pin() {
    mkdir -p build policy
    build enclave build/opener.eif >measurements.json
    nitro-workflow policy author --owner "$OWNER" --role "$PARENT" --pcrs measurements.json \
        >policy/key-policy.json
}

[ $# -gt 0 ] || set -- image policy enclave notebooks notebooks-alone
for part; do
    case $part in
    pin | image | policy | enclave | notebooks) "$part" ;;
    notebooks-alone) notebooks_alone ;;
    *) echo "no part $part: pin, image, policy, enclave, notebooks, notebooks-alone" >&2 && exit 2 ;;
    esac
done
