//! Doubt about lists that suddenly lack much of what was there.
//!
//! An API server that was restored from an old copy, that has not read all of its store yet or that is
//! another cluster's hands out lists with little or nothing in them, in good faith. So what a list lacks
//! is taken for gone at once only while it is little. Otherwise it is kept until a second list, some time
//! later, lacks it as well. What a watch says was deleted is gone at once, whatever its amount.
//!
//! *Invariant:* doubt ends with the third list, whatever that says.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use haproxy_ingress_core::origin::ObjectRef;
use tokio::time::Instant;

/// How long after a doubtful list another one is asked for.
pub(super) const PAUSE: Duration = Duration::from_secs(15);

/// Fewer objects than these may always go, as long as others are left.
const FEW: usize = 10;

/// One part in so many of what was there may always go.
const SHARE: usize = 10;

/// How many lists in a row are doubted.
const DOUBTS: u32 = 2;

/// What is known to be there, by digests of names, because there may be many.
#[derive(Debug, Default)]
pub(super) struct Guard {
    known: BTreeSet<u64>,
    doubt: Option<Doubt>,
}

/// Doubt about the newest list.
#[derive(Debug)]
struct Doubt {
    /// What it lacked, in part of what earlier lists lacked.
    missing: BTreeSet<u64>,
    /// When the next list counts.
    until: Instant,
    /// How many lists were doubted in a row.
    lists: u32,
}

/// What to make of a list.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    /// It is right: what it lacks is gone.
    Believed,
    /// What it has is there, and what it lacks is kept.
    Doubted {
        /// How much it lacks.
        missing: usize,
        /// How much was known.
        known: usize,
    },
}

/// An object's digest.
pub(super) fn digest(object: &ObjectRef) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    hasher.finish()
}

impl Guard {
    /// An object is there.
    pub(super) fn appears(&mut self, digest: u64) {
        self.known.insert(digest);
        if let Some(doubt) = &mut self.doubt {
            doubt.missing.remove(&digest);
        }
    }

    /// An object was deleted.
    pub(super) fn goes(&mut self, digest: u64) {
        self.known.remove(&digest);
        if let Some(doubt) = &mut self.doubt {
            doubt.missing.remove(&digest);
        }
    }

    /// When to ask for another list.
    pub(super) fn due(&self) -> Option<Instant> {
        self.doubt.as_ref().map(|it| it.until)
    }

    /// How many objects are kept that the newest list lacked.
    pub(super) fn missing(&self) -> usize {
        self.doubt.as_ref().map_or(0, |it| it.missing.len())
    }

    /// A complete list has come.
    pub(super) fn judge(&mut self, listed: BTreeSet<u64>, now: Instant) -> Verdict {
        let missing: BTreeSet<u64> = self.known.difference(&listed).copied().collect();
        let (lists, until, confirmed) = match self.doubt.take() {
            None => (0, now + PAUSE, BTreeSet::new()),
            // Lists that follow at once say nothing new.
            Some(it) if now < it.until => (it.lists - 1, it.until, BTreeSet::new()),
            Some(it) => (it.lists, now + PAUSE, it.missing),
        };
        let news = missing.difference(&confirmed).count();
        if lists >= DOUBTS || !self.is_much(news) {
            self.known = listed;
            return Verdict::Believed;
        }
        let verdict = Verdict::Doubted {
            missing: missing.len(),
            known: self.known.len(),
        };
        self.known.extend(listed);
        self.doubt = Some(Doubt {
            missing,
            until,
            lists: lists + 1,
        });
        verdict
    }

    /// Whether so many objects cannot well have gone between two looks: all, or many.
    fn is_much(&self, news: usize) -> bool {
        news > 0 && (news == self.known.len() || (news >= FEW && news * SHARE >= self.known.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(range: std::ops::Range<u64>) -> BTreeSet<u64> {
        range.collect()
    }

    fn doubted(missing: usize, known: usize) -> Verdict {
        Verdict::Doubted { missing, known }
    }

    /// A guard that knows 0 to 99, and the time at which doubt about what it is told then ends.
    fn guard() -> (Guard, Instant, Instant) {
        let (mut guard, now) = (Guard::default(), Instant::now());
        assert_eq!(guard.judge(list(0..100), now), Verdict::Believed);
        (guard, now, now + PAUSE)
    }

    #[test]
    fn little_may_go_at_once() {
        let (mut guard, now, _) = guard();
        assert_eq!(guard.judge(list(0..91), now), Verdict::Believed);
        assert_eq!(guard.due(), None);
        // Of a thousand, 99 are little.
        assert_eq!(guard.judge(list(0..1_000), now), Verdict::Believed);
        assert_eq!(guard.judge(list(99..1_000), now), Verdict::Believed);
    }

    #[test]
    fn much_goes_when_a_second_list_lacks_it_too() {
        let (mut guard, now, later) = guard();
        assert_eq!(guard.judge(list(0..50), now), doubted(50, 100));
        assert_eq!((guard.due(), guard.missing()), (Some(later), 50));
        // A list that comes too early does not count.
        assert_eq!(guard.judge(list(0..50), now), doubted(50, 100));
        assert_eq!(guard.judge(list(0..49), later), Verdict::Believed);
        assert_eq!((guard.due(), guard.missing()), (None, 0));
    }

    #[test]
    fn all_is_much_however_little_it_was() {
        let (mut guard, now) = (Guard::default(), Instant::now());
        guard.appears(7);
        assert_eq!(guard.judge(list(0..0), now), doubted(1, 1));
        // So it is when others are there instead.
        assert_eq!(guard.judge(list(8..20), now), doubted(1, 1));
        assert_eq!(guard.judge(list(7..20), now + PAUSE), Verdict::Believed);
    }

    #[test]
    fn a_list_that_has_it_again_ends_the_doubt() {
        let (mut guard, now, later) = guard();
        assert_eq!(guard.judge(list(0..0), now), doubted(100, 100));
        assert_eq!(guard.judge(list(0..100), later), Verdict::Believed);
        assert_eq!(guard.judge(list(0..0), later), doubted(100, 100));
    }

    #[test]
    fn what_a_watch_deletes_is_gone_and_what_it_shows_is_there() {
        let (mut guard, now, later) = guard();
        (0..90).for_each(|it| guard.goes(it));
        assert_eq!(guard.judge(list(90..100), now), Verdict::Believed);
        assert_eq!(guard.judge(list(0..0), now), doubted(10, 10));
        (90..95).for_each(|it| guard.appears(it));
        assert_eq!(guard.missing(), 5);
        // They are five, and the second list is the first to lack them: that is few.
        assert_eq!(guard.judge(list(0..0), later), Verdict::Believed);
    }

    #[test]
    fn doubt_ends_with_the_third_list() {
        let (mut guard, now, later) = guard();
        assert_eq!(guard.judge(list(0..50), now), doubted(50, 100));
        assert_eq!(guard.judge(list(50..100), later), doubted(50, 100));
        assert_eq!(guard.judge(list(0..20), later + PAUSE), Verdict::Believed);
    }
}
