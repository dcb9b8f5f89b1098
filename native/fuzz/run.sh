#!/bin/sh
# Builds and runs one fuzz target: run.sh plan|files [libFuzzer options]. Needs clang. The corpus in the tree is only read; what
# the run finds goes to build/fuzz-TARGET.
set -eu
cd "$(dirname "$0")/.."
target=$1
shift
mkdir -p "build/fuzz-$target"
case $target in
plan) sources="plan plan_write path mounts seccomp" ;;
files) sources="file_verbs file_grants file_wire path" ;;
*) echo "usage: run.sh plan|files" >&2; exit 2 ;;
esac
files="fuzz/fuzz_$target.cc"
for name in $sources; do files="$files src/$name.cc"; done
# shellcheck disable=SC2086
clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -o "build/fuzz_$target" $files
exec "build/fuzz_$target" -max_len=16384 "$@" "build/fuzz-$target" "fuzz/corpus-$target"
