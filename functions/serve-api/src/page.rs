//! Pages of lists.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use throughline_platform::problem::Problem;

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

/// A cursor that is none of ours.
pub(crate) fn wrong_cursor() -> Problem {
    Problem::fault("/cursor", "not what an earlier answer said as `next`")
}
