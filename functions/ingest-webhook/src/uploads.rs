//! `POST …/uploads`: the form with which a page of ours puts a file into the object store; and how a message that names
//! uploads gets them.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use throughline_channels::media::described;
use throughline_channels::upload::{self, MESSAGE_FILES_BYTES_MAX, UPLOAD_BYTES_MAX, Wanted};
use throughline_domain::channel::Channel;
use throughline_domain::config::Budget;
use throughline_domain::inbound::Inbound;
use throughline_domain::message::Attachment;
use throughline_domain::moment::Moment;
use throughline_platform::problem::Problem;
use throughline_platform::upload_form::UploadForm;
use throughline_platform::{App, files};

use crate::media_type::JsonBody;
use crate::{Door, cors, unreadable, web_chat};

/// How long a form lasts.
const FORM_LASTS: Duration = Duration::from_secs(600);
/// How many uploads may be asked for and named in an hour: what is not claimed is kept for a day all the same.
const BUDGET: Budget = Budget { sender_per_hour: 400, inbox_per_hour: 20_000 };
/// Whose uploads those of a form are: nobody is known who fills it in.
pub(crate) const NOBODY: &str = "";

/// A form for one file.
#[derive(Serialize)]
pub(crate) struct Upload {
    upload_id: String,
    #[serde(flatten)]
    form: UploadForm,
}

/// `POST /v1/channels/web_chat/{inbox}/uploads`: for who holds a session.
pub(crate) async fn of_chat(
    State(app): State<App>,
    Path(inbox): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Upload>), Problem> {
    let door = Door::find(&app, Channel::WebChat, &inbox).await?;
    cors::check(door.inbox()?, &headers)?;
    let now = app.clock.now();
    let session = web_chat::session(&door, &headers, now)?;
    form(&app, &door, &session.session_id, &body, now).await
}

/// `POST /v1/channels/portal/{inbox}/uploads`: for anybody, as the form is.
pub(crate) async fn of_portal(
    State(app): State<App>,
    Path(inbox): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody,
) -> Result<(StatusCode, Json<Upload>), Problem> {
    let door = Door::find(&app, Channel::Portal, &inbox).await?;
    cors::check(door.inbox()?, &headers)?;
    form(&app, &door, NOBODY, &body, app.clock.now()).await
}

async fn form(
    app: &App,
    door: &Door,
    owner: &str,
    body: &[u8],
    now: Moment,
) -> Result<(StatusCode, Json<Upload>), Problem> {
    let wanted = upload::wanted(body).map_err(|malformed| match unreadable(malformed) {
        Ok(reason) => Problem::bad_request(reason),
        Err(problem) => problem,
    });
    let Wanted { content_type, size } = wanted?;
    spend(app, door, owner, now).await?;
    let upload_id = upload::id(&app.randomness.uuid().simple().to_string());
    let key = upload::key(door.channel, &door.id, owner, &upload_id);
    let form = app.blobs.upload_form(&key, &content_type, size, now, FORM_LASTS).await?;
    Ok((StatusCode::CREATED, Json(Upload { upload_id, form })))
}

/// Counts a form, or a file that a message names. Apart from messages: who asks for uploads only must not send anybody's
/// messages into quarantine. Nothing is lost by refusing.
async fn spend(app: &App, door: &Door, owner: &str, now: Moment) -> Result<(), Problem> {
    let budget = match owner {
        NOBODY => Budget { sender_per_hour: BUDGET.inbox_per_hour, ..BUDGET },
        _ => BUDGET,
    };
    let counted = format!("{}/uploads", door.id);
    match app.budgets.spend(&app.store, &counted, owner, &budget, now).await? {
        None => Ok(()),
        Some(reason) => Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-uploads", reason)),
    }
}

/// The message with the files that it names: each is looked for among the uploads of its owner, read, described by what
/// its bytes show, and stored as the sender's.
pub(crate) async fn take(
    app: &App,
    door: &Door,
    owner: &str,
    inbound: Inbound,
    now: Moment,
) -> Result<Inbound, Problem> {
    let named = &inbound.message.attachments;
    if named.is_empty() {
        return Ok(inbound);
    }
    // Each is read and stored once more: that costs more than the message does.
    for _ in named {
        spend(app, door, owner, now).await?;
    }
    // All are looked at before any is read: a message comes with all its files or not at all.
    let mut places = Vec::with_capacity(named.len());
    let mut bytes_all: u64 = 0;
    for (index, file) in named.iter().enumerate() {
        let id = file.held_by_channel.as_deref().unwrap_or_default();
        let key = upload::key(door.channel, &door.id, owner, id);
        let size = there(app, file, &key, &format!("/attachments/{index}")).await?;
        bytes_all = bytes_all.saturating_add(size);
        places.push(key);
    }
    if bytes_all > MESSAGE_FILES_BYTES_MAX {
        let rule = format!("must be at most {MESSAGE_FILES_BYTES_MAX} bytes altogether");
        return Err(Problem::fault("/attachments", rule));
    }
    let mut taken = Vec::with_capacity(named.len());
    for (index, (file, key)) in named.iter().zip(&places).enumerate() {
        // Lost since it was looked at: it had run out.
        let bytes = app.blobs.get(key).await?.ok_or_else(|| unknown(&format!("/attachments/{index}")))?;
        let described = described(file, None, &bytes);
        files::store(&inbound.message.sender, vec![(described.clone(), bytes)], &app.blobs).await?;
        taken.push(described);
    }
    Ok(inbound.with_files(taken))
}

/// The bytes of an upload that is there, and is what the message says of it.
async fn there(app: &App, file: &Attachment, key: &str, at: &str) -> Result<u64, Problem> {
    let size = app.blobs.size(key).await?.ok_or_else(|| unknown(at))?;
    if size > UPLOAD_BYTES_MAX {
        return Err(Problem::fault(at, format!("must be at most {UPLOAD_BYTES_MAX} bytes")));
    }
    if file.size != 0 && file.size != size {
        return Err(Problem::fault(&format!("{at}/size"), "is not the size of what was uploaded"));
    }
    Ok(size)
}

fn unknown(at: &str) -> Problem {
    Problem::fault(&format!("{at}/upload_id"), "is no upload that is there for this sender")
}
