# The functions that the scripts in this folder share. They source this file from the root of the repository.
# shellcheck shell=bash

export LC_ALL=C
target=${CARGO_TARGET_DIR:-target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# The date of the newest release in the changelog, as YYYY-MM-DD.
release_date() {
    sed -n "s/^## \[$version\] - \(....-..-..\)\$/\1/p" CHANGELOG.md
}

# Packages have the time of the release instead of the time of their build, so two builds are equal.
if [ -z "${SOURCE_DATE_EPOCH:-}" ]; then
    [ -n "$(release_date)" ] || fail "CHANGELOG.md has no date for version $version; add the line '## [$version] - YYYY-MM-DD'"
    SOURCE_DATE_EPOCH=$(date --utc --date="$(release_date) 12:00" +%s)
fi
export SOURCE_DATE_EPOCH

# build ARGUMENT...: builds the program for the packages. The program contains no path of this machine.
build() {
    local registry=${CARGO_HOME:-$HOME/.cargo}
    RUSTFLAGS="--remap-path-prefix=$registry=cargo --remap-path-prefix=$PWD=tp-perf ${RUSTFLAGS:-}" \
        cargo build --locked --profile dist "$@"
}

# prepare PROGRAM PLATFORM: makes the other files of the packages, in target/packaging.
prepare() {
    local program=$1 platform=$2 out=target/packaging
    rm -rf "$out"
    mkdir -p "$out/man" "$out/completions"
    "$program" man --dir "$out/man" > /dev/null
    "$program" completions bash > "$out/completions/tp-perf"
    "$program" completions zsh > "$out/completions/_tp-perf"
    "$program" completions fish > "$out/completions/tp-perf.fish"
    packaging/third-party "$platform" > "$out/third-party.txt"
    gzip -9nc "$out/third-party.txt" > "$out/third-party.txt.gz"
    gzip -9nc CHANGELOG.md > "$out/changelog.gz"
    local maintainer
    maintainer=$(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)
    cat > "$out/changelog" << END
tp-perf ($version-1) unstable; urgency=medium

  * Release $version. /usr/share/doc/tp-perf/changelog.gz has the changes.

 -- $maintainer  $(date --utc --rfc-email --date="@$SOURCE_DATE_EPOCH")
END
}
