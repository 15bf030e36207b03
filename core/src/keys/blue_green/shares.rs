//! Weights of servers, so that groups of them get what they shall get.

/// The highest weight of a server.
const MAX: u128 = 256;

/// The weights of the servers of each group. `groups` has the weight and the number of servers of each;
/// `floor` is the lowest weight that is aimed at.
///
/// Where whole numbers up to 256 can say it, the shares are exact. Where not, the most of them are used,
/// and within a group weights differ by one so that the group as a whole comes nearest to its share.
pub(super) fn shares(groups: &[(u16, usize)], floor: u16) -> Vec<Vec<u16>> {
    exact(groups, floor).unwrap_or_else(|| nearest(groups))
}

/// Equal weights within each group, in exactly the wanted proportion, if there are such.
fn exact(groups: &[(u16, usize)], floor: u16) -> Option<Vec<Vec<u16>>> {
    let active = || groups.iter().filter(|it| it.0 > 0 && it.1 > 0);
    let mut multiple: u128 = 1;
    for (_, size) in active() {
        let size = *size as u128;
        multiple = multiple.checked_mul(size / gcd(multiple, size))?;
    }
    // What a server of each group must have in relation to the others.
    let mut units = Vec::with_capacity(groups.len());
    for (weight, size) in groups {
        units.push(match (*weight, *size as u128) {
            (0, _) | (_, 0) => 0,
            (weight, size) => u128::from(weight).checked_mul(multiple / size)?,
        });
    }
    let divisor = units.iter().fold(0, |divisor, it| gcd(divisor, *it)).max(1);
    let units: Vec<u128> = units.iter().map(|it| it / divisor).collect();
    let highest = units.iter().copied().max().unwrap_or(0).max(1);
    let lowest = units
        .iter()
        .copied()
        .filter(|it| *it > 0)
        .min()
        .unwrap_or(1);
    let most = MAX / highest;
    if most == 0 {
        return None;
    }
    let factor = u128::from(floor).div_ceil(lowest).clamp(1, most);
    let weight = |unit: u128| u16::try_from(unit * factor).unwrap_or(0);
    let both = units.into_iter().zip(groups);
    Some(both.map(|(unit, it)| vec![weight(unit); it.1]).collect())
}

/// The highest weights there are, with remainders given out one by one.
fn nearest(groups: &[(u16, usize)]) -> Vec<Vec<u16>> {
    let active = groups.iter().filter(|it| it.0 > 0 && it.1 > 0);
    // The group whose servers need the highest weight gets it.
    let top = active.max_by(|a, b| {
        let (left, right) = (u128::from(a.0) * b.1 as u128, u128::from(b.0) * a.1 as u128);
        left.cmp(&right)
    });
    let Some((top_weight, top_size)) = top else {
        return groups.iter().map(|it| vec![0; it.1]).collect();
    };
    let (top_weight, top_total) = (u128::from(*top_weight), *top_size as u128 * MAX);
    groups
        .iter()
        .map(|(weight, size)| {
            if *weight == 0 || *size == 0 {
                return vec![0; *size];
            }
            let servers = *size as u128;
            let share = (2 * u128::from(*weight) * top_total + top_weight) / (2 * top_weight);
            // A group with a weight never loses a server.
            let share = share.clamp(servers, servers * MAX);
            let (each, rest) = (share / servers, share % servers);
            (0..servers)
                .map(|it| u16::try_from(each + u128::from(it < rest)).unwrap_or(0))
                .collect()
        })
        .collect()
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn shares_are_what_is_written() {
        for (groups, floor, weights) in [
            (vec![(60, 1), (40, 1)], 1, vec![vec![3], vec![2]]),
            (vec![(70, 3), (30, 1)], 1, vec![vec![7; 3], vec![9]]),
            (vec![(50, 1), (25, 2)], 100, vec![vec![256], vec![64; 2]]),
            (vec![(50, 2), (50, 1)], 100, vec![vec![100; 2], vec![200]]),
            (vec![(60, 1), (3, 4)], 100, vec![vec![240], vec![3; 4]]),
            (vec![(100, 2), (0, 3)], 1, vec![vec![1; 2], vec![0; 3]]),
            (vec![(100, 2), (50, 0)], 1, vec![vec![1; 2], vec![]]),
            (vec![(0, 2), (0, 1)], 1, vec![vec![0; 2], vec![0]]),
            (vec![], 1, vec![]),
        ] {
            assert_eq!(shares(&groups, floor), weights, "{groups:?}");
        }
    }

    #[test]
    fn what_whole_numbers_cannot_say_is_said_as_well_as_they_can() {
        let weights = shares(&[(97, 13), (3, 7)], 1);
        assert_eq!(weights[0], vec![256; 13]);
        assert_eq!(weights[1], vec![15, 15, 15, 15, 15, 14, 14]);
        assert_eq!(shares(&[(256, 1), (1, 100)], 1)[1], vec![1; 100]);
    }

    proptest! {
        #[test]
        fn every_share_is_near(groups in prop::collection::vec((0_u16..=256, 0_usize..40), 0..6), floor in 0_u16..=256) {
            let weights = shares(&groups, floor);
            let sum: u32 = weights.iter().flatten().map(|it| u32::from(*it)).sum();
            let wanted: u32 = groups.iter().filter(|it| it.1 > 0).map(|it| u32::from(it.0)).sum();
            for ((weight, size), servers) in groups.iter().zip(&weights) {
                prop_assert_eq!(servers.len(), *size);
                prop_assert!(servers.iter().all(|it| *it <= 256 && (*it > 0) == (*weight > 0)));
                if *size > 0 && wanted > 0 {
                    let share = servers.iter().map(|it| f64::from(*it)).sum::<f64>() / f64::from(sum);
                    let wish = f64::from(*weight) / f64::from(wanted);
                    // Each server has one part of what the group with the highest weights has at least.
                    prop_assert!((share - wish).abs() < 0.5, "{groups:?}: {share} {wish}");
                }
            }
        }

        #[test]
        fn two_groups_of_one_server_each_are_exact(a in 1_u16..=256, b in 1_u16..=256) {
            let weights = shares(&[(a, 1), (b, 1)], 1);
            let product = |x: u16, y: u16| u32::from(x) * u32::from(y);
            prop_assert_eq!(product(weights[0][0], b), product(weights[1][0], a));
        }
    }
}
