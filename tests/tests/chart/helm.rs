//! Helm, and what it makes of the chart.

use std::path::PathBuf;

pub(crate) use haproxy_ingress_tests::helm::helm;
use haproxy_ingress_tests::tree;
use serde_json::Value;

/// The namespace of the release, which has the name of the chart.
pub(crate) const NAMESPACE: &str = "ingress-controller";

/// One way to install it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Install {
    arguments: Vec<String>,
}

/// The objects of an installation.
#[derive(Clone, Debug)]
pub(crate) struct Rendered {
    /// As Helm prints them.
    pub(crate) text: String,
    /// The same, read strictly.
    pub(crate) objects: Vec<Value>,
}

/// The folder of the chart.
pub(crate) fn chart() -> PathBuf {
    tree::root().join("deploy/chart")
}

/// The values files that are documented.
pub(crate) fn documented() -> Vec<PathBuf> {
    let mut files = tree::files(&tree::root().join("deploy/values"));
    files.retain(|it| it.extension().is_some_and(|it| it == "yaml"));
    assert!(files.len() > 5, "deploy/values holds {files:?}");
    files
}

impl Install {
    /// With the values of one of the documented files.
    pub(crate) fn of(name: &str) -> Self {
        let path = tree::root().join("deploy/values").join(name);
        Self::default().with(&format!("{}.yaml", path.display()))
    }

    /// With those of a file.
    pub(crate) fn with(mut self, file: &str) -> Self {
        self.arguments.push(format!("--values={file}"));
        self
    }

    /// With one value more, in JSON.
    pub(crate) fn set(mut self, path: &str, value: &str) -> Self {
        self.arguments.push(format!("--set-json={path}={value}"));
        self
    }

    /// What would be installed, or why it would not.
    pub(crate) fn render(&self) -> Result<Rendered, String> {
        let mut arguments: Vec<String> = ["template", "haproxy-ingress"].map(Into::into).into();
        arguments.push(chart().display().to_string());
        arguments.push(format!("--namespace={NAMESPACE}"));
        arguments.extend(self.arguments.iter().cloned());
        let output = helm(&arguments);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        let text = String::from_utf8(output.stdout).map_err(|it| it.to_string())?;
        // A key that stands twice is an error for this reader.
        let objects = serde_saphyr::from_multiple::<Value>(&text).map_err(|it| it.to_string())?;
        Ok(Rendered { text, objects })
    }

    /// The same where it must be possible.
    pub(crate) fn rendered(&self) -> Rendered {
        self.render()
            .unwrap_or_else(|why| panic!("{:?}: {why}", self.arguments))
    }

    /// What Helm says behind the installation.
    pub(crate) fn notes(&self) -> String {
        let mut arguments: Vec<String> = ["install", "haproxy-ingress"].map(Into::into).into();
        arguments.push(chart().display().to_string());
        arguments.push("--dry-run=client".into());
        arguments.extend(self.arguments.iter().cloned());
        let output = helm(&arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let told = String::from_utf8_lossy(&output.stderr);
        let (_, notes) = text
            .split_once("\nNOTES:\n")
            .unwrap_or_else(|| panic!("no notes: {told}{text}"));
        notes.to_owned()
    }
}

impl Rendered {
    /// The object of a kind with a name.
    pub(crate) fn find(&self, kind: &str, name: &str) -> Option<&Value> {
        let mut objects = self.objects.iter();
        objects.find(|it| it["kind"] == kind && it["metadata"]["name"] == name)
    }

    /// The same where it must be there.
    pub(crate) fn object(&self, kind: &str, name: &str) -> &Value {
        self.find(kind, name)
            .unwrap_or_else(|| panic!("no {kind} {name} in:\n{}", self.text))
    }

    /// The Pod of the controller.
    pub(crate) fn pod(&self) -> &Value {
        let workload = self
            .find("Deployment", "haproxy-ingress")
            .or_else(|| self.find("DaemonSet", "haproxy-ingress"));
        &workload.expect("there is a controller")["spec"]["template"]["spec"]
    }

    /// A container of that Pod, be it one that runs first.
    pub(crate) fn container(&self, name: &str) -> &Value {
        let pod = self.pod();
        let all = [&pod["containers"], &pod["initContainers"]];
        let mut all = all.into_iter().filter_map(Value::as_array).flatten();
        all.find(|it| it["name"] == name)
            .unwrap_or_else(|| panic!("no container {name} in {pod}"))
    }

    /// The command line of a container.
    pub(crate) fn args(&self, container: &str) -> Vec<String> {
        words(&self.container(container)["args"])
    }

    /// The data of a ConfigMap.
    pub(crate) fn data(&self, config_map: &str) -> Vec<(String, String)> {
        let data = &self.object("ConfigMap", config_map)["data"];
        let data = data.as_object().expect("a ConfigMap has data");
        let text = |it: &Value| it.as_str().expect("data are texts").to_owned();
        data.iter()
            .map(|(key, it)| (key.clone(), text(it)))
            .collect()
    }
}

/// A list of texts.
pub(crate) fn words(list: &Value) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |it: &Value| it.as_str().expect("it is a text").to_owned();
    list.iter().map(text).collect()
}
