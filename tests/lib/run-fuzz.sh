#!/bin/sh
# Coverage-guided fuzzing of one target with clang's libFuzzer and ASan+UBSan.
# Usage: run-fuzz.sh NAME SECONDS, from `make fuzz`, which says what there is to link: REG_KINDS, the
# kinds of plugins, and LIBS_LIB, the libraries. New inputs go to build-fuzz/corpus/NAME; a crash file is
# to be committed to tests/fuzz/corpus/NAME together with its fix.
set -eu
name=$1
secs=$2
clang=${CLANG:-clang-14}
out=build-fuzz
mkdir -p "$out/corpus/$name" "$out/gen"
# shellcheck disable=SC2089
flags="-std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -D_GNU_SOURCE -DETL_VERSION=\"fuzz\" -Ilib -Idaemon $(pkg-config --cflags libmongoc-1.0 libbson-1.0 libcjson yaml-0.1 libxxhash)"
for kind in $REG_KINDS; do
	sh packaging/registry.sh "$kind" >"$out/gen/registry_$kind.c"
done
# shellcheck disable=SC2046,SC2086,SC2090
$clang $flags -o "$out/fuzz_$name" "tests/fuzz/fuzz_$name.c" $(find lib -name '*.c') "$out"/gen/registry_*.c \
	$LIBS_LIB
dict=
[ -f "tests/fuzz/$name.dict" ] && dict="-dict=tests/fuzz/$name.dict"
# shellcheck disable=SC2086
exec "$out/fuzz_$name" -max_total_time="$secs" -timeout=10 -rss_limit_mb=2048 $dict \
	"$out/corpus/$name" "tests/fuzz/corpus/$name"
