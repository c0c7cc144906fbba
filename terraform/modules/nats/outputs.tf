output "url" {
  description = "URL of the servers, for -nats.url."
  value       = join(",", [for name in sort(keys(local.addresses)) : "nats://${local.addresses[name]}:4222"])
}

output "monitor_urls" {
  description = "Monitoring URLs of all servers, for -nats.monitor-urls."
  value       = [for name in sort(keys(local.addresses)) : "http://${local.addresses[name]}:8222"]
}

output "replicas" {
  description = "How many servers there are, for -log.replicas."
  value       = local.replicas
}

output "role_arns" {
  description = "ARNs of the roles of the servers."
  value       = { for name, r in aws_iam_role.this : "nats-${name}" => r.arn }
}
