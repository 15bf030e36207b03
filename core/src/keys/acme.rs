//! Certificates that an authority signs for us (ACME, RFC 8555).
//!
//! What has to be signed and how challenges reach whoever answers them is here; the controller asks the
//! authority and answers, with its flag `--acme-server`.

use crate::diagnostic::codes;
use crate::haproxy::{Acme, Config, Host};
use crate::keys::{Cx, Family, block, keys};
use crate::value::acme::{Chain, Directory, Email, Signer};
use crate::value::items::Items;
use crate::value::number::Integer;

/// Certificates that an authority signs for us.
pub const FAMILY: Family = Family {
    name: "acme",
    title: "Certificates by ACME",
    blocks: &[block!(Global, Account), block!(Host, Signing)],
};

keys! {
    Global => pub struct Account {
        /// Whom the authority may write to, joined by commas.
        "acme-emails" => emails: Items<Email>,
        /// The authority: `v2` for Let's Encrypt, `v2-staging` for its tests, or the URL of another
        /// one, to which `/directory` is added; without it nothing is signed.
        ///
        /// With `acme-emails` and `acme-terms-agreed` requests for `/.well-known/acme-challenge/` on
        /// plain HTTP go to whoever listens on `/var/run/haproxy/acme.sock`, with `use-chroot` on the
        /// abstract socket of that name, filled up to 107 bytes with zeros. With the flag
        /// `--acme-server` the controller listens there and asks for the certificates.
        "acme-endpoint" => endpoint: Directory,
        /// How many days before its end a certificate is signed anew, and never before half of its
        /// time is over.
        "acme-expiring" => expiring: Integer<0, 36500> = "30",
        /// Whether the paths of Ingresses come before challenges.
        ///
        /// Then a challenge goes to `/var/run/haproxy/acme.sock` only where no path of an Ingress
        /// matches it.
        "acme-shared" => shared: bool = "false",
        /// Whether the operator agrees to the terms of the authority.
        "acme-terms-agreed" => agreed: bool = "false",
    }
}

keys! {
    Host => pub struct Signing {
        /// The chain that is preferred where the authority offers several: the common name of its
        /// topmost issuer.
        "acme-preferred-chain" => chain: Chain,
        /// Who signs the certificates of an Ingress: `acme` for the authority of `acme-endpoint`.
        ///
        /// The Secrets that `tls` names need not be there yet. With the flag `--acme-track-tls-annotation`
        /// an Ingress may say `kubernetes.io/tls-acme: "true"` instead; this key goes before it.
        "cert-signer" => signer: Signer,
    }
}

impl Account {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        if let Some(emails) = &self.emails {
            cx.report_items("acme-emails", emails, &emails.value.refused);
        }
        let Some(directory) = &self.endpoint else {
            return;
        };
        let emails = self.emails.as_ref().map(|it| it.value.good.clone());
        let emails = emails.unwrap_or_default();
        let missing = match (emails.is_empty(), self.agreed.value) {
            (true, _) => "`acme-emails` has no address",
            (false, false) => "`acme-terms-agreed` is not `true`",
            (false, true) => {
                if cx.options.signs_certificates == Some(false) {
                    cx.report(
                        &codes::NOT_SIGNED,
                        &directory.origin,
                        "`acme-endpoint` is set, and the controller runs without `--acme-server`",
                        "challenges go to `/var/run/haproxy/acme.sock`, for whoever answers there",
                    );
                }
                config.acme = Some(Acme {
                    directory: directory.clone(),
                    emails,
                    expiring: u32::try_from(self.expiring.value.get()).unwrap_or_default(),
                    is_shared: self.shared.value,
                    is_abstract: false,
                    orders: Vec::new(),
                });
                return;
            }
        };
        cx.report(
            &codes::INCOMPLETE,
            &directory.origin,
            format!("`acme-endpoint` is set, and {missing}"),
            "nothing is signed, and challenges are requests like others",
        );
    }

    /// Whether anything is signed.
    fn is_complete(&self) -> bool {
        let has_email = self
            .emails
            .as_ref()
            .is_some_and(|it| !it.value.good.is_empty());
        self.endpoint.is_some() && has_email && self.agreed.value
    }
}

impl Signing {
    fn apply(&self, host: &mut Host, cx: &mut Cx<'_>) {
        let Some(signer) = &self.signer else {
            if let Some(chain) = self.chain.as_ref().filter(|it| it.is_local) {
                cx.report(
                    &codes::NO_EFFECT,
                    &chain.origin,
                    "`acme-preferred-chain` goes with `cert-signer`, which is not set",
                    "it is ignored",
                );
            }
            return;
        };
        if !cx.global_settings::<Account>().is_complete() {
            cx.report(
                &codes::INCOMPLETE,
                &signer.origin,
                "`cert-signer` is set, and the operator has not set up ACME",
                "nothing is signed",
            );
            return;
        }
        host.signer = Some(signer.origin.clone());
        host.chain.clone_from(&self.chain);
    }
}
