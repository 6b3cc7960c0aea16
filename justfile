# The commands of a maintainer. `just` alone lists them; CONTRIBUTING.md explains them.
# just is on crates.io as `just` and on PyPI as `rust-just`.

set shell := ["bash", "-euo", "pipefail", "-c"]

fuzz_targets := "perf_data records compressed log_csv tables session library"
miri_tests := "events::merge perf_data::record perf::ring"

_list:
    @{{ just_executable() }} --list --unsorted

# The gate: format, lints, docs, all tests, benches, a capture (`.ci/run`, which needs only cargo; as root it installs what some tests need)
ci:
    .ci/run

# All tests; a test that cannot run here prints `skipped: needs …`
test *ARGS:
    cargo test --locked {{ ARGS }}

# The tests against the running kernel, one after another (as root)
kernel FILTER="kernel::":
    @if [ "$(id -u)" != 0 ]; then echo "run it as root: these tests trace the kernel" >&2; exit 1; fi
    cargo test --locked --test it -- {{ FILTER }}

# The tests of the report's page in headless Chromium
page FILTER="page::":
    cargo test --locked --test it -- {{ FILTER }}

# Throughput of decode, merge, log and report (compare ratios within one run)
bench *ARGS:
    cargo bench --locked --bench stream -- {{ ARGS }}

# Each fuzz target for SECONDS (needs nightly and cargo-fuzz)
fuzz SECONDS="60":
    mkdir -p fuzz/corpus/perf_data
    cp fixtures/*.data fuzz/corpus/perf_data/
    for target in {{ fuzz_targets }}; do mkdir -p "fuzz/corpus/$target" && cp "fuzz/seeds/$target"/* "fuzz/corpus/$target/"; done
    for target in {{ fuzz_targets }}; do cargo +nightly fuzz run "$target" -- -max_total_time={{ SECONDS }} -max_len=200000; done

# The unit tests of the merge, the records and the ring in miri (needs nightly with miri and rust-src)
miri:
    MIRIFLAGS="-Zmiri-disable-isolation" PROPTEST_CASES=4 cargo +nightly miri test --locked --lib -- {{ miri_tests }}

# Licences, sources, duplicates and advisories of the dependencies (needs cargo-deny; fetches the advisories)
deny *CHECKS="all":
    cargo deny check {{ CHECKS }}

# The picture of the example's page for the README (needs Chromium)
picture:
    #!/usr/bin/env bash
    set -euo pipefail
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    cargo run --locked -- report --example --quiet --html "$folder/page.html"
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --force-color-profile=srgb --blink-settings=preferredColorScheme=1 \
        --virtual-time-budget=8000 --window-size=1200,1000 --screenshot=docs/page.png "file://$folder/page.html"
    ls -l docs/page.png

# Accepts all changes of the screens, and lists the changed files
screens:
    INSTA_UPDATE=always cargo test --locked --test it -- --skip kernel:: --skip page::
    git --no-pager diff --stat -- tests/it/screens
    @echo "now read each of them: git diff tests/it/screens"

# The oldest supported Rust, from Cargo.toml
@rust-version:
    sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml

# Checks with the oldest supported Rust (needs that toolchain)
msrv:
    cargo +"$({{ just_executable() }} rust-version)" check --locked

# Checks for 64-bit Arm (needs the target, and a C compiler for it)
aarch64:
    cargo check --locked --target aarch64-unknown-linux-gnu

# The Debian package, tested: lintian, installation, use, purge (needs cargo-deb and python3; as root for the installation)
deb:
    packaging/test-deb "$(packaging/deb)"

# A tarball with one static program, tested (needs the target, python3, and musl-gcc from Debian's musl-tools)
musl:
    packaging/test-tarball "$(packaging/tarball)"

# All files of a release, in target/release-files: package, tarball, checksums. Fails if versions and tag disagree
dist:
    packaging/dist
