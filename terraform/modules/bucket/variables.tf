variable "name" {
  description = "Name of the bucket."
  type        = string
}

variable "create" {
  description = "Make the bucket. Without it there has to be one."
  type        = bool
  default     = true
}

variable "force_destroy" {
  description = "Delete all spans when a bucket that was made here is destroyed. Without it a bucket that is not empty stays, and destroying fails."
  type        = bool
  default     = false
}

variable "kms_key_arn" {
  description = "ARN of the key that encrypts objects, null for S3's own."
  type        = string
  default     = null
}

variable "policy" {
  description = "Policy of a bucket that is made here, as JSON."
  type        = string
}

variable "lifecycle_rules" {
  description = "All lifecycle rules of the bucket, as the submodule plan puts them out. They replace whatever rules it has; null leaves those alone."
  type = list(object({
    id              = string
    prefix          = string
    expire_days     = number
    abort_days      = number
    noncurrent_days = number
  }))
}

variable "settings" {
  description = "Objects of the projects: what is in them, by key."
  type        = map(string)
}

variable "tags" {
  description = "Tags of all that is made here."
  type        = map(string)
  default     = {}
}
