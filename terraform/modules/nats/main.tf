# NATS servers with JetStream, one for each subnet. Each is a group of one instance
# with a volume and a network interface that outlive it: a new instance takes both,
# and is the same server, at the same address.

locals {
  # A name that S3, JetStream and a human can read: spanlake-nats-0.
  nodes    = { for name, s in var.subnets : name => merge(s, { name = "${var.name}-nats-${name}" }) }
  replicas = length(local.nodes)
  arn      = "arn:${var.partition}:ec2:${var.region}:${var.account_id}"
  mark     = "spanlake:node"

  # The first four addresses of a subnet are AWS' own.
  addresses = { for name, s in var.subnets : name => cidrhost(s.cidr, 10) }
}

resource "aws_security_group" "this" {
  name        = "${var.name}-nats"
  description = "NATS servers"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = "${var.name}-nats" })
}

resource "aws_vpc_security_group_egress_rule" "this" {
  security_group_id = aws_security_group.this.id
  description       = "Each other, and what NATS is fetched from"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

# 4222 clients, 8222 where they read the settings that make writes durable.
resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = toset(["4222", "8222"])

  security_group_id            = aws_security_group.this.id
  description                  = "spanlake"
  ip_protocol                  = "tcp"
  from_port                    = tonumber(each.value)
  to_port                      = tonumber(each.value)
  referenced_security_group_id = var.clients_security_group_id
}

resource "aws_vpc_security_group_ingress_rule" "servers" {
  security_group_id            = aws_security_group.this.id
  description                  = "NATS servers among themselves"
  ip_protocol                  = "tcp"
  from_port                    = 6222
  to_port                      = 6222
  referenced_security_group_id = aws_security_group.this.id
}

resource "aws_network_interface" "this" {
  for_each = local.nodes

  subnet_id       = each.value.id
  private_ips     = [local.addresses[each.key]]
  security_groups = [aws_security_group.this.id]
  description     = each.value.name
  tags            = merge(var.tags, { Name = each.value.name })
}

resource "aws_ebs_volume" "this" {
  for_each = local.nodes

  availability_zone = each.value.zone
  type              = "gp3"
  size              = var.volume.size
  iops              = var.volume.iops
  throughput        = var.volume.throughput
  encrypted         = true
  final_snapshot    = var.final_snapshot
  tags              = merge(var.tags, { Name = each.value.name })
}

resource "aws_iam_role" "this" {
  for_each = local.nodes

  name = each.value.name
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
  tags = var.tags
}

# A server takes its own volume and interface, and nothing else: instances of other
# groups do not have its mark.
resource "aws_iam_role_policy" "this" {
  for_each = local.nodes

  name = "spanlake"
  role = aws_iam_role.this[each.key].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Own", Effect = "Allow", Action = ["ec2:AttachVolume", "ec2:AttachNetworkInterface"], Resource = [
        aws_ebs_volume.this[each.key].arn, "${local.arn}:network-interface/${aws_network_interface.this[each.key].id}",
      ] },
      { Sid = "Instance", Effect = "Allow", Action = ["ec2:AttachVolume", "ec2:AttachNetworkInterface"], Resource = ["${local.arn}:instance/*"], Condition = {
        StringEquals = { "aws:ResourceTag/${local.mark}" = each.value.name }
      } },
    ]
  })
}

resource "aws_iam_instance_profile" "this" {
  for_each = local.nodes

  name = each.value.name
  role = aws_iam_role.this[each.key].name
  tags = var.tags
}

resource "aws_launch_template" "this" {
  for_each = local.nodes

  name                   = each.value.name
  image_id               = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
  instance_type          = var.instance_type
  update_default_version = true
  user_data = base64encode(templatefile("${path.module}/node.sh.tftpl", {
    region    = var.region
    volume    = aws_ebs_volume.this[each.key].id
    interface = aws_network_interface.this[each.key].id
    address   = local.addresses[each.key]
    url       = var.archive.url
    sha256    = var.archive.sha256
    config = templatefile("${path.module}/nats.conf.tftpl", {
      server  = each.value.name
      cluster = var.name
      address = local.addresses[each.key]
      routes  = [for name in sort(keys(local.addresses)) : "nats://${local.addresses[name]}:6222" if name != each.key]
      # JetStream wants to know how much it may fill; what is left is for its
      # own files and for the file system.
      store = "${floor(var.volume.size * 0.9)}GiB"
    })
  }))

  iam_instance_profile {
    arn = aws_iam_instance_profile.this[each.key].arn
  }
  metadata_options {
    http_tokens = "required"
  }
  network_interfaces {
    associate_public_ip_address = tostring(var.public)
    delete_on_termination       = "true"
    security_groups             = [aws_security_group.this.id]
  }
  tag_specifications {
    resource_type = "instance"
    tags          = merge(var.tags, { Name = each.value.name, (local.mark) = each.value.name })
  }
  tags = var.tags
}

# No instance refresh: all servers at once would be none. See "Upgrades" in the
# README: one after the other.
resource "aws_autoscaling_group" "this" {
  for_each = local.nodes

  name                = each.value.name
  min_size            = 1
  max_size            = 1
  desired_capacity    = 1
  vpc_zone_identifier = [each.value.id]
  health_check_type   = "EC2"

  launch_template {
    id      = aws_launch_template.this[each.key].id
    version = "$Latest"
  }

  # What a server needs before it can start, and must not lose before it ends.
  depends_on = [
    aws_iam_role_policy.this, aws_vpc_security_group_egress_rule.this,
    aws_vpc_security_group_ingress_rule.clients, aws_vpc_security_group_ingress_rule.servers,
  ]
}
