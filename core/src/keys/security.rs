//! As whom HAProxy runs.

use crate::diagnostic::codes;
use crate::haproxy::{Account, Config};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::account;
use crate::value::text::Line;

/// As whom HAProxy runs, and what it sees of the machine.
pub const FAMILY: Family = Family {
    name: "security",
    title: "User and root folder",
    blocks: &[block!(Global, Security)],
};

keys! {
    Global => pub struct Security {
        /// The group as which HAProxy's workers run; `username` has to be set, too.
        "groupname" => group: account::Account,
        /// Takes all files away from HAProxy's workers: their root folder is `/var/empty`.
        ///
        /// HAProxy has to be started as root, and the folder has to be there. A worker that cannot change
        /// its root folder takes its master and all traffic with it, so with an external HAProxy
        /// (`--master-socket`), of which this is not known, the key has no effect: write `chroot` in
        /// `config-global` if you know it. Sockets in the file system are out of reach of a worker
        /// without files.
        "use-chroot" => chroot: bool = "false",
        /// Runs HAProxy's workers as the user and the group `haproxy`, unless `username` and `groupname`
        /// name others.
        ///
        /// As with `username`, HAProxy has to be started as root.
        "use-haproxy-user" => haproxy_user: bool = "false",
        /// The user as whom HAProxy's workers run; `groupname` has to be set, too.
        ///
        /// HAProxy has to be started as root, and may not have given up the right to change its user. A
        /// worker that cannot do it takes its master and all traffic with it, so with an external
        /// HAProxy (`--master-socket`), of which this is not known, the key has no effect: start HAProxy
        /// as the user, or write `user` and `group` in `config-global` if you know that it may.
        "username" => user: account::Account,
    }
}

/// The folder without files.
const EMPTY: &str = "/var/empty";

impl Security {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        if let Some(account) = self.account(cx)
            && is_able("the user", &account.user.origin, cx)
        {
            config.global.account = Some(account);
        }
        if self.chroot.value && is_able("the root folder", &self.chroot.origin, cx) {
            let path = Line::default().text(&format!("{}{EMPTY}", cx.options.prefix));
            config.global.chroot = Some(self.chroot.map(|_| path));
        }
    }

    /// The user and the group that are asked for.
    fn account(&self, cx: &mut Cx<'_>) -> Option<Account> {
        let part =
            |it: &Setting<account::Account>| it.map(|it| Line::default().text(&it.to_string()));
        if let (Some(user), Some(group)) = (&self.user, &self.group) {
            let is_haproxy =
                user.value.to_string() == "haproxy" && group.value.to_string() == "haproxy";
            if self.haproxy_user.value && !is_haproxy {
                cx.report(
                    &codes::CONFLICT,
                    &self.haproxy_user.origin,
                    "`username` and `groupname` name another user than `use-haproxy-user`",
                    "`use-haproxy-user` is ignored",
                );
            }
            return Some(Account {
                user: part(user),
                group: part(group),
            });
        }
        for (key, other, setting) in [
            ("username", "groupname", &self.user),
            ("groupname", "username", &self.group),
        ] {
            if let Some(setting) = setting {
                cx.report(
                    &codes::CONFLICT,
                    &setting.origin,
                    format!("`{key}` stands without `{other}`"),
                    "neither is used",
                );
            }
        }
        let haproxy = self.haproxy_user.map(|_| Line::keyword("haproxy"));
        self.haproxy_user.value.then(|| Account {
            user: haproxy.clone(),
            group: haproxy,
        })
    }
}

/// Whether HAProxy may change what it starts with; if it may not, or if that is not known, it is
/// reported.
fn is_able(what: &str, origin: &Origin, cx: &mut Cx<'_>) -> bool {
    let is_able = cx.options.privileged.unwrap_or(true);
    if !is_able {
        cx.report(
            &codes::UNSUPPORTED,
            origin,
            format!(
                "HAProxy is not known to be able to change {what} of its workers, and would end if it \
                 is not"
            ),
            format!("{what} stays as HAProxy was started"),
        );
    }
    is_able
}
