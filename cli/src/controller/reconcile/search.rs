//! Who among several is to blame, found by trying some of them at a time.
//!
//! Pure: somebody else tries, and says how it went. Objects that are refused together are a set; it is
//! split into groups, which are tried one after the other beside everything that was taken before. If
//! all groups of a set but one were taken, the last one is to blame and is split without a try.

use haproxy_ingress_core::origin::ObjectRef;

/// A search that has begun.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// What is not decided; the last one is tried first.
    groups: Vec<Group>,
    /// For each set that was split, whether one of its groups is known to be to blame.
    known: Vec<bool>,
}

/// Objects that are tried together.
#[derive(Debug)]
struct Group {
    objects: Vec<ObjectRef>,
    /// Which set it is a part of.
    set: usize,
}

/// What is to be done next.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Try these beside everything that was taken, and say how it went.
    Try(Vec<ObjectRef>),
    /// This one is to blame.
    Blame(ObjectRef),
}

/// How much is to be said against an object: what has more is tried later, because the last one is
/// blamed where several would do.
pub(super) type Suspicion = (bool, bool);

impl Search {
    /// Begins, or goes on, with objects that are refused together.
    pub(super) fn suspect(
        &mut self,
        mut objects: Vec<ObjectRef>,
        suspicion: impl Fn(&ObjectRef) -> Suspicion,
    ) {
        objects.sort_by_cached_key(&suspicion);
        let first = objects.first().map(&suspicion);
        let differs = |it: &ObjectRef| Some(suspicion(it)) != first;
        // What was named is not tried together with what was not.
        let named = objects.iter().position(|it| suspicion(it).0 && differs(it));
        let middle = named.or_else(|| objects.iter().position(differs));
        let middle = middle.unwrap_or(objects.len() / 2);
        self.split(objects, middle);
    }

    /// What to do next; nothing if all is decided.
    pub(super) fn next(&mut self) -> Option<Step> {
        loop {
            let top = self.groups.last()?;
            let alone = self.groups.iter().filter(|it| it.set == top.set).count() == 1;
            if self.known[top.set] || !alone {
                return Some(Step::Try(top.objects.clone()));
            }
            // It is to blame, as no other group of its set is.
            let Group { mut objects, set } = self.groups.pop()?;
            self.known[set] = true;
            if objects.len() > 1 {
                let middle = objects.len() / 2;
                self.split(objects, middle);
            } else if let Some(object) = objects.pop() {
                return Some(Step::Blame(object));
            }
        }
    }

    /// What was to be tried was taken. It proves nothing about the rest if the objects were other ones by
    /// then.
    pub(super) fn taken(&mut self, changed: bool) {
        if let Some(group) = self.groups.pop() {
            self.known[group.set] |= changed;
        }
    }

    /// What was to be tried was refused, together with some others maybe.
    pub(super) fn refused(
        &mut self,
        objects: Vec<ObjectRef>,
        suspicion: impl Fn(&ObjectRef) -> Suspicion,
    ) {
        if let Some(group) = self.groups.pop() {
            self.known[group.set] = true;
        }
        self.suspect(objects, suspicion);
    }

    /// All that is not decided, but for what is to be tried next.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &ObjectRef> {
        let waiting = self.groups.len().saturating_sub(1);
        self.groups[..waiting].iter().flat_map(|it| &it.objects)
    }

    /// All that is not decided.
    pub(super) fn suspects(&self) -> impl Iterator<Item = &ObjectRef> {
        self.groups.iter().flat_map(|it| &it.objects)
    }

    /// Splits a set in two, of which the first part is tried first.
    fn split(&mut self, mut objects: Vec<ObjectRef>, middle: usize) {
        if objects.is_empty() {
            return;
        }
        let set = self.known.len();
        self.known.push(false);
        let rest = objects.split_off(middle);
        for objects in [rest, objects] {
            if !objects.is_empty() {
                self.groups.push(Group { objects, set });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::origin::Kind;

    use super::*;

    fn objects(count: usize) -> Vec<ObjectRef> {
        let object = |it| ObjectRef::new(Kind::Ingress, "shop", format!("{it:03}"));
        (0..count).map(object).collect()
    }

    /// Searches among objects of which some are bad, and counts the tries.
    fn search(count: usize, bad: &[usize], named: &[usize]) -> (Vec<ObjectRef>, usize) {
        let all = objects(count);
        let is_bad = |it: &ObjectRef| bad.iter().any(|bad| all[*bad] == *it);
        let suspicion = |it: &ObjectRef| (named.iter().any(|named| all[*named] == *it), false);
        let mut search = Search::default();
        search.suspect(all.clone(), suspicion);
        let (mut found, mut tries) = (Vec::new(), 0);
        while let Some(step) = search.next() {
            match step {
                Step::Blame(object) => found.push(object),
                Step::Try(group) => {
                    tries += 1;
                    if group.iter().any(is_bad) {
                        search.refused(group, suspicion);
                    } else {
                        search.taken(false);
                    }
                }
            }
        }
        (found, tries)
    }

    #[test]
    fn each_bad_one_is_found_wherever_it_is() {
        for bad in 0..100 {
            let (found, tries) = search(100, &[bad], &[]);
            assert_eq!(found, [objects(100)[bad].clone()]);
            assert!(tries <= 14, "{tries} for {bad}");
        }
        for (first, second) in [(0, 99), (3, 4), (50, 51), (0, 1)] {
            let (mut found, _) = search(100, &[first, second], &[]);
            found.sort();
            let all = objects(100);
            assert_eq!(found, [all[first].clone(), all[second].clone()]);
        }
        let (found, _) = search(5, &[0, 1, 2, 3, 4], &[]);
        assert_eq!(found.len(), 5);
    }

    #[test]
    fn one_that_is_named_costs_a_single_try_of_the_rest() {
        assert_eq!(
            search(1000, &[700], &[700]),
            (vec![objects(1000)[700].clone()], 1)
        );
        // Named by mistake.
        let (found, _) = search(1000, &[700], &[3]);
        assert_eq!(found, [objects(1000)[700].clone()]);
    }

    #[test]
    fn a_single_one_needs_no_try() {
        assert_eq!(search(1, &[0], &[]), (objects(1), 0));
    }

    #[test]
    fn what_has_changed_proves_nothing() {
        let all = objects(2);
        let mut search = Search::default();
        search.suspect(all.clone(), |_| (false, false));
        assert_eq!(search.next(), Some(Step::Try(vec![all[0].clone()])));
        search.taken(true);
        assert_eq!(search.next(), Some(Step::Try(vec![all[1].clone()])));
        search.taken(false);
        assert_eq!(search.next(), None);
    }
}
