# Roots of other Debian releases, and what runs in them: sourced after common.sh, not run.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/troupe

# debian_suite VERSION: the release's name.
debian_suite() {
  case $1 in
    12) echo bookworm ;;
    13) echo trixie ;;
    *)
      echo "in-debian: this knows Debian 12 and 13, not '$1'" >&2
      return 1
      ;;
  esac
}

# A root is made with debootstrap and entered with mounts of its own, and both take root.
need_root() {
  [ "$(id -u)" -eq 0 ] || {
    echo "This makes a Debian root with debootstrap and mounts the tree in it, which takes root: sudo $*" >&2
    exit 1
  }
  need debootstrap
  unshare --mount --pid --fork true 2>/dev/null || {
    echo "This takes mounts of its own (unshare --mount --pid), which this machine does not let root have." >&2
    exit 1
  }
}

# host_sources SUITE: this machine's own list of Debian's packages, as that suite would have it.
host_sources() {
  local suite=$1 here file
  here=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
    if [ -n "$here" ] && grep -qsE "^[^#]*\b$here\b" "$file"; then
      sed "s/\b$here\b/$suite/g" "$file"
      return
    fi
  done
  echo "No list of Debian's packages for '$here' was found in /etc/apt: this takes a Debian machine." >&2
  return 1
}

# make_root FOLDER SUITE PACKAGE...: a root with these packages, unless it is there.
make_root() {
  local folder=$1 suite=$2 sources mirror proxy parts include
  shift 2
  mkdir -p "$cache"
  exec 8>"$folder.lock"
  flock 8
  if [ ! -e "$folder/etc/apt" ]; then
    sources=$(host_sources "$suite")
    mirror=$(sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' <<<"$sources" | head -n 1)
    proxy=$(apt-config dump --format '%v%n' Acquire::http::Proxy)
    [ -z "$proxy" ] || export http_proxy=${http_proxy:-$proxy}
    echo "making a root of $suite in $folder, once"
    rm -rf "$folder.new"
    printf -v include '%s,' "$@"
    debootstrap --variant=minbase --include="${include%,}" "$suite" "$folder.new" "$mirror" \
      >"$folder.log" 2>&1 || {
      tail -n 20 "$folder.log" >&2
      return 1
    }
    # The same registries, and the same ways to them, as this machine's.
    parts=$folder.new/etc/apt
    rm -f "$parts/sources.list"
    if grep -q '^Types:' <<<"$sources"; then
      echo "$sources" >"$parts/sources.list.d/debian.sources"
    else
      echo "$sources" >"$parts/sources.list"
    fi
    apt-config dump | grep '^Acquire::' >"$parts/apt.conf.d/90host" || true
    printf '#!/bin/sh\nexit 101\n' >"$folder.new/usr/sbin/policy-rc.d" # starts no services
    chmod +x "$folder.new/usr/sbin/policy-rc.d"
    mv "$folder.new" "$folder"
  fi
  exec 8>&-
}

# run_in_root FOLDER COMMAND...: runs it there, in this folder. The tree is where it is outside,
# but its build folder is build/<name of the root>; mounts and processes end with the command.
run_in_root() {
  local folder=$1 build
  shift
  build=$root/build/$(basename "$folder")
  mkdir -p "$build"
  cp -L /etc/resolv.conf /etc/hosts "$folder/etc/"
  # shellcheck disable=SC2016 # expanded inside
  exec unshare --mount --pid --fork --kill-child bash -c '
    set -e
    folder=$1 tree=$2 build=$3
    shift 3
    mount --make-rprivate /
    mount -t tmpfs -o mode=1777 tmpfs "$folder/tmp"
    mkdir -p "$folder$tree"
    mount --bind "$tree" "$folder$tree"
    mount --bind "$build" "$folder$tree/build"
    mount -t proc proc "$folder/proc"
    mount --rbind /sys "$folder/sys"
    mount --rbind /dev "$folder/dev"
    exec chroot "$folder" env -i HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" ${CI:+CI="$CI"} \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="$tree" \
      bash -c "cd \"\$1\" && shift && exec \"\$@\"" in-debian "$tree" "$@"
  ' in-debian "$folder" "$root" "$build" "$@"
}
