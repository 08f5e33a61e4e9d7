# Shared by the scripts beside this folder: sourced, not run.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"

# Debian has servers (nats-server, nginx) there, and an ordinary user's path does not lead there.
export PATH=$PATH:/usr/sbin

# What building takes, as Debian packages it.
build_packages=(cmake ninja-build g++ ccache git python3 libcaf-dev libasio-dev libspdlog-dev
  libfmt-dev libcli11-dev libssl-dev libutf8proc-dev zlib1g-dev catch2 nlohmann-json3-dev
  libsqlite3-dev libnghttp2-dev libpsl-dev libidn2-dev libbrotli-dev)
# llhttp is a library from Debian 13 on; before, its sources are in Node's package.
if [ "$(. /etc/os-release && echo "${VERSION_ID:-13}")" = 12 ]; then
  build_packages+=(node-llhttp)
else
  build_packages+=(libllhttp-dev)
fi

# need PACKAGE...: installs those that are missing; silent and offline if none is.
need() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] \
      || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || {
      echo "These packages are missing, and installing them takes root or sudo: ${missing[*]}" >&2
      exit 1
    }
    as_root=(sudo)
  fi
  echo "installing ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends -o APT::Keep-Downloaded-Packages=false "${missing[@]}" >/dev/null
}

# How many compilers may run at once: one for each core, and 700 MB for each.
jobs() {
  local cores memory
  cores=$(nproc)
  memory=$(($(awk '/MemAvailable/ {print $2}' /proc/meminfo) / 700000))
  [ "$memory" -lt 1 ] && memory=1
  echo $((cores < memory ? cores : memory))
}

# build PRESET [ARGUMENT...]: configures and builds; what has not changed is left alone. Who looks at Troupe for the
# first time waits for all of it, so sources are compiled several at once; the libraries' are taken one by one under the
# address sanitizer, so that what a source forgot to include is seen, as in builds of whoever calls cmake.
build() {
  local preset=$1 log unity=()
  shift
  case $preset in
    dev | release | bench | tsan | arm64) unity=(-DTROUPE_UNITY=ON -DTROUPE_UNITY_TESTS=ON) ;;
    asan) unity=(-DTROUPE_UNITY_TESTS=ON) ;;
  esac
  log=$(mktemp)
  cmake --preset "$preset" "${unity[@]}" >"$log" 2>&1 || {
    cat "$log"
    rm -f "$log"
    return 1
  }
  rm -f "$log"
  cmake --build --preset "$preset" -j "$(jobs)" "$@"
}
