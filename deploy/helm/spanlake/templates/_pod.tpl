{{/* The pod of a target, given root, target and its values. */}}
{{- define "spanlake.pod" -}}
{{- $root := .root -}}
{{- $target := .target -}}
{{- $values := .values -}}
{{- $receives := has $target (list "all" "ingester") -}}
{{- $compacts := has $target (list "all" "compactor") -}}
{{- with $root.Values -}}
metadata:
  labels:
    {{- include "spanlake.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ $target }}
    {{- with .podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    checksum/config: {{ toYaml .config | sha256sum | quote }}
    {{- with .podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "spanlake.serviceAccount" $root }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ add .drainSeconds .shutdownSeconds 5 }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- with .imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with .nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if ne $target "all" }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        {{- range $i, $topology := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
        - weight: {{ index (list 100 50) $i }}
          podAffinityTerm:
            topologyKey: {{ $topology }}
            labelSelector:
              matchLabels:
                {{- include "spanlake.selector" $root | nindent 16 }}
                app.kubernetes.io/component: {{ $target }}
        {{- end }}
  {{- end }}
  containers:
    - name: spanlake
      image: {{ printf "%s:%s" .image.repository (default $root.Chart.AppVersion .image.tag) }}
      imagePullPolicy: {{ .image.pullPolicy }}
      args:
        - serve
        - -config.file=/etc/spanlake/spanlake.yaml
        - -target={{ $target }}
        - -data-dir=/var/lib/spanlake
        {{- with .bucket.url }}
        - {{ printf "-bucket=%s" . | quote }}
        {{- end }}
        - -api.addr=:3200
        - -otlp.grpc-addr=:4317
        - -otlp.http-addr=:4318
        - -auth.mode={{ .auth.mode }}
        {{- if eq .auth.mode "none" }}
        - -auth.insecure
        {{- end }}
        {{- if eq .mode "cluster" }}
        - {{ printf "-nats.url=%s" .nats.url | quote }}
        {{- with .nats.monitorUrls }}
        - {{ printf "-nats.monitor-urls=%s" (join "," .) | quote }}
        {{- end }}
        {{- if .nats.credentials.existingSecret }}
        - {{ printf "-nats.credentials-file=/etc/spanlake-nats/%s" .nats.credentials.key | quote }}
        {{- end }}
        {{- if .nats.allowWeakSync }}
        - -nats.allow-weak-sync
        {{- end }}
        - -log.replicas={{ .nats.replicas }}
        - -log.partitions={{ .nats.partitions }}
        {{- end }}
        {{- if $compacts }}
        - -compactor.spool-dir=/spool
        {{- end }}
        - -shutdown.timeout={{ .shutdownSeconds }}s
        - -logging.level={{ .logging.level }}
        - -logging.format={{ .logging.format }}
      env:
        - name: GOMEMLIMIT
          value: {{ $values.goMemoryLimit | quote }}
        {{- with .bucket.existingSecret }}
        {{- $secret := . }}
        {{- range list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" }}
        - name: {{ . }}
          valueFrom:
            secretKeyRef:
              name: {{ $secret }}
              key: {{ . }}
        {{- end }}
        {{- end }}
        {{- with .extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: api
          containerPort: 3200
        {{- if $receives }}
        - name: otlp-grpc
          containerPort: 4317
        - name: otlp-http
          containerPort: 4318
        {{- end }}
      # The port opens before the bucket and the log answer, and stays open while they
      # are away: that makes a pod unready, and a restart would mend nothing.
      startupProbe:
        tcpSocket:
          port: api
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        tcpSocket:
          port: api
        periodSeconds: 10
        failureThreshold: 6
      readinessProbe:
        httpGet:
          path: /ready
          port: api
        periodSeconds: 5
        timeoutSeconds: 3
        failureThreshold: 2
      {{- if .drainSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .drainSeconds }}
      {{- end }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities:
          drop: [ALL]
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/spanlake
          readOnly: true
        {{- if eq $target "all" }}
        - name: data
          mountPath: /var/lib/spanlake
        {{- end }}
        {{- if $compacts }}
        - name: spool
          mountPath: /spool
        {{- end }}
        {{- if and (eq .mode "cluster") .nats.credentials.existingSecret }}
        - name: nats
          mountPath: /etc/spanlake-nats
          readOnly: true
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "spanlake.fullname" $root }}
    {{- if $compacts }}
    - name: spool
      emptyDir:
        sizeLimit: {{ $values.spoolSize }}
    {{- end }}
    {{- if and (eq .mode "cluster") .nats.credentials.existingSecret }}
    - name: nats
      secret:
        secretName: {{ .nats.credentials.existingSecret }}
    {{- end }}
{{- end -}}
{{- end -}}
