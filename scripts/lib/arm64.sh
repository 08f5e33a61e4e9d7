# What scripts/arm64 runs inside its root.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

dpkg --add-architecture arm64
need cmake ninja-build ccache git python3 g++-aarch64-linux-gnu qemu-user libcli11-dev libasio-dev \
  lib{caf,spdlog,fmt,ssl,catch2}-dev:arm64
build arm64 --target troupe_runtime_test troupe_actors_test troupe_net_test
ctest --preset arm64 -j "$(nproc)" -L unit "$@"
