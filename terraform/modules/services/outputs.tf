output "cluster_arn" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.arn
}

output "role_arns" {
  description = "ARNs of the roles."
  value       = { for role, r in aws_iam_role.this : role => r.arn }
}
