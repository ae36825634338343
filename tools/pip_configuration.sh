# Sourced where uv installs something: uv does not read pip's configuration, so it is passed on.
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

as_pip_is_configured() {
    index=${PIP_INDEX_URL:-$(pip config get global.index-url 2>/dev/null || true)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    [ -z "${PIP_CERT:-}" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$PIP_CERT}"
}
