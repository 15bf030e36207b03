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
 * What is compiled, and what beside the files is wanted of it.
 */
export type Wanted = { 
/**
 * The texts.
 */
files: Array<Manifest>, 
/**
 * Whether the model is wanted as a tree.
 */
model: boolean, 
/**
 * Whether the difference to what runs is wanted line by line.
 */
difference: boolean, 
/**
 * Requests that are asked about.
 */
questions: Array<Question>, };

/**
 * A request that the page asks about.
 */
export type Question = { 
/**
 * Its URL.
 */
url: string, 
/**
 * Its method.
 */
method: string, 
/**
 * Names and values of its headers.
 */
headers: Array<[string, string]>, 
/**
 * The address of the client, if that matters.
 */
client?: string, 
/**
 * Whether the client shows a certificate that its authority accepts.
 */
certificate: boolean, 
/**
 * The length of its body, in bytes.
 */
bodySize: number, };

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
 * What differs from what runs, if that is wanted.
 */
difference: Array<FileDifference> | null, 
/**
 * The model, if it is wanted.
 */
model: Array<ModelNode> | null, 
/**
 * What becomes of the requests, in the order in which they are asked about.
 */
explained: Array<Explained>, 
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
place: Place | null, 
/**
 * Of an Ingress, whether it is one of ours, so that its status gets the addresses of HAProxy.
 */
served: boolean | null, };

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
 * A change of the text that does it.
 */
fix: Fix | null, 
/**
 * Whose fault it is.
 */
origin: number, 
/**
 * Others who have a part in it.
 */
related: Array<number>, };

/**
 * A change of a text that an editor can make.
 */
export type Fix = { 
/**
 * What it does, such as ``Write `true` ``.
 */
label: string, 
/**
 * The manifest's name.
 */
file: string, 
/**
 * Where what is replaced starts, in UTF-16 code units.
 */
from: number, 
/**
 * Where it ends.
 */
to: number, 
/**
 * What stands there afterwards.
 */
insert: string, };

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
 * A file that differs.
 */
export type FileDifference = { 
/**
 * Its path.
 */
path: string, 
/**
 * What it is.
 */
role: Role, 
/**
 * What happened to it.
 */
change: ChangeWord, 
/**
 * Whether its content is not shown.
 */
redacted: boolean, 
/**
 * The sections that differ; in a file without sections one without a name.
 */
sections: Array<SectionDifference>, };

/**
 * A section that differs.
 */
export type SectionDifference = { 
/**
 * Its header, such as `backend shop_web_8080`.
 */
name: string, 
/**
 * What happened to it.
 */
change: ChangeWord, 
/**
 * What differs, with lines around it.
 */
hunks: Array<Hunk>, };

/**
 * Lines that differ, with those around them.
 */
export type Hunk = { 
/**
 * The lines.
 */
lines: Array<DifferentLine>, 
/**
 * Who made those that differ.
 */
origins: Array<number>, };

/**
 * A line of a hunk.
 */
export type DifferentLine = { 
/**
 * What happened to it; nothing, if it stands there for orientation.
 */
change: ChangeWord | null, 
/**
 * Its number in the new file, counted from 1, if it is there.
 */
number: number | null, 
/**
 * Its text.
 */
text: string, };

/**
 * What happened to something.
 */
export type ChangeWord = "added" | "removed" | "changed";

/**
 * A part of the model.
 */
export type ModelNode = { 
/**
 * What it is, such as `host shop.example`.
 */
label: string, 
/**
 * What it says.
 */
detail: string, 
/**
 * Who wrote it, if an object or a default did.
 */
origin: number | null, 
/**
 * What is in it.
 */
children: Array<ModelNode>, };

/**
 * What becomes of a request, or why it cannot be told.
 */
export type Explained = { "kind": "wrong", 
/**
 * What is expected and what was found.
 */
message: string, } | { "kind": "decided" } & Decision;

/**
 * What becomes of a request, step by step.
 */
export type Decision = { 
/**
 * What was asked.
 */
steps: Array<DecisionStep>, 
/**
 * What comes of it, in a few words: `200 from default_app_8080` has no place here, because only a
 * server knows its status.
 */
end: string, 
/**
 * Whether a server gets the request.
 */
isServed: boolean, 
/**
 * The status that HAProxy answers itself.
 */
status: number | null, 
/**
 * The backend, as in `haproxy.cfg`.
 */
backend: string | null, 
/**
 * Where the client is sent.
 */
location: string | null, 
/**
 * The path with its query as a server gets it.
 */
path: string | null, 
/**
 * The servers that may get it, with their chances in percent.
 */
servers: Array<DecisionServer>, 
/**
 * What happens to headers, in words.
 */
headers: Array<DecisionNote>, 
/**
 * What takes part in this request and was not simulated.
 */
notSimulated: Array<DecisionNote>, };

/**
 * One question and its answer.
 */
export type DecisionStep = { 
/**
 * What was asked.
 */
asked: string, 
/**
 * The answer.
 */
outcome: string, 
/**
 * Why, and what else could have been the answer.
 */
notes: Array<DecisionNote>, 
/**
 * Whether the request goes no further.
 */
isEnd: boolean, 
/**
 * Who made it so.
 */
origins: Array<number>, };

/**
 * A remark, and whom it is about.
 */
export type DecisionNote = { 
/**
 * The remark.
 */
text: string, 
/**
 * Whom it is about.
 */
origins: Array<number>, };

/**
 * A server that may get a request.
 */
export type DecisionServer = { 
/**
 * Its name.
 */
name: string, 
/**
 * Its address.
 */
address: string, 
/**
 * How likely it is that it gets the request, 0 to 1.
 */
chance: number, 
/**
 * Who made it.
 */
origin: number, };

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

/**
 * The fields of a kind of objects.
 */
export type Schema = { 
/**
 * The kind, such as `Ingress`.
 */
kind: string, 
/**
 * The version of the API that is read.
 */
apiVersion: string, 
/**
 * What an object has.
 */
fields: Array<SchemaField>, };

/**
 * A field of a kind of objects.
 */
export type SchemaField = { 
/**
 * Its name.
 */
name: string, 
/**
 * What may be written, in words.
 */
expected: string, 
/**
 * Whether it holds a list of `fields`.
 */
isList: boolean, 
/**
 * The fields in it, if these are known.
 */
fields: Array<SchemaField>, };
