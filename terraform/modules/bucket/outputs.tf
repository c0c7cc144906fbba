output "name" {
  description = "Name of the bucket, once it is there."
  value       = local.bucket
}

output "arn" {
  description = "ARN of the bucket that was made here, null of one that was there."
  value       = one(values(aws_s3_bucket.this)[*].arn)
}
