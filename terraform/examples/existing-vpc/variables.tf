variable "region" {
  description = "Region of AWS."
  type        = string
}

variable "projects" {
  description = "Projects and how long their spans are kept."
  type        = any
}

variable "release" {
  description = "Where spanlake is: see the input release of the module."
  type        = any
}

variable "bucket" {
  description = "The bucket. Its lifecycle rules are replaced."
  type        = string
}

variable "nats_credentials_secret_arn" {
  description = "Secret with a NATS credentials file."
  type        = string
}

variable "vpc" {
  description = "The VPC, its subnets by any name, and the route tables that get an endpoint of S3. It needs endpoints of secretsmanager, and of lambda for large queries, or another way to them."
  type        = any
}

variable "principals" {
  description = "Roles and users that may query."
  type        = set(string)
}
