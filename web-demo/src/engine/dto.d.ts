// Written from wasm/src/dto.rs by `UPDATE=1 cargo test -p haproxy-ingress-wasm declarations`.

/**
 * What the page chooses, the rest is what the controller does by default.
 */
export type Settings = { 
/**
 * The HAProxy that will read the result, such as `3.2`.
 */
haproxy: string, 
/**
 * The global ConfigMap, as `namespace/name`.
 */
configMap?: string, 
/**
 * Seconds since 1970, for the dates of certificates.
 */
now?: number, };

/**
 * A text with resources.
 */
export type Manifest = { 
/**
 * What places refer to it by.
 */
name: string, 
/**
 * YAML or JSON.
 */
text: string, };

/**
 * Everything that one compilation says.
 */
export type Output = { 
/**
 * Whether all of the text was understood as YAML. If not, the rest counts all the same.
 */
parsed: boolean, 
/**
 * The objects that were read.
 */
objects: Array<Object>, 
/**
 * The files that HAProxy reads, the main configuration first.
 */
files: Array<OutputFile>, 
/**
 * The sections of the main configuration.
 */
sections: Array<Section>, 
/**
 * Who wrote things, each once; everything else refers to them by index.
 */
origins: Array<Origin>, 
/**
 * What is wrong with the text, errors first.
 */
diagnostics: Array<Diagnostic>, 
/**
 * What a running HAProxy would have to do.
 */
plan: Plan, 
/**
 * Where the values of Secrets stand, so that a shared text can leave them out.
 */
secrets: Array<Place>, };

/**
 * An object of the text.
 */
export type Object = { 
/**
 * Its kind, namespace and name, such as `Ingress shop/web`.
 */
label: string, 
/**
 * Where it stands.
 */
place: Place | null, };

/**
 * One file.
 */
export type OutputFile = { 
/**
 * Its absolute path.
 */
path: string, 
/**
 * What it is.
 */
role: Role, 
/**
 * What is in it; a remark in the place of a private key.
 */
content: string, 
/**
 * Whether `content` is only such a remark.
 */
redacted: boolean, 
/**
 * For each line of `content`, who made it.
 */
lines: Array<Array<number>>, };

/**
 * What a file is for.
 */
export type Role = "config" | "map" | "checks" | "regex-map" | "certificate-list" | "certificate" | "authorities" | "revocations" | "dh-parameters" | "list" | "response" | "lua" | "agent";

/**
 * A section of the main configuration.
 */
export type Section = { 
/**
 * Its header, such as `backend shop_web_8080`.
 */
name: string, 
/**
 * Its first line, counted from 1.
 */
firstLine: number, 
/**
 * How many lines it has.
 */
lines: number, };

/**
 * Who wrote something.
 */
export type Origin = { 
/**
 * All of it in words.
 */
label: string, 
/**
 * The object, such as `Ingress shop/web`, if one wrote it.
 */
object: string | null, 
/**
 * Its field, such as `spec.rules[0].host`, if it is not the object as a whole.
 */
field: string | null, 
/**
 * Where it stands in the text, if it does.
 */
place: Place | null, };

/**
 * A part of a text.
 */
export type Place = { 
/**
 * The manifest's name.
 */
file: string, 
/**
 * Where the key starts that names it, if there is one; all offsets are in UTF-16 code units.
 */
keyFrom: number | null, 
/**
 * Where the value starts.
 */
from: number, 
/**
 * Where it ends.
 */
to: number, 
/**
 * The line of the value's start, counted from 1.
 */
line: number, };

/**
 * One finding.
 */
export type Diagnostic = { 
/**
 * How much it matters.
 */
severity: Severity, 
/**
 * Its kind, such as `invalid-value`.
 */
code: string, 
/**
 * What the kind means and what to do about it.
 */
doc: string, 
/**
 * What was found and what is expected.
 */
message: string, 
/**
 * What happened instead.
 */
outcome: string, 
/**
 * What to write instead, if that is known.
 */
help: string | null, 
/**
 * Whose fault it is.
 */
origin: number, 
/**
 * Others who have a part in it.
 */
related: Array<number>, };

/**
 * How much a finding matters.
 */
export type Severity = "error" | "warning" | "notice";

/**
 * What a running HAProxy would have to do.
 */
export type Plan = { "kind": "start" } | { "kind": "nothing" } | { "kind": "update", 
/**
 * In the order in which they are given.
 */
commands: Array<string>, } | { "kind": "reload", 
/**
 * Why.
 */
reasons: Array<Reason>, };

/**
 * Why a reload is needed.
 */
export type Reason = { 
/**
 * What differs, and how.
 */
label: string, 
/**
 * Who wrote what differs.
 */
origins: Array<number>, };

/**
 * A configuration key.
 */
export type Key = { 
/**
 * Its name, without a prefix.
 */
name: string, 
/**
 * Names that it had before.
 */
old: Array<string>, 
/**
 * What it belongs to, such as `Backend`; `Global` is for the ConfigMap of the operator only.
 */
scope: string, 
/**
 * What may be written, in words.
 */
expected: string, 
/**
 * The words that may be written, if there are only these.
 */
words: Array<string>, 
/**
 * Its default, if it has one.
 */
default: string | null, 
/**
 * Its documentation in Markdown; the first sentence is a summary.
 */
doc: string, };
