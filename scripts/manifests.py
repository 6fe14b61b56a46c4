#!/usr/bin/env python3
"""Writes N manifests of about 2 KB each into files of 100 in FOLDER: what `wavetank check` is measured with (docs/check.md)."""

import pathlib
import sys

DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata:
  name: web-{n}
  namespace: team-{m}
  labels:
    app.kubernetes.io/name: web-{n}
    app.kubernetes.io/instance: web-{n}
    app.kubernetes.io/managed-by: Helm
    helm.sh/chart: web-1.2.3
  annotations:
    example.com/description: "{text}"
spec:
  replicas: 3
  selector:
    matchLabels:
      app.kubernetes.io/name: web-{n}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: 25%
      maxUnavailable: 0
  template:
    metadata:
      labels:
        app.kubernetes.io/name: web-{n}
    spec:
      serviceAccountName: web
      securityContext:
        runAsNonRoot: true
        fsGroup: 2000
      containers:
      - name: web
        image: registry.example.com/team-{m}/web:1.{n}.0
        ports:
        - name: http
          containerPort: 8080
        env:
        - name: LOG_LEVEL
          value: info
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        livenessProbe:
          httpGet:
            path: /healthz
            port: http
          periodSeconds: 10
        readinessProbe:
          httpGet:
            path: /ready
            port: http
        resources:
          requests:
            cpu: 100m
            memory: 128Mi
          limits:
            memory: 256Mi
        volumeMounts:
        - name: config
          mountPath: /etc/web
      volumes:
      - name: config
        configMap:
          name: web-{n}
      affinity:
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
          - weight: 100
            podAffinityTerm:
              topologyKey: kubernetes.io/hostname
              labelSelector:
                matchLabels:
                  app.kubernetes.io/name: web-{n}
"""

SERVICE = """apiVersion: v1
kind: Service
metadata:
  name: web-{n}
  namespace: team-{m}
  annotations:
    example.com/description: "{text} {text} {text} {text} {text}"
spec:
  selector:
    app.kubernetes.io/name: web-{n}
  ports:
  - name: http
    port: 80
    targetPort: http
  - name: metrics
    port: 9090
    targetPort: 9090
"""

CONFIG = """apiVersion: v1
kind: ConfigMap
metadata:
  name: web-{n}
  namespace: team-{m}
data:
  web.conf: |
    # {text}
    # {text}
    listen 8080
    # {text}
    # {text}
    upstream team-{m}
    # {text}
  level: info
"""

WIDGET = """apiVersion: example.com/v1
kind: Widget
metadata:
  name: widget-{n}
  namespace: team-{m}
spec:
  size: 5
  parts:
  - name: a
    text: "{text}"
  - name: b
    text: "{text}"
  - name: c
    text: "{text} {text}"
"""

DEFINITION = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Widget, plural: widgets}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: integer, minimum: 1, maximum: 10}
              parts:
                type: array
                x-kubernetes-list-type: map
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  required: [name]
                  properties:
                    name: {type: string, pattern: '^[a-z]+$'}
                    text: {type: string, maxLength: 4096}
"""

TEXT = " ".join(["the quick brown fox jumps over the lazy dog", "while nobody looks", "and again tomorrow"] * 4)


def main() -> None:
    count, folder = int(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "0-definition.yaml").write_text(DEFINITION)
    kinds = [DEPLOYMENT, SERVICE, CONFIG, WIDGET, DEPLOYMENT]
    for start in range(0, count, 100):
        numbers = range(start, min(start + 100, count))
        parts = [kinds[n % len(kinds)].replace("{n}", str(n)).replace("{m}", str(n % 50)).replace("{text}", TEXT) for n in numbers]
        (folder / f"part-{start:06}.yaml").write_text("---\n".join(parts))


if __name__ == "__main__":
    main()
