//! Parameters of Diffie-Hellman (PKCS #3).

use x509_parser::asn1_rs::{FromDer, Integer, Sequence};

use super::private_key::significant;
use super::{CertificateError, block, blocks};

/// What OpenSSL asks for at the security level that Debian and others make the default: with shorter
/// ones HAProxy offers no ciphers of this kind.
const MIN_BITS: usize = 2048;

/// Parameters, newly encoded. HAProxy reads `DH PARAMETERS` only, and not those of X9.42.
pub fn dh_parameters(pem: &[u8]) -> Result<String, CertificateError> {
    let blocks = blocks(pem)?;
    let found = blocks.iter().find(|it| it.label == "DH PARAMETERS");
    let found = found.ok_or(CertificateError::NoParameters)?;
    let wrong = || CertificateError::Block {
        index: 1,
        what: "set of parameters for Diffie-Hellman",
    };
    let (_, sequence) = Sequence::from_der(&found.contents).map_err(|_| wrong())?;
    let (rest, prime) = Integer::from_der(&sequence.content).map_err(|_| wrong())?;
    Integer::from_der(rest).map_err(|_| wrong())?;
    let bits = significant(prime.as_ref()).len() * 8;
    if bits < MIN_BITS {
        return Err(CertificateError::WeakParameters(bits));
    }
    Ok(block("DH PARAMETERS", &found.contents))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_weak_ones_refused() {
        let good = include_str!("dh.pem");
        assert_eq!(dh_parameters(good.as_bytes()), Ok(good.into()));
        let weak = include_str!("dh.weak.pem");
        assert_eq!(
            dh_parameters(weak.as_bytes()),
            Err(CertificateError::WeakParameters(1024))
        );
        let other = good.replace("DH PARA", "X9.42 DH PARA");
        assert_eq!(
            dh_parameters(other.as_bytes()),
            Err(CertificateError::NoParameters)
        );
        let wrong = include_str!("ec.crt.pem").replace("CERTIFICATE", "DH PARAMETERS");
        assert!(dh_parameters(wrong.as_bytes()).is_err());
    }
}
