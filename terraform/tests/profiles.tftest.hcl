# What each profile makes, and what is refused before anything is. The provider is
# mocked: its schema is needed, an account is not.

mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_region" {
    defaults = { region = "eu-west-1" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-west-1a", "eu-west-1b", "eu-west-1c"] }
  }
}

variables {
  projects = { shop = { retention_days = 30 } }
  release = {
    archive      = { url = "https://downloads.example.com/spanlake.tar.gz", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
    image        = "example.com/spanlake:1.0.0"
    functions_s3 = { bucket = "releases", prefix = "spanlake/", version = "1.0.0" }
    nats         = { url = "https://downloads.example.com/nats.tar.gz", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }
}

run "single" {
  command = plan

  assert {
    condition     = length(module.nats) + length(module.functions) + length(module.services) == 0 && length(module.single) == 1
    error_message = "single makes something else, too"
  }
  assert {
    condition     = output.otlp == { http = "http://10.61.0.20:4318", grpc = "http://10.61.0.20:4317" } && output.query_url == "http://10.61.0.20:3200"
    error_message = "endpoints: ${jsonencode([output.otlp, output.query_url])}"
  }
  assert {
    condition     = output.bucket_url == "s3://spanlake-123456789012-eu-west-1/?region=eu-west-1"
    error_message = output.bucket_url
  }
}

run "snippets" {
  command = plan

  assert {
    condition     = yamldecode(output.grafana_datasource).datasources[0].url == "http://10.61.0.20:3200" && yamldecode(output.grafana_datasource).datasources[0].basicAuth
    error_message = output.grafana_datasource
  }
  assert {
    condition     = yamldecode(output.collector_exporter).exporters["otlphttp/spanlake"] == { endpoint = "http://10.61.0.20:4318", compression = "zstd", headers = { x-api-key = "$${env:SPANLAKE_KEY}" } }
    error_message = output.collector_exporter
  }
}

run "snippets_of_function_urls" {
  command = apply

  variables {
    profile   = "serverless"
    nats      = { url = "tls://nats.example.com:4222", monitor_urls = ["https://nats.example.com:8222"] }
    functions = { endpoints = { ingest = "function_url", query = "function_url" }, principals = ["arn:aws:iam::123456789012:role/grafana"] }
  }
  assert {
    condition     = output.grafana_datasource == null
    error_message = "there is a data source, which could not sign"
  }
  assert {
    condition     = yamldecode(output.collector_exporter).extensions.sigv4auth == { service = "lambda", region = "eu-west-1" }
    error_message = output.collector_exporter
  }
  assert {
    condition     = module.plan.functions["query"].environment.SPANLAKE_FUNCTION_RESPONSE == "stream"
    error_message = "answers are not streamed"
  }
}

run "single_with_a_certificate" {
  command = plan

  variables {
    access = { certificate_arn = "arn:aws:acm:eu-west-1:123456789012:certificate/a", domain_name = "traces.example.com" }
  }
  assert {
    condition     = output.otlp == { http = "https://traces.example.com:4318", grpc = "https://traces.example.com:4317" } && output.query_url == "https://traces.example.com"
    error_message = "endpoints: ${jsonencode([output.otlp, output.query_url])}"
  }
}

run "serverless_with_servers_elsewhere_needs_no_network" {
  command = plan

  variables {
    profile = "serverless"
    nats    = { url = "tls://nats.example.com:4222", monitor_urls = ["https://nats.example.com:8222"] }
  }
  assert {
    condition     = length(module.network) + length(module.nats) + length(module.services) + length(module.single) == 0 && length(module.functions) == 1
    error_message = "serverless makes something else, too"
  }
  assert {
    condition     = strcontains(module.plan.policies["query"], "lambda:InvokeFunction")
    error_message = "query may not invoke itself"
  }
}

run "serverless_with_servers_of_its_own" {
  command = plan

  variables {
    profile = "serverless"
  }
  assert {
    condition     = output.nats_url == "nats://10.61.0.10:4222,nats://10.61.1.10:4222,nats://10.61.2.10:4222"
    error_message = "nats_url: ${output.nats_url}"
  }
  # In a VPC without an endpoint of Lambda it could not.
  assert {
    condition     = !strcontains(module.plan.policies["query"], "lambda:InvokeFunction")
    error_message = "query may invoke itself"
  }
}

run "cluster" {
  command = plan

  variables {
    profile = "cluster"
    access  = { internal = true }
  }
  assert {
    condition     = length(module.functions) + length(module.single) == 0 && length(module.services) == 1 && length(module.nats) == 1
    error_message = "cluster makes something else, too"
  }
}

run "cluster_on_the_internet_without_tls" {
  command = plan
  variables {
    profile = "cluster"
  }
  expect_failures = [var.access]
}

run "single_without_a_program" {
  command = plan
  variables {
    release = {}
  }
  expect_failures = [var.release]
}

run "cluster_without_an_image" {
  command = plan
  variables {
    profile = "cluster"
    access  = { internal = true }
    release = { nats = { url = "https://downloads.example.com/nats.tar.gz", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } }
  }
  expect_failures = [var.release]
}

run "serverless_without_zips" {
  command = plan
  variables {
    profile = "serverless"
    release = { nats = { url = "https://downloads.example.com/nats.tar.gz", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" } }
  }
  expect_failures = [var.release]
}

run "serverless_without_nats" {
  command = plan
  variables {
    profile = "serverless"
    release = { functions_s3 = { bucket = "releases", version = "1.0.0" } }
  }
  expect_failures = [var.release]
}

run "nats_whose_settings_nobody_reads" {
  command = plan
  variables {
    profile = "serverless"
    nats    = { url = "tls://nats.example.com:4222" }
  }
  expect_failures = [var.nats]
}
