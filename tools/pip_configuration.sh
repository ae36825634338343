# Sourced where uv installs something: uv does not read pip's configuration, so it is passed on.
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

# `pip config get` does not find what a file for the whole machine says; the list has it.
pip_setting() { pip config list 2>/dev/null | sed -n "s/^global\.$1='\(.*\)'\$/\1/p"; }

as_pip_is_configured() {
    index=${PIP_INDEX_URL:-$(pip_setting index-url)}
    [ -z "$index" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index}"
    cert=${PIP_CERT:-$(pip_setting cert)}
    [ -z "$cert" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$cert}"
}
