# shellcheck shell=bash
# A Rust toolchain with rustfmt and clippy: the one in PATH where it is complete
# and new enough, else Debian's packages. Sourced after setup.sh.

# Cargo.toml's rust-version
rust_is_complete() {
    local version
    version=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\).*/\1/p')
    [ "${version:-0}" -ge 85 ] &&
        cargo fmt --version >/dev/null 2>&1 &&
        cargo clippy --version >/dev/null 2>&1
}

need_rust() {
    if ! rust_is_complete; then
        need rustc-web cargo-web rustfmt-web rust-web-clippy
        PATH=/usr/bin:$PATH
        rust_is_complete || die "no Rust 1.85 or newer with rustfmt and clippy"
    fi
    # For the crates, by HTTPS.
    [ -e /etc/ssl/certs/ca-certificates.crt ] || need ca-certificates:update-ca-certificates
    # The C parts, zstd and liblzma, are compiled here.
    command -v cc >/dev/null || need gcc libc6-dev
}
