# Functions in a VPC that is there, with a NATS cluster that runs in it, and a bucket
# that is not the module's own and keeps versions.
resource "aws_s3_bucket" "traces" {
  bucket = var.bucket
}

resource "aws_s3_bucket_versioning" "traces" {
  bucket = aws_s3_bucket.traces.id
  versioning_configuration {
    status = "Enabled"
  }
}

module "spanlake" {
  source = "../.."

  profile  = "serverless"
  projects = var.projects
  release  = merge(var.release, { functions_dir = "${path.module}/../../../dist/functions" })

  bucket = { name = aws_s3_bucket.traces.bucket, create = false, prefix = "traces/", versioned = true }
  nats = {
    url                    = "nats://nats.internal:4222"
    monitor_urls           = ["http://nats-0.internal:8222", "http://nats-1.internal:8222", "http://nats-2.internal:8222"]
    private                = true
    credentials_secret_arn = var.nats_credentials_secret_arn
  }
  network = { existing = var.vpc }

  functions = {
    endpoints            = { query = "function_url" }
    principals           = var.principals
    reserved_concurrency = { ingest = 50, flush = 1, compact = 1 }
  }
}
