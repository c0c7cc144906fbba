# What functions and services are started with: the keys of docs/configuration.md,
# for functions as variables of their environment, for services as flags.

locals {
  bucket_url = "s3://${var.bucket.name}/${trimsuffix(var.bucket.prefix, "/")}"
  retention  = var.default_retention_days == null ? "unlimited" : "${var.default_retention_days}d"

  nats_keys = var.nats == null ? {} : { for key, value in {
    "nats.url"             = var.nats.url
    "nats.monitor-urls"    = length(var.nats.monitor_urls) == 0 ? null : join(",", var.nats.monitor_urls)
    "nats.allow-weak-sync" = var.nats.allow_weak_sync ? "true" : null
    # Its name: each process reads the secret itself, and again when it was replaced.
    "nats.credentials-secret" = var.nats.credentials_secret_arn
  } : key => value if value != null }
  # What a log is created with, by the first that finds none.
  log_keys = var.nats == null ? {} : { for key, value in {
    "log.replicas"   = tostring(var.nats.replicas)
    "log.partitions" = var.nats.partitions == null ? null : tostring(var.nats.partitions)
    "log.max-bytes"  = var.nats.max_bytes
  } : key => value if value != null }

  common_keys = merge(local.nats_keys, {
    "bucket"         = "${local.bucket_url}?region=${var.account.region}"
    "logging.format" = "json"
  })
  retention_keys = { "retention.default" = local.retention }
  # The rules are Terraform's: a compactor that wrote them, too, would undo this.
  lifecycle_keys = { "compactor.lifecycle" = "terraform", "compactor.lifecycle-grace" = "${24 * var.grace_days}h" }

  # Each environment lists the projects so often while it is used, which with the
  # service's 5 s would cost more than all else that ingest does.
  key_keys = { "auth.mode" = "keys", "projects.refresh-interval" = "30s" }

  function_defaults = {
    ingest  = { memory = 512, timeout = 30, scratch = 512, keys = merge(local.log_keys, local.retention_keys, local.key_keys) }
    flush   = { memory = 1024, timeout = 900, scratch = 512, keys = local.log_keys }
    compact = { memory = 2048, timeout = 900, scratch = 2048, keys = merge(local.retention_keys, local.lifecycle_keys) }
    query = { memory = 2048, timeout = 300, scratch = 512, keys = merge(local.retention_keys, local.key_keys, {
      "function.response" = var.functions.streamed ? "stream" : "buffered"
      "function.fan-out"  = tostring(var.functions.fan_out)
    }) }
  }
  functions = { for f, d in local.function_defaults : f => {
    name    = local.function_names[f]
    arn     = local.function_arns[f]
    memory  = lookup(var.functions.memory, f, d.memory)
    timeout = d.timeout
    scratch = d.scratch
    environment = merge(
      { for key, value in merge(local.common_keys, d.keys) : "SPANLAKE_${upper(replace(replace(key, ".", "_"), "-", "_"))}" => value },
      lookup(var.functions.environment, f, {}),
    )
  } }

  # flush stores what has come in, compact merges it. Each says which of the two it
  # is for, so that a schedule for the wrong function fails.
  schedules = { for task, every in merge({ flush = "rate(1 minute)", compact = "rate(10 minutes)" }, var.functions.schedules) : task => {
    name  = "${var.name}-${task}"
    every = every
    input = jsonencode({ task = task })
  } }

  # Requests to an address that the two functions share, by API Gateway's keys of routes.
  # What is sent goes to ingest, as what its clients ask of it before they send does; the
  # rest is read, and an unknown path gets the query API's 404. GET /api/sessions is the
  # query API's: LangSmith's is at /sessions and /api/v1/sessions.
  routes = {
    ingest = concat(
      ["ANY /v1/{path+}"],
      [for method in ["POST", "PUT", "PATCH"] : "${method} /{path+}"],
      [for path in ["health", "projects", "media/{id}", "media-content/{project}/{hash}"] : "GET /api/public/${path}"],
      flatten([for prefix in ["", "/api", "/api/v1"] : [for path in ["info", "settings"] : "GET ${prefix}/${path}"]]),
      [for prefix in ["", "/api/v1"] : "GET ${prefix}/sessions"],
      ["GET /arize_phoenix_version"],
    )
    query = ["$default"]
  }

  listen_keys = { "auth.mode" = "keys", "api.addr" = "0.0.0.0:3200" }
  otlp_keys   = { "otlp.grpc-addr" = "0.0.0.0:4317", "otlp.http-addr" = "0.0.0.0:4318" }

  # Folder for merges, of a task or on the instance's volume.
  spool = "/var/lib/spanlake"

  service_keys = {
    ingester  = merge(local.listen_keys, local.otlp_keys)
    querier   = local.listen_keys
    compactor = merge(local.listen_keys, local.lifecycle_keys, { "compactor.spool-dir" = local.spool })
  }
  arguments = { for service, keys in local.service_keys : service => concat(["serve"], [
    for key, value in merge({ target = service }, local.common_keys, local.log_keys, local.retention_keys, keys, var.options) : "-${key}=${value}"
  ]) }

  single_arguments = concat(["serve"], [
    for key, value in merge(local.common_keys, local.retention_keys, local.listen_keys, local.otlp_keys, local.lifecycle_keys, {
      "data-dir" = local.spool, "compactor.spool-dir" = local.spool
    }, var.options) : "-${key}=${value}"
  ])
}
