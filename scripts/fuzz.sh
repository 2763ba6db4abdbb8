#!/usr/bin/env bash
# fuzz.sh SECONDS - every libFuzzer target that long, under ASan and UBSan; counts a target that found nothing as passed.
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/lib.sh"

cd "$top"
make -s -j"$(nproc)" -C test/core fuzz SECONDS="${1:-20}"
