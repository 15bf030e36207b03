{{/* The Pod, for the Deployment and for the DaemonSet. */}}

{{/* A probe by HTTP: the root, what is written, the port without one. */}}
{{- define "haproxy-ingress.probe" -}}
{{- $probe := index . 1 }}
httpGet:
  path: {{ $probe.path | default "/healthz" }}
  port: {{ $probe.port | default (index . 2) }}
  scheme: HTTP
{{- with omit $probe "path" "port" "enabled" }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The probes of whichever container HAProxy runs in. */}}
{{- define "haproxy-ingress.probes" -}}
{{- $port := int .Values.controller.healthzPort }}
startupProbe:
  {{- include "haproxy-ingress.probe" (list . .Values.controller.startupProbe $port) | trim | nindent 2 }}
livenessProbe:
  {{- include "haproxy-ingress.probe" (list . .Values.controller.livenessProbe $port) | trim | nindent 2 }}
readinessProbe:
  {{- include "haproxy-ingress.probe" (list . .Values.controller.readinessProbe $port) | trim | nindent 2 }}
{{- end }}

{{/* A container port with its port of the machine: root, name, number, port of the machine. */}}
{{- define "haproxy-ingress.containerPort" -}}
{{- $root := index . 0 }}
{{- /* The line feed in front keeps several apart. */}}
- name: {{ index . 1 }}
  containerPort: {{ int (index . 2) }}
  protocol: TCP
{{- if and (index . 3) (eq $root.Values.controller.kind "DaemonSet") }}
  hostPort: {{ int (index . 3) }}
  {{- with $root.Values.controller.daemonset.hostIP }}
  hostIP: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* The ports of whichever container HAProxy runs in. */}}
{{- define "haproxy-ingress.ports" -}}
{{- $controller := .Values.controller }}
{{- $host := $controller.daemonset.useHostPort | ternary $controller.daemonset.hostPorts dict }}
{{- if $controller.enableStaticPorts }}
{{- $http := $controller.containerPorts.http | default (include "haproxy-ingress.port" (list . "http-port" 80)) }}
{{- $https := $controller.containerPorts.https | default (include "haproxy-ingress.port" (list . "https-port" 443)) }}
{{- include "haproxy-ingress.containerPort" (list . "http" $http $host.http) }}
{{- include "haproxy-ingress.containerPort" (list . "https" $https $host.https) }}
{{- end }}
{{- if and $controller.metrics.enabled $controller.metrics.embedded }}
{{- include "haproxy-ingress.containerPort" (list . "metrics" $controller.metrics.port nil) }}
{{- end }}
{{- if $controller.stats.enabled }}
{{- include "haproxy-ingress.containerPort" (list . "stats" $controller.stats.port $controller.stats.hostPort) }}
{{- end }}
{{- include "haproxy-ingress.containerPort" (list . "healthz" $controller.healthzPort nil) }}
{{- range $port, $_ := $controller.tcp }}
{{- $hosted := false }}
{{- range $host.tcp }}
{{- if eq (toString .) (toString $port) }}{{ $hosted = true }}{{ end }}
{{- end }}
{{- include "haproxy-ingress.containerPort" (list $ (printf "%s-tcp" $port) $port ($hosted | ternary $port nil)) }}
{{- end }}
{{- if eq $controller.kind "DaemonSet" }}
{{- with $controller.daemonset.extraHostPorts }}
{{ toYaml . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The folders that the controller and HAProxy share. */}}
{{- define "haproxy-ingress.mounts" -}}
- name: etc
  mountPath: /etc/haproxy
- name: lib
  mountPath: /var/lib/haproxy
- name: run
  mountPath: /var/run/haproxy
{{- end }}

{{- define "haproxy-ingress.customFilesMount" -}}
{{- if .Values.controller.customFiles }}
- name: custom-files
  mountPath: /etc/haproxy-custom-files
  readOnly: true
{{- end }}
{{- end }}

{{/* How a container with HAProxy stops: it serves until nobody sends it anything any more. */}}
{{- define "haproxy-ingress.haproxy.lifecycle" -}}
{{- $seconds := int .Values.controller.waitBeforeShutdown }}
{{- if .Values.controller.haproxy.lifecycle }}
{{- toYaml .Values.controller.haproxy.lifecycle }}
{{- else if gt $seconds 0 }}
preStop:
  {{- if semverCompare ">=1.30.0-0" .Capabilities.KubeVersion.Version }}
  sleep:
    seconds: {{ $seconds }}
  {{- else }}
  exec:
    command: ["sleep", {{ $seconds | quote }}]
  {{- end }}
{{- end }}
{{- end }}

{{/* `affinity`, and `podAffinity` as either all of it or its part of that name. */}}
{{- define "haproxy-ingress.affinity" -}}
{{- $more := .Values.controller.podAffinity | default dict }}
{{- if or $more.requiredDuringSchedulingIgnoredDuringExecution $more.preferredDuringSchedulingIgnoredDuringExecution }}
{{- $more = dict "podAffinity" $more }}
{{- end }}
{{- with mergeOverwrite (deepCopy $more) (.Values.controller.affinity | default dict) }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- define "haproxy-ingress.token" -}}
{{- if and .Values.serviceAccount.automountServiceAccountToken .Values.controller.automountServiceAccountToken }}true{{ end }}
{{- end }}

{{- define "haproxy-ingress.pod" -}}
{{- $controller := .Values.controller }}
{{- $external := $controller.haproxy.enabled }}
{{- /* Files and templates are read at the start. */}}
{{- $annotations := deepCopy ($controller.podAnnotations | default dict) }}
{{- if $controller.customFiles }}
{{- $_ := set $annotations "checksum/custom-files" ($controller.customFiles | toYaml | sha256sum) }}
{{- end }}
{{- if $controller.templates }}
{{- $_ := set $annotations "checksum/templates" ($controller.templates | toYaml | sha256sum) }}
{{- end }}
metadata:
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  labels:
    {{- include "haproxy-ingress.selectorLabels" . | nindent 4 }}
    {{- with omit ($controller.podLabels | default dict) "app.kubernetes.io/name" "app.kubernetes.io/instance" }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "haproxy-ingress.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $controller.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "haproxy-ingress.security.pod" . }}
  securityContext:
    {{- . | nindent 4 }}
  {{- end }}
  {{- if $controller.hostNetwork }}
  hostNetwork: true
  {{- end }}
  dnsPolicy: {{ $controller.dnsPolicy }}
  terminationGracePeriodSeconds: {{ int $controller.terminationGracePeriodSeconds }}
  {{- with $controller.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with include "haproxy-ingress.affinity" . }}
  affinity:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $controller.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $controller.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $controller.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if or $external $controller.initContainers }}
  initContainers:
    {{- if $external }}
    {{- include "haproxy-ingress.container.init" . | trim | nindent 4 }}
    {{- end }}
    {{- with $controller.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    {{- include "haproxy-ingress.container.controller" . | trim | nindent 4 }}
    {{- if $external }}
    {{- include "haproxy-ingress.container.haproxy" . | trim | nindent 4 }}
    {{- end }}
    {{- if and $controller.metrics.enabled (not $controller.metrics.embedded) }}
    {{- include "haproxy-ingress.container.exporter" . | trim | nindent 4 }}
    {{- end }}
    {{- if $controller.logs.enabled }}
    {{- include "haproxy-ingress.container.logs" . | trim | nindent 4 }}
    {{- end }}
    {{- with $controller.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    - name: etc
      emptyDir: {}
    - name: lib
      emptyDir: {}
    - name: run
      emptyDir: {}
    {{- if include "haproxy-ingress.token" . }}
    - name: kube-api-access
      projected:
        sources:
          - serviceAccountToken:
              path: token
              expirationSeconds: 3600
          - configMap:
              name: kube-root-ca.crt
              items:
                - key: ca.crt
                  path: ca.crt
          - downwardAPI:
              items:
                - path: namespace
                  fieldRef:
                    fieldPath: metadata.namespace
    {{- end }}
    {{- if $controller.templates }}
    - name: templates
      configMap:
        name: {{ include "haproxy-ingress.fullname" . }}-template
    {{- end }}
    {{- if $controller.customFiles }}
    - name: custom-files
      configMap:
        name: {{ include "haproxy-ingress.fullname" . }}-custom-files
    {{- end }}
    {{- with $controller.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* Writes what HAProxy starts with. */}}
{{- define "haproxy-ingress.container.init" -}}
{{- $controller := .Values.controller }}
- name: haproxy-ingress-init
  image: {{ include "haproxy-ingress.image" (dict "image" $controller.image "version" .Chart.AppVersion) }}
  imagePullPolicy: {{ $controller.image.pullPolicy }}
  args:
    - --init
  {{- with include "haproxy-ingress.security.container" (dict "root" . "written" ($controller.securityContextInitContainer | default dict) "user" "" "servesTraffic" false) }}
  securityContext:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $controller.initContainerResources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    {{- include "haproxy-ingress.mounts" . | nindent 4 }}
{{- end }}

{{- define "haproxy-ingress.container.controller" -}}
{{- $controller := .Values.controller }}
{{- $external := $controller.haproxy.enabled }}
{{- $written := include "haproxy-ingress.security.controller.written" . | fromYaml }}
- name: {{ include "haproxy-ingress.name" . }}
  image: {{ include "haproxy-ingress.image" (dict "image" $controller.image "version" .Chart.AppVersion) }}
  imagePullPolicy: {{ $controller.image.pullPolicy }}
  args:
    {{- include "haproxy-ingress.args" . | nindent 4 }}
  env:
    - name: POD_NAME
      valueFrom:
        fieldRef:
          fieldPath: metadata.name
    - name: POD_NAMESPACE
      valueFrom:
        fieldRef:
          fieldPath: metadata.namespace
    {{- with $controller.extraEnvs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or (not $external) $controller.metrics.enabled }}
  ports:
    {{- if not $external }}
    {{- include "haproxy-ingress.ports" . | trim | nindent 4 }}
    {{- end }}
    {{- if $controller.metrics.enabled }}
    - name: ctrl-metrics
      containerPort: {{ include "haproxy-ingress.pagesPort" . | int }}
      protocol: TCP
    {{- end }}
  {{- end }}
  {{- if not $external }}
  {{- include "haproxy-ingress.probes" . | trim | nindent 2 }}
  {{- else if and $controller.controllerLivenessProbe.enabled (include "haproxy-ingress.pagesPort" .) }}
  livenessProbe:
    {{- $path := index ($controller.extraArgs | default dict) "health-check-path" | default "/healthz" }}
    {{- $probe := set (deepCopy $controller.controllerLivenessProbe) "path" $path }}
    {{- include "haproxy-ingress.probe" (list . $probe (include "haproxy-ingress.pagesPort" . | int)) | trim | nindent 4 }}
  {{- end }}
  {{- with $controller.lifecycle }}
  lifecycle:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with include "haproxy-ingress.security.container" (dict "root" . "written" $written "user" (include "haproxy-ingress.user.controller" .) "servesTraffic" (not $external)) }}
  securityContext:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $controller.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    {{- include "haproxy-ingress.mounts" . | nindent 4 }}
    {{- if include "haproxy-ingress.token" . }}
    - name: kube-api-access
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
    {{- end }}
    {{- if $controller.templates }}
    - name: templates
      mountPath: /etc/templates/haproxy
      readOnly: true
    {{- end }}
    {{- if not $external }}
    {{- with include "haproxy-ingress.customFilesMount" . }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- end }}
    {{- with $controller.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "haproxy-ingress.container.haproxy" -}}
{{- $controller := .Values.controller }}
{{- $haproxy := $controller.haproxy }}
- name: haproxy
  image: {{ include "haproxy-ingress.image" (dict "image" $haproxy.image "version" "latest") }}
  imagePullPolicy: {{ $haproxy.image.pullPolicy }}
  args:
    {{- include "haproxy-ingress.haproxy.args" . | nindent 4 }}
  ports:
    {{- include "haproxy-ingress.ports" . | trim | nindent 4 }}
  {{- include "haproxy-ingress.probes" . | trim | nindent 2 }}
  {{- with include "haproxy-ingress.haproxy.lifecycle" . | trim }}
  lifecycle:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with include "haproxy-ingress.security.container" (dict "root" . "written" ($haproxy.securityContext | default dict) "user" (include "haproxy-ingress.user.haproxy" .) "servesTraffic" true) }}
  securityContext:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $haproxy.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  volumeMounts:
    {{- include "haproxy-ingress.mounts" . | nindent 4 }}
    {{- with include "haproxy-ingress.customFilesMount" . }}
    {{- . | trim | nindent 4 }}
    {{- end }}
    {{- with $controller.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{/* Reads the page of statistics, for Prometheus. */}}
{{- define "haproxy-ingress.container.exporter" -}}
{{- $metrics := .Values.controller.metrics }}
- name: prometheus-exporter
  image: {{ include "haproxy-ingress.image" (dict "image" $metrics.image "version" "latest") }}
  imagePullPolicy: {{ $metrics.image.pullPolicy }}
  args:
    - --haproxy.scrape-uri=http://127.0.0.1:{{ int .Values.controller.stats.port }}/;csv
    - --web.listen-address=:{{ int $metrics.port }}
    {{- range $name, $value := $metrics.extraArgs }}
    - {{ include "haproxy-ingress.flag" (list $name $value) }}
    {{- end }}
  ports:
    - name: metrics
      containerPort: {{ int $metrics.port }}
      protocol: TCP
  {{- with include "haproxy-ingress.security.container" (dict "root" . "written" ($metrics.securityContext | default dict) "user" "" "servesTraffic" false) }}
  securityContext:
    {{- . | nindent 4 }}
  {{- end }}
  {{- with $metrics.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* Prints the access log. Its image needs root and a file system to write to. */}}
{{- define "haproxy-ingress.container.logs" -}}
{{- $logs := .Values.controller.logs }}
- name: access-logs
  image: {{ include "haproxy-ingress.image" (dict "image" $logs.image "version" "latest") }}
  imagePullPolicy: {{ $logs.image.pullPolicy }}
  ports:
    - name: udp
      containerPort: {{ int $logs.port }}
      protocol: UDP
  {{- if $logs.probes }}
  livenessProbe:
    tcpSocket:
      port: {{ int $logs.port }}
  readinessProbe:
    tcpSocket:
      port: {{ int $logs.port }}
  {{- end }}
  {{- with $logs.securityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $logs.resources }}
  resources:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $logs.extraVolumeMounts }}
  volumeMounts:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
