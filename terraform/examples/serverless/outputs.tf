output "otlp" {
  description = "Where OTLP is taken."
  value       = module.spanlake.otlp
}

output "query_url" {
  description = "Where queries are answered."
  value       = module.spanlake.query_url
}

output "bucket_url" {
  description = "The bucket as spanlake's commands name it."
  value       = module.spanlake.bucket_url
}

output "grafana_datasource" {
  description = "Provisioning file of Grafana."
  value       = module.spanlake.grafana_datasource
}

output "collector_exporter" {
  description = "Exporter of an OpenTelemetry Collector."
  value       = module.spanlake.collector_exporter
}
