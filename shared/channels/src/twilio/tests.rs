//! Tests: Twilio's own examples of signatures, and what comes near them.

use super::*;
use crate::provider::testing::secrets;

/// Twilio's own examples (<https://www.twilio.com/docs/usage/security#validating-requests>, and the tests of its
/// validators): the token is `12345`.
const URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const FIELDS: &str =
    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
const SIGNED: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";

fn check(url: &str, body: &str, signature: &str) -> Result<(), Refused> {
    let headers = vec![(SIGNATURE.into(), signature.into())];
    let request = Request { url: url.into(), headers, body: body.as_bytes().into() };
    verify(&request, &secrets("12345"))
}

#[test]
fn forms_are_signed_as_in_the_documentation() {
    assert_eq!(check(URL, FIELDS, SIGNED), Ok(()));
    let shuffled = "To=%2B18005551212&From=%2B14158675309&Digits=1234&Caller=%2B14158675309&CallSid=CA1234567890ABCDE";
    assert_eq!(check(URL, shuffled, SIGNED), Ok(()));
    let request = Request { url: URL.into(), body: FIELDS.as_bytes().into(), ..Request::default() };
    assert_eq!(sign(&request, &secrets("12345")), Some(vec![(SIGNATURE, SIGNED.to_owned())]));
    assert_eq!(check(URL, &FIELDS.replace("1234&", "1235&"), SIGNED), Err(Refused::WrongSignature));
    assert_eq!(check("https://mycompany.com/myapp.php?foo=1&bar=3", FIELDS, SIGNED), Err(Refused::WrongSignature));
}

#[test]
fn a_pair_that_stands_twice_counts_once() {
    let fields = "Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234";
    assert_eq!(check(URL, fields, "IK+Dwps556ElfBT0I3Rgjkr1wJU="), Ok(()));
}

#[test]
fn the_port_may_be_signed_or_not() {
    for (url, signature) in [
        ("https://mycompany.com:1234/myapp.php?foo=1&bar=2", SIGNED),
        ("http://mycompany.com:1234/myapp.php?foo=1&bar=2", "Zmvh+3yNM1Phv2jhDCwEM3q5ebU="),
        (URL, "kvajT1Ptam85bY51eRf/AJRuM3w="),
        ("http://mycompany.com/myapp.php?foo=1&bar=2", "0ZXoZLH/DfblKGATFgpif+LLRf4="),
        ("https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", "CukzLTc1tT5dXEDIHm/tKBanW10="),
        ("https://user@mycompany.com/myapp.php?foo=1&bar=2", "2YRLlVAflCqxaNicjMpJcSTgzSs="),
        ("https://user:pass@mycompany.com/myapp.php?foo=1&bar=2", "ZQFR1PTIZXF2MXB8ZnKCvnnA+rI="),
    ] {
        assert_eq!(check(url, FIELDS, signature), Ok(()), "{url}");
    }
}

#[test]
fn a_body_that_is_no_form_is_signed_by_its_hash() {
    let hash = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";
    let (body, signature) = (r#"{"property": "value", "boolean": true}"#, "a9nBmqA0ju/hNViExpshrM61xv4=");
    let url = format!("{URL}&bodySHA256={hash}");
    assert_eq!(check(&url, body, signature), Ok(()));
    assert_eq!(check(&url, &body.replace("true", "false"), signature), Err(Refused::WrongSignature));
    assert_eq!(check(URL, body, signature), Err(Refused::WrongSignature));
}

#[test]
fn ports_are_found_behind_any_host() {
    for (authority, host) in [
        ("a.example:8443", "a.example"),
        ("a.example", "a.example"),
        ("[::1]:443", "[::1]"),
        ("[::1]", "[::1]"),
        ("user:80@a.example", "user:80@a.example"),
        ("user:80@a.example:81", "user:80@a.example"),
        ("", ""),
    ] {
        assert_eq!(without_port(authority), host, "{authority}");
    }
    assert_eq!(urls("mycompany"), ["mycompany"]);
    assert_eq!(urls("https://a.example"), ["https://a.example", "https://a.example:443"]);
    assert_eq!(urls("https://a.example:1?b=/:2"), ["https://a.example:1?b=/:2", "https://a.example?b=/:2"]);
}

#[test]
fn a_json_object_is_read_like_a_form() {
    let form = Form::of(br#"{"CallSid": "CA1", "Sequence": 2, "More": {"a": 1}, "None": null}"#).unwrap();
    assert_eq!((form.get("CallSid"), form.number("Sequence"), form.get("More")), (Some("CA1"), Some(2), None));
    assert!(matches!(Form::of(b"{"), Err(Malformed::NotJson(_))));
    assert!(matches!(Form::of(b""), Err(Malformed::NotUnderstood(_))));
}

#[test]
fn numbers_that_no_plan_knows_yet_are_numbers() {
    assert_eq!(phone("+41446681800", None).unwrap().to_string(), "phone:+41446681800");
    assert_eq!(phone("+15005550006", None).unwrap().to_string(), "phone:+15005550006");
    for wrong in ["anonymous", "Acme", "12345", "+1-500"] {
        assert!(phone(wrong, Some("US")).is_err(), "{wrong}");
    }
}
