//! No bytes in a Secret make the reader of certificates fail.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use haproxy_ingress_core::value::certificate::Certificate;
use proptest::prelude::*;

const CERTIFICATE: &str = include_str!("../../src/value/certificate/ec.crt.pem");
const KEYS: [&str; 3] = [
    include_str!("../../src/value/certificate/ec.key.pem"),
    include_str!("../../src/value/certificate/rsa.key.pkcs1.pem"),
    include_str!("../../src/value/certificate/ed25519.key.pem"),
];

/// A PEM text with some of its decoded bytes replaced.
fn damaged(pem: &str, edits: &[(usize, u8)]) -> String {
    let lines: Vec<_> = pem.lines().collect();
    let (first, last) = (lines[0], lines[lines.len() - 1]);
    let text = lines[1..lines.len() - 1].concat();
    let mut der = STANDARD.decode(text).expect("the test data is base64");
    for (at, byte) in edits {
        let at = at % der.len();
        der[at] = *byte;
    }
    format!("{first}\n{}\n{last}\n", STANDARD.encode(der))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn any_damage_is_survived_and_what_is_written_can_be_read(
        cert in prop::collection::vec((0_usize..1200, any::<u8>()), 0..4),
        key in prop::collection::vec((0_usize..60, any::<u8>()), 0..4),
        kind in 0..KEYS.len(),
    ) {
        let cert = damaged(CERTIFICATE, &cert);
        let key = damaged(KEYS[kind], &key);
        if let Ok(read) = Certificate::parse(cert.as_bytes(), key.as_bytes()) {
            let pem = read.pem().clone();
            let again = Certificate::parse(pem.as_bytes(), pem.as_bytes());
            prop_assert_eq!(again, Ok(read));
        }
    }

    #[test]
    fn any_bytes_are_survived(cert in any::<Vec<u8>>(), key in any::<Vec<u8>>()) {
        prop_assert!(Certificate::parse(&cert, &key).is_err());
    }
}
