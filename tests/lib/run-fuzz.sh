#!/bin/sh
# Coverage-guided fuzzing of one target with clang's libFuzzer and ASan+UBSan.
# Usage: run-fuzz.sh NAME SECONDS, from `make fuzz`, which says what there is to link: LIBS_LIB, the libraries.
# libetl is built once for all targets, by the Makefile's own rules. New inputs go to build-fuzz/corpus/NAME; a
# crash file is to be committed to tests/fuzz/corpus/NAME together with its fix.
set -eu
name=$1
secs=$2
clang=${CLANG:-clang-14}
out=build-fuzz
mkdir -p "$out/corpus/$name"
make -s -j"$(nproc)" BUILD="$out" CC="$clang" SAN=fuzzer-no-link,address,undefined FAULTS= WERROR= lib
# shellcheck disable=SC2046,SC2086
$clang -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE \
	-Ilib -Idaemon $(pkg-config --cflags libmongoc-1.0 libbson-1.0 libcjson yaml-0.1 libxxhash) \
	-o "$out/fuzz_$name" "tests/fuzz/fuzz_$name.c" "$out/libetl.a" $LIBS_LIB
dict=
[ -f "tests/fuzz/$name.dict" ] && dict="-dict=tests/fuzz/$name.dict"
# shellcheck disable=SC2086
exec "$out/fuzz_$name" -max_total_time="$secs" -timeout=10 -rss_limit_mb=2048 $dict \
	"$out/corpus/$name" "tests/fuzz/corpus/$name"
