# Debian packages, stated once. Sourced by quickstart and runtests.

BUILD_PACKAGES="gcc libc6-dev meson ninja-build pkg-config python3 libssl-dev libuv1-dev libsqlite3-dev libpq-dev libmicrohttpd-dev
  libjansson-dev libidn-dev libexpat1-dev libcbor-dev zlib1g-dev libcurl4-openssl-dev libarchive-dev"
TEST_PACKAGES="clang libclang-rt-14-dev llvm libcmocka-dev librpm-dev libxmlsec1-dev xmlsec1 postgresql openssl pacman-package-manager rpm dnf createrepo-c flatpak tzdata zstd
  util-linux"

# install_packages NAME...: installs those that are missing, with apt-get, as root or through sudo. Without a network it works once they are there.
install_packages() {
    local missing="" name as_root=""
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing="$missing $name"
    done
    [ -z "$missing" ] && return 0
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            printf 'these packages are missing, and installing them needs root or sudo:%s\n' "$missing" >&2
            return 1
        }
        as_root=sudo
    fi
    printf '== installing%s\n' "$missing" >&2
    local log
    log=$(mktemp)
    if $as_root apt-get update -q >"$log" 2>&1 &&
        $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >>"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    tail -n 15 "$log" >&2
    printf 'apt-get could not install:%s\n(the whole log: %s)\n' "$missing" "$log" >&2
    return 1
}
