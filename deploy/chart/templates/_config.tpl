{{/* The global ConfigMap, and the command line. */}}

{{/* A port of the configuration: the root, the key, the default. */}}
{{- define "haproxy-ingress.port" -}}
{{- $root := index . 0 }}
{{- $value := index ($root.Values.controller.config | default dict) (index . 1) }}
{{- if $value }}
{{- tpl (include "haproxy-ingress.text" $value) $root }}
{{- else }}
{{- index . 2 }}
{{- end }}
{{- end }}

{{/* The data of the global ConfigMap, each key once: what is written for a key wins. */}}
{{- define "haproxy-ingress.config" -}}
{{- $controller := .Values.controller }}
{{- $data := dict "healthz-port" (include "haproxy-ingress.text" $controller.healthzPort) "stats-port" (include "haproxy-ingress.text" $controller.stats.port) }}
{{- if and $controller.metrics.enabled $controller.metrics.embedded }}
{{- $_ := set $data "prometheus-port" (include "haproxy-ingress.text" $controller.metrics.port) }}
{{- end }}
{{- if $controller.logs.enabled }}
{{- $_ := set $data "syslog-endpoint" (printf "127.0.0.1:%s" (include "haproxy-ingress.text" $controller.logs.port)) }}
{{- else if and $controller.haproxy.enabled (not (hasKey ($controller.config | default dict) "syslog-endpoint")) }}
{{- $_ := set $data "syslog-endpoint" "stdout" }}
{{- $_ := set $data "syslog-format" "raw" }}
{{- end }}
{{- range $key, $value := $controller.config }}
{{- $_ := set $data $key (tpl (include "haproxy-ingress.text" $value) $) }}
{{- end }}
{{- toYaml $data }}
{{- end }}

{{/* NAMESPACE/NAME of the Service for what nothing matches. */}}
{{- define "haproxy-ingress.defaultBackend" -}}
{{- if .Values.defaultBackend.enabled }}
{{- printf "%s/%s" .Release.Namespace (include "haproxy-ingress.defaultBackend.fullname" .) }}
{{- else }}
{{- .Values.controller.defaultBackendService }}
{{- end }}
{{- end }}

{{/* One flag. */}}
{{- define "haproxy-ingress.flag" -}}
{{- $name := index . 0 }}
{{- $value := index . 1 }}
{{- if kindIs "bool" $value }}
{{- printf "--%s=%t" $name $value }}
{{- else if or (kindIs "invalid" $value) (eq (toString $value) "") }}
{{- printf "--%s" $name }}
{{- else }}
{{- printf "--%s=%s" $name (include "haproxy-ingress.text" $value) }}
{{- end }}
{{- end }}

{{/* The controller's command line, a list. */}}
{{- define "haproxy-ingress.args" -}}
{{- $controller := .Values.controller }}
{{- $fullname := include "haproxy-ingress.fullname" . }}
{{- $flags := list
  (list "configmap" (printf "%s/%s" .Release.Namespace $fullname))
  (list "ingress-class" $controller.ingressClass)
}}
{{- if $controller.haproxy.enabled }}
{{- $flags = append $flags (list "master-socket" "/var/run/haproxy/master.sock") }}
{{- end }}
{{- if $controller.tcp }}
{{- $flags = append $flags (list "tcp-services-configmap" (printf "%s/%s-tcp" .Release.Namespace $fullname)) }}
{{- end }}
{{- with include "haproxy-ingress.defaultBackend" . }}
{{- $flags = append $flags (list "default-backend-service" .) }}
{{- end }}
{{- with $controller.ingressClassResource.controllerClass }}
{{- $flags = append $flags (list "controller-class" .) }}
{{- end }}
{{- if $controller.publishService.enabled }}
{{- $flags = append $flags (list "publish-service" ($controller.publishService.pathOverride | default (printf "%s/%s" .Release.Namespace $fullname))) }}
{{- end }}
{{- if $controller.templates }}
{{- $flags = append $flags (list "template-dir" "/etc/templates/haproxy") }}
{{- end }}
{{- if and (ne (int $controller.metrics.controllerPort) 10254) (not (hasKey ($controller.extraArgs | default dict) "healthz-port")) }}
{{- $flags = append $flags (list "healthz-addr" (printf ":%d" (int $controller.metrics.controllerPort))) }}
{{- end }}
{{- if gt (int $controller.waitBeforeShutdown) 0 }}
{{- $flags = append $flags (list "wait-before-shutdown" (printf "%ds" (int $controller.waitBeforeShutdown))) }}
{{- end }}
{{- $args := list }}
{{- range $flags }}
{{- if not (hasKey ($controller.extraArgs | default dict) (first .)) }}
{{- $args = append $args (include "haproxy-ingress.flag" .) }}
{{- end }}
{{- end }}
{{- range $name, $value := $controller.extraArgs }}
{{- $args = append $args (include "haproxy-ingress.flag" (list $name $value)) }}
{{- end }}
{{- toYaml $args }}
{{- end }}

{{/* The command line of an external HAProxy, a list. */}}
{{- define "haproxy-ingress.haproxy.args" -}}
{{- $socket := "/var/run/haproxy/master.sock,mode,600" }}
{{- $controller := include "haproxy-ingress.user.controller" . }}
{{- if and (eq (include "haproxy-ingress.user.haproxy" .) "0") (ne $controller "0") }}
{{- $socket = printf "%s,uid,%s" $socket $controller }}
{{- end }}
{{- $args := list "-W" "-S" $socket "-f" "/etc/haproxy" }}
{{- range $name, $value := .Values.controller.haproxy.extraArgs }}
{{- $args = append $args (printf "-%s" $name) }}
{{- if not (or (kindIs "invalid" $value) (eq (toString $value) "") (eq (toString $value) "true")) }}
{{- $args = append $args (include "haproxy-ingress.text" $value) }}
{{- end }}
{{- end }}
{{- toYaml $args }}
{{- end }}

{{/* The port of the controller's own pages; nothing if they are nowhere. */}}
{{- define "haproxy-ingress.pagesPort" -}}
{{- $extra := .Values.controller.extraArgs | default dict }}
{{- if index $extra "healthz-port" }}
{{- include "haproxy-ingress.text" (index $extra "healthz-port") }}
{{- else if hasKey $extra "healthz-addr" }}
{{- regexFind "[0-9]+$" (toString (index $extra "healthz-addr")) }}
{{- else }}
{{- include "haproxy-ingress.text" .Values.controller.metrics.controllerPort }}
{{- end }}
{{- end }}
