//! What a HAProxy that we start may do to itself.

use std::fs;
use std::path::Path;

/// Whether a HAProxy of ours can change its user and its root folder: it has our rights, and the
/// folder is there. It would end, and all traffic with it, if it tried and could not.
pub(crate) fn can_drop(prefix: &Path) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    has_rights(&status) && fs::create_dir_all(prefix.join("var/empty")).is_ok()
}

/// Whether a process may change its group, its user and its root folder, from what Linux says of it
/// (capabilities(7)).
fn has_rights(status: &str) -> bool {
    const SETGID: u32 = 6;
    const SETUID: u32 = 7;
    const CHROOT: u32 = 18;
    let mask = status
        .lines()
        .find_map(|it| it.strip_prefix("CapEff:"))
        .and_then(|it| u64::from_str_radix(it.trim(), 16).ok())
        .unwrap_or_default();
    [SETGID, SETUID, CHROOT]
        .iter()
        .all(|it| mask & (1 << it) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_has_all_rights_may_give_them_up() {
        let of = |mask: &str| has_rights(&format!("Name:\thaproxy\nCapEff:\t{mask}\n"));
        assert!(of("000001ffffffffff"));
        assert!(of("00000000000400c0"));
        // All but `CAP_SETGID`.
        assert!(!of("000001ffffffffbf"));
        assert!(!of("0000000000000400"));
        assert!(!has_rights(""));
    }
}
