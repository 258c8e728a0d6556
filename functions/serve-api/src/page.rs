//! Pages of lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use throughline_domain::event::Commit;
use throughline_domain::view::EventView;
use throughline_platform::problem::Problem;
use throughline_platform::{App, bodies, files};

/// A page ends after so many bytes of events: an answer of a function holds 6 MB.
const EVENTS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// A commit that is longer than this with its whole texts shows their beginnings.
const COMMIT_BYTES_MAX: usize = 3 * 1024 * 1024;

/// Items of a page when the caller does not say.
const LIMIT_DEFAULT: usize = 50;
/// Most items of a page.
const LIMIT_MAX: usize = 200;

/// Part of a list.
#[derive(Serialize, JsonSchema)]
pub(crate) struct List<T> {
    /// What is on it.
    pub(crate) items: Vec<T>,
    /// The `cursor` of the next page; null on the last.
    pub(crate) next: Option<String>,
}

/// Which part of a list is asked for.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Paging {
    limit: Option<usize>,
    pub(crate) cursor: Option<String>,
}

impl Paging {
    /// This part.
    pub(crate) fn new(limit: Option<usize>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    /// How many items are wanted.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            None => Ok(LIMIT_DEFAULT),
            Some(limit) if (1..=LIMIT_MAX).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::fault("/limit", format!("1 to {LIMIT_MAX}"))),
        }
    }
}

/// How much of an answer events fill.
#[derive(Default)]
pub(crate) struct Filled(usize);

impl Filled {
    /// Nothing more goes into this answer.
    pub(crate) fn is_full(&self) -> bool {
        self.0 > EVENTS_BYTES_MAX
    }

    /// A commit as clients see it: with whole texts, where an answer holds them, and links to its files.
    pub(crate) async fn show(
        &mut self,
        app: &App,
        commit: Commit,
    ) -> Result<impl Iterator<Item = EventView> + use<>, Problem> {
        let mut whole = commit.clone();
        bodies::restore(&mut whole, &app.blobs).await?;
        let mut shown = if size(&whole) > COMMIT_BYTES_MAX { commit } else { whole };
        files::link(&mut shown, &app.blobs, app.clock.now()).await?;
        self.0 = self.0.saturating_add(size(&shown));
        Ok(EventView::of(shown))
    }
}

fn size(commit: &Commit) -> usize {
    serde_json::to_string(commit).map_or(0, |text| text.len())
}

/// A cursor that is none of ours.
pub(crate) fn wrong_cursor() -> Problem {
    Problem::fault("/cursor", "not what an earlier answer said as `next`")
}
