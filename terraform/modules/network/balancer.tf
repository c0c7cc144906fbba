# spanlake speaks no TLS: the load balancer does.

locals {
  balancer = { for b in var.balancer[*] : "this" => b }
  tls      = try(var.balancer.certificate_arn, null) != null

  # What a listener lets clients choose: gRPC is HTTP/2, and the port of queries
  # speaks both, of which Grafana wants the first.
  ports = {
    grpc  = { listener = 4317, target = 4317, alpn = "HTTP2Only" }
    http  = { listener = 4318, target = 4318, alpn = "HTTP1Only" }
    query = { listener = local.tls ? 443 : 3200, target = 3200, alpn = "HTTP2Optional" }
  }
  balanced = { for name, port in local.ports : name => port if var.balancer != null }
  entries  = merge([for b in var.balancer[*] : { for pair in setproduct(keys(local.ports), b.allowed_cidrs) : join(" ", pair) => { port = local.ports[pair[0]], cidr = pair[1] } }]...)
}

resource "aws_security_group" "balancer" {
  for_each = local.balancer

  name        = "${var.name}-balancer"
  description = "Load balancer"
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-balancer" })
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  for_each = local.entries

  security_group_id = aws_security_group.balancer["this"].id
  description       = "Clients"
  ip_protocol       = "tcp"
  from_port         = each.value.port.listener
  to_port           = each.value.port.listener
  cidr_ipv4         = each.value.cidr
}

resource "aws_vpc_security_group_egress_rule" "balancer" {
  for_each = local.balanced

  security_group_id            = aws_security_group.balancer["this"].id
  description                  = "spanlake"
  ip_protocol                  = "tcp"
  from_port                    = each.value.target
  to_port                      = each.value.target
  referenced_security_group_id = aws_security_group.targets.id
}

resource "aws_security_group" "targets" {
  name        = "${var.name}-targets"
  description = "What receives spans and answers queries"
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-targets" })
}

resource "aws_vpc_security_group_ingress_rule" "targets" {
  for_each = local.balanced

  security_group_id            = aws_security_group.targets.id
  description                  = "Load balancer"
  ip_protocol                  = "tcp"
  from_port                    = each.value.target
  to_port                      = each.value.target
  referenced_security_group_id = aws_security_group.balancer["this"].id
}

resource "aws_lb" "this" {
  for_each = local.balancer

  name                             = var.name
  load_balancer_type               = "network"
  internal                         = each.value.internal
  subnets                          = values(local.subnets)[*].id
  security_groups                  = [aws_security_group.balancer["this"].id]
  enable_cross_zone_load_balancing = true
  tags                             = var.tags
}

# A target is healthy while the log and the bucket can be reached: as /ready says,
# which every process answers on the port of queries.
resource "aws_lb_target_group" "this" {
  for_each = local.balanced

  name                 = "${var.name}-${each.key}"
  vpc_id               = local.vpc_id
  target_type          = var.balancer.target_type
  protocol             = "TCP"
  port                 = each.value.target
  deregistration_delay = "15"

  health_check {
    protocol            = "HTTP"
    port                = "3200"
    path                = "/ready"
    interval            = 10
    timeout             = 5
    healthy_threshold   = 2
    unhealthy_threshold = 2
  }
  tags = var.tags
}

resource "aws_lb_listener" "this" {
  for_each = local.balanced

  load_balancer_arn = aws_lb.this["this"].arn
  port              = each.value.listener
  protocol          = local.tls ? "TLS" : "TCP"
  certificate_arn   = var.balancer.certificate_arn
  ssl_policy        = local.tls ? "ELBSecurityPolicy-TLS13-1-2-2021-06" : null
  alpn_policy       = local.tls ? each.value.alpn : null

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this[each.key].arn
  }
  tags = var.tags
}
