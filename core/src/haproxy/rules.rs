//! The rules of a backend, equal ones as one.

use std::collections::BTreeMap;
use std::ops::Deref;

use crate::haproxy::{Placed, Rule};
use crate::origin::{Authors, Origin};

/// How many are looked at one by one.
const FEW: usize = 32;

/// The rules of a backend, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    list: Vec<Placed>,
    /// Where the rules for paths stand, as soon as there are more than a few.
    places: BTreeMap<Rule, usize>,
    /// How many of the list are among them.
    known: usize,
    /// Where rules for paths were added since somebody asked.
    newest: Vec<usize>,
}

impl Rules {
    /// Adds a rule for one path, given by its number. Equal rules are there once, for the paths of all of
    /// them.
    pub fn add(&mut self, path: u32, rule: Rule, origin: &Origin) {
        let Some(place) = self.find(&rule) else {
            self.newest.push(self.list.len());
            self.list.push(Placed {
                rule,
                paths: vec![path],
                origins: Authors::one(origin),
            });
            return;
        };
        self.newest.push(place);
        let same = &mut self.list[place];
        // Paths mostly come in their order, one with all its rules after the other.
        if same.paths.last() != Some(&path)
            && let Err(place) = same.paths.binary_search(&path)
        {
            same.paths.insert(place, path);
        }
        same.origins.add(origin);
    }

    /// Adds a rule for every request of the backend.
    pub fn add_for_all(&mut self, rule: Rule, origin: &Origin) {
        self.list.push(Placed {
            rule,
            paths: Vec::new(),
            origins: Authors::one(origin),
        });
    }

    /// Where the rules for paths stand that were added since this was asked before.
    pub fn newest(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.newest)
    }

    /// Adds rules that are there for another path for the newest one as well, given by its number.
    pub fn add_again(&mut self, path: u32, places: &[usize]) {
        for place in places {
            let paths = &mut self.list[*place].paths;
            if paths.last() != Some(&path) {
                paths.push(path);
            }
        }
    }

    /// Keeps some of them.
    pub fn retain(&mut self, keep: impl FnMut(&Placed) -> bool) {
        self.list.retain(keep);
        self.places.clear();
        self.newest.clear();
        self.known = 0;
    }

    /// Where the rule stands that equals one for paths.
    fn find(&mut self, rule: &Rule) -> Option<usize> {
        let is_same = |it: &Placed| !it.paths.is_empty() && it.rule == *rule;
        if self.list.len() <= FEW {
            return self.list.iter().position(is_same);
        }
        for (place, it) in self.list.iter().enumerate().skip(self.known) {
            if !it.paths.is_empty() {
                self.places.entry(it.rule.clone()).or_insert(place);
            }
        }
        self.known = self.list.len();
        self.places.get(rule).copied()
    }
}

impl Deref for Rules {
    type Target = [Placed];

    fn deref(&self) -> &[Placed] {
        &self.list
    }
}

/// Rules are equal that say the same in the same order.
impl PartialEq for Rules {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::haproxy::Phase;
    use crate::value::text::Line;

    fn rule(number: usize) -> Rule {
        Rule::new(Phase::Cors, Line::default().text(&number.to_string()))
    }

    #[test]
    fn equal_rules_are_there_once_however_many_there_are() {
        let by = Origin::Engine("a test");
        let mut rules = Rules::default();
        rules.add_for_all(rule(0), &by);
        for path in 1..4 {
            for number in 0..2 * FEW {
                rules.add(path, rule(number), &by);
            }
        }
        assert_eq!(rules.len(), 1 + 2 * FEW);
        assert!(rules[0].paths.is_empty());
        assert!(rules[1..].iter().all(|it| it.paths == [1, 2, 3]));
    }

    #[test]
    fn what_one_path_has_another_one_has_as_well() {
        let by = Origin::Engine("a test");
        let mut rules = Rules::default();
        rules.add(1, rule(0), &by);
        rules.newest();
        for number in [1, 0, 1, 2] {
            rules.add(2, rule(number), &by);
        }
        let of_two = rules.newest();
        rules.add(2, rule(3), &by);
        rules.add_again(3, &of_two);
        let paths: Vec<&[u32]> = rules.iter().map(|it| &*it.paths).collect();
        assert_eq!(paths, [&[1, 2, 3][..], &[2, 3], &[2, 3], &[2]]);
    }

    #[test]
    fn rules_that_are_left_are_still_found() {
        let by = Origin::Engine("a test");
        let mut rules = Rules::default();
        for number in 0..3 * FEW {
            rules.add(1, rule(number), &by);
        }
        rules.add(1, rule(FEW), &by);
        rules.retain(|it| it.rule != rule(0));
        rules.add(2, rule(FEW), &by);
        rules.add(2, rule(0), &by);
        assert_eq!(rules.len(), 3 * FEW);
        let both: Vec<_> = rules.iter().filter(|it| it.paths == [1, 2]).collect();
        assert_eq!(both.len(), 1);
        assert_eq!(both[0].rule, rule(FEW));
    }
}
