{{/*
Who the containers are and what they may do.

Users are decided by container, then by Pod, then by the images: 99, in HAProxy's image and in ours.
*/}}

{{/* What is written for the Pod. */}}
{{- define "haproxy-ingress.security.pod.written" -}}
{{- $controller := .Values.controller }}
{{- $legacy := $controller.legacySecurityContext | ternary ($controller.securityContext | default dict) dict }}
{{- $controller.podSecurityContext | default $legacy | toYaml }}
{{- end }}

{{/* What is written for the controller's container. */}}
{{- define "haproxy-ingress.security.controller.written" -}}
{{- .Values.controller.legacySecurityContext | ternary dict (.Values.controller.securityContext | default dict) | toYaml }}
{{- end }}

{{- define "haproxy-ingress.user.controller" -}}
{{- $pod := include "haproxy-ingress.security.pod.written" . | fromYaml }}
{{- $own := include "haproxy-ingress.security.controller.written" . | fromYaml }}
{{- include "haproxy-ingress.user" (list $own $pod) }}
{{- end }}

{{- define "haproxy-ingress.user.haproxy" -}}
{{- $pod := include "haproxy-ingress.security.pod.written" . | fromYaml }}
{{- include "haproxy-ingress.user" (list (.Values.controller.haproxy.securityContext | default dict) $pod) }}
{{- end }}

{{/* The first user that is written. */}}
{{- define "haproxy-ingress.user" -}}
{{- $user := "99" }}
{{- range . | reverse }}
{{- if hasKey . "runAsUser" }}
{{- $user = include "haproxy-ingress.text" .runAsUser }}
{{- end }}
{{- end }}
{{- $user }}
{{- end }}

{{/* Sysctls that were written for a container, by where. */}}
{{- define "haproxy-ingress.misplacedSysctls" -}}
{{- $found := dict }}
{{- $haproxy := .Values.controller.haproxy.securityContext | default dict }}
{{- if and .Values.controller.haproxy.enabled (hasKey $haproxy "sysctls") }}
{{- $_ := set $found "controller.haproxy.securityContext" $haproxy.sysctls }}
{{- end }}
{{- $own := include "haproxy-ingress.security.controller.written" . | fromYaml }}
{{- if hasKey $own "sysctls" }}
{{- $_ := set $found "controller.securityContext" $own.sysctls }}
{{- end }}
{{- $found | toYaml }}
{{- end }}

{{/* Whether HAProxy binds a port below 1024. */}}
{{- define "haproxy-ingress.bindsLowPorts" -}}
{{- $ports := list (include "haproxy-ingress.port" (list . "http-port" 80)) (include "haproxy-ingress.port" (list . "https-port" 443)) }}
{{- range $port, $_ := .Values.controller.tcp }}
{{- $ports = append $ports (include "haproxy-ingress.text" $port) }}
{{- end }}
{{- range $ports }}
{{- if lt (int .) 1024 }}true {{ end }}
{{- end }}
{{- end }}

{{/* The sysctls of the Pod as a list: those of the Pod, those that were misplaced, ours. */}}
{{- define "haproxy-ingress.sysctls" -}}
{{- $name := "net.ipv4.ip_unprivileged_port_start" }}
{{- $pod := include "haproxy-ingress.security.pod.written" . | fromYaml }}
{{- $all := include "haproxy-ingress.misplacedSysctls" . | fromYaml | values }}
{{- $all = append $all ($pod.sysctls | default list) }}
{{- $byName := dict }}
{{- range $all }}
{{- if kindIs "map" . }}
{{- range $key, $value := . }}
{{- $_ := set $byName $key (include "haproxy-ingress.text" $value) }}
{{- end }}
{{- else }}
{{- range . }}
{{- $_ := set $byName .name (include "haproxy-ingress.text" .value) }}
{{- end }}
{{- end }}
{{- end }}
{{- $user := .Values.controller.haproxy.enabled | ternary (include "haproxy-ingress.user.haproxy" .) (include "haproxy-ingress.user.controller" .) }}
{{- $needed := and .Values.controller.unprivilegedPorts (not .Values.controller.hostNetwork) (ne $user "0") (include "haproxy-ingress.bindsLowPorts" .) }}
{{- if and $needed (not (hasKey $byName $name)) }}
{{- $_ := set $byName $name "0" }}
{{- end }}
{{- range $key := keys $byName | sortAlpha }}
- name: {{ $key }}
  value: {{ get $byName $key | quote }}
{{- end }}
{{- end }}

{{/* The securityContext of the Pod. */}}
{{- define "haproxy-ingress.security.pod" -}}
{{- $written := omit (include "haproxy-ingress.security.pod.written" . | fromYaml) "sysctls" }}
{{- $context := $written }}
{{- if .Values.controller.hardening }}
{{- $context = mergeOverwrite (dict "runAsUser" 99 "runAsGroup" 99 "seccompProfile" (dict "type" "RuntimeDefault")) $written }}
{{- if and (ne (include "haproxy-ingress.text" $context.runAsUser) "0") (not (hasKey $written "runAsNonRoot")) }}
{{- $_ := set $context "runAsNonRoot" true }}
{{- end }}
{{- end }}
{{- with include "haproxy-ingress.sysctls" . | fromYamlArray }}
{{- $_ := set $context "sysctls" . }}
{{- end }}
{{- with $context }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/*
The securityContext of a container: what is written, and what else it does not need.
`.written`, `.user`, `.servesTraffic` (it is HAProxy, or starts one), `.root` for the whole.
*/}}
{{- define "haproxy-ingress.security.container" -}}
{{- $values := .root.Values.controller }}
{{- $written := omit .written "sysctls" }}
{{- $context := $written }}
{{- if $values.hardening }}
{{- /* Rights of HAProxy's own file to bind ports count only for who may gain rights. */}}
{{- $gains := and .servesTraffic (ne .user "0") (or $values.hostNetwork (not $values.unprivilegedPorts)) (include "haproxy-ingress.bindsLowPorts" .root) }}
{{- $capabilities := dict "drop" (list "ALL") }}
{{- if .servesTraffic }}
{{- $_ := set $capabilities "add" (list "NET_BIND_SERVICE") }}
{{- if eq .user "0" }}
{{- /* A HAProxy that is root reads what the controller writes, and gives it its sockets with their modes. */}}
{{- $_ := set $capabilities "add" (list "CHOWN" "DAC_OVERRIDE" "FOWNER" "NET_BIND_SERVICE") }}
{{- end }}
{{- end }}
{{- $context = dict "allowPrivilegeEscalation" (not (empty $gains)) "readOnlyRootFilesystem" true }}
{{- if not (hasKey $written "capabilities") }}
{{- $_ := set $context "capabilities" $capabilities }}
{{- end }}
{{- if and (hasKey $written "runAsUser") (not (hasKey $written "runAsNonRoot")) }}
{{- $_ := set $context "runAsNonRoot" (ne (include "haproxy-ingress.text" $written.runAsUser) "0") }}
{{- end }}
{{- if and (hasKey $written "runAsUser") (not (hasKey $written "runAsGroup")) (eq (include "haproxy-ingress.text" $written.runAsUser) "0") }}
{{- $_ := set $context "runAsGroup" 0 }}
{{- end }}
{{- if $written.privileged }}
{{- $_ := set $context "allowPrivilegeEscalation" true }}
{{- end }}
{{- $context = mergeOverwrite $context $written }}
{{- end }}
{{- with $context }}
{{- toYaml . }}
{{- end }}
{{- end }}
