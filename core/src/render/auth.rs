//! Sections of authentication: who may come with a password, and through which frontend services are
//! asked.

use minijinja::{Environment, Error};

use crate::haproxy::{Config, UserList};
use crate::render::proxy_snippet;
use crate::render::section::{Context, Output};
use crate::value::text::Line;
use crate::value::users::{Password, User};

/// Prints the lists of users.
pub(super) fn user_lists(
    config: &Config,
    environment: &Environment<'_>,
    output: &mut Output,
) -> Result<(), Error> {
    if config.user_lists.is_empty() {
        return Ok(());
    }
    let template = environment.get_template("userlist.j2")?;
    for it in &config.user_lists {
        output.section(&template, std::slice::from_ref(&it.origin), |cx| {
            users(it, cx);
        })?;
    }
    Ok(())
}

fn users(list: &UserList, cx: &mut Context<'_>) {
    cx.line("name", Line::default().text(&list.name));
    let line = |it: &User| {
        let line = Line::default().word(&it.name);
        match &it.password {
            Password::Clear(password) => line.and("insecure-password").word(password),
            Password::Hash { text, .. } => line.and("password").word(text),
        }
    };
    let by = std::slice::from_ref(&list.origin);
    cx.lines("users", list.users.iter().map(|it| (line(it), by)));
}

/// Prints the frontend through which services are asked, if any is.
pub(super) fn section(
    config: &Config,
    environment: &Environment<'_>,
    output: &mut Output,
) -> Result<(), Error> {
    let Some(auth) = &config.auth else {
        return Ok(());
    };
    let template = environment.get_template("auth.j2")?;
    let owner = [auth.bind.origin.clone()];
    output.section(&template, &owner, |cx| {
        cx.part("name", Some(&auth.name));
        cx.part("bind", Some(&auth.bind));
        if config.global.log.is_some() {
            cx.part("log", config.logs.auth.as_ref());
        }
        proxy_snippet(auth.name.value.as_str(), config, cx);
    })
}
