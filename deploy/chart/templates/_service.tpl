{{/* The parts of a Service that values of the same names have. */}}
{{- define "haproxy-ingress.service.fields" -}}
type: {{ .type | default "ClusterIP" }}
{{- with .clusterIP }}
clusterIP: {{ . }}
{{- end }}
{{- with .clusterIPs }}
clusterIPs:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .externalIPs }}
externalIPs:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .ipFamilies }}
ipFamilies:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .ipFamilyPolicy }}
ipFamilyPolicy: {{ . }}
{{- end }}
{{- if eq (.type | default "ClusterIP") "LoadBalancer" }}
{{- with .loadBalancerClass }}
loadBalancerClass: {{ . }}
{{- end }}
{{- with .loadBalancerIP }}
loadBalancerIP: {{ . }}
{{- end }}
{{- with .loadBalancerSourceRanges }}
loadBalancerSourceRanges:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- if has .type (list "LoadBalancer" "NodePort") }}
{{- with .externalTrafficPolicy }}
externalTrafficPolicy: {{ . }}
{{- end }}
{{- if and (eq .type "LoadBalancer") (eq (.externalTrafficPolicy | default "Cluster") "Local") .healthCheckNodePort }}
healthCheckNodePort: {{ int .healthCheckNodePort }}
{{- end }}
{{- end }}
{{- end }}

{{- define "haproxy-ingress.service.port" -}}
{{- $port := index . 1 }}
- name: {{ $port.name | default (printf "%s-%d" (index . 0) (int $port.port)) }}
  port: {{ int $port.port }}
  protocol: TCP
  targetPort: {{ $port.targetPort | default (index . 0) }}
  {{- with $port.nodePort }}
  nodePort: {{ int . }}
  {{- end }}
{{- end }}

{{/* A Service that leads to HAProxy: the root, its values, its name. */}}
{{- define "haproxy-ingress.service" -}}
{{- $root := index . 0 }}
{{- $service := index . 1 }}
apiVersion: v1
kind: Service
metadata:
  name: {{ index . 2 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "haproxy-ingress.labels" $root | nindent 4 }}
    {{- with $service.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "haproxy-ingress.service.fields" $service | nindent 2 }}
  ports:
    {{- if $root.Values.controller.enableStaticPorts }}
    {{- range $service.httpPorts }}
    {{- include "haproxy-ingress.service.port" (list "http" .) | trim | nindent 4 }}
    {{- end }}
    {{- range $service.httpsPorts }}
    {{- include "haproxy-ingress.service.port" (list "https" .) | trim | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- range $port, $_ := $root.Values.controller.tcp }}
    - name: {{ $port }}-tcp
      port: {{ int $port }}
      protocol: TCP
      targetPort: {{ $port }}-tcp
    {{- end }}
    {{- with $service.extraPorts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  selector:
    {{- include "haproxy-ingress.selectorLabels" $root | nindent 4 }}
{{- end }}
