//! Addresses and ports on which a frontend of a tenant listens.

use crate::value::address::BindAddress;
use crate::value::directive::Words;
use crate::value::number::Port;
use crate::value::{KeyValue as _, ValueError};

/// Options that may follow the addresses: they read no file and give no rights.
const OPTIONS: &[&str] = &["accept-proxy", "tfo", "v4v6", "v6only"];

/// Reads words that stand behind `bind` as addresses with a port, joined by commas, and harmless
/// options.
///
/// Sockets of the machine (`unix@`, `fd@`), ranges of ports and options that name files are refused.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, directive::Words, listen};
/// let read = |text| listen::read(&Words::parse(text).expect("words"));
/// assert_eq!(read(":8080,[::1]:8081 accept-proxy")?.len(), 2);
/// assert!(read("unix@/run/x.sock").is_err());
/// assert!(read(":8080 crt /etc/passwd").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
pub fn read(words: &Words) -> Result<Vec<(BindAddress, u16)>, ValueError> {
    let text = words.to_string();
    let wrong = || {
        ValueError::new(
            "addresses with a port, such as `:8080` or `192.0.2.1:8080,[::1]:8080`",
            &text,
        )
    };
    let mut words = text.split(' ');
    let addresses = words.next().unwrap_or_default();
    if let Some(word) = words.find(|it| !OPTIONS.contains(it)) {
        return Err(ValueError::new(
            format!("no option but {}", OPTIONS.join(", ")),
            word,
        ));
    }
    addresses
        .split(',')
        .map(|it| {
            let (address, port) = it.rsplit_once(':').ok_or_else(wrong)?;
            let address = BindAddress::parse(address).map_err(|_| wrong())?;
            let port = Port::parse(port).map_err(|_| wrong())?;
            Ok((address, port.port()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_an_address_is_refused() {
        let read = |text| Words::parse(text).and_then(|it| read(&it));
        for (text, count) in [
            (":80", 1),
            ("*:80", 1),
            (":80,:::80", 2),
            ("10.0.0.1:80 accept-proxy", 1),
        ] {
            assert_eq!(read(text).map(|it| it.len()), Ok(count), "{text}");
        }
        for bad in [
            "",
            "80",
            ":80-90",
            ":0",
            "abns@x",
            "fd@3",
            "/run/x.sock",
            "example:80",
            ":80 ssl crt /etc/x.pem",
            ":80,",
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
