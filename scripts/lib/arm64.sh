# What scripts/arm64 runs inside its root.
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

dpkg --add-architecture arm64
need cmake ninja-build ccache git python3 g++-aarch64-linux-gnu qemu-user libcli11-dev libasio-dev \
  lib{caf,spdlog,fmt,ssl,utf8proc,catch2}-dev:arm64
build arm64 --target troupe_{runtime,actors,net,chat}_test
# Those of the programs that have just been made.
ctest --preset arm64 -j "$(nproc)" -L unit -R '^(runtime|actors|net|chat)/' -E '^net/(protocols|cluster)/' "$@"
