# The functions, their roles, and the schedules of those that run by themselves.

resource "aws_cloudwatch_log_group" "this" {
  for_each = var.functions

  name              = "/aws/lambda/${each.value.name}"
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

# To attach a function to a VPC takes permissions that cannot be narrowed down, and
# that are AWS' own to change.
resource "aws_iam_role_policy_attachment" "network" {
  for_each = { for f, function in var.functions : f => function if var.network != null }

  role       = aws_iam_role.this[each.key].name
  policy_arn = "arn:${var.partition}:iam::aws:policy/service-role/AWSLambdaENIManagementAccess"
}

resource "aws_lambda_function" "this" {
  for_each = var.functions

  function_name = each.value.name
  description   = "spanlake ${each.key}"
  role          = aws_iam_role.this[each.key].arn

  runtime       = "provided.al2023"
  handler       = "bootstrap"
  architectures = [var.architecture]

  filename         = var.packages[each.key].file
  source_code_hash = var.packages[each.key].file == null ? null : filebase64sha256(var.packages[each.key].file)
  s3_bucket        = var.packages[each.key].bucket
  s3_key           = var.packages[each.key].key

  memory_size                    = each.value.memory
  timeout                        = each.value.timeout
  reserved_concurrent_executions = lookup(var.reserved_concurrency, each.key, -1)

  environment {
    variables = each.value.environment
  }
  ephemeral_storage {
    size = each.value.scratch
  }
  dynamic "vpc_config" {
    for_each = var.network[*]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = vpc_config.value.security_group_ids
    }
  }
  tags = var.tags

  # The policy has to be there before the first invocation, and the log group before
  # the function would make one that is kept for ever.
  depends_on = [aws_cloudwatch_log_group.this, aws_iam_role_policy.this, aws_iam_role_policy_attachment.network]
}

resource "aws_scheduler_schedule" "this" {
  for_each = var.schedules

  name                = each.value.name
  description         = "spanlake ${each.key}"
  schedule_expression = each.value.every

  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = aws_lambda_function.this[each.key].arn
    role_arn = aws_iam_role.this["schedule-${each.key}"].arn
    input    = each.value.input

    # The next one comes anyway.
    retry_policy {
      maximum_event_age_in_seconds = 60
      maximum_retry_attempts       = 1
    }
  }
}

resource "aws_lambda_function_event_invoke_config" "this" {
  for_each = var.schedules

  function_name                = aws_lambda_function.this[each.key].function_name
  maximum_event_age_in_seconds = 60
  maximum_retry_attempts       = 0
}
