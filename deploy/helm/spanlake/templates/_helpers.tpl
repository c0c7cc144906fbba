{{- define "spanlake.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "spanlake.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "spanlake.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "spanlake.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "spanlake.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "spanlake.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "spanlake.selector" -}}
app.kubernetes.io/name: {{ include "spanlake.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "spanlake.labels" -}}
{{ include "spanlake.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{/* The targets of the mode, separated by spaces. */}}
{{- define "spanlake.targets" -}}
{{- ternary "all" "ingester querier compactor" (eq .Values.mode "single") -}}
{{- end -}}

{{/* What cannot be said in the schema. */}}
{{- define "spanlake.check" -}}
{{- if eq .Values.mode "cluster" -}}
{{- if not .Values.nats.url -}}
{{- fail "nats.url must be set with mode=cluster: the log is on NATS servers of its own" -}}
{{- end -}}
{{- if not .Values.bucket.url -}}
{{- fail "bucket.url must be set with mode=cluster: the processes have to share it" -}}
{{- end -}}
{{- if not (or .Values.nats.monitorUrls .Values.nats.allowWeakSync) -}}
{{- fail "nats.monitorUrls must name every NATS server with mode=cluster, or set nats.allowWeakSync" -}}
{{- end -}}
{{- else if .Values.nats.url -}}
{{- fail "nats.url is for mode=cluster: with mode=single the log is inside the process" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (ne .Values.auth.mode "none") (not .Values.serviceMonitor.key.existingSecret) -}}
{{- fail "serviceMonitor.key.existingSecret must be set unless auth.mode=none: /metrics takes a key with the scope metrics" -}}
{{- end -}}
{{- end -}}
