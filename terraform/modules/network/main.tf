# A VPC of public subnets, or one that is there. There is no NAT gateway: machines
# and tasks have public addresses to fetch their programs with, and security groups
# that let nobody in; S3 is reached by a gateway endpoint, which costs nothing.

data "aws_availability_zones" "this" {
  state = "available"
}

locals {
  made    = toset(var.existing == null ? ["this"] : [])
  zones   = slice(data.aws_availability_zones.this.names, 0, var.zones)
  cidrs   = { for i in range(3) : tostring(i) => cidrsubnet(var.cidr, 4, i) }
  made_in = { for i, zone in local.zones : tostring(i) => zone if var.existing == null }

  vpc_id  = var.existing == null ? aws_vpc.this["this"].id : var.existing.vpc_id
  subnets = var.existing == null ? { for i, s in aws_subnet.this : i => { id = s.id, zone = local.made_in[i], cidr = local.cidrs[i] } } : var.existing.subnets
  routes  = var.existing == null ? { this = aws_route_table.this["this"].id } : { for i, id in var.existing.route_table_ids : tostring(i) => id }
}

resource "aws_vpc" "this" {
  for_each = local.made

  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = merge(var.tags, { Name = var.name })
}

# Nothing uses it, and it lets nothing through.
resource "aws_default_security_group" "this" {
  for_each = local.made

  vpc_id = local.vpc_id
  tags   = merge(var.tags, { Name = "${var.name}-unused" })
}

resource "aws_subnet" "this" {
  for_each = local.made_in

  vpc_id            = local.vpc_id
  availability_zone = each.value
  cidr_block        = local.cidrs[each.key]
  tags              = merge(var.tags, { Name = "${var.name}-${each.value}" })
}

resource "aws_internet_gateway" "this" {
  for_each = local.made

  vpc_id = local.vpc_id
  tags   = merge(var.tags, { Name = var.name })
}

resource "aws_route_table" "this" {
  for_each = local.made

  vpc_id = local.vpc_id
  tags   = merge(var.tags, { Name = var.name })
}

resource "aws_route" "internet" {
  for_each = local.made

  route_table_id         = aws_route_table.this["this"].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this["this"].id
}

resource "aws_route_table_association" "this" {
  for_each = local.made_in

  route_table_id = aws_route_table.this["this"].id
  subnet_id      = aws_subnet.this[each.key].id
}

resource "aws_vpc_endpoint" "s3" {
  for_each = toset(length(local.routes) > 0 ? ["this"] : [])

  vpc_id            = local.vpc_id
  service_name      = "com.amazonaws.${var.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = values(local.routes)
  tags              = merge(var.tags, { Name = "${var.name}-s3" })
}

resource "aws_security_group" "clients" {
  name        = "${var.name}-clients"
  description = "What may speak to the NATS servers and to AWS services by their endpoints"
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-clients" })
}

resource "aws_vpc_security_group_egress_rule" "clients" {
  security_group_id = aws_security_group.clients.id
  description       = "NATS, S3, and what programs are fetched from"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_security_group" "endpoints" {
  for_each = toset(length(var.interface_endpoints) > 0 ? ["this"] : [])

  name        = "${var.name}-endpoints"
  description = "Endpoints of AWS services"
  vpc_id      = local.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-endpoints" })
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = aws_security_group.endpoints

  security_group_id            = each.value.id
  description                  = "spanlake"
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
  referenced_security_group_id = aws_security_group.clients.id
}

resource "aws_vpc_endpoint" "interface" {
  for_each = var.interface_endpoints

  vpc_id              = local.vpc_id
  service_name        = "com.amazonaws.${var.region}.${each.value}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = values(local.subnets)[*].id
  security_group_ids  = [aws_security_group.endpoints["this"].id]
  private_dns_enabled = true
  tags                = merge(var.tags, { Name = "${var.name}-${each.value}" })
}
