//! Gives the tests' support its OUT_DIR; static assets are none here.
fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
