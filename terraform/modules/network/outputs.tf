output "vpc_id" {
  description = "The VPC."
  value       = local.vpc_id
}

output "subnets" {
  description = "Subnets: id, zone and addresses, by name. As many as there are zones."
  value       = { for name in slice(sort(keys(local.subnets)), 0, var.zones) : name => local.subnets[name] }
}

output "clients_security_group_id" {
  description = "Security group of what may speak to the NATS servers."
  value       = aws_security_group.clients.id
}

output "public" {
  description = "Whether machines and tasks need public addresses to reach the internet."
  value       = try(var.existing.public, true)
}

output "targets_security_group_id" {
  description = "Security group of what the load balancer sends to."
  value       = aws_security_group.targets.id
}

output "target_group_arns" {
  description = "Target groups by port: grpc, http and query. Empty without a load balancer."
  value       = { for name, group in aws_lb_target_group.this : name => group.arn }

  # A service cannot be registered in a group that no listener uses.
  depends_on = [aws_lb_listener.this]
}

output "balancer_dns_name" {
  description = "Name of the load balancer, null without one."
  value       = one(values(aws_lb.this)[*].dns_name)
}

output "balancer_zone_id" {
  description = "Route 53 zone of the load balancer's name, for an alias. null without one."
  value       = one(values(aws_lb.this)[*].zone_id)
}
