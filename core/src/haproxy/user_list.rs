//! Lists of users that may come with a password.

use std::sync::Arc;

use crate::origin::Origin;
use crate::value::users::User;

/// A list of users (`userlist`).
#[derive(Clone, Debug, PartialEq)]
pub struct UserList {
    /// Its name.
    pub name: Arc<str>,
    /// The users, by name.
    pub users: Vec<User>,
    /// Where they are kept.
    pub origin: Origin,
}
