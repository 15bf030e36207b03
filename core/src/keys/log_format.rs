//! What is logged of requests and connections.

use crate::diagnostic::codes;
use crate::haproxy::{Config, Part, TcpProxy};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::log_line::{HttpLogLine, LogLine, TcpLogLine};

/// What is logged of requests and connections.
pub const FAMILY: Family = Family {
    name: "log-format",
    title: "Log lines",
    blocks: &[block!(Global, LogFormats), block!(Tcp, TcpServiceLog)],
};

keys! {
    Global => pub struct LogFormats {
        /// What is logged of the requests to services of external authentication.
        ///
        /// As `http-log-format`, but nothing logs nothing.
        "auth-log-format" => auth: HttpLogLine,
        /// What is logged of each request.
        ///
        /// Log-format text of HAProxy (configuration manual, section 8.2.6). `default`, and nothing,
        /// stand for HAProxy's own format of HTTP. A variable that HAProxy does not know is reported.
        /// Nothing is logged without `syslog-endpoint`.
        "http-log-format" => http: HttpLogLine,
        /// What is logged where a connection to the TLS port is passed on by its name, with
        /// `ssl-passthrough`.
        ///
        /// `default` is HAProxy's own format of TCP; nothing logs nothing.
        "https-log-format" => https: TcpLogLine,
        /// What is logged of connections to the services of `--tcp-services-configmap`.
        ///
        /// `default` is HAProxy's own format of TCP; nothing logs nothing.
        "tcp-log-format" => tcp: TcpLogLine,
    }
}

keys! {
    Tcp => pub struct TcpServiceLog {
        /// What is logged of connections to a TCP service.
        ///
        /// `default` is HAProxy's own format of TCP; an empty text logs nothing. In an annotation,
        /// `%[…]` may hold one of `date`, `dst`, `dst_port`, `src`, `src_port`, `ssl_fc`,
        /// `ssl_fc_alpn`, `ssl_fc_cipher`, `ssl_fc_protocol`, `ssl_fc_sni` and `uuid`; in a ConfigMap
        /// any expression.
        "tcp-service-log-format" => format: TcpLogLine = "default",
    }
}

impl LogFormats {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        let logs = &mut config.logs;
        logs.http = Some(match &self.http {
            Some(it) => part(it),
            None => {
                let origin = Origin::Default("http-log-format");
                Setting::new(HttpLogLine::Default.directive(), origin)
            }
        });
        logs.https = self.https.as_ref().map(part);
        logs.tcp = self.tcp.as_ref().map(part);
        logs.auth = self.auth.as_ref().map(part);
    }
}

impl TcpServiceLog {
    fn apply(&self, proxy: &mut TcpProxy, cx: &mut Cx<'_>) {
        let format = &self.format;
        let line = match format.value.of_tenant() {
            Err(error) if format.is_tenants => {
                let (key, outcome) = ("tcp-service-log-format", "`default` is used");
                cx.report_item(&codes::INVALID_VALUE, key, format, &error, outcome);
                &LogLine::Default
            }
            Ok(line) => line,
            Err(_) => &format.value,
        };
        proxy.log = (*line != LogLine::Off).then(|| format.map(|_| line.directive()));
    }
}

fn part<const HTTP: bool>(setting: &Setting<LogLine<HTTP>>) -> Part {
    setting.map(LogLine::directive)
}
