//! The fuzz targets (`fuzz/fuzz_targets`), compiled as they are against this code, and each run for a moment: on samples
//! and on what a seeded generator makes of them. `fuzz/README.md` says how they run for hours.
#![allow(clippy::unwrap_used, clippy::allow_attributes, reason = "a test")]

// The targets call this crate by the name of the library that brings the macro elsewhere.
extern crate self as libfuzzer_sys;

mod damage;
mod samples;

/// A target, and the test that runs it on samples.
macro_rules! target {
    ($name:ident, $path:literal) => {
        #[path = $path]
        #[allow(unused_attributes, reason = "`no_main` is for the program that the target is elsewhere")]
        mod $name;

        #[test]
        fn $name() {
            damage::run_on(&samples::$name(), $name::run);
        }
    };
}

target!(mail, "../../../../fuzz/fuzz_targets/mail.rs");
target!(own, "../../../../fuzz/fuzz_targets/own.rs");
target!(provider, "../../../../fuzz/fuzz_targets/provider.rs");
target!(reply_text, "../../../../fuzz/fuzz_targets/reply_text.rs");
target!(verify, "../../../../fuzz/fuzz_targets/verify.rs");

/// Every target is run, or this tells which is forgotten.
#[test]
fn no_target_is_forgotten() {
    let folder = samples::root().join("fuzz/fuzz_targets");
    let mut targets: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, ["mail", "own", "provider", "reply_text", "verify"]);
}

/// In place of libFuzzer's: the target is a function of bytes. It stands last, so that the targets need what they import.
#[macro_export]
macro_rules! fuzz_target {
    (|$given:ident: &[u8]| $body:block) => {
        pub(crate) fn run($given: &[u8]) {
            $body
        }
    };
    (|$given:ident: &str| $body:block) => {
        pub(crate) fn run(given: &[u8]) {
            let given = String::from_utf8_lossy(given);
            let $given: &str = &given;
            $body
        }
    };
}
