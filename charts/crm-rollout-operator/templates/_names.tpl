{{/* The name of the application, in labels. */}}
{{- define "crm-rollout-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The name of the objects. 47 characters and the longest suffix, "-leader-election", are 63 together, the most that a DNS label holds. */}}
{{- define "crm-rollout-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 47 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 47 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 47 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* The labels that select the pods; they never change for a release. */}}
{{- define "crm-rollout-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "crm-rollout-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The labels of every object. */}}
{{- define "crm-rollout-operator.labels" -}}
{{ include "crm-rollout-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: crm-rollout-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* The service account that the pods run as. */}}
{{- define "crm-rollout-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "crm-rollout-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{/* The image: by digest when there is one. */}}
{{- define "crm-rollout-operator.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{/*
The rules of a role, from the file of which hack/chart.sh copied it: they are written once, for Kustomize and for Helm.
Arguments: root, file.
*/}}
{{- define "crm-rollout-operator.rules" -}}
{{- $role := .root.Files.Get .file | fromYaml }}
{{- if not $role.rules }}
{{- fail (printf "%s holds no role: %s" .file ($role.Error | default "run make generate")) }}
{{- end -}}
rules:
{{- toYaml $role.rules | nindent 2 }}
{{- end }}
