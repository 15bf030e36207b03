//! Pending tokens in a ConfigMap, from which every replica answers.
//!
//! The key is a host, the value `PATH=ANSWER`, as the existing controller writes them.

use std::collections::BTreeMap;

use haproxy_ingress_core::options::Name;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Map, Value, json};

use crate::controller::trouble::chain;

/// The ConfigMap.
#[derive(Clone)]
pub(super) struct Tokens {
    api: Api<ConfigMap>,
    name: Name,
}

/// Its contents: what to answer, by host.
pub(super) type Contents = BTreeMap<String, String>;

impl Tokens {
    /// The one of a name.
    pub(super) fn new(client: Client, name: Name) -> Self {
        Self {
            api: Api::namespaced(client, &name.namespace),
            name,
        }
    }

    /// What is there now; nothing if there is no ConfigMap.
    pub(super) async fn read(&self) -> Result<Contents, String> {
        let found = self.api.get_opt(&self.name.name).await;
        let found = found.map_err(|it| self.cannot("read", &it))?;
        Ok(found.and_then(|it| it.data).unwrap_or_default())
    }

    /// Lets every replica answer for a host from now on.
    pub(super) async fn put(&self, host: &str, path: &str, answer: &str) -> Result<(), String> {
        let data = json!({ host: format!("{path}={answer}") });
        let changed = self.change(&data).await;
        match changed {
            Err(kube::Error::Api(status)) if status.is_not_found() => {}
            result => return result.map_err(|it| self.cannot("change", &it)),
        }
        let map = ConfigMap {
            metadata: ObjectMeta {
                name: Some(self.name.name.to_string()),
                ..ObjectMeta::default()
            },
            data: Some([(host.to_owned(), format!("{path}={answer}"))].into()),
            ..ConfigMap::default()
        };
        let created = self.api.create(&PostParams::default(), &map).await;
        created.map(|_| ()).map_err(|it| self.cannot("create", &it))
    }

    /// Takes all of them away.
    pub(super) async fn clear(&self) -> Result<(), String> {
        let contents = self.read().await?;
        if contents.is_empty() {
            return Ok(());
        }
        let nothing: Map<String, Value> = contents
            .into_keys()
            .map(|host| (host, Value::Null))
            .collect();
        let changed = self.change(&nothing.into()).await;
        changed.map_err(|it| self.cannot("change", &it))
    }

    async fn change(&self, data: &Value) -> kube::Result<()> {
        let patch = Patch::Merge(json!({ "data": data }));
        let parameters = PatchParams::default();
        let changed = self.api.patch(&self.name.name, &parameters, &patch).await;
        changed.map(|_| ())
    }

    fn cannot(&self, what: &str, error: &kube::Error) -> String {
        format!("cannot {what} ConfigMap {}: {}", self.name, chain(error))
    }
}

/// What to answer to a request for a path of a host, if there is a token for it.
pub(super) fn answer<'a>(contents: &'a Contents, host: &str, path: &str) -> Option<&'a str> {
    let (token, answer) = contents.get(host)?.split_once('=')?;
    (token == path).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_its_host_and_its_path() {
        let path = "/.well-known/acme-challenge/abc";
        let contents: Contents = [("a.example".into(), format!("{path}=abc.xyz"))].into();
        let ask = |host, path| answer(&contents, host, path);
        assert_eq!(ask("a.example", path), Some("abc.xyz"));
        assert_eq!(ask("b.example", path), None);
        assert_eq!(ask("a.example", "/.well-known/acme-challenge/ab"), None);
        let broken: Contents = [("a.example".into(), path.into())].into();
        assert_eq!(answer(&broken, "a.example", path), None);
    }
}
