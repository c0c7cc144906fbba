locals {
  functions = one(values(module.functions))
  scheme    = var.access.certificate_arn == null ? "http" : "https"
  host      = length(local.serverless) > 0 ? null : coalesce(var.access.domain_name, try(local.network.balancer_dns_name, null), one(values(module.single)[*].address), "-")
  query_url = length(local.serverless) > 0 ? local.functions.endpoints.query : "${local.scheme}://${local.host}${var.access.certificate_arn == null ? ":3200" : ""}"
  otlp = length(local.serverless) > 0 ? {
    http = local.functions.endpoints.ingest
    grpc = null
    } : {
    http = "${local.scheme}://${local.host}:4318"
    grpc = "${local.scheme}://${local.host}:4317"
  }
  # Who signs requests as AWS does has no header left for a key in Authorization.
  signed = { for f in ["ingest", "query"] : f => length(local.serverless) > 0 && lookup(var.functions.endpoints, f, "http_api") == "function_url" }
}

output "otlp" {
  description = "Where OTLP is taken: http (an exporter adds /v1/traces) and grpc, null where there is none."
  value       = local.otlp
}

output "query_url" {
  description = "Where queries are answered: the URL of Grafana's Tempo data source, and of spanlake query -url."
  value       = local.query_url
}

output "bucket" {
  description = "Name of the bucket."
  value       = module.bucket.name
}

output "bucket_url" {
  description = "The bucket as spanlake's commands name it: spanlake project add-key … -bucket …"
  value       = module.plan.bucket_url
}

output "role_arns" {
  description = "ARNs of the roles by what they are for."
  value       = merge([for m in concat(values(module.functions), values(module.services), values(module.single), values(module.nats)) : m.role_arns]...)
}

output "operator_policy" {
  description = "IAM policy, as JSON, for people who make projects' keys with the command line."
  value       = module.plan.policies["operator"]
}

output "nats_url" {
  description = "The log, null with single."
  value       = try(local.nats.url, null)
}

output "balancer_dns_name" {
  description = "Name of the load balancer that access.domain_name has to point to, null without one."
  value       = try(local.network.balancer_dns_name, null)
}

output "grafana_datasource" {
  description = "Provisioning file of Grafana. It takes the public half of a key with the scope query from SPANLAKE_KEY_ID, the secret from SPANLAKE_KEY. null for a Function URL: Grafana's Tempo data source does not sign."
  value       = local.signed.query ? null : <<-EOT
    apiVersion: 1
    datasources:
      - name: spanlake
        uid: spanlake
        type: tempo
        access: proxy
        url: ${local.query_url}
        basicAuth: true
        basicAuthUser: $SPANLAKE_KEY_ID
        secureJsonData:
          basicAuthPassword: $SPANLAKE_KEY
        jsonData:
          httpMethod: GET
          streamingEnabled: {search: ${length(local.serverless) == 0}, metrics: ${length(local.serverless) == 0}}
  EOT
}

output "collector_exporter" {
  description = "Exporter of an OpenTelemetry Collector. It takes a key with the scope ingest from SPANLAKE_KEY."
  value       = <<-EOT
    exporters:
      otlphttp/spanlake:
        endpoint: ${local.otlp.http}
        compression: zstd
        headers:
          x-api-key: $${env:SPANLAKE_KEY}
    %{~if local.signed.ingest}
        auth:
          authenticator: sigv4auth
    extensions:
      sigv4auth:
        service: lambda
        region: ${local.account.region}
    %{~endif}
  EOT
}
