//! What patterns find, what they leave alone, and which are refused.

use super::*;
use proptest::prelude::*;

fn pattern(pattern: &str) -> ReferencePattern {
    ReferencePattern { name: "order".to_owned(), pattern: pattern.to_owned() }
}

fn found(with: &str, text: &str) -> Vec<String> {
    find(&[pattern(with)], [text]).into_iter().map(|reference| reference.value).collect()
}

#[test]
fn a_number_is_found_however_it_is_typed() {
    for text in [
        "ORD-004711",
        "where is ord-004711?",
        "ord 004711",
        "ORD004711",
        "(Ord–004711)",
        "注文ＯＲＤ－００４７１１の件",
        "https://shop.example/orders/ORD-004711?lang=de",
        "ORD-004711 and again ord004711",
    ] {
        assert_eq!(found("ORD-######", text), ["ORD-004711"], "{text}");
    }
}

#[test]
fn what_only_looks_like_a_number_is_left_alone() {
    for text in
        ["", "ORD-00471", "ORD-0047110", "XORD-004711", "ORD-004711a", "ORD--004711", "ORD  004711", "ORD-00 4711"]
    {
        assert_eq!(found("ORD-######", text), [""; 0], "{text}");
    }
    // Only behind a fixed letter or digit may the hyphen be something else.
    assert_eq!(found("@@-####", "in 2024 and AB-2024"), ["AB-2024"]);
}

#[test]
fn classes_and_runs_take_what_they_say() {
    assert_eq!(found("INV#+/@@/##", "inv20391/de/26, INV/de/26"), ["INV20391/DE/26"]);
    assert_eq!(found("SKU.***+-@", "sku.x1y2z3-b sku.12-b"), ["SKU.X1Y2Z3-B"]);
    assert_eq!(found("####+", &"7".repeat(VALUE_BYTES_MAX)), ["7".repeat(VALUE_BYTES_MAX)]);
    assert_eq!(found("####+", &"7".repeat(VALUE_BYTES_MAX + 1)), [""; 0], "too long is cut nowhere");
    assert_eq!(found("####", "1234 5678\n1234"), ["1234", "5678"], "each once");
}

#[test]
fn several_patterns_name_what_they_found() {
    let patterns =
        [pattern("ORD-####"), ReferencePattern { name: "invoice".to_owned(), pattern: "INV-####".to_owned() }];
    let found = find(&patterns, ["inv-1111", "ORD-2222 ord-2222"]);
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["order ORD-2222", "invoice INV-1111"]);
    let many: String = (0..50).map(|n| format!("ORD-{n:04} ")).collect();
    assert_eq!(find(&patterns, [many.as_str()]).len(), FOUND_MAX);
    assert_eq!(find(&[], [many.as_str()]), []);
}

#[test]
fn patterns_that_cannot_work_are_refused() {
    for (wrong, fault) in [
        ("", PatternFault::Length),
        (&"#".repeat(65), PatternFault::Length),
        ("ORD ####", PatternFault::Character(' ')),
        ("Ö####", PatternFault::Character('Ö')),
        ("+####", PatternFault::NothingToRepeat),
        ("####++", PatternFault::NothingToRepeat),
        ("A+####", PatternFault::NothingToRepeat),
        ("####+#", PatternFault::Swallowed('#')),
        ("####+7", PatternFault::Swallowed('7')),
        ("***@+*", PatternFault::Swallowed('*')),
        ("****+A", PatternFault::Swallowed('A')),
        ("ORD-###", PatternFault::TooFree),
        ("ORDER", PatternFault::TooFree),
    ] {
        assert_eq!(pattern(wrong).check(), Err(fault), "{wrong}");
        assert_eq!(found(wrong, "ORD-1234 1234567"), [""; 0], "{wrong}");
    }
    for right in ["ORD-######", "###@+##", "*+-####", "INV/##/####", "@@@@"] {
        assert_eq!(pattern(right).check(), Ok(()), "{right}");
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_what_is_found_is_in_the_text(with in "[#@*+A-Z0-9-]{1,12}", text in "\\PC{0,80}|[A-Z0-9 -]{0,80}") {
        for value in found(&with, &text) {
            let letters = |text: &[u8]| -> Vec<u8> { text.iter().copied().filter(u8::is_ascii_alphanumeric).collect() };
            let (needle, hay) = (letters(value.as_bytes()), letters(&plain(&text)));
            prop_assert!(hay.windows(needle.len()).any(|window| window == needle), "{value} is not in {text}");
            prop_assert!(value.len() <= VALUE_BYTES_MAX);
            // What was found is found again in its own form.
            prop_assert!(found(&with, &value).contains(&value), "{value} by {with}");
        }
    }

    #[test]
    fn a_typed_number_is_found_in_any_surrounding(n in 0_u32..1_000_000, before in "[^\\p{L}\\p{N}]{0,20}", after in "[^\\p{L}\\p{N}]{0,20}") {
        let value = format!("ORD-{n:06}");
        let text = format!("{before}{}{after}", value.to_lowercase());
        prop_assert_eq!(found("ORD-######", &text), [value]);
    }
}
