//! The offline tools as processes: what they print, and how they end.

mod diff;
mod expectations;
mod keys;
mod lint;
mod mistakes;
mod only;
mod page;
mod pipes;
mod shell;
mod verdicts;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use haproxy_ingress_tests::terminal::{self, Printed};
use tempfile::TempDir;

/// A folder with manifests in which the program runs, so that names of files are short and the same.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().expect("a temporary folder can be made"));
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        let parent = path.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(parent).expect("the folder is ours");
        std::fs::write(path, text).expect("the folder is ours");
    }

    /// Runs the program in the folder.
    fn run(&self, arguments: &[&str]) -> Printed {
        let output = terminal::command(arguments)
            .current_dir(self.0.path())
            .stdin(std::process::Stdio::null())
            .output()
            .expect("the program was built, so it can be started");
        Printed {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).expect("it prints UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("it prints UTF-8"),
        }
    }
}

/// An Ingress with some annotations, and its Service.
fn shop(annotations: &[(&str, &str)]) -> String {
    let mut text = String::from(
        "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: shop\n  namespace: default\n",
    );
    for (place, (name, value)) in annotations.iter().enumerate() {
        if place == 0 {
            text += "  annotations:\n";
        }
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "    haproxy-ingress.github.io/{name}: \"{value}\"");
    }
    text + "spec:
  ingressClassName: haproxy
  rules:
  - host: shop.example
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {service: {name: shop, port: {number: 80}}}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: haproxy}
spec: {controller: haproxy-ingress.github.io/controller}
---
apiVersion: v1
kind: Service
metadata: {name: shop, namespace: default}
spec: {ports: [{port: 80, targetPort: 8080}]}
"
}

/// The endpoints of the Service `shop`.
fn endpoints(addresses: &[&str]) -> String {
    let endpoints = addresses
        .iter()
        .map(|it| format!("- {{addresses: [{it}]}}\n"));
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: shop-1, namespace: \
         default, labels: {{kubernetes.io/service-name: shop}}}}\naddressType: IPv4\nports: [{{port: \
         8080}}]\nendpoints:\n{}",
        endpoints.collect::<String>()
    )
}
