//! The shape of the workspace (ARCHITECTURE.md): who may depend on whom, and what may stand where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Longest source file, in lines: past that, two things live in it.
const FILE_LINES_MAX: usize = 600;
/// Longest `main.rs` of a function, in lines.
const MAIN_LINES_MAX: usize = 25;
/// The files that read the environment: of functions, and of tests.
const ENVIRONMENT_READERS: [&str; 2] = ["shared/platform/src/config.rs", "tests/src/environment.rs"];
/// Crates that may use the AWS SDK anywhere; functions may in their `main.rs`.
const SDK_USERS: [&str; 7] = [
    "throughline-store",
    "throughline-platform",
    "throughline-local",
    "throughline-aws",
    "throughline-queues",
    "throughline-simulation",
    "throughline-tests",
];
/// Crates that nothing of ours may depend on: they make things fail on purpose.
const TESTS: [&str; 2] = ["throughline-tests", "throughline-simulation"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// A crate of the workspace.
struct Package {
    name: String,
    /// Its folder, from the root, with `/`.
    folder: String,
    /// What it depends on outside of its tests.
    dependencies: BTreeSet<String>,
    /// What its tests depend on besides.
    dev_dependencies: BTreeSet<String>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let package = |package: &Value| {
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let of_kind = |dev: bool| {
            let all = package["dependencies"].as_array().expect("dependencies").iter();
            all.filter(|dependency| (dependency["kind"] == "dev") == dev).map(|d| text(&d["name"])).collect()
        };
        let manifest = PathBuf::from(text(&package["manifest_path"]));
        Package {
            name: text(&package["name"]),
            folder: relative(manifest.parent().expect("a folder")),
            dependencies: of_kind(false),
            dev_dependencies: of_kind(true),
        }
    };
    metadata["packages"].as_array().expect("packages").iter().map(package).collect()
}

/// A path from the root, with `/`.
fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).expect("inside of the workspace");
    path.components().map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// Every file below a folder of the workspace that `wanted` admits, without what is built.
fn files(folder: &Path, wanted: &dyn Fn(&Path) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" && !name.starts_with('.') {
                found.extend(files(&path, wanted));
            }
        } else if wanted(&path) {
            found.push(path);
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    files(folder, &|path| path.extension().is_some_and(|extension| extension == "rs"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a crate of ours may depend on, of our crates.
fn allowed(package: &Package, all: &BTreeMap<&str, &str>) -> Vec<String> {
    let shared = ["throughline-domain", "throughline-channels", "throughline-store", "throughline-platform"];
    let names: &[&str] = match package.name.as_str() {
        "throughline-domain" | "throughline-queues" | "throughline-smtp" | "hello-world" => &[],
        "throughline-channels" | "throughline-store" => &shared[..1],
        "throughline-platform" => &shared[..3],
        "throughline-aws" => &["throughline-queues"],
        "throughline-local" | "throughline-tests" | "throughline-simulation" => {
            return all.keys().map(ToString::to_string).collect();
        }
        _ if package.folder.starts_with("functions/") => &shared,
        other => panic!("{other} is new: say here what it may depend on"),
    };
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let all: BTreeMap<&str, &str> = packages.iter().map(|p| (p.name.as_str(), p.folder.as_str())).collect();
    for package in &packages {
        let allowed = allowed(package, &all);
        let ours = package.dependencies.iter().chain(&package.dev_dependencies);
        for dependency in ours.filter(|name| all.contains_key(name.as_str())) {
            assert!(allowed.contains(dependency), "{} must not depend on {dependency}", package.name);
            let up = TESTS.contains(&dependency.as_str());
            assert!(!up, "nothing depends on the tests, but {} does", package.name);
        }
    }
}

#[test]
fn the_sdk_stays_at_the_edge() {
    let is_sdk = |name: &&String| name.starts_with("aws-sdk-");
    for package in packages() {
        if SDK_USERS.contains(&package.name.as_str()) {
            continue;
        }
        let used: Vec<_> = package.dependencies.iter().filter(is_sdk).collect();
        assert!(used.is_empty() || package.folder.starts_with("functions/"), "{} uses {used:?}", package.name);
        for file in sources(&root().join(&package.folder)) {
            let is_main = file.ends_with("src/main.rs");
            assert!(is_main || !read(&file).contains("aws_sdk_"), "{} uses the SDK", relative(&file));
        }
    }
}

#[test]
fn the_domain_is_pure() {
    let packages = packages();
    for name in ["throughline-domain", "throughline-channels"] {
        let package = packages.iter().find(|package| package.name == name).expect("it is there");
        for effectful in ["tokio", "axum", "hyper", "rand", "aws_lambda_events", "lambda_runtime", "tracing"] {
            assert!(!package.dependencies.contains(effectful), "{name} uses {effectful}");
        }
    }
}

#[test]
fn members_are_the_folders_with_a_manifest() {
    let members: BTreeSet<String> = packages().into_iter().map(|package| package.folder).collect();
    // But what is a workspace of its own: the fuzz targets.
    let is_member = |path: &Path| path.ends_with("Cargo.toml") && !read(path).contains("\n[workspace]\n");
    let manifests = files(&root(), &is_member);
    let folders: BTreeSet<String> =
        manifests.iter().map(|path| relative(path.parent().expect("a folder"))).filter(|f| !f.is_empty()).collect();
    assert_eq!(members, folders);
    for place in ["functions", "shared"] {
        for entry in std::fs::read_dir(root().join(place)).expect("a folder") {
            let folder = relative(&entry.expect("an entry").path());
            assert!(members.contains(&folder), "{folder} is no crate");
        }
    }
}

#[test]
fn functions_have_one_shape() {
    for package in packages().iter().filter(|package| package.folder.starts_with("functions/")) {
        let folder = root().join(&package.folder);
        let name = folder.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(name, package.name, "a function is called as its folder");
        assert!(folder.join("src/lib.rs").is_file(), "{name} is a library");
        let lines = read(&folder.join("src/main.rs")).lines().count();
        assert!(lines <= MAIN_LINES_MAX, "main.rs of {name} has {lines} lines");
        let events = root().join("events").join(&name);
        let count = if events.is_dir() { files(&events, &|_| true).len() } else { 0 };
        assert!(count > 0, "events/{name} has no sample event");
    }
}

#[test]
fn metrics_are_of_functions_that_are_there() {
    for metric in throughline_platform::telemetry::METRICS {
        for function in metric.functions {
            assert!(root().join("functions").join(function).is_dir(), "{}: there is no {function}", metric.name);
        }
    }
}

#[test]
fn files_are_about_one_thing() {
    for file in sources(&root()) {
        let text = read(&file);
        let lines = text.lines().count();
        assert!(lines <= FILE_LINES_MAX, "{} has {lines} lines", relative(&file));
        assert!(text.starts_with("//!"), "{} does not say what it is about", relative(&file));
    }
}

#[test]
fn the_environment_is_read_in_one_place() {
    // Put together, so that this file is not found itself.
    let reads = [["env::", "var("].concat(), ["env::", "var_os("].concat(), ["env::", "vars"].concat()];
    for file in sources(&root()) {
        let name = relative(&file);
        let found = reads.iter().any(|call| read(&file).contains(call.as_str()));
        assert!(!found || ENVIRONMENT_READERS.contains(&name.as_str()), "{name} reads the environment");
    }
}
