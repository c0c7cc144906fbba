output "endpoints" {
  description = "URLs of ingest and query."
  value = { for f, endpoint in var.endpoints : f => (
    endpoint == "http_api" ? local.api_endpoint : trimsuffix(aws_lambda_function_url.this[f].function_url, "/")
  ) }
}

output "role_arns" {
  description = "ARNs of the roles."
  value       = { for role, r in aws_iam_role.this : role => r.arn }
}

output "function_arns" {
  description = "ARNs of the functions."
  value       = { for f, function in aws_lambda_function.this : f => function.arn }
}
