//! A user and a password.

use std::fmt;

use crate::value::text::Line;
use crate::value::{KeyValue, Shape, ValueError};

/// A user and a password, `USER:PASSWORD`, neither empty. The password never reaches a message.
#[derive(Clone, Eq, PartialEq)]
pub struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// Both as one word, as they stand behind `stats auth`.
    pub fn line(&self) -> Line {
        Line::default().text(&format!("{}:{}", self.user, self.password))
    }
}

impl KeyValue for Credentials {
    const SHAPE: Shape = Shape::Text {
        grammar: "user:password",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let trimmed = text.trim();
        match trimmed.split_once(':') {
            Some((user, password))
                if !user.is_empty()
                    && !password.is_empty()
                    && !trimmed.chars().any(char::is_control) =>
            {
                Ok(Self {
                    user: user.into(),
                    password: password.into(),
                })
            }
            _ => Err(ValueError::of_secret("`user:password`")),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_written_and_never_shown() {
        let credentials = Credentials::parse("admin:s3c:ret #1").expect("both parts");
        assert_eq!(credentials.line().as_str(), r#""admin:s3c:ret #1""#);
        assert!(!format!("{credentials:?}").contains("s3c"));
        for bad in ["s3cret", ":s3cret", "admin:", "admin:s3cret\nx"] {
            let error = Credentials::parse(bad).expect_err("a part is missing");
            assert!(!error.to_string().contains("s3cret"));
        }
    }
}
