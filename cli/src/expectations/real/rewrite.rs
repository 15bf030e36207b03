//! A configuration that reaches nothing but this process.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where HAProxy listens.
#[derive(Debug)]
pub(super) struct Listener {
    /// The name of the frontend.
    pub(super) section: String,
    /// The port that the configuration has.
    pub(super) port: u16,
    /// The address in its place.
    pub(super) address: SocketAddr,
}

/// The text, and what was put where.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) config: String,
    pub(super) listeners: Vec<Listener>,
    /// From where HAProxy connects to the stand-ins of each backend.
    pub(super) backends: BTreeMap<IpAddr, String>,
}

/// A free port. It lies below the range from which the system takes those of clients, so that it is
/// no client's by the time HAProxy binds it.
fn free_port() -> io::Result<SocketAddr> {
    // None is handed out twice.
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    const FIRST: u16 = 10_300;
    const COUNT: u32 = 20_000;
    // Two processes at the same time begin at different places.
    let start = std::process::id().wrapping_mul(61);
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..COUNT {
        let place = start.wrapping_add(TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = FIRST + u16::try_from(place).unwrap_or_default();
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(listener) => return listener.local_addr(),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Puts free ports in the place of those of listeners, and stand-ins in that of servers. Lines are neither
/// added nor taken out.
pub(super) fn rewrite(config: &str, stand_in: SocketAddr) -> io::Result<Rewritten> {
    let mut text = String::with_capacity(config.len());
    let mut listeners = Vec::new();
    let mut backends: BTreeMap<IpAddr, String> = BTreeMap::new();
    let (mut section, mut name) = ("", "");
    let local_peer = config
        .lines()
        .find_map(|it| it.trim_start().strip_prefix("localpeer "));
    for line in config.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        if !line.starts_with(' ') {
            section = words.first().copied().unwrap_or_default();
            name = words.get(1).copied().unwrap_or_default();
        }
        let new = match (section, &words[..]) {
            ("frontend" | "listen", ["bind", address, rest @ ..]) if !address.contains('@') => {
                let port = address.rsplit(':').next().and_then(|it| it.parse().ok());
                let address = free_port()?;
                listeners.push(Listener {
                    section: name.into(),
                    port: port.unwrap_or_default(),
                    address,
                });
                let rest = rest.iter().filter(|it| **it != "accept-proxy");
                let rest: Vec<&str> = rest.copied().collect();
                format!("    bind {address} accept-proxy {}", rest.join(" "))
            }
            ("backend", ["server", server, address, rest @ ..]) if !address.contains('@') => {
                let from = from(name, &mut backends);
                format!("    server {server} {stand_in} source {from}{}", kept(rest))
            }
            ("backend", ["server-template", server, _, _, ..]) => {
                let from = from(name, &mut backends);
                format!("    server {server}1 {stand_in} source {from}")
            }
            ("peers", ["peer", peer, ..]) if local_peer == Some(*peer) => {
                format!("    peer {peer} {}", free_port()?)
            }
            // What would go to other machines, asks for rights, or is said of servers that are replaced.
            (_, ["default-server" | "use-fcgi-app" | "source" | "peer", ..])
            | ("global", ["log" | "user" | "group" | "chroot", ..]) => {
                format!("    # {}", line.trim_start())
            }
            (_, ["log", target, ..]) if *target != "global" && section != "global" => {
                format!("    # {}", line.trim_start())
            }
            _ => line.to_owned(),
        };
        text.push_str(new.trim_end());
        text.push('\n');
    }
    Ok(Rewritten {
        config: text,
        listeners,
        backends,
    })
}

/// What counts of a server's options: how it is chosen.
fn kept(options: &[&str]) -> String {
    let mut kept = String::new();
    for pair in options.windows(2) {
        if matches!(pair[0], "weight" | "cookie") {
            kept.extend([" ", pair[0], " ", pair[1]]);
        }
    }
    kept
}

/// The address from which HAProxy connects for a backend: one of 127.0.0.0/8 for each.
fn from(name: &str, backends: &mut BTreeMap<IpAddr, String>) -> IpAddr {
    let known = backends.iter().next_back().filter(|it| it.1 == name);
    if let Some((address, _)) = known {
        return *address;
    }
    let number = u32::try_from(backends.len()).unwrap_or(u32::MAX);
    // 127.0.0.1 is everybody's.
    let address = Ipv4Addr::from(0x7f01_0001_u32.saturating_add(number));
    backends.insert(address.into(), name.into());
    address.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_this_process_is_reached() -> io::Result<()> {
        let config = "global\n    log 10.0.0.9:514 len 1024 local0\n    user haproxy\n\nfrontend _front_http\n    \
                      bind :80\n    bind unix@/x accept-proxy\n    log global\n\nfrontend _front_https\n    bind \
                      10.0.0.1:443,[::]:443 accept-proxy ssl crt /c alpn h2\n\nbackend a_b_80\n    \
                      default-server ssl\n    server srv001 10.0.0.1:80 weight 3 check ssl\n    server srv002 \
                      10.0.0.2:80 weight 1\n\nbackend c_d_80\n    server-template srv 3 name:80 resolvers r\n    \
                      server own unix@/y\n";
        let stand_in = SocketAddr::from((Ipv4Addr::LOCALHOST, 9));
        let rewritten = rewrite(config, stand_in)?;
        let [http, https] = &rewritten.listeners[..] else {
            panic!("{rewritten:?}");
        };
        assert_eq!((&*http.section, http.port), ("_front_http", 80));
        assert_eq!((&*https.section, https.port), ("_front_https", 443));
        // Linux takes the ports of clients from 32768 on.
        assert_ne!(http.address, https.address);
        assert!(http.address.port().max(https.address.port()) < 32_768);
        let expected = format!(
            "global\n    # log 10.0.0.9:514 len 1024 local0\n    # user haproxy\n\nfrontend _front_http\n    bind {} \
             accept-proxy\n    bind unix@/x accept-proxy\n    log global\n\nfrontend _front_https\n    bind {} \
             accept-proxy ssl crt /c alpn h2\n\nbackend a_b_80\n    # default-server ssl\n    server srv001 \
             127.0.0.1:9 source 127.1.0.1 weight 3\n    server srv002 127.0.0.1:9 source 127.1.0.1 weight \
             1\n\nbackend c_d_80\n    server srv1 127.0.0.1:9 source 127.1.0.2\n    server own unix@/y\n",
            http.address, https.address
        );
        assert_eq!(rewritten.config, expected);
        let names: Vec<&String> = rewritten.backends.values().collect();
        assert_eq!(names, ["a_b_80", "c_d_80"]);
        Ok(())
    }
}
