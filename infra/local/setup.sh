#!/bin/sh
# Makes .venv exactly what requirements.lock says: venv, then a pinned uv (checked by hash), then everything
# else through uv. Only Python 3.11+ is needed; Debian's missing ensurepip is installed, or its apt line told.
set -eu
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
apt_line='apt-get install python3-venv postgresql rabbitmq-server'

fail() {
    echo "setup: $*" >&2
    exit 1
}

command -v "$python" >/dev/null || fail "no $python found; Python 3.11 or newer is needed"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old; Python 3.11 or newer is needed (PYTHON=/path/to/python3 make ...)"

has_venv() { "$python" -c 'import ensurepip, venv' 2>/dev/null; }

if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    if ! has_venv; then
        command -v apt-get >/dev/null || fail "$python has no venv module (ensurepip); install it and try again"
        [ "$(id -u)" = 0 ] || fail "some packages are missing; install them with:  sudo $apt_line"
        apt-get update
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv
        has_venv || fail "$python is not the system's python3, and has no venv module (ensurepip)"
    fi
    rm -rf .venv
    "$python" -m venv .venv
fi

.venv/bin/python -m pip install --quiet --require-hashes -r infra/uv.requirements.lock

# uv does not read pip's configuration: hand on what decides where packages come from and whom to trust.
pip_option() {
    for section in :env: install global; do
        .venv/bin/python -m pip config get "$section.$1" 2>/dev/null && return
    done
    true
}
index_url=$(pip_option index-url)
cert=$(pip_option cert)
[ -z "$index_url" ] || export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$index_url}"
[ -z "$cert" ] || export SSL_CERT_FILE="${SSL_CERT_FILE:-$cert}"
export UV_SYSTEM_CERTS=1

.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes requirements.lock
touch .venv/.synced
