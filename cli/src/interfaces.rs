//! The addresses of this machine.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// The addresses of all network interfaces by their names; nothing if the system does not tell.
pub(crate) fn addresses() -> Option<BTreeMap<String, Vec<IpAddr>>> {
    let mut interfaces = BTreeMap::<String, Vec<IpAddr>>::new();
    for interface in if_addrs::get_if_addrs().ok()? {
        let ip = interface.ip();
        interfaces.entry(interface.name).or_default().push(ip);
    }
    for addresses in interfaces.values_mut() {
        addresses.sort_unstable();
    }
    Some(interfaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_address_of_loopback() {
        let interfaces = addresses().expect("the system tells");
        let all: Vec<&IpAddr> = interfaces.values().flatten().collect();
        assert!(all.iter().any(|it| it.is_loopback()), "{interfaces:?}");
    }
}
