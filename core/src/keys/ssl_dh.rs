//! Diffie-Hellman.

use crate::diagnostic::codes;
use crate::haproxy::{Config, DataFile, Role, secret_stem};
use crate::keys::cross_namespace::{Permitted, Purpose, Refusal};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::{Field, Kind, ObjectRef, Origin};
use crate::value::certificate::dh_parameters;
use crate::value::number::Integer;
use crate::value::reference::Reference;
use crate::value::text::Line;

/// Diffie-Hellman, the key exchange of TLS ciphers whose names begin with `DHE`.
pub const FAMILY: Family = Family {
    name: "ssl-dh",
    title: "Diffie-Hellman",
    blocks: &[block!(Global, DiffieHellman)],
};

keys! {
    Global => pub struct DiffieHellman {
        /// The size of the parameters that HAProxy uses without `ssl-dh-param`, in bits.
        "ssl-dh-default-max-size" => size: Integer<1024, 16384> = "2048",
        /// The Secret with the parameters, in `dhparam.pem`.
        ///
        /// `namespace/name`, or `file:///path` of a file in HAProxy's container. Parameters that cannot be
        /// used, or have fewer than 2048 bits, are reported, and HAProxy's own take their place.
        "ssl-dh-param" => parameters: Reference,
    }
}

impl DiffieHellman {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        if let Some(parameters) = &self.parameters {
            match file(parameters, cx) {
                Ok(path) => {
                    let part = parameters.map(|_| Line::default().text(&path));
                    config.global.tls.insert("ssl-dh-param-file", part);
                    return;
                }
                Err(refusal) => cx.report_refusal(
                    &codes::NOT_FOUND,
                    "ssl-dh-param",
                    parameters,
                    &refusal,
                    &format!(
                        "HAProxy's own parameters of {} bits are used",
                        self.size.value
                    ),
                ),
            }
        }
        let size = self.size.map(|it| Line::default().number(it.get()));
        config.global.tls.insert("tune.ssl.default-dh-param", size);
    }
}

/// The file with the parameters, as HAProxy sees it.
fn file(parameters: &Setting<Reference>, cx: &mut Cx<'_>) -> Result<String, Refusal> {
    if let Permitted::File(path) = cx.permit(parameters, Purpose::Certificate)? {
        return Ok(path.to_string());
    }
    let (name, secret) = cx.secret(parameters, Purpose::Certificate)?;
    let entry = secret.get("dhparam.pem");
    let entry =
        entry.ok_or_else(|| Refusal::new(format!("Secret `{name}` has no `dhparam.pem`")))?;
    let text = dh_parameters(entry.reveal())
        .map_err(|error| Refusal::new(format!("`dhparam.pem` of Secret `{name}`: {error}")))?;
    let object = ObjectRef::new(Kind::Secret, name.namespace.clone(), name.name.clone());
    let origin = [Origin::Object(
        object.into(),
        Field::Data("dhparam.pem".into()),
    )];
    let path = format!("/var/lib/haproxy/dhparam/{}.pem", secret_stem(&name));
    let real = format!("{}{path}", cx.options.prefix);
    let file = DataFile::whole(path, Role::DhParameters, text, &origin);
    cx.files.push(file);
    Ok(real)
}
