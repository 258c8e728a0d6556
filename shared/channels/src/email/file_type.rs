//! What a file is, by its bytes, and whether opening it can run a program.

use super::clean;

/// Endings of files that run, load or start something on a usual desktop.
const DANGEROUS: &[&str] = &[
    // Programs and what installs them.
    "exe",
    "com",
    "scr",
    "pif",
    "cpl",
    "msi",
    "msp",
    "mst",
    "msix",
    "appx",
    "dll",
    "sys",
    "ocx",
    "apk",
    "app",
    "dmg",
    "pkg",
    "deb",
    "rpm",
    "jar",
    "jnlp",
    "gadget",
    "xll",
    "xbap",
    "application",
    "appref-ms",
    // Scripts.
    "bat",
    "cmd",
    "ps1",
    "psm1",
    "psd1",
    "vb",
    "vbs",
    "vbe",
    "js",
    "jse",
    "mjs",
    "ws",
    "wsf",
    "wsc",
    "wsh",
    "hta",
    "sh",
    "bash",
    "command",
    "py",
    "pyw",
    "pl",
    "rb",
    "php",
    "reg",
    "inf",
    "scf",
    "ahk",
    "applescript",
    "scpt",
    // Links and disks, which hide the others.
    "lnk",
    "url",
    "website",
    "desktop",
    "library-ms",
    "search-ms",
    "settingcontent-ms",
    "iso",
    "img",
    "vhd",
    "vhdx",
    "chm",
    "hlp",
    "one",
    "onepkg",
    // Documents with macros.
    "docm",
    "dotm",
    "xlsm",
    "xltm",
    "xlam",
    "xlsb",
    "pptm",
    "potm",
    "ppam",
    "ppsm",
    "sldm",
    "ade",
    "adp",
    "mdb",
    "accdb",
    "accde",
    "mde",
    "slk",
    "iqy",
    // Pages that run scripts where they are opened.
    "html",
    "htm",
    "xhtml",
    "shtml",
    "mht",
    "mhtml",
    "svg",
    "svgz",
    "xsl",
    "xslt",
    "swf",
];
/// Types, as given or sniffed, that run.
const DANGEROUS_TYPES: &[&str] = &[
    "application/vnd.microsoft.portable-executable",
    "application/x-msdownload",
    "application/x-executable",
    "application/x-mach-binary",
    "application/java",
    "application/java-archive",
    "application/javascript",
    "text/javascript",
    "application/x-sh",
    "text/x-shellscript",
    "application/hta",
    "text/html",
    "image/svg+xml",
    "application/xhtml+xml",
    "application/wasm",
    "application/vnd.android.dex",
    "application/x-msi",
    "application/x-msdos-program",
];
/// Where the names of an archive's files stand is at its end: so much of it is looked at.
const DIRECTORY_BYTES_MAX: usize = 65_536;

/// The type that the bytes show, or the given one where they show none or only its container.
pub(crate) fn content_type(given: String, bytes: &[u8]) -> String {
    let Some(sniffed) = infer::get(bytes).map(|kind| kind.mime_type()) else { return given };
    // Two letters are enough to look like some picture: what reads as text is text.
    if is_text(bytes) && !matches!(sniffed, "application/pdf" | "text/html" | "text/x-shellscript" | "text/xml") {
        return given;
    }
    let is_container = match sniffed {
        "application/zip" => {
            ["zip", "officedocument", "opendocument", "java-archive", "epub", "android", "macroenabled"]
                .iter()
                .any(|word| given.contains(word))
        }
        "application/x-ole-storage" => given.contains("ms") || given.contains("office"),
        "text/xml" => given.ends_with("xml"),
        "text/html" => given == "application/xhtml+xml",
        "video/mp4" | "video/webm" | "application/ogg" => given.starts_with("audio/") || given.starts_with("video/"),
        _ => false,
    };
    if is_container { given } else { sniffed.to_owned() }
}

/// Whether opening the file can run a program: by its last ending, its type, or what its bytes are.
pub(crate) fn is_dangerous(name: &str, content_type: &str, bytes: &[u8]) -> bool {
    // Windows leaves out points and blanks at the end of a name.
    let name = name.trim_end_matches(['.', ' ']).to_ascii_lowercase();
    let by_name = name.rsplit_once('.').is_some_and(|(_, ending)| DANGEROUS.contains(&ending));
    by_name
        || DANGEROUS_TYPES.contains(&content_type)
        || content_type.contains("macroenabled")
        || bytes.starts_with(b"#!")
        // Two letters are enough to look like a program, too.
        || infer::is_app(bytes) && !is_text(bytes)
        || has_macros(bytes)
}

/// Whether an office document in a ZIP archive names a macro project.
fn has_macros(bytes: &[u8]) -> bool {
    const PROJECT: &[u8] = b"vbaProject";
    let directory = &bytes[bytes.len().saturating_sub(DIRECTORY_BYTES_MAX)..];
    bytes.starts_with(b"PK\x03\x04") && directory.windows(PROJECT.len()).any(|window| window == PROJECT)
}

/// Whether the beginning reads as text in some superset of ASCII.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(512)];
    !start.iter().any(|byte| matches!(byte, 0..=8 | 11 | 14..=26 | 28..=31 | 127))
}

/// `type/subtype` in lower case if that is what it is.
pub(crate) fn name(given: &str, bytes_max: usize) -> Option<String> {
    let name = clean::line(given, bytes_max + 1)?.to_ascii_lowercase();
    let is_token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"[]?=".contains(c);
    let right = name.len() <= bytes_max && name.matches('/').count() == 1 && name.chars().all(is_token);
    (right && !name.starts_with('/') && !name.ends_with('/')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_what_the_bytes_show() {
        let cases: [(&str, &[u8], &str); 8] = [
            ("application/octet-stream", b"%PDF-1.4\n", "application/pdf"),
            ("image/png", b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
            ("text/plain", b"BMW, please", "text/plain"),
            (
                "application/vnd.openxmlformats-officedocument.x",
                b"PK\x03\x04....",
                "application/vnd.openxmlformats-officedocument.x",
            ),
            ("image/jpeg", b"PK\x03\x04....", "application/zip"),
            ("text/plain", b"<!DOCTYPE html><p>x", "text/html"),
            ("text/csv", b"a,b", "text/csv"),
            ("application/pdf", b"", "application/pdf"),
        ];
        for (given, bytes, expected) in cases {
            assert_eq!(content_type(given.to_owned(), bytes), expected, "{given}");
        }
    }

    #[test]
    fn what_runs_is_dangerous() {
        let cases: [(&str, &str, &[u8], bool); 10] = [
            ("invoice.pdf.exe", "application/pdf", b"x", true),
            ("invoice.JS. ", "text/plain", b"x", true),
            ("photo.jpg", "image/jpeg", b"MZ\x90\0\x03", true),
            ("run", "text/plain", b"#!/bin/sh\n", true),
            ("page.txt", "text/html", b"<p>", true),
            ("a.docm", "application/zip", b"PK", true),
            ("a.docx", "application/zip", b"PK\x03\x04 word/vbaProject.bin", true),
            ("a.docx", "application/zip", b"PK\x03\x04 word/document.xml", false),
            ("MZ.txt", "text/plain", b"MZ is a place", false),
            ("photo.jpg", "image/jpeg", b"\xff\xd8\xff", false),
        ];
        for (name, content_type, bytes, expected) in cases {
            assert_eq!(is_dangerous(name, content_type, bytes), expected, "{name}");
        }
    }
}
