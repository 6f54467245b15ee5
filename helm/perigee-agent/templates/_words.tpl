{{- define "perigee.labels" -}}
app.kubernetes.io/name: perigee-agent
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "perigee.selector" -}}
app.kubernetes.io/name: perigee-agent
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Names of everything but the rights, whose names the agent and its policy know. */}}
{{- define "perigee.name" -}}
{{- if contains "perigee-agent" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-perigee-agent" (.Release.Name | trunc 38) }}{{ end }}
{{- end }}

{{- define "perigee.token" -}}
{{- .Values.enrolment.existingSecret | default (printf "%s-enrolment" (include "perigee.name" .)) }}
{{- end }}

{{- define "perigee.hasCa" -}}
{{- if or .Values.uplink.ca .Values.uplink.caConfigMap }}yes{{ end }}
{{- end }}

{{- /* The agent's settings: what was given, and what follows from the rest of the values. */}}
{{- define "perigee.settings" -}}
{{- $cluster := dict "namespace" .Release.Namespace }}
{{- if eq .Values.rights.mode "cluster" }}
{{- $_ := set $cluster "serviceAccount" "perigee-agent" }}
{{- else }}
{{- $_ := set $cluster "namespaces" .Values.rights.namespaces }}
{{- end }}
{{- $uplink := dict "tokenFile" "/etc/perigee/enrolment/token" }}
{{- if include "perigee.hasCa" . }}
{{- $_ := set $uplink "caFile" "/etc/perigee/ca.crt" }}
{{- end }}
{{- toYaml (mergeOverwrite (deepCopy .Values.settings) (dict "cluster" $cluster "uplink" $uplink)) }}
{{- end }}

{{- define "perigee.graceSeconds" -}}
{{- dig "daemon" "graceSeconds" 20 .Values.settings }}
{{- end }}

{{- define "perigee.port" -}}
{{- regexFind ":[0-9]+$" (urlParse .).host | trimPrefix ":" | default "443" }}
{{- end }}
