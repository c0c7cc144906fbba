# How the outside reaches ingest and query. There is no public Function URL: its
# permissions could not be limited to the URL, so that any account could invoke the
# function with an event of its own making, such as one that says who has sent it.
# An HTTP API makes the event itself and is the only one that may invoke.

locals {
  api_routes   = merge([for f, routes in var.routes : { for route in routes : route => f if var.endpoints[f] == "http_api" }]...)
  on_api       = toset(values(local.api_routes))
  on_url       = toset([for f, endpoint in var.endpoints : f if endpoint == "function_url"])
  api          = toset(length(local.on_api) > 0 ? ["this"] : [])
  api_endpoint = one(values(aws_apigatewayv2_api.this)[*].api_endpoint)

  invokers = merge([for f in local.on_url : { for p in var.principals : "${f} ${p}" => { function = f, principal = p } }]...)
}

resource "aws_apigatewayv2_api" "this" {
  for_each = local.api

  name          = var.name
  description   = "spanlake: what sends spans goes to ingest, the rest to query"
  protocol_type = "HTTP"
  tags          = var.tags
}

resource "aws_apigatewayv2_stage" "this" {
  for_each = local.api

  api_id      = aws_apigatewayv2_api.this["this"].id
  name        = "$default"
  auto_deploy = true
  default_route_settings {
    throttling_rate_limit  = var.throttle.rate
    throttling_burst_limit = var.throttle.burst
  }
  tags = var.tags
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = local.on_api

  api_id                 = aws_apigatewayv2_api.this["this"].id
  integration_type       = "AWS_PROXY"
  integration_method     = "POST"
  integration_uri        = aws_lambda_function.this[each.key].invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 30000
}

resource "aws_apigatewayv2_route" "this" {
  for_each = local.api_routes

  api_id    = aws_apigatewayv2_api.this["this"].id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.this[each.value].id}"
}

resource "aws_lambda_permission" "api" {
  for_each = local.on_api

  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.key].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this["this"].execution_arn}/*/*"
}

resource "aws_lambda_function_url" "this" {
  for_each = local.on_url

  function_name      = aws_lambda_function.this[each.key].function_name
  authorization_type = "AWS_IAM"
  # Answers to queries are as long as they are; ingest's are short.
  invoke_mode = each.key == "query" ? "RESPONSE_STREAM" : "BUFFERED"
}

# URLs made since October 2025 want both.
resource "aws_lambda_permission" "url" {
  for_each = local.invokers

  statement_id           = "url-${substr(sha256(each.key), 0, 16)}"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.this[each.value.function].function_name
  principal              = each.value.principal
  function_url_auth_type = "AWS_IAM"
}

resource "aws_lambda_permission" "invoke" {
  for_each = local.invokers

  statement_id  = "invoke-${substr(sha256(each.key), 0, 16)}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.value.function].function_name
  principal     = each.value.principal
}
