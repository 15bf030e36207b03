//! Paths for requests with certain headers.

use std::sync::Arc;

use crate::diagnostic::codes;
use crate::keys::auth_tls::AuthTlsDefaults;
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::ValueError;
use crate::value::header_filter::{HeaderFilter, HeaderIs, HeaderMatches};
use crate::value::items::Items;

/// Paths for requests with certain headers.
pub const FAMILY: Family = Family {
    name: "http-match",
    title: "Matching headers",
    // It is read where paths are: headers are a part of what a path is.
    blocks: &[block!(HeaderMatch)],
};

/// The most filters of a path.
const MOST: usize = 16;

/// The most different sets of filters that paths of one group of frontends have. Each costs every request
/// of these frontends some rules.
pub(crate) const MOST_SETS: usize = 100;

/// How many of them one namespace may have, so that none takes all.
pub(crate) const MOST_SETS_OF_ONE: usize = 25;

keys! {
    Path => pub struct HeaderMatch {
        /// Headers that a request must have for the paths to match.
        ///
        /// One a line, `name: value` or `name value`. All of them must be there; of a header with several
        /// values one must be the value. A path with headers goes before those without, and one with more
        /// headers before one with fewer. If a line is wrong, the paths match nothing. Headers about
        /// certificates (`ssl-headers-prefix`) cannot be matched: the path is chosen before they are set.
        ///
        /// All paths together have at most 100 different sets of headers, each pair of `http-frontends`
        /// by itself, and those of one namespace at most 25. Paths with one more are left out; the oldest
        /// Ingresses have theirs.
        "http-header-match" => exact: Items<HeaderIs>,
        /// Headers whose value must match an expression for the paths to match.
        ///
        /// As `http-header-match`, with which it adds up; the expression may match anywhere in the value.
        "http-header-match-regex" => regex: Items<HeaderMatches>,
    }
}

/// What the headers of a request must be; absent where they do not matter.
pub(crate) type Filters = Option<Arc<[HeaderFilter]>>;

impl HeaderMatch {
    /// What the headers must be, sorted; `Err` if that cannot be said, which is reported: with fewer
    /// headers the path would get requests that are not meant for it.
    pub(crate) fn filters(&self, cx: &mut Cx<'_>) -> Result<Filters, ()> {
        let mut filters = Vec::new();
        let mut is_wrong = false;
        if let Some(lines) = &self.exact {
            let good = lines.value.good.iter().map(|it| &it.0);
            is_wrong |= report(EXACT, lines, &lines.value.refused, cx);
            is_wrong |= report_reserved(EXACT, &lines.origin, good.clone(), cx);
            filters.extend(good.cloned());
        }
        if let Some(lines) = &self.regex {
            let good = lines.value.good.iter().map(|it| &it.0);
            is_wrong |= report(REGEX, lines, &lines.value.refused, cx);
            is_wrong |= report_reserved(REGEX, &lines.origin, good.clone(), cx);
            filters.extend(good.cloned());
        }
        filters.sort();
        filters.dedup();
        if filters.len() > MOST {
            let origin = self.exact.as_ref().map(|it| &it.origin);
            let origin = origin.or(self.regex.as_ref().map(|it| &it.origin));
            if let Some(origin) = origin.cloned() {
                let message = format!("a path has at most {MOST} headers to match");
                cx.report(&codes::INVALID_PATH, &origin, message, OUTCOME);
            }
            is_wrong = true;
        }
        match (is_wrong, filters.is_empty()) {
            (true, _) => Err(()),
            (false, true) => Ok(None),
            (false, false) => Ok(Some(filters.into())),
        }
    }
}

const OUTCOME: &str = "the paths are left out";
const EXACT: &str = "http-header-match";
const REGEX: &str = "http-header-match-regex";

/// Reports headers that only HAProxy may set, which it does when the path is known, and says whether
/// there are some. `-` and `_` are the same for many applications, so that both are taken from clients.
fn report_reserved<'a>(
    key: &str,
    origin: &Origin,
    filters: impl Iterator<Item = &'a HeaderFilter>,
    cx: &mut Cx<'_>,
) -> bool {
    let plain = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let defaults = cx.global_settings::<AuthTlsDefaults>();
    let reserved = plain(&format!("{}-client-", defaults.prefix.value.as_str()));
    let mut is_wrong = false;
    for filter in filters.filter(|it| plain(it.name()).starts_with(&reserved)) {
        let name = filter.name();
        let message = format!(
            "`{key}`: `{name}` says something about a client's certificate, and is not set before the \
             path is chosen"
        );
        cx.report(&codes::INVALID_PATH, origin, message, OUTCOME);
        is_wrong = true;
    }
    is_wrong
}

/// Reports lines that are wrong, and says whether there are some.
fn report<T>(key: &str, lines: &Setting<T>, refused: &[ValueError], cx: &mut Cx<'_>) -> bool {
    for error in refused {
        cx.report_item(&codes::INVALID_PATH, key, lines, error, OUTCOME);
    }
    !refused.is_empty()
}
