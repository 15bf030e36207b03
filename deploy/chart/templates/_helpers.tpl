{{/* Names, labels and images. */}}

{{- define "haproxy-ingress.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "haproxy-ingress.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- $release := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- .Values.fullnameOverride | default $release | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "haproxy-ingress.defaultBackend.fullname" -}}
{{- $backend := .Values.defaultBackend.name }}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- $release := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) }}
{{- printf "%s-%s" $release $backend | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "haproxy-ingress.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "haproxy-ingress.fullname" .) "default") }}
{{- end }}

{{- define "haproxy-ingress.selectorLabels" -}}
app.kubernetes.io/name: {{ include "haproxy-ingress.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The labels of the controller's objects. */}}
{{- define "haproxy-ingress.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "haproxy-ingress.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "haproxy-ingress.defaultBackend.selectorLabels" -}}
app.kubernetes.io/name: {{ printf "%s-%s" (include "haproxy-ingress.name" .) .Values.defaultBackend.name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "haproxy-ingress.defaultBackend.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "haproxy-ingress.defaultBackend.selectorLabels" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* An image: `registry/repository:tag`, or `@digest`. */}}
{{- define "haproxy-ingress.image" -}}
{{- $name := not (empty .image.registry) | ternary (printf "%s/%s" .image.registry .image.repository) .image.repository }}
{{- if .image.digest }}
{{- printf "%s@%s" $name .image.digest }}
{{- else }}
{{- printf "%s:%s" $name (.image.tag | default .version | toString) }}
{{- end }}
{{- end }}

{{/* A value as the text that somebody has written: whole numbers have no exponent. */}}
{{- define "haproxy-ingress.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) }}
{{- printf "%.0f" . }}
{{- else }}
{{- . | toString }}
{{- end }}
{{- end }}

{{/* Whether the release may be installed: what Kubernetes would take, and what would then not work. */}}
{{- define "haproxy-ingress.check" -}}
{{- if or .Values.controller.template .Values.controller.templateFile }}
{{- fail "controller.template and controller.templateFile hold a template for HAProxy Ingress in Go, which is not read here. Remove them; lines of your own go into config-global, config-defaults and the other config-* keys of controller.config, and templates of single sections into controller.templates." }}
{{- end }}
{{- if not (has .Values.controller.kind (list "Deployment" "DaemonSet")) }}
{{- fail (printf "controller.kind: expected Deployment or DaemonSet, found %s" .Values.controller.kind) }}
{{- end }}
{{- if and .Values.controller.vpa.enabled .Values.controller.autoscaling.enabled (ne (.Values.controller.vpa.updatePolicy.updateMode | default "Auto") "Off") }}
{{- fail "controller.vpa and controller.autoscaling both change the Pods: set controller.vpa.updatePolicy.updateMode to \"Off\", or disable one of them" }}
{{- end }}
{{- if and (not .Values.controller.metrics.embedded) .Values.controller.metrics.enabled (not .Values.controller.stats.enabled) }}
{{- fail "controller.metrics.embedded: false reads the page of statistics: set controller.stats.enabled" }}
{{- end }}
{{- if .Values.controller.haproxy.enabled }}
{{- $haproxy := include "haproxy-ingress.user.haproxy" . }}
{{- $controller := include "haproxy-ingress.user.controller" . }}
{{- if and (ne $haproxy "0") (ne $haproxy $controller) }}
{{- fail (printf "HAProxy would run as user %s and the controller as user %s: it could not read the private keys that the controller writes. Give both the same runAsUser, or HAProxy runAsUser: 0" $haproxy $controller) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Not empty if the controller obtains certificates. */}}
{{- define "haproxy-ingress.signs" -}}
{{- $extra := .Values.controller.extraArgs | default dict }}
{{- if and (hasKey $extra "acme-server") (has (index $extra "acme-server" | toString) (list "true" "")) }}true{{ end }}
{{- end }}

{{/* What is accepted without being done as it is written, one line each. */}}
{{- define "haproxy-ingress.notices" -}}
{{- $signs := include "haproxy-ingress.signs" . }}
{{- if and .Values.rbac.secret.write (not $signs) }}
rbac.secret.write has no effect: nothing writes Secrets without acme-server in controller.extraArgs.
{{- end }}
{{- if and $signs .Values.rbac.create (not .Values.rbac.secret.write) }}
acme-server in controller.extraArgs has no effect: it may not keep certificates without rbac.secret.write.
{{- end }}
{{- if .Values.rbac.security.enable }}
rbac.security.enable has no effect: there are no PodSecurityPolicies in this version of Kubernetes.
{{- end }}
{{- if .Values.controller.gatewayClassResource.enabled }}
controller.gatewayClassResource has no effect: the Gateway API is not there yet.
{{- end }}
{{- range $where, $sysctls := include "haproxy-ingress.misplacedSysctls" . | fromYaml }}
{{ $where }}.sysctls is not a field of a container; it was made a part of the Pod. Its place is controller.podSecurityContext.sysctls, a list of name and value.
{{- end }}
{{- end }}
