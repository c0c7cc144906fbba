# syntax=docker/dockerfile:1

# The images that this one is made of; a mirror or a digest may be given instead.
ARG GO_IMAGE=golang:1.26
ARG BASE_IMAGE=gcr.io/distroless/static:nonroot

# The compiler runs on the machine that builds, whatever it builds for.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
WORKDIR /src
ENV GOMODCACHE=/cache/mod GOCACHE=/cache/build
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/cache go mod download
COPY . .
ARG TARGETOS TARGETARCH
ARG VERSION REVISION
ARG SOURCE_DATE_EPOCH=0
RUN --mount=type=cache,target=/cache \
    make release PLATFORMS="${TARGETOS}/${TARGETARCH}" VERSION="${VERSION}" REVISION="${REVISION}" SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH}" DIST=/dist \
    && mkdir -p /image /data \
    && tar -xzf /dist/*.tar.gz --strip-components=1 -C /image

FROM ${BASE_IMAGE}
COPY --from=build /image/spanlake /usr/bin/spanlake
COPY --from=build /image/LICENSE /image/NOTICES /usr/share/doc/spanlake/
# The nonroot user of the base image.
COPY --from=build --chown=65532:65532 /data /var/lib/spanlake
USER 65532:65532
WORKDIR /var/lib/spanlake
VOLUME /var/lib/spanlake
EXPOSE 3200 4317 4318
ENTRYPOINT ["/usr/bin/spanlake"]
# Only what listens on all addresses of the container can be published, and this
# asks for no keys: README.md says what that means. Docker stops a container after
# 10 seconds.
CMD ["serve", "-data-dir=/var/lib/spanlake", "-api.addr=0.0.0.0:3200", "-otlp.grpc-addr=0.0.0.0:4317", "-otlp.http-addr=0.0.0.0:4318", "-auth.insecure", "-shutdown.timeout=8s"]
