//! Uploads by signed forms, as S3 takes them in the cloud: the same form, the same checks
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html>).

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use data_encoding::BASE64;
use memchr::memmem;
use serde_json::Value;
use throughline_domain::moment::Moment;
use throughline_platform::App;
use throughline_platform::problem::Problem;

use super::signed_at;

/// The path of a bucket's forms.
pub(crate) const FORM_PATH: &str = "/objects/{bucket}/";
/// Largest form, in bytes (21 MiB): a file, and the fields before it.
pub(crate) const FORM_BYTES_MAX: usize = 21 * 1024 * 1024;
/// The field of the file; what follows it does not count.
const FILE: &str = "file";
/// The condition on the size, whose fault S3 tells apart from those of the others.
const SIZE: &str = "content-length-range";
/// Fields that no policy names.
const UNNAMED: [&str; 3] = ["policy", "x-amz-signature", FILE];
/// The pages of all origins may post forms and read the answer: what they may put stands in the form.
const ANY_ORIGIN: [(HeaderName, &str); 1] = [(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")];

/// What a form says: its fields by their names in small letters, and the file.
#[derive(Debug, Default, PartialEq, Eq)]
struct Form {
    fields: BTreeMap<String, String>,
    file: Option<Bytes>,
}

/// Puts the file of a form that we signed, if it is what the form's policy says.
pub(crate) async fn upload(
    State(app): State<App>,
    Path(bucket): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(HeaderName, &'static str); 1], String) {
    match put(&app, &bucket, &headers, &body).await {
        Ok(()) => (StatusCode::NO_CONTENT, ANY_ORIGIN, String::new()),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, ANY_ORIGIN, problem.detail)
        }
    }
}

async fn put(app: &App, bucket: &str, headers: &HeaderMap, body: &Bytes) -> Result<(), Problem> {
    if bucket != app.blobs.bucket() {
        return Err(Problem::not_found("there is no such bucket"));
    }
    let boundary = headers.get(header::CONTENT_TYPE).and_then(|given| boundary(given.to_str().ok()?));
    let form = boundary.and_then(|boundary| read(body, boundary));
    let form = form.ok_or_else(|| Problem::bad_request("the body is no multipart/form-data"))?;
    let file = form.file.clone().ok_or_else(|| Problem::bad_request("the form has no file"))?;
    let refused = |why: &str| Problem::forbidden(format!("not according to the policy: {why}"));
    let field = |name: &str| form.fields.get(name).map(String::as_str).unwrap_or_default();
    let date = signed_at(field("x-amz-date")).ok_or_else(|| refused("x-amz-date"))?;
    if app.blobs.policy_signature(field("policy"), date).await? != field("x-amz-signature") {
        return Err(refused("x-amz-signature"));
    }
    let policy = BASE64.decode(field("policy").as_bytes()).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let policy: Value = policy.ok_or_else(|| refused("it cannot be read"))?;
    check(&policy, bucket, &form.fields, file.len(), app.clock.now()).map_err(|why| match why.as_str() {
        SIZE => Problem::bad_request("the file is larger or smaller than the policy says"),
        why => refused(why),
    })?;
    app.blobs.put(field("key"), file).await?;
    Ok(())
}

/// Whether a policy allows a form; else what of it does not fit.
fn check(
    policy: &Value,
    bucket: &str,
    fields: &BTreeMap<String, String>,
    size: usize,
    now: Moment,
) -> Result<(), String> {
    let expires: Option<Moment> = policy["expiration"].as_str().and_then(|at| at.parse().ok());
    if expires.is_none_or(|at| now >= at) {
        return Err("expiration".to_owned());
    }
    let mut named: Vec<String> = UNNAMED.map(str::to_owned).to_vec();
    for condition in policy["conditions"].as_array().into_iter().flatten() {
        let (name, holds) = judge(condition, bucket, fields, size).ok_or_else(|| condition.to_string())?;
        if !holds {
            return Err(name);
        }
        named.push(name);
    }
    let stray = fields.keys().find(|name| !named.contains(name) && !name.starts_with("x-ignore-"));
    stray.map_or(Ok(()), |name| Err(format!("{name} is not in it")))
}

/// What a condition is about, and whether it holds; nothing when it is none.
fn judge(condition: &Value, bucket: &str, fields: &BTreeMap<String, String>, size: usize) -> Option<(String, bool)> {
    let of = |name: &str| match name {
        "bucket" => bucket,
        name => fields.get(name).map(String::as_str).unwrap_or_default(),
    };
    if let Some(one) = condition.as_object() {
        let (name, value) = one.iter().next().filter(|_| one.len() == 1)?;
        let name = name.to_ascii_lowercase();
        let holds = value.as_str() == Some(of(&name));
        return Some((name, holds));
    }
    match (condition[0].as_str()?, &condition[1], &condition[2]) {
        (SIZE, least, most) => {
            let range = least.as_u64()?..=most.as_u64()?;
            Some((SIZE.to_owned(), range.contains(&(size as u64))))
        }
        (way @ ("eq" | "starts-with"), name, value) => {
            let (name, value) = (name.as_str()?.trim_start_matches('$').to_ascii_lowercase(), value.as_str()?);
            let holds = if way == "eq" { of(&name) == value } else { of(&name).starts_with(value) };
            Some((name, holds))
        }
        _ => None,
    }
}

/// The boundary that a `multipart/form-data` names (RFC 7578).
fn boundary(content_type: &str) -> Option<&str> {
    let rest = content_type.strip_prefix("multipart/form-data")?;
    let (_, boundary) = rest.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    (!boundary.is_empty()).then_some(boundary)
}

/// Reads a form; nothing when it is none.
fn read(body: &Bytes, boundary: &str) -> Option<Form> {
    let line = format!("\r\n--{boundary}");
    let next = memmem::Finder::new(line.as_bytes());
    let mut form = Form::default();
    // The first boundary has no line end before it.
    let mut from = body.strip_prefix(&line.as_bytes()[2..]).map(|rest| body.len() - rest.len())?;
    while body[from..].starts_with(b"\r\n") {
        let end = from + next.find(&body[from..])?;
        let head = memmem::find(&body[from..end], b"\r\n\r\n")?;
        let value = from + head + 4;
        let name = name(std::str::from_utf8(&body[from..from + head]).ok()?)?;
        if name == FILE {
            form.file = Some(body.slice(value..end));
            return Some(form);
        }
        let text = std::str::from_utf8(&body[value..end]).ok()?;
        form.fields.insert(name, text.to_owned());
        from = end + line.len();
    }
    Some(form)
}

/// The name of a part, in small letters, by its headers.
fn name(headers: &str) -> Option<String> {
    let line = headers.lines().find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))?;
    let (_, rest) = line.split_once(" name=\"")?;
    rest.split('"').next().map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_form_is_read() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"Key\"\r\n\r\nuploads/a\r\n\
            --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\nContent-Type: text/plain\r\n\r\n\
            one\r\n--two\r\n--b--\r\n";
        let form = read(&Bytes::from(body), boundary("multipart/form-data; boundary=b").unwrap()).unwrap();
        assert_eq!(form.fields, BTreeMap::from([("key".to_owned(), "uploads/a".to_owned())]));
        assert_eq!(form.file.as_deref(), Some(&b"one\r\n--two"[..]));
        for wrong in ["", "--b", "--b\r\n", "--b\r\nx\r\n--b--", "--c\r\n\r\n\r\n--c--"] {
            let form = read(&Bytes::from(wrong), "b");
            assert!(form.is_none_or(|form| form.file.is_none()), "{wrong}");
        }
        assert_eq!(boundary("application/json"), None);
    }

    #[test]
    fn what_is_not_in_the_policy_is_refused() {
        let now: Moment = "2026-11-20T09:30:00Z".parse().unwrap();
        let policy = json!({"expiration": "2026-11-20T09:40:00Z", "conditions": [
            {"bucket": "b"}, {"key": "uploads/a"}, ["starts-with", "$Content-Type", "image/"],
            ["eq", "$x-amz-date", "d"], ["content-length-range", 2, 3],
        ]});
        let right = [("key", "uploads/a"), ("content-type", "image/png"), ("x-amz-date", "d"), ("policy", "p")];
        let with = |name: &str, value: &str| {
            let mut fields: BTreeMap<String, String> =
                right.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            fields.insert(name.to_owned(), value.to_owned());
            fields
        };
        let checked = |fields: &BTreeMap<String, String>| check(&policy, "b", fields, 2, now);
        assert_eq!(checked(&with("key", "uploads/a")), Ok(()));
        assert_eq!(checked(&with("x-ignore-me", "x")), Ok(()));
        for (name, value) in [("key", "uploads/b"), ("content-type", "text/html"), ("x-amz-date", "e")] {
            assert_eq!(checked(&with(name, value)), Err(name.to_owned()));
        }
        assert_eq!(checked(&with("acl", "public-read")), Err("acl is not in it".to_owned()));
        let fields = with("key", "uploads/a");
        assert_eq!(check(&policy, "c", &fields, 2, now), Err("bucket".to_owned()));
        for size in [1, 4] {
            assert_eq!(check(&policy, "b", &fields, size, now), Err(SIZE.to_owned()));
        }
        assert_eq!(check(&policy, "b", &fields, 2, now.plus_ms(600_000)), Err("expiration".to_owned()));
        for wrong in [json!({}), json!({"expiration": "2026-11-20T09:40:00Z", "conditions": [7]})] {
            assert!(check(&wrong, "b", &fields, 2, now).is_err(), "{wrong}");
        }
    }
}
