output "settings" {
  description = "Keys of the projects' objects in the bucket, with what is in them."
  value       = { for name, s in local.settings : "${var.bucket.prefix}projects/${name}/settings.json" => jsonencode(s) }
}

output "lifecycle_rules" {
  description = "All lifecycle rules of the bucket: id, prefix, and after how many days objects, parts of uploads and versions go, null for never."
  value       = concat(local.common_rules, local.project_rules, local.media_rules)
}

output "policies" {
  description = "IAM policy of each role, as JSON. operator is for people who use the command line on the bucket."
  value       = local.policies
}

output "bucket_policy" {
  description = "Policy of a bucket that is made here, as JSON: it refuses what comes without TLS."
  value       = local.bucket_policy
}

output "trust" {
  description = "Who may take each role, as JSON."
  value       = local.trust
}

output "role_names" {
  description = "Names of the roles."
  value       = { for role in keys(local.trusted) : role => "${var.name}-${role}" }
}

output "functions" {
  description = "Functions by what they do: name, ARN, memory, timeout, scratch space and environment."
  value       = local.functions
}

output "routes" {
  description = "Routes of an HTTP API by the function that they lead to."
  value       = local.routes
}

output "schedules" {
  description = "Schedules by the function that they invoke: name, how often, and the event."
  value       = local.schedules
}

output "arguments" {
  description = "Arguments of the program for each service."
  value       = local.arguments
}

output "single_arguments" {
  description = "Arguments of the program that is everything in one."
  value       = local.single_arguments
}

output "bucket_url" {
  description = "The bucket as the program and its commands name it."
  value       = "${local.bucket_url}?region=${var.account.region}"
}
