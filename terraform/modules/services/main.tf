# Ingesters, queriers and compactors as tasks on Fargate. They keep nothing: any of
# them may end at any time.

locals {
  ports = { ingester = { grpc = 4317, http = 4318 }, querier = { query = 3200 }, compactor = {} }

  # An ingester that stops stores what it can, for -shutdown.timeout and a little more.
  stop_seconds = 30

  containers = { for service, arguments in var.arguments : service => [{
    name         = "spanlake"
    image        = var.image
    essential    = true
    command      = arguments
    stopTimeout  = local.stop_seconds
    environment  = [{ name = "GOMEMLIMIT", value = "${floor(var.sizes[service].memory * 0.85)}MiB" }]
    portMappings = [for port in distinct(concat(values(local.ports[service]), [3200])) : { containerPort = port, hostPort = port, protocol = "tcp" }]
    ulimits      = [{ name = "nofile", softLimit = 65536, hardLimit = 65536 }]
    logConfiguration = {
      logDriver = "awslogs"
      options   = { awslogs-group = aws_cloudwatch_log_group.this.name, awslogs-region = var.region, awslogs-stream-prefix = service }
    }
  }] }
}

resource "aws_cloudwatch_log_group" "this" {
  name              = "/ecs/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = var.tags
}

resource "aws_iam_role" "this" {
  for_each = var.roles

  name               = each.value.name
  assume_role_policy = each.value.trust
  tags               = var.tags
}

resource "aws_iam_role_policy" "this" {
  for_each = var.roles

  name   = "spanlake"
  role   = aws_iam_role.this[each.key].name
  policy = each.value.policy
}

resource "aws_ecs_cluster" "this" {
  name = var.name
  tags = var.tags
}

resource "aws_ecs_task_definition" "this" {
  for_each = local.containers

  family                   = "${var.name}-${each.key}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = tostring(var.sizes[each.key].cpu)
  memory                   = tostring(var.sizes[each.key].memory)
  execution_role_arn       = aws_iam_role.this["execution"].arn
  task_role_arn            = aws_iam_role.this[each.key].arn
  container_definitions    = jsonencode(each.value)

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture == "arm64" ? "ARM64" : "X86_64"
  }
  tags = var.tags
}

resource "aws_ecs_service" "this" {
  for_each = local.containers

  name            = each.key
  cluster         = aws_ecs_cluster.this.arn
  task_definition = aws_ecs_task_definition.this[each.key].arn
  launch_type     = "FARGATE"
  desired_count   = var.sizes[each.key].min
  propagate_tags  = "SERVICE"

  # New tasks take over before old ones end.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "ENABLED"
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = var.security_group_ids
    assign_public_ip = var.public
  }
  dynamic "load_balancer" {
    for_each = local.ports[each.key]
    content {
      container_name   = "spanlake"
      container_port   = load_balancer.value
      target_group_arn = var.target_group_arns[load_balancer.key]
    }
  }
  tags = var.tags

  lifecycle {
    ignore_changes = [desired_count] # is the scaling's
  }
  depends_on = [aws_iam_role_policy.this]
}

resource "aws_appautoscaling_target" "this" {
  for_each = { for service, size in var.sizes : service => size if size.max > size.min }

  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this[each.key].name}"
  min_capacity       = each.value.min
  max_capacity       = each.value.max
  tags               = var.tags
}

# Up within minutes and down slowly, since a new task reads the log from its
# beginning.
resource "aws_appautoscaling_policy" "this" {
  for_each = aws_appautoscaling_target.this

  name               = "${var.name}-${each.key}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = 70
    scale_out_cooldown = 60
    scale_in_cooldown  = 600
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}
