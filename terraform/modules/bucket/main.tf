# The bucket, its lifecycle rules and the settings of projects.

locals {
  # Known before the bucket is made, so that a plan shows policies and keys.
  bucket = var.create ? aws_s3_bucket.this["this"].id : var.name
  made   = toset(var.create ? ["this"] : [])
}

resource "aws_s3_bucket" "this" {
  for_each = local.made

  bucket        = var.name
  force_destroy = var.force_destroy
  tags          = var.tags
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.made

  bucket                  = local.bucket
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = local.made

  bucket = local.bucket
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.made

  bucket = local.bucket
  rule {
    # A data key for many objects: there are as many requests to the key as blocks
    # otherwise, and they cost more than the blocks.
    bucket_key_enabled = var.kms_key_arn != null
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.made

  bucket = local.bucket
  policy = var.policy

  # Both change what a bucket's policy may be, and S3 refuses two changes at once.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

# S3 has one document of rules, and this is it: -compactor.lifecycle=terraform.
resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = toset(var.lifecycle_rules == null ? [] : ["this"])

  bucket = local.bucket

  dynamic "rule" {
    for_each = var.lifecycle_rules
    content {
      id     = rule.value.id
      status = "Enabled"
      filter {
        prefix = rule.value.prefix
      }
      dynamic "expiration" {
        for_each = rule.value.expire_days[*]
        content {
          days = expiration.value
        }
      }
      dynamic "abort_incomplete_multipart_upload" {
        for_each = rule.value.abort_days[*]
        content {
          days_after_initiation = abort_incomplete_multipart_upload.value
        }
      }
      dynamic "noncurrent_version_expiration" {
        for_each = rule.value.noncurrent_days[*]
        content {
          noncurrent_days = noncurrent_version_expiration.value
        }
      }
    }
  }
}

# The server leaves settings alone that say "managed_by": "terraform". With a key of
# one's own an etag is not the content's MD5, and a change by hand is not noticed.
resource "aws_s3_object" "settings" {
  for_each = var.settings

  bucket       = local.bucket
  key          = each.key
  content      = each.value
  content_type = "application/json"
  etag         = var.kms_key_arn == null ? md5(each.value) : null

  # An object can have ten tags only, fewer than a provider may set by default.
  override_provider {
    default_tags {
      tags = {}
    }
  }
}
