# Everything in one process on one instance: a group of one, with a volume and a
# network interface that outlive it. When the instance fails a new one takes both and
# goes on, at the same address.

locals {
  arn     = "arn:${var.account.partition}:ec2:${var.account.region}:${var.account.id}"
  mark    = "spanlake:node"
  name    = "${var.name}-single"
  address = cidrhost(var.subnet.cidr, 20)
  entries = { for pair in setproduct(["3200", "4317", "4318"], var.allowed_cidrs) : join(" ", pair) => { port = tonumber(pair[0]), cidr = pair[1] } }
}

resource "aws_security_group" "this" {
  name        = local.name
  description = "spanlake"
  vpc_id      = var.vpc_id
  tags        = merge(var.tags, { Name = local.name })
}

resource "aws_vpc_security_group_egress_rule" "this" {
  security_group_id = aws_security_group.this.id
  description       = "S3, and what the program is fetched from"
  ip_protocol       = "-1"
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "this" {
  for_each = local.entries

  security_group_id = aws_security_group.this.id
  description       = "Clients"
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port
  cidr_ipv4         = each.value.cidr
}

resource "aws_network_interface" "this" {
  subnet_id       = var.subnet.id
  private_ips     = [local.address]
  security_groups = concat([aws_security_group.this.id], var.security_group_ids)
  description     = local.name
  tags            = merge(var.tags, { Name = local.name })
}

resource "aws_ebs_volume" "this" {
  availability_zone = var.subnet.zone
  type              = "gp3"
  size              = var.volume.size
  iops              = var.volume.iops
  throughput        = var.volume.throughput
  encrypted         = true
  final_snapshot    = var.final_snapshot
  tags              = merge(var.tags, { Name = local.name })
}

resource "aws_iam_role" "this" {
  name               = var.role.name
  assume_role_policy = var.role.trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "this" {
  name   = "spanlake"
  role   = aws_iam_role.this.name
  policy = var.role.policy
}

# It takes its own volume and interface, and nothing else: other instances do not have
# its mark.
resource "aws_iam_role_policy" "attach" {
  name = "attach"
  role = aws_iam_role.this.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Own", Effect = "Allow", Action = ["ec2:AttachVolume", "ec2:AttachNetworkInterface"], Resource = [
        aws_ebs_volume.this.arn, "${local.arn}:network-interface/${aws_network_interface.this.id}",
      ] },
      { Sid = "Instance", Effect = "Allow", Action = ["ec2:AttachVolume", "ec2:AttachNetworkInterface"], Resource = ["${local.arn}:instance/*"], Condition = {
        StringEquals = { "aws:ResourceTag/${local.mark}" = local.name }
      } },
    ]
  })
}

resource "aws_iam_instance_profile" "this" {
  name = local.name
  role = aws_iam_role.this.name
  tags = var.tags
}

resource "aws_launch_template" "this" {
  name                   = local.name
  image_id               = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
  instance_type          = var.instance_type
  update_default_version = true
  user_data = base64encode(templatefile("${path.module}/instance.sh.tftpl", {
    region       = var.account.region
    volume       = aws_ebs_volume.this.id
    interface    = aws_network_interface.this.id
    address      = local.address
    url          = var.archive.url
    sha256       = var.archive.sha256
    arguments    = var.arguments
    memory_limit = var.memory_limit
  }))

  iam_instance_profile {
    arn = aws_iam_instance_profile.this.arn
  }
  metadata_options {
    http_tokens = "required"
  }
  network_interfaces {
    associate_public_ip_address = tostring(var.public)
    delete_on_termination       = "true"
    security_groups             = concat([aws_security_group.this.id], var.security_group_ids)
  }
  tag_specifications {
    resource_type = "instance"
    tags          = merge(var.tags, { Name = local.name, (local.mark) = local.name })
  }
  tags = var.tags
}

# Another program or other arguments replace the instance: a minute or two without
# receiving, in which clients send again.
resource "aws_autoscaling_group" "this" {
  name                = local.name
  min_size            = 1
  max_size            = 1
  desired_capacity    = 1
  vpc_zone_identifier = [var.subnet.id]
  health_check_type   = "EC2"
  target_group_arns   = values(var.target_group_arns)

  launch_template {
    id      = aws_launch_template.this.id
    version = aws_launch_template.this.latest_version
  }
  instance_refresh {
    strategy = "Rolling"
    preferences {
      min_healthy_percentage = 0
    }
  }

  depends_on = [aws_iam_role_policy.this, aws_iam_role_policy.attach, aws_vpc_security_group_egress_rule.this]
}
