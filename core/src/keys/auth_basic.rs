//! Users and passwords.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{Backend, Path, Phase, Rule, UserList, secret_stem};
use crate::keys::cross_namespace::{Purpose, Refusal};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::options::Name;
use crate::origin::{Field, Kind, ObjectRef, Origin};
use crate::value::realm::Realm;
use crate::value::reference::Reference;
use crate::value::text::Line;
use crate::value::tried::Tried;
use crate::value::users::User;

/// Users and passwords (RFC 7617).
pub const FAMILY: Family = Family {
    name: "auth-basic",
    title: "Users and passwords",
    blocks: &[block!(Path, AuthBasic)],
};

keys! {
    Path => pub struct AuthBasic {
        /// The name that a browser shows when it asks for the password.
        "auth-realm" => realm: Realm = "localhost",
        /// The Secret with the users who may come.
        ///
        /// Its entry `auth` has a user a line: `user::password` in clear text, or `user:hash` with a
        /// hash of crypt(3): `$1$`, `$5$`, `$6$`, `$2a$`, `$2b$`, `$2y$`, `$y$` or DES. A line that
        /// cannot be read is reported, and its user cannot come; so is a hash whose check takes longer
        /// than 100 ms, and those beyond five seconds for all users of a namespace together, because
        /// HAProxy checks each of them once while it starts. Without a usable Secret nobody can come.
        /// A preflight request of a path with `cors-enable` needs no password.
        "auth-secret" => secret: Tried<Reference>,
    }
}

/// How long checks of all passwords of a namespace may take, in tenths of a millisecond.
const BUDGET: u64 = 50_000;

/// What happens where the users cannot be known.
const OUTCOME: &str = "its paths are denied, so that nobody is admitted who should not be";

impl AuthBasic {
    fn apply(&self, path: &mut Path, backend: &mut Backend, cx: &mut Cx<'_>) {
        let Some(secret) = &self.secret else {
            return;
        };
        let rule = match Self::users(secret, cx) {
            Ok(list) => {
                let line = Line::keyword("http-request auth realm").word(self.realm.value.word());
                let test = Line::keyword("!{")
                    .text(&format!("http_auth({list})"))
                    .and("}");
                Rule::new(Phase::Authenticate, line).when(test)
            }
            Err(refusal) => {
                let code = &codes::INVALID_PROTECTION;
                cx.report_refusal(code, "auth-secret", secret, &refusal, OUTCOME);
                Rule::new(Phase::Authenticate, Line::keyword("http-request deny"))
            }
        };
        backend.add(path.number, rule, &secret.origin);
    }

    /// The name of the list with the users of a Secret.
    fn users(setting: &Setting<Tried<Reference>>, cx: &mut Cx<'_>) -> Result<Arc<str>, Refusal> {
        let reference = match &setting.value.0 {
            Ok(reference) => setting.map(|_| reference.clone()),
            Err(error) => {
                let help = error.help.clone();
                return Err(Refusal {
                    message: error.to_string(),
                    help,
                });
            }
        };
        if let (Reference::File(_), false) = (&reference.value, reference.is_tenants) {
            return Err(Refusal {
                message: "HAProxy cannot read users from a file".into(),
                help: Some("put them into a Secret".into()),
            });
        }
        let (name, secret) = cx.secret(&reference, Purpose::Password)?;
        if let Some(list) = cx.user_lists.get(&name) {
            return Ok(list.name.clone());
        }
        let Some(data) = secret.get("auth") else {
            return Err(Refusal::new(format!("Secret `{name}` has no entry `auth`")));
        };
        let (users, bad) = User::parse_all(data.reveal());
        let object = ObjectRef::new(Kind::Secret, name.namespace.clone(), name.name.clone());
        let origin = Origin::Object(Arc::new(object), Field::Data("auth".into()));
        for line in bad {
            cx.report(
                &codes::INVALID_VALUE,
                &origin,
                format!("line {}: {}", line.number, line.message),
                "the line is left out, and its user cannot come",
            );
        }
        let users = within_budget(&name, users, &origin, cx);
        if users.is_empty() {
            cx.sink.report(
                Diagnostic::new(
                    &codes::INVALID_PROTECTION,
                    setting.origin.clone(),
                    format!("`auth-secret`: Secret `{name}` has no user who could come"),
                    "everybody is asked for a password, and none is right",
                )
                .related(origin.clone()),
            );
        }
        let list = UserList {
            name: secret_stem(&name).into(),
            users,
            origin,
        };
        let known = list.name.clone();
        cx.user_lists.insert(name, list);
        Ok(known)
    }
}

/// The users whose checks a namespace can have without keeping HAProxy from starting.
fn within_budget(name: &Name, users: Vec<User>, origin: &Origin, cx: &mut Cx<'_>) -> Vec<User> {
    let others = cx
        .user_lists
        .iter()
        .filter(|it| it.0.namespace == name.namespace);
    let mut spent: u64 = others
        .flat_map(|it| &it.1.users)
        .map(|it| it.password.cost())
        .sum();
    let count = users.len();
    let mut kept = users;
    kept.retain(|it| {
        spent += it.password.cost();
        it.password.cost() == 0 || spent <= BUDGET
    });
    if kept.len() < count {
        cx.report(
            &codes::INVALID_PROTECTION,
            origin,
            format!(
                "HAProxy would need more than {} s to check all passwords of namespace `{}`",
                BUDGET / 10_000,
                name.namespace
            ),
            format!("{} users are left out and cannot come", count - kept.len()),
        );
    }
    kept
}
