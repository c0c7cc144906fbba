output "address" {
  description = "Private address of the instance, whichever it is."
  value       = local.address
}

output "role_arns" {
  description = "ARN of the instance's role."
  value       = { single = aws_iam_role.this.arn }
}
