{{- define "sealedvault.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 53 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "sealedvault.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "sealedvault.fullname" .) .Values.serviceAccount.name }}{{ else }}{{ required "serviceAccount.name is needed when serviceAccount.create is false" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- define "sealedvault.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}{{ else }}{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{- define "sealedvault.selectorLabels" -}}
app.kubernetes.io/name: sealedvault
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "sealedvault.labels" -}}
{{ include "sealedvault.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: sealedvault
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* The namespaces whose custom resources are watched, comma-separated; empty in cluster mode. */ -}}
{{- define "sealedvault.watchNamespaces" -}}
{{- if eq .Values.watch.mode "namespaced" }}{{ join "," (default (list .Release.Namespace) .Values.watch.namespaces) }}{{ end }}
{{- end }}

{{- /* The namespaces in which Secrets may be read and written, comma-separated. */ -}}
{{- define "sealedvault.secretNamespaces" -}}
{{- $watched := splitList "," (include "sealedvault.watchNamespaces" .) | compact }}
{{- $default := $watched | default (list .Release.Namespace) }}
{{- join "," (append (default $default .Values.secretNamespaces) .Release.Namespace | uniq) }}
{{- end }}

{{- /* What the operator does in a namespace with vaults, but for Secrets: those are granted by namespace, never for the cluster. */ -}}
{{- define "sealedvault.vaultRules" -}}
- apiGroups: [sealedvault.io]
  resources: [sealedvaults, recoveryceremonies]
  verbs: [get, list, watch, patch, update]
# A schedule makes drills; what people sign is only read.
- apiGroups: [sealedvault.io]
  resources: [recoveryceremonies]
  verbs: [create]
- apiGroups: [sealedvault.io]
  resources: [ceremonyapprovals, sharereceipts, drillschedules]
  verbs: [get, list, watch]
- apiGroups: [sealedvault.io]
  resources: [sealedvaults/status, recoveryceremonies/status, ceremonyapprovals/status, sharereceipts/status, drillschedules/status]
  verbs: [get, patch, update]
- apiGroups: [sealedvault.io]
  resources: [sealedvaults/finalizers, recoveryceremonies/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [services, configmaps, serviceaccounts]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, patch, update, delete]
- apiGroups: ["", events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}
